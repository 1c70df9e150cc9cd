//! What is said between the program and its derive processes: a question, an answer, each a length and JSON.
//!
//! Pixels and files do not pass here; they lie in the file that both hold open. Both ends are the same program, but
//! the program reads an answer as a stranger's: what made it may have been taken over by an image.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use imgmill_image::{Limits, OnTruncated};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::sandbox::Sandbox;
use crate::derive::Inspected;
use crate::error::Kind;

/// No message is longer; an answer that claims more is no answer.
const LONGEST: u32 = 16 << 20;
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
    /// The recipe, as a recipe file.
    pub recipe: String,
    max_bytes: u64,
    max_pixels: u64,
    max_scans: u32,
    max_frames: u32,
    accept_truncated: bool,
    /// Until the deadline: a moment of one process's clock means nothing to another's.
    time: Option<Duration>,
}

impl Question {
    pub fn new(task: Task, length: u64, memory: u64, recipe: String, limits: &Limits) -> Question {
        // Every field is named, so that a new one cannot be forgotten here.
        // A process works on one thread: its sandbox lets it start no other.
        let Limits { max_bytes, max_pixels, max_scans, max_frames, on_truncated, deadline, threads: _ } =
            *limits;
        let accept_truncated = on_truncated == OnTruncated::Accept;
        let time = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        Question {
            task,
            length,
            memory,
            recipe,
            max_bytes,
            max_pixels,
            max_scans,
            max_frames,
            accept_truncated,
            time,
        }
    }

    /// Whether an image may be made in the memory that there is.
    pub fn has_room_for(&self, header: &Inspected) -> bool {
        let pixels = u64::from(header.width) * u64::from(header.height);
        pixels <= self.max_pixels && header.need.saturating_add(header.need / 8) <= self.memory
    }

    pub fn limits(&self) -> Limits {
        let limits = Limits {
            max_bytes: self.max_bytes,
            max_pixels: self.max_pixels,
            max_scans: self.max_scans,
            max_frames: self.max_frames,
            on_truncated: if self.accept_truncated { OnTruncated::Accept } else { OnTruncated::Fail },
            deadline: None,
            threads: std::num::NonZeroUsize::MIN,
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
    /// To [`Task::Derive`], and with the header to [`Task::Begin`]: what lies in the shared file, one after another, in
    /// the recipe's order.
    Derived {
        header: Option<Inspected>,
        renditions: Vec<Laid>,
        truncated: bool,
        notes: Vec<String>,
        elapsed: Duration,
    },
    /// The image's own error.
    Failed { kind: Kind, message: String },
}

/// A rendition that lies in the shared file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Laid {
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

    #[test]
    fn messages_come_back_whole_or_not_at_all() {
        let limits = Limits { max_pixels: 7, ..Limits::default() };
        let mut wire = Vec::new();
        send(&mut wire, &Question::new(Task::Derive, 9, 5, "{}".into(), &limits)).unwrap();
        let back: Question = receive(&mut &wire[..]).unwrap().unwrap();
        assert_eq!((back.task, back.length, back.memory, back.limits()), (Task::Derive, 9, 5, limits));
        assert!(receive::<Question>(&mut &wire[..0]).unwrap().is_none());
        assert!(receive::<Question>(&mut &wire[..9]).is_err(), "cut off");
        assert!(receive::<Question>(&mut &u32::MAX.to_le_bytes()[..]).is_err(), "too long");
    }
}
