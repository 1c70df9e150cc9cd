//! Renditions on their way from being made, in whatever order, to the sink, in the recipe's.

use std::io;

use crate::error::{Error, ErrorKind};
use crate::recipe::Derivative;
use crate::scratch::ScratchFile;
use crate::sink::{Coming, Output, Rendition, Sink, Written};

/// A rendition, in memory or written to what the sink gave for it.
pub(crate) enum Finished {
    Bytes(Rendition),
    Written(Written),
}

/// Where a rendition of unknown length is written: memory, unless the sink gave something better.
pub(crate) enum Target {
    Bytes(Coming, Vec<u8>),
    Given(Written),
}

impl Output for Target {
    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Target::Bytes(_, all) => all.add(bytes),
            Target::Given(written) => {
                written.length += bytes.len() as u64;
                written.output.add(bytes)
            }
        }
    }

    fn begin_with(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Target::Bytes(_, all) => all.begin_with(bytes),
            Target::Given(written) => written.output.begin_with(bytes),
        }
    }
}

impl Target {
    pub(crate) fn into_rendition(self) -> Finished {
        match self {
            Target::Bytes(Coming { label, format, width, height, .. }, bytes) => {
                Finished::Bytes(Rendition { label, format, width, height, bytes })
            }
            Target::Given(written) => Finished::Written(written),
        }
    }
}

/// Hands renditions on in the recipe's order, in whatever order they are made.
pub(crate) struct InOrder<'a> {
    sink: &'a mut dyn Sink,
    waiting: Vec<Option<Finished>>,
    next: usize,
}

impl<'a> InOrder<'a> {
    /// As many renditions as `count`, for a sink.
    pub(crate) fn new(sink: &'a mut dyn Sink, count: usize) -> Self {
        Self { sink, waiting: (0..count).map(|_| None).collect(), next: 0 }
    }

    /// Where a rendition of this size that may be large is to be written.
    pub(crate) fn target(&mut self, of: &Derivative, (width, height): (u32, u32)) -> Result<Target, Error> {
        let coming = Coming {
            label: of.label.clone(),
            format: of.request.format,
            width,
            height,
            most: at_most(width, height, of.options.bits == Some(16)),
        };
        match self.sink.open(&coming) {
            Ok(Some(output)) => Ok(Target::Given(Written { coming, output, length: 0 })),
            Ok(None) => Ok(Target::Bytes(coming, Vec::new())),
            Err(e) => {
                let message = format!("a large rendition could not be begun: {e}");
                Err(Error::new(ErrorKind::Sink, message).caused_by(e))
            }
        }
    }

    /// So many bytes of a file for what is not worth memory.
    pub(crate) fn scratch(&mut self, bytes: u64) -> io::Result<Option<ScratchFile>> {
        self.sink.scratch(bytes)
    }

    pub(crate) fn put(&mut self, index: usize, finished: Finished) -> Result<(), Error> {
        self.waiting[index] = Some(finished);
        while let Some(finished) = self.waiting.get_mut(self.next).and_then(Option::take) {
            let label = match &finished {
                Finished::Bytes(rendition) => rendition.label.clone(),
                Finished::Written(written) => written.coming.label.clone(),
            };
            let taken = match finished {
                Finished::Bytes(rendition) => self.sink.put(rendition),
                Finished::Written(written) => self.sink.put_written(written),
            };
            taken.map_err(|e| {
                let message = format!("the rendition “{label}” could not be handed on: {e}");
                Error::new(ErrorKind::Sink, message).caused_by(e)
            })?;
            self.next += 1;
        }
        Ok(())
    }
}

/// Bytes of four samples a pixel, again a third of that for smaller levels, and as much once more for tiles that are
/// only filled in part.
pub(crate) fn at_most(width: u32, height: u32, wide: bool) -> u64 {
    let tile = |side: u32| u64::from(side).next_multiple_of(1024);
    tile(width) * tile(height) * if wide { 8 } else { 4 } * 3 / 2
}
