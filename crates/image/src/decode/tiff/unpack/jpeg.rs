//! JPEG within TIFF: each strip or tile a stream whose tables may stand in a tag (Technical Note 2), and the older way
//! of TIFF 6.0 §22, where one stream stands outside of the strips, or strips hold nothing but coded blocks.
//!
//! Whatever the way, a whole stream is put together that libjpeg can read, with a marker that says how colours are
//! coded: TIFF's tags say that, and the stream's own markers are not asked.

use std::borrow::Cow;

use crate::decode::tiff::directory::Directory;
use crate::decode::tiff::layout::{Layout, YCBCR, compression, tag};
use crate::decode::tiff::unsupported;
use crate::error::Error;
use crate::jpeg::{self, Colour};
use crate::limits::{Limits, OnTruncated};

/// What comes before a piece's own bytes.
pub(super) enum Tables<'a> {
    /// Segments shared by all pieces; none where each is whole.
    Shared(&'a [u8]),
    /// Tables as older files have them, as segments ready to be used.
    Old(Vec<u8>),
}

impl<'a> Tables<'a> {
    pub(super) fn read(directory: &Directory<'a>, layout: &Layout) -> Result<Self, Error> {
        if layout.compression == compression::OLD_JPEG {
            return match stream(directory)? {
                Some(_) => Ok(Self::Shared(&[])),
                None => old_tables(directory).map(Tables::Old),
            };
        }
        Ok(Self::Shared(directory.bytes(tag::JPEG_TABLES)?.unwrap_or_default()))
    }

    /// The samples of a piece, cut or filled to `width` × `rows` pixels of 8-bit samples.
    pub(super) fn unpack(
        &self,
        data: &[u8],
        layout: &Layout,
        width: u32,
        rows: u32,
        limits: &Limits,
    ) -> Result<Vec<u8>, Error> {
        let samples = layout.together();
        let colour = match samples {
            1 => Colour::Luma,
            3 => Colour::Rgb,
            4 => Colour::Cmyk,
            _ => return Err(unsupported(format!("JPEG compression of {samples} samples a pixel"))),
        };
        let transform = u8::from(layout.photometric == YCBCR && samples == 3);
        let mut whole = vec![0xFF, 0xD8];
        segment(&mut whole, 0xEE, &[b"Adobe\0\x64\0\0\0\0".as_slice(), &[transform]].concat());
        match self {
            Tables::Shared(tables) => add_segments(&mut whole, tables),
            Tables::Old(tables) if !data.starts_with(&[0xFF, 0xD8]) => {
                whole.extend_from_slice(tables);
                frame(&mut whole, layout, width, rows)?;
            }
            Tables::Old(_) => {}
        }
        add_segments(&mut whole, data);
        whole.extend([0xFF, 0xD9]);

        let frame = jpeg::walk(&whole)?;
        if frame.sampling.len() != samples {
            let found = frame.sampling.len();
            return Err(Error::corrupt(format!("a JPEG in the TIFF has {found} components, not {samples}")));
        }
        // Strips are often coded as high as the others though the image ends within them.
        let room = u64::from(width) * u64::from(rows) + (1 << 22);
        let most = limits.max_scans;
        if u64::from(frame.width) * u64::from(frame.height) > 2 * room
            || (frame.progressive && jpeg::count_scans(&whole, most) > most)
        {
            return Err(Error::corrupt("a JPEG in the TIFF is far larger than its strip or tile"));
        }
        let size = (frame.width, frame.height);
        if size.0 < width || size.1 < rows {
            return Err(Error::corrupt("a JPEG in the TIFF is smaller than its strip or tile"));
        }
        let decoded =
            jpeg::decode(&whole, size, 8, colour, &Limits { on_truncated: OnTruncated::Fail, ..*limits })?;
        if size.0 == width {
            return Ok(decoded.data);
        }
        let (stride, wanted) = (size.0 as usize * samples, width as usize * samples);
        Ok(decoded
            .data
            .chunks_exact(stride)
            .take(rows as usize)
            .flat_map(|row| &row[..wanted])
            .copied()
            .collect())
    }
}

