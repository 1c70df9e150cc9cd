//! The directories of a TIFF that is read piece by piece, and the values of their entries. TIFF 6.0 §2; BigTIFF.
//!
//! The decoder's own reader of directories wants all of the file at hand; this one asks for what it looks at. Nothing is
//! allocated that the file has no bytes for.

use std::collections::HashSet;

use super::{ReadAt, read};
use crate::error::{Error, ErrorKind};

/// Entries of a directory at the most; no file of pixels has a hundred.
const MOST_ENTRIES: u64 = 4096;
/// Directories of a file at the most.
const MOST_DIRECTORIES: usize = 1024;
/// Bytes of one entry's values at the most: places of four million tiles.
const MOST_BYTES: u64 = 32 << 20;

/// Images that hang under another one.
const SUB_IFDS: u16 = 330;

/// How a file writes its numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    pub little: bool,
    big: bool,
}

/// The chain of a file's directories.
pub(super) struct Directories<'a> {
    source: &'a dyn ReadAt,
    format: Format,
    next: u64,
    seen: HashSet<u64>,
}

/// One directory.
pub(super) struct Directory {
    pub format: Format,
    entries: Vec<Entry>,
}

/// Values by the number of their tag.
struct Entry {
    tag: u16,
    kind: u16,
    count: u64,
    /// The bytes of the entry itself that hold its values, or where those are.
    room: Vec<u8>,
}

/// The values of an entry as they stand in the file.
#[derive(Debug, Clone)]
pub(super) struct Values {
    pub kind: u16,
    pub bytes: Vec<u8>,
}

impl Format {
    /// A number of so many bytes at the beginning of these, which are as many.
    fn number(self, bytes: &[u8]) -> u64 {
        let fold = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
        if self.little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) }
    }

    /// Bytes of an offset, and of the room for values in an entry.
    fn offset(self) -> usize {
        if self.big { 8 } else { 4 }
    }
}

impl<'a> Directories<'a> {
    pub(super) fn open(source: &'a dyn ReadAt) -> Result<Self, Error> {
        let short = source.length().min(16) as usize;
        let start = read(source, 0, short)?;
        let not_a_tiff = || Error::new(ErrorKind::NotAnImage, "the file is no TIFF by its first bytes");
        let (little, big) = match start.get(..4).ok_or_else(not_a_tiff)? {
            b"II*\0" => (true, false),
            b"MM\0*" => (false, false),
            b"II+\0" => (true, true),
            b"MM\0+" => (false, true),
            _ => return Err(not_a_tiff()),
        };
        let format = Format { little, big };
        let place = if big { 8..16 } else { 4..8 };
        let first = start.get(place).ok_or_else(|| Error::truncated("the TIFF ends within its header"))?;
        Ok(Self { source, format, next: format.number(first), seen: HashSet::new() })
    }

    /// The next directory of the chain; none after the last.
    pub(super) fn next(&mut self) -> Result<Option<Directory>, Error> {
        if self.next == 0 || self.seen.len() >= MOST_DIRECTORIES || self.seen.contains(&self.next) {
            return Ok(None);
        }
        let (directory, next) = self.read(self.next)?;
        self.next = next;
        Ok(Some(directory))
    }

    /// The directory at a place.
    pub(super) fn at(&mut self, place: u64) -> Result<Directory, Error> {
        self.read(place).map(|(directory, _)| directory)
    }

    fn read(&mut self, place: u64) -> Result<(Directory, u64), Error> {
        self.seen.insert(place);
        let format = self.format;
        let offset = format.offset();
        let counted = if format.big { 8 } else { 2 };
        let count = format.number(&read(self.source, place, counted)?);
        if count > MOST_ENTRIES {
            return Err(Error::corrupt(format!("the TIFF has a directory of {count} entries")));
        }
        let each = 4 + 2 * offset;
        let bytes = read(self.source, place + counted as u64, count as usize * each + offset)?;
        let (entries, next) = bytes.split_at(count as usize * each);
        let entry = |bytes: &[u8]| Entry {
            tag: format.number(&bytes[..2]) as u16,
            kind: format.number(&bytes[2..4]) as u16,
            count: format.number(&bytes[4..4 + offset]),
            room: bytes[4 + offset..].to_vec(),
        };
        let entries = entries.chunks_exact(each).map(entry).collect();
        Ok((Directory { format, entries }, format.number(next)))
    }
}

impl Directory {
    /// An entry's values; `None` if there is no such entry, or of a kind that nobody knows.
    pub(super) fn values(&self, source: &dyn ReadAt, tag: u16) -> Result<Option<Values>, Error> {
        let Some(entry) = self.entries.iter().find(|entry| entry.tag == tag) else { return Ok(None) };
        let Some(each) = length_of(entry.kind) else { return Ok(None) };
        let length = entry.count.saturating_mul(each);
        if length > MOST_BYTES {
            return Err(Error::corrupt(format!("the TIFF's tag {tag} has {} values", entry.count)));
        }
        let length = length as usize;
        let bytes = match entry.room.get(..length) {
            Some(inside) => inside.to_vec(),
            None => read(source, self.format.number(&entry.room), length)?,
        };
        Ok(Some(Values { kind: entry.kind, bytes }))
    }

    /// The whole numbers of an entry; none if there is no such entry or it holds something else.
    pub(super) fn numbers(&self, source: &dyn ReadAt, tag: u16) -> Result<Vec<u64>, Error> {
        let Some(Values { kind, bytes }) = self.values(source, tag)? else { return Ok(Vec::new()) };
        match (kind, length_of(kind)) {
            (1 | 3 | 4 | 13 | 16 | 18, Some(each)) => {
                Ok(bytes.chunks_exact(each as usize).map(|bytes| self.format.number(bytes)).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The first whole number of an entry.
    pub(super) fn number(&self, source: &dyn ReadAt, tag: u16) -> Result<Option<u64>, Error> {
        Ok(self.numbers(source, tag)?.first().copied())
    }

    /// Where directories are that hang under this one.
    pub(super) fn below(&self, source: &dyn ReadAt) -> Result<Vec<u64>, Error> {
        let mut places = self.numbers(source, SUB_IFDS)?;
        places.truncate(MOST_DIRECTORIES);
        Ok(places)
    }
}

/// Bytes of one value: TIFF 6.0 page 15, BigTIFF.
fn length_of(kind: u16) -> Option<u64> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 | 16..=18 => Some(8),
        _ => None,
    }
}
