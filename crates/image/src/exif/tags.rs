//! The directories of a TIFF structure, as far as metadata needs them: finding entries, reading their values, and
//! saying which bytes to change for another.
//!
//! Every offset comes from the file and is checked where it is used; what leads nowhere is as if it were not there.

use std::ops::Range;

/// How values are counted and how long each is: TIFF 6.0 §2.
pub(super) const ASCII: u16 = 2;
pub(super) const SHORT: u16 = 3;
const LONG: u16 = 4;

/// A TIFF structure.
pub(super) struct Structure<'a> {
    bytes: &'a [u8],
    little: bool,
}

/// One entry of a directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    tag: u16,
    kind: u16,
    count: u32,
    /// Where its value, or the offset of it, stands.
    at: usize,
}

impl<'a> Structure<'a> {
    /// Takes bytes whose first four say that they are one. JPEG's wrapping, which other formats' writers keep, must be
    /// gone.
    pub(super) fn open(bytes: &'a [u8]) -> Option<Self> {
        let little = match bytes.get(..4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        Some(Self { bytes, little })
    }

    fn u16_at(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn u32_at(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    /// Where the first directory starts.
    pub(super) fn first(&self) -> Option<usize> {
        usize::try_from(self.u32_at(4)?).ok()
    }

    /// Where the link to the directory after this one stands, and where it leads.
    pub(super) fn next(&self, directory: usize) -> Option<(usize, usize)> {
        let count = usize::from(self.u16_at(directory)?);
        let link = directory.checked_add(2 + count * 12)?;
        Some((link, usize::try_from(self.u32_at(link)?).ok()?))
    }

    /// The first entry of a directory that has this tag.
    pub(super) fn find(&self, directory: usize, tag: u16) -> Option<Entry> {
        let count = usize::from(self.u16_at(directory)?);
        let starts = (0..count).filter_map(|n| directory.checked_add(2 + n * 12));
        let entry = |at: usize| {
            let (tag, kind, count) = (self.u16_at(at)?, self.u16_at(at + 2)?, self.u32_at(at + 4)?);
            Some(Entry { tag, kind, count, at: at + 8 })
        };
        starts.filter_map(entry).find(|entry| entry.tag == tag)
    }

    /// The number that an entry of kind SHORT holds.
    pub(super) fn short(&self, entry: Entry) -> Option<u16> {
        if entry.kind == SHORT { self.u16_at(entry.at) } else { None }
    }

    /// The number that an entry holds.
    pub(super) fn number(&self, entry: Entry) -> Option<u32> {
        match entry.kind {
            SHORT => self.u16_at(entry.at).map(u32::from),
            LONG => self.u32_at(entry.at),
            _ => None,
        }
    }

    /// The bytes of a text, up to and without its closing zeros. EXIF's copyright may hold one zero in its middle.
    pub(super) fn text(&self, entry: Entry) -> Option<&'a [u8]> {
        if entry.kind != ASCII {
            return None;
        }
        let length = usize::try_from(entry.count).ok()?;
        let start = if length <= 4 { entry.at } else { usize::try_from(self.u32_at(entry.at)?).ok()? };
        let text = self.bytes.get(start..start.checked_add(length)?)?;
        let end = text.iter().rposition(|byte| *byte != 0)?;
        Some(&text[..=end])
    }

    /// The bytes that `number` becomes where this entry holds one.
    pub(super) fn written(&self, entry: Entry, number: u16) -> Option<(Range<usize>, Vec<u8>)> {
        let long = u32::from(number);
        let bytes = match (entry.kind, self.little) {
            (SHORT, true) => number.to_le_bytes().to_vec(),
            (SHORT, false) => number.to_be_bytes().to_vec(),
            (LONG, true) => long.to_le_bytes().to_vec(),
            (LONG, false) => long.to_be_bytes().to_vec(),
            _ => return None,
        };
        let place = entry.at..entry.at + bytes.len();
        (place.end <= self.bytes.len()).then_some((place, bytes))
    }
}
