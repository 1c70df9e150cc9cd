//! What is said between the program and its derive processes: a question, an answer, each a length and JSON.
//!
//! Pixels and files do not pass here; they lie in the file that both hold open. Both ends are the same program, but
//! the program reads an answer as a stranger's: what made it may have been taken over by an image.

use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::time::{Duration, Instant};

use imgmill_image::{Findings, Limits, OnTruncated, Services};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::sandbox::Sandbox;
use super::{Order, Room};
use crate::derive::Inspected;
use crate::error::Kind;

/// No message is longer; an answer that claims more is no answer.
const LONGEST: u32 = 16 << 20;
/// What parts of files begin at that are mapped: the largest page of memory that machines have.
pub(super) const PAGE: u64 = 64 << 10;
/// No image lays aside more things than this.
const MOST_ASIDE: u64 = 16;
/// Few are longer.
const USUAL: u32 = 4 << 10;

/// What to do with the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Task {
    /// Read its header.
    Inspect,
    /// Read its header, and make every derivative if that takes no more memory than there is.
    Begin,
    /// Make every derivative.
    Derive,
}

/// One image to work on.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Question {
    pub task: Task,
    /// The source is this many bytes from the shared file's beginning; renditions go behind it.
    pub length: u64,
    /// Bytes that may be allocated for it.
    pub memory: u64,
    /// Bytes that its renditions may come to.
    pub output: u64,
    /// Bytes that may be laid aside, [behind the renditions](Question::aside).
    pub scratch: u64,
    /// The recipe, as a recipe file, which says nothing of services.
    pub recipe: String,
    pub services: Services,
    max_bytes: u64,
    max_pixels: u64,
    max_scans: u32,
    max_frames: u32,
    accept_truncated: bool,
    /// How many threads compress tiles.
    threads: NonZeroUsize,
    /// Until the deadline: a moment of one process's clock means nothing to another's.
    time: Option<Duration>,
}

impl Question {
    pub fn new(task: Task, order: &Order<'_>, limits: &Limits) -> Question {
        // Every field is named, so that a new one cannot be forgotten here.
        let Limits { max_bytes, max_pixels, max_scans, max_frames, on_truncated, deadline, threads } =
            *limits;
        let Room { memory, output, scratch, on_disk: _, admitted: _ } = order.room;
        let accept_truncated = on_truncated == OnTruncated::Accept;
        let time = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        Question {
            task,
            length: order.source.len() as u64,
            memory,
            output,
            scratch,
            recipe: order.recipe.to_json(),
            services: order.recipe.services().clone(),
            max_bytes,
            max_pixels,
            max_scans,
            max_frames,
            accept_truncated,
            threads,
            time,
        }
    }

    /// Where in the shared file things may be laid aside, and where that ends.
    pub fn aside(&self) -> Range<u64> {
        let start = self.length.saturating_add(self.output).next_multiple_of(PAGE);
        // Each begins at a page.
        let pages = if self.scratch > 0 { MOST_ASIDE * PAGE } else { 0 };
        start..start.saturating_add(self.scratch).saturating_add(pages)
    }

    /// Whether an image may be made in the memory that there is.
    pub fn has_room_for(&self, header: &Inspected) -> bool {
        let pixels = u64::from(header.width) * u64::from(header.height);
        let need = header.need.saturating_add(header.need / 8).saturating_add(header.written);
        pixels <= self.max_pixels && need <= self.memory && header.scratch == 0
    }

    pub fn limits(&self) -> Limits {
        let limits = Limits {
            max_bytes: self.max_bytes,
            max_pixels: self.max_pixels,
            max_scans: self.max_scans,
            max_frames: self.max_frames,
            on_truncated: if self.accept_truncated { OnTruncated::Accept } else { OnTruncated::Fail },
            deadline: None,
            threads: self.threads,
        };
        self.time.map_or(limits, |time| limits.within(time))
    }
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// Said once, before the first question.
    Ready(Sandbox),
    /// To [`Task::Inspect`], and to [`Task::Begin`] where that was all.
    Inspected(Inspected),
    /// To [`Task::Derive`], and with the header to [`Task::Begin`]: what lies in the shared file, in the
    /// recipe's order.
    Derived {
        header: Option<Inspected>,
        renditions: Vec<Laid>,
        truncated: bool,
        notes: Vec<String>,
        findings: Box<Findings>,
        elapsed: Duration,
    },
    /// The image's own error, and the derivative that it is about, if it is about one.
    Failed { kind: Kind, message: String, derivative: Option<String> },
}

/// A rendition that lies in the shared file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Laid {
    /// Where it begins.
    pub start: u64,
    pub width: u32,
    pub height: u32,
    pub bytes: u64,
}

/// Writes one message.
pub(super) fn send(stream: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_vec(message)?;
    let length = u32::try_from(text.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // One write, so that the other end wakes once.
    let mut framed = Vec::with_capacity(4 + text.len());
    framed.extend(length.to_le_bytes());
    framed.extend(text);
    stream.write_all(&framed)
}

/// Reads one message; nothing comes back where the other end is gone.
pub(super) fn receive<T: DeserializeOwned>(stream: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a message of {length} bytes")));
    }
    if length <= USUAL {
        // In one read.
        let mut text = [0; USUAL as usize];
        let text = &mut text[..length as usize];
        stream.read_exact(text)?;
        return Ok(Some(serde_json::from_slice(text)?));
    }
    let mut text = Vec::new();
    stream.take(length.into()).read_to_end(&mut text)?;
    Ok(Some(serde_json::from_slice(&text)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use imgmill_image::Recipe;

    #[test]
    fn messages_come_back_whole_or_not_at_all() {
        let threads = NonZeroUsize::new(3).unwrap();
        let limits = Limits { max_pixels: 7, threads, ..Limits::default() };
        let room = Room { memory: 5, output: PAGE, scratch: 7, on_disk: true, admitted: 8 };
        let recipe = Recipe::gray();
        let order = Order { source: &[1; 9], hash: None, recipe: &recipe, room, outlet: None };
        let mut wire = Vec::new();
        send(&mut wire, &Question::new(Task::Derive, &order, &limits)).unwrap();
        let back: Question = receive(&mut &wire[..]).unwrap().unwrap();
        assert_eq!((back.task, back.length, back.memory, back.limits()), (Task::Derive, 9, 5, limits));
        assert!(back.aside().start == 2 * PAGE && back.aside().end > 2 * PAGE + 7);
        assert!(receive::<Question>(&mut &wire[..0]).unwrap().is_none());
        assert!(receive::<Question>(&mut &wire[..9]).is_err(), "cut off");
        assert!(receive::<Question>(&mut &u32::MAX.to_le_bytes()[..]).is_err(), "too long");
    }
}
