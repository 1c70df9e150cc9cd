//! Renditions on their way from being made, in whatever order, to the sink, in the recipe's.

use std::fs::File;
use std::io;

use crate::error::{Error, ErrorKind};
use crate::recipe::Derivative;
use crate::sink::{FileRendition, Output, Rendition, Sink};

/// A rendition, in memory or in a file.
pub(crate) enum Finished {
    Bytes(Rendition),
    File(FileRendition),
}

/// Where a rendition of unknown length is written: a file, if the sink gave one.
pub(crate) enum Target {
    Bytes(Vec<u8>),
    File { file: File, length: u64 },
}

impl Output for Target {
    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Target::Bytes(all) => all.add(bytes),
            Target::File { file, length } => {
                *length += bytes.len() as u64;
                file.add(bytes)
            }
        }
    }

    fn begin_with(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Target::Bytes(all) => all.begin_with(bytes),
            Target::File { file, .. } => file.begin_with(bytes),
        }
    }
}

impl Target {
    pub(crate) fn into_rendition(self, derivative: &Derivative, (width, height): (u32, u32)) -> Finished {
        let (label, format) = (derivative.label.clone(), derivative.request.format);
        match self {
            Target::Bytes(bytes) => Finished::Bytes(Rendition { label, format, width, height, bytes }),
            Target::File { file, length } => {
                Finished::File(FileRendition { label, format, width, height, file, length })
            }
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

    /// Where a rendition that may be large is to be written.
    pub(crate) fn target(&mut self) -> Result<Target, Error> {
        match self.sink.file() {
            Ok(Some(file)) => Ok(Target::File { file, length: 0 }),
            Ok(None) => Ok(Target::Bytes(Vec::new())),
            Err(e) => {
                let message = format!("no file could be made for a large rendition: {e}");
                Err(Error::new(ErrorKind::Sink, message).caused_by(e))
            }
        }
    }

    pub(crate) fn put(&mut self, index: usize, finished: Finished) -> Result<(), Error> {
        self.waiting[index] = Some(finished);
        while let Some(finished) = self.waiting.get_mut(self.next).and_then(Option::take) {
            let label = match &finished {
                Finished::Bytes(rendition) => rendition.label.clone(),
                Finished::File(rendition) => rendition.label.clone(),
            };
            let taken = match finished {
                Finished::Bytes(rendition) => self.sink.put(rendition),
                Finished::File(rendition) => self.sink.put_file(rendition),
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
