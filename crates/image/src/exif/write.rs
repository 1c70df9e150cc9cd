//! EXIF blocks to go with renditions: a source's own with what is no longer true put right, or a new one of a few tags.

use std::ops::Range;

use super::tags::{ASCII, SHORT, Structure};
use super::{ORIENTATION, UPRIGHT, orientation, unwrapped};

const DESCRIPTION: u16 = 0x010E;
const MAKE: u16 = 0x010F;
const MODEL: u16 = 0x0110;
const STRIP_OFFSETS: u16 = 0x0111;
const STRIP_BYTES: u16 = 0x0117;
const SOFTWARE: u16 = 0x0131;
const DATE: u16 = 0x0132;
const ARTIST: u16 = 0x013B;
const HOST: u16 = 0x013C;
const THUMBNAIL_OFFSET: u16 = 0x0201;
const THUMBNAIL_BYTES: u16 = 0x0202;
const COPYRIGHT: u16 = 0x8298;
const EXIF_DIRECTORY: u16 = 0x8769;
const COLOUR_SPACE: u16 = 0xA001;
const SRGB: u16 = 1;

/// Which texts of a first directory are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Texts {
    /// Who made it and may use it.
    Rights,
    /// And what it shows, and what it was made with and when.
    All,
}

impl Texts {
    fn tags(self) -> &'static [u16] {
        match self {
            Texts::Rights => &[ARTIST, COPYRIGHT],
            Texts::All => &[DESCRIPTION, MAKE, MODEL, SOFTWARE, DATE, ARTIST, HOST, COPYRIGHT],
        }
    }
}

/// A new block: the texts found in this one, and an orientation if it is given. `None` if that is nothing.
pub(crate) fn texts(block: &[u8], which: Texts, orientation: Option<u8>) -> Option<Vec<u8>> {
    let found = |tag: &u16| {
        let tiff = Structure::open(unwrapped(block))?;
        let text = tiff.text(tiff.find(tiff.first()?, *tag)?)?;
        Some(Field { tag: *tag, kind: ASCII, count: text.len() + 1, value: [text, &[0]].concat() })
    };
    write(which.tags().iter().filter_map(found).chain(orientation.map(Field::orientation)).collect())
}

/// All texts of the first directory that are not about the file itself, by their tags, without closing zeros.
pub(crate) fn listed(block: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let found = |tag: &u16| {
        let tiff = Structure::open(unwrapped(block))?;
        Some((*tag, tiff.text(tiff.find(tiff.first()?, *tag)?)?.to_vec()))
    };
    Texts::All.tags().iter().filter_map(found).collect()
}

/// A new block that says how the pixels are turned, if it is given, and nothing else.
pub(crate) fn only(orientation: Option<u8>) -> Option<Vec<u8>> {
    write(orientation.map(Field::orientation).into_iter().collect())
}

/// The block itself, every value where it was, with this orientation, sRGB, and no thumbnail. `None` if it is no TIFF
/// structure and there is no orientation to tell.
pub(crate) fn kept(block: &[u8], wanted: u8) -> Option<Vec<u8>> {
    let turned = (wanted != UPRIGHT).then_some(wanted);
    let block = unwrapped(block);
    // One that contradicts itself, a thumbnail that lies on its own directories say, is not worth keeping.
    let patched = patched(block, wanted).filter(|kept| orientation(kept).unwrap_or(UPRIGHT) == wanted);
    patched.or_else(|| only(turned))
}

fn patched(block: &[u8], wanted: u8) -> Option<Vec<u8>> {
    let tiff = Structure::open(block)?;
    let first = tiff.first()?;
    let mut kept = block.to_vec();
    let mut changes = Vec::new();
    if let Some((link, second)) = tiff.next(first).filter(|(_, second)| *second != 0) {
        changes.push((link..link + 4, vec![0; 4]));
        for range in thumbnail(&tiff, second) {
            let range = range.start.min(kept.len())..range.end.min(kept.len());
            kept[range.clone()].fill(0);
            // Where most writers put it, nothing comes after it.
            if range.end == kept.len() {
                kept.truncate(range.start);
            }
        }
    }
    let entry = tiff.find(first, ORIENTATION);
    changes.extend(entry.and_then(|entry| tiff.written(entry, wanted.into())));
    let exif = tiff.find(first, EXIF_DIRECTORY).and_then(|entry| tiff.number(entry));
    let exif = exif.and_then(|offset| usize::try_from(offset).ok());
    let entry = exif.and_then(|exif| tiff.find(exif, COLOUR_SPACE));
    changes.extend(entry.and_then(|entry| tiff.written(entry, SRGB)));
    for (place, bytes) in changes {
        kept.get_mut(place)?.copy_from_slice(&bytes);
    }
    Some(kept)
}

/// Where the thumbnail's bytes are, compressed or plain.
fn thumbnail(tiff: &Structure<'_>, directory: usize) -> Vec<Range<usize>> {
    let number = |tag: u16| {
        let number = tiff.number(tiff.find(directory, tag)?)?;
        usize::try_from(number).ok()
    };
    let range = |(offset, length)| {
        let start = number(offset)?;
        Some(start..start.saturating_add(number(length)?))
    };
    [(THUMBNAIL_OFFSET, THUMBNAIL_BYTES), (STRIP_OFFSETS, STRIP_BYTES)]
        .into_iter()
        .filter_map(range)
        .collect()
}

/// An entry to be written, its value in big-endian bytes.
struct Field {
    tag: u16,
    kind: u16,
    count: usize,
    value: Vec<u8>,
}

impl Field {
    fn orientation(value: u8) -> Self {
        Field { tag: ORIENTATION, kind: SHORT, count: 1, value: vec![0, value] }
    }
}

/// A big-endian structure of one directory.
fn write(mut fields: Vec<Field>) -> Option<Vec<u8>> {
    const HEADER: &[u8] = b"MM\0*\0\0\0\x08";
    if fields.is_empty() {
        return None;
    }
    fields.sort_by_key(|field| field.tag);
    let first_value = HEADER.len() + 2 + fields.len() * 12 + 4;
    let mut directory = u16::try_from(fields.len()).ok()?.to_be_bytes().to_vec();
    let mut values = Vec::new();
    for Field { tag, kind, count, mut value } in fields {
        directory.extend([tag.to_be_bytes(), kind.to_be_bytes()].concat());
        directory.extend(u32::try_from(count).ok()?.to_be_bytes());
        if value.len() <= 4 {
            value.resize(4, 0);
            directory.extend(value);
        } else {
            directory.extend(u32::try_from(first_value + values.len()).ok()?.to_be_bytes());
            // Values start at even places.
            value.resize(value.len().next_multiple_of(2), 0);
            values.extend(value);
        }
    }
    Some([HEADER, &directory, &[0; 4], &values].concat())
}
