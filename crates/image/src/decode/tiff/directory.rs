//! TIFF's directories: where they are in the file, and the values of their entries. TIFF 6.0 §2; BigTIFF.
//!
//! Every count and offset comes from the file and is held against its length before anything is read or allocated: a
//! directory takes no more memory than the file has bytes for it.

use std::collections::HashSet;

use crate::error::Error;

/// The directory of one page.
pub(super) struct Directory<'a> {
    source: &'a [u8],
    pub little: bool,
    entries: Vec<Entry<'a>>,
}

struct Entry<'a> {
    tag: u16,
    kind: u16,
    /// The bytes of its values; `None` where they lie outside of the file.
    values: Option<&'a [u8]>,
}

/// How many bytes numbers take, in the two kinds of TIFF.
struct Widths {
    /// A directory's number of entries.
    count: usize,
    /// An offset, and the room for values that are kept in an entry itself.
    offset: usize,
}

impl Widths {
    const CLASSIC: Widths = Widths { count: 2, offset: 4 };
    const BIG: Widths = Widths { count: 8, offset: 8 };

    /// Tag, kind, number of values, value.
    fn entry(&self) -> usize {
        4 + 2 * self.offset
    }
}

impl<'a> Directory<'a> {
    /// Finds the directory of a page, counted from 1, in the chain of the file's directories.
    pub(super) fn open(source: &'a [u8], page: u32) -> Result<Self, Error> {
        let cut = || Error::truncated("the TIFF ends before its directory does");
        let little = source.starts_with(b"II");
        let number = |at, length| number(source, little, at, length);
        let big = number(2, 2).ok_or_else(cut)? == 43;
        let widths = if big { Widths::BIG } else { Widths::CLASSIC };
        let first = if big { 8 } else { 4 };
        let mut next = number(first, widths.offset).ok_or_else(cut)?;
        let mut seen = HashSet::new();
        loop {
            // A chain that leads back into itself ends there.
            if next == 0 || !seen.insert(next) {
                return Err(match seen.len() {
                    0 => Error::corrupt("the TIFF has no directory, and so no image"),
                    pages => crate::decode::no_such_page(page, pages),
                });
            }
            let at = usize::try_from(next).map_err(|_| cut())?;
            let count = number(at, widths.count).ok_or_else(cut)?;
            let length = usize::try_from(count).ok().and_then(|count| count.checked_mul(widths.entry()));
            let start = at + widths.count;
            let end = length.and_then(|length| start.checked_add(length)).ok_or_else(cut)?;
            if end > source.len() {
                return Err(cut());
            }
            let link = number(end, widths.offset).ok_or_else(cut)?;
            if seen.len() == page as usize {
                let starts = (start..end).step_by(widths.entry());
                let entries = starts.map(|at| Entry::read(source, at, little, &widths)).collect();
                return Ok(Self { source, little, entries });
            }
            next = link;
        }
    }

    /// The whole file.
    pub(super) fn source(&self) -> &'a [u8] {
        self.source
    }

    /// The bytes of an entry's values; `None` if there is no such entry.
    pub(super) fn bytes(&self, tag: u16) -> Result<Option<&'a [u8]>, Error> {
        let Some(entry) = self.entries.iter().find(|entry| entry.tag == tag) else { return Ok(None) };
        let values = entry.values.ok_or_else(|| Error::truncated("the TIFF ends before its tags do"))?;
        Ok(Some(values))
    }

    /// The whole numbers of an entry; none if there is no such entry or it holds something else.
    pub(super) fn numbers(&self, tag: u16) -> Result<Vec<u64>, Error> {
        let Some(bytes) = self.bytes(tag)? else { return Ok(Vec::new()) };
        let kind = self.entries.iter().find(|entry| entry.tag == tag).map_or(0, |entry| entry.kind);
        if !matches!(kind, 1 | 3 | 4 | 6 | 7 | 13 | 16 | 18) {
            return Ok(Vec::new());
        }
        let length = length_of(kind);
        Ok(bytes.chunks_exact(length).filter_map(|value| number(value, self.little, 0, length)).collect())
    }

    /// The first whole number of an entry.
    pub(super) fn number(&self, tag: u16) -> Result<Option<u64>, Error> {
        Ok(self.numbers(tag)?.first().copied())
    }

    /// The fractions of an entry, each with its value; none if there is no such entry or it holds something else.
    pub(super) fn fractions(&self, tag: u16) -> Result<Vec<f32>, Error> {
        const RATIONAL: u16 = 5;
        let is_fraction = self.entries.iter().any(|entry| entry.tag == tag && entry.kind == RATIONAL);
        if !is_fraction {
            return Ok(self.numbers(tag)?.into_iter().map(|whole| whole as f32).collect());
        }
        let half = |pair: &[u8], at| number(pair, self.little, at, 4).unwrap_or(0) as f32;
        let fractions = self.bytes(tag)?.unwrap_or_default().chunks_exact(8);
        Ok(fractions.map(|pair| half(pair, 0) / half(pair, 4)).collect())
    }
}

impl<'a> Entry<'a> {
    /// Reads the entry at `at`.
    fn read(source: &'a [u8], at: usize, little: bool, widths: &Widths) -> Self {
        let field = |offset, length| number(source, little, at + offset, length).unwrap_or(0);
        let (tag, kind) = (field(0, 2) as u16, field(2, 2) as u16);
        let length = usize::try_from(field(4, widths.offset)).ok();
        let length = length.and_then(|count| count.checked_mul(length_of(kind)));
        let value_at = 4 + widths.offset;
        let values = length.and_then(|length| {
            let start = if length <= widths.offset {
                at + value_at
            } else {
                usize::try_from(field(value_at, widths.offset)).ok()?
            };
            source.get(start..start.checked_add(length)?)
        });
        Self { tag, kind, values }
    }
}

/// Bytes of one value: TIFF 6.0 page 15. Kinds that are not known have values of no length.
fn length_of(kind: u16) -> usize {
    match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => 0,
    }
}

/// A number of `length` bytes, at most 8; `None` if the bytes end before.
fn number(bytes: &[u8], little: bool, at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    let fold = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
    Some(if little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) })
}