/// The stream of an older file that holds all of its image: JPEGInterchangeFormat, with the strips behind it where they
/// are no part of it.
pub(in crate::decode::tiff) fn stream<'a>(directory: &Directory<'a>) -> Result<Option<Cow<'a, [u8]>>, Error> {
    let number = |tag| Ok::<_, Error>(directory.number(tag)?.and_then(|number| usize::try_from(number).ok()));
    let Some(start) = number(tag::JPEG_START)?.filter(|start| *start > 0) else { return Ok(None) };
    let source = directory.source();
    let rest = source.get(start..).ok_or_else(|| Error::truncated("the TIFF ends before its JPEG starts"))?;
    if !rest.starts_with(&[0xFF, 0xD8]) {
        return Ok(None);
    }
    let length = number(tag::JPEG_LENGTH)?.filter(|length| *length > 0);
    let length = length.unwrap_or(rest.len()).min(rest.len());
    let strips = directory.numbers(tag::STRIP_OFFSETS)?;
    let is_within = |strip: &u64| (start as u64..(start + length) as u64).contains(strip);
    if strips.iter().all(is_within) {
        // Lengths that leave out the coded blocks occur; the stream ends by itself.
        return Ok(Some(Cow::Borrowed(rest)));
    }
    let mut whole = rest[..length].to_vec();
    if whole.ends_with(&[0xFF, 0xD9]) {
        whole.truncate(whole.len() - 2);
    }
    let lengths = directory.numbers(tag::STRIP_BYTES)?;
    for (strip, length) in strips.iter().zip(lengths).filter(|(strip, _)| !is_within(strip)) {
        let place = usize::try_from(*strip).ok().zip(usize::try_from(length).ok());
        let bytes = place.and_then(|(start, length)| source.get(start..start.checked_add(length)?));
        whole.extend(bytes.ok_or_else(|| Error::truncated("the TIFF ends before its image does"))?);
    }
    Ok(Some(Cow::Owned(whole)))
}

fn segment(stream: &mut Vec<u8>, marker: u8, payload: &[u8]) {
    stream.extend([0xFF, marker]);
    stream.extend((payload.len() as u16 + 2).to_be_bytes());
    stream.extend_from_slice(payload);
}

/// Adds what of a stream says how to decode it: no start, no end, no application's markers; all from a scan on.
fn add_segments(stream: &mut Vec<u8>, from: &[u8]) {
    let mut rest = from;
    while let [0xFF, marker, tail @ ..] = rest {
        match marker {
            0xFF => rest = &rest[1..],
            0xD8 | 0xD9 => rest = tail,
            0xDA => break,
            _ => {
                let length = tail.get(..2).map_or(2, |l| usize::from(u16::from_be_bytes([l[0], l[1]])));
                let (segment, next) = tail.split_at(length.clamp(2, tail.len().max(2)).min(tail.len()));
                if !(0xE0..=0xEF).contains(marker) {
                    stream.extend([0xFF, *marker]);
                    stream.extend_from_slice(segment);
                }
                rest = next;
            }
        }
    }
    stream.extend_from_slice(rest);
}

/// The quantisers and codes that older files have in three tags, each a list of where they are: TIFF 6.0 page 104.
fn old_tables(directory: &Directory<'_>) -> Result<Vec<u8>, Error> {
    let source = directory.source();
    let cut = || Error::truncated("the TIFF ends before its JPEG tables do");
    let at = |start: u64, length: usize| {
        let start = usize::try_from(start).ok()?;
        source.get(start..start.checked_add(length)?)
    };
    let mut tables = Vec::new();
    for (number, start) in (0u8..4).zip(directory.numbers(tag::JPEG_QUANTISERS)?) {
        segment(&mut tables, 0xDB, &[&[number], at(start, 64).ok_or_else(cut)?].concat());
    }
    for (class, list) in [(0, tag::JPEG_DC_TABLES), (0x10, tag::JPEG_AC_TABLES)] {
        for (number, start) in (0u8..4).zip(directory.numbers(list)?) {
            let lengths = at(start, 16).ok_or_else(cut)?;
            let values = lengths.iter().map(|count| usize::from(*count)).sum::<usize>().min(256);
            segment(
                &mut tables,
                0xC4,
                &[&[class | number], at(start, 16 + values).ok_or_else(cut)?].concat(),
            );
        }
    }
    if tables.is_empty() {
        return Err(unsupported("old-style JPEG compression, but neither a stream nor tables,"));
    }
    Ok(tables)
}

/// The headers of the frame and its one scan; every component has tables of its own, in order.
fn frame(stream: &mut Vec<u8>, layout: &Layout, width: u32, rows: u32) -> Result<(), Error> {
    let (Ok(width), Ok(rows)) = (u16::try_from(width), u16::try_from(rows)) else {
        return Err(Error::corrupt("the TIFF's JPEG is larger than JPEG allows"));
    };
    let count = layout.together() as u8;
    let factors = layout.subsampling.0 << 4 | layout.subsampling.1;
    let luma = if layout.photometric == YCBCR { factors as u8 } else { 0x11 };
    let mut header = vec![8];
    header.extend(rows.to_be_bytes());
    header.extend(width.to_be_bytes());
    header.push(count);
    header.extend((0..count).flat_map(|n| [n + 1, if n == 0 { luma } else { 0x11 }, n]));
    segment(stream, 0xC0, &header);
    let mut scan = vec![count];
    scan.extend((0..count).flat_map(|n| [n + 1, n << 4 | n]));
    scan.extend([0, 63, 0]);
    segment(stream, 0xDA, &scan);
    Ok(())
}
