//! Samples as they are stored: unpacked, undone of prediction, planes woven together, 8 bits each.
//!
//! The `tiff` crate refuses palettes and most of L\*a\*b\*, drops extra samples and inverts some greys by itself. Told
//! that every image is “black is zero”, it hands over all samples untouched; what they mean is decided in `colour`.

use std::io::{Cursor, Read, Seek, SeekFrom};

use tiff::TiffError;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;

use super::{error, most, unsupported};
use crate::error::Error;

/// PhotometricInterpretation, TIFF 6.0 page 37.
pub(super) const WHITE_IS_ZERO: u16 = 0;
pub(super) const BLACK_IS_ZERO: u16 = 1;
pub(super) const RGB: u16 = 2;
pub(super) const PALETTE: u16 = 3;
pub(super) const CMYK: u16 = 5;
pub(super) const YCBCR: u16 = 6;
pub(super) const CIE_LAB: u16 = 8;
pub(super) const ICC_LAB: u16 = 9;

const COMPRESSION_NONE: u16 = 1;
const COMPRESSION_OLD_JPEG: u16 = 6;
const COMPRESSION_JPEG: u16 = 7;

/// What the tags say of how samples lie.
pub(super) struct Layout {
    pub width: u32,
    pub height: u32,
    pub samples: u16,
    pub bits: u8,
    pub photometric: u16,
    pub orientation: u8,
    /// ExtraSamples: 1 is premultiplied alpha, 2 is straight alpha.
    pub extra: Vec<u16>,
    pub planar: bool,
}

impl Layout {
    pub(super) fn is_palette(&self) -> bool {
        self.photometric == PALETTE
    }

    fn is_lab(&self) -> bool {
        matches!(self.photometric, CIE_LAB | ICC_LAB)
    }
}

pub(super) type RawDecoder<'a> = Decoder<Patched<'a>>;

/// Opens the first image and reads its layout.
pub(super) fn open(source: &[u8]) -> Result<(RawDecoder<'_>, Layout), Error> {
    let (photometric, at) = photometric(source)?;
    let bytes =
        if source.starts_with(b"II") { BLACK_IS_ZERO.to_le_bytes() } else { BLACK_IS_ZERO.to_be_bytes() };
    let mut decoder = Decoder::new(Patched { inner: Cursor::new(source), at, bytes }).map_err(error)?;
    let (width, height) = decoder.dimensions().map_err(error)?;
    let mut tag =
        |tag, default: u16| Ok(decoder.find_tag_unsigned::<u16>(tag).map_err(error)?.unwrap_or(default));
    let compression = tag(Tag::Compression, COMPRESSION_NONE)?;
    let samples = tag(Tag::SamplesPerPixel, 1)?;
    let orientation = tag(Tag::Orientation, 1)?;
    let fill_order = tag(Tag::FillOrder, 1)?;
    let tile_length = tag(Tag::TileLength, 0)?;
    let planar = tag(Tag::PlanarConfiguration, 1)? == 2;
    let mut list = |tag| Ok(decoder.find_tag_unsigned_vec::<u16>(tag).map_err(error)?.unwrap_or_default());
    let bits = list(Tag::BitsPerSample)?.first().copied().unwrap_or(1);
    let extra = list(Tag::ExtraSamples)?;
    let subsampling = list(Tag::ChromaSubsampling)?;

    let bits = u8::try_from(bits).map_err(|_| unsupported(format!("{bits} bits a sample")))?;
    let layout = Layout {
        width,
        height,
        samples,
        bits,
        photometric,
        orientation: u8::try_from(orientation).unwrap_or(1),
        extra,
        planar,
    };
    if fill_order == 2 {
        return Err(unsupported("reversed bits (FillOrder 2)"));
    }
    // The crate takes the last tiles of the second plane on for whole ones.
    if planar && samples > 1 && tile_length != 0 && height % u32::from(tile_length) != 0 {
        return Err(unsupported(
            "a tiled plane for each colour and a height that is no multiple of a tile's",
        ));
    }
    refuse_what_is_not_read(&layout, compression, &subsampling)?;
    Ok((decoder, layout))
}

fn refuse_what_is_not_read(layout: &Layout, compression: u16, subsampling: &[u16]) -> Result<(), Error> {
    if !matches!(layout.bits, 1 | 2 | 4 | 8 | 16 | 32 | 64) {
        return Err(unsupported(format!("{} bits a sample", layout.bits)));
    }
    if layout.bits < 8 && layout.samples > 1 {
        return Err(unsupported(format!("{} samples of {} bits", layout.samples, layout.bits)));
    }
    if compression == COMPRESSION_OLD_JPEG {
        return Err(unsupported("old-style JPEG compression"));
    }
    let plain = subsampling == [1, 1] || compression == COMPRESSION_JPEG;
    if layout.photometric == YCBCR && !plain {
        return Err(unsupported("subsampled YCbCr outside of JPEG compression"));
    }
    Ok(())
}

/// The photometric interpretation of the first image, and where in the file it stands.
fn photometric(source: &[u8]) -> Result<(u16, u64), Error> {
    let little = source.starts_with(b"II");
    let number = |at: usize, length: usize| -> Option<u64> {
        let bytes = source.get(at..at.checked_add(length)?)?;
        let fold = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
        Some(if little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) })
    };
    let cut = || Error::truncated("the TIFF ends before its directory does");
    let big = number(2, 2).ok_or_else(cut)? == 43;
    // Where the offset is and how long; then the length of the count, of an entry, and where in it its value is.
    let (offset_at, offset_len, count_len, entry_len, value_at) =
        if big { (8, 8, 8, 20, 12) } else { (4, 4, 2, 12, 8) };
    let directory = number(offset_at, offset_len).and_then(|at| usize::try_from(at).ok()).ok_or_else(cut)?;
    let count = number(directory, count_len).ok_or_else(cut)?;
    // More entries than fit into the file end the search, whatever the count says.
    for index in 0..usize::try_from(count).unwrap_or(usize::MAX).min(source.len() / entry_len) {
        let entry = directory + count_len + index * entry_len;
        if number(entry, 2).ok_or_else(cut)? == u64::from(Tag::PhotometricInterpretation.to_u16()) {
            let value = number(entry + value_at, 2).ok_or_else(cut)?;
            return Ok((value as u16, (entry + value_at) as u64));
        }
    }
    Err(Error::corrupt("the TIFF does not say what its samples mean (no PhotometricInterpretation)"))
}

/// The file with two of its bytes replaced.
pub(super) struct Patched<'a> {
    inner: Cursor<&'a [u8]>,
    at: u64,
    bytes: [u8; 2],
}

impl Read for Patched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let start = self.inner.position();
        let length = self.inner.read(buffer)?;
        for (at, byte) in (self.at..).zip(self.bytes) {
            let place = at.checked_sub(start).and_then(|place| usize::try_from(place).ok());
            if let Some(place) = place.and_then(|place| buffer[..length].get_mut(place)) {
                *place = byte;
            }
        }
        Ok(length)
    }
}

impl Seek for Patched<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.inner.seek(to)
    }
}

/// Every strip or tile must lie within the file; the unpackers themselves do not all notice a missing end.
pub(super) fn check_complete(source: &[u8], decoder: &mut RawDecoder<'_>) -> Result<(), Error> {
    for (offsets, lengths) in
        [(Tag::StripOffsets, Tag::StripByteCounts), (Tag::TileOffsets, Tag::TileByteCounts)]
    {
        let mut list =
            |tag| Ok(decoder.find_tag_unsigned_vec::<u64>(tag).map_err(error)?.unwrap_or_default());
        let ends =
            list(offsets)?.into_iter().zip(list(lengths)?).map(|(at, length)| at.saturating_add(length));
        if ends.max().is_some_and(|end| end > source.len() as u64) {
            return Err(Error::truncated("the TIFF ends before its image does"));
        }
    }
    Ok(())
}

/// The colours of a palette: all reds, all greens, all blues, 16 bits each as the tag has them, narrowed.
pub(super) fn palette(decoder: &mut RawDecoder<'_>) -> Result<Vec<u8>, Error> {
    let map = decoder.find_tag_unsigned_vec::<u16>(Tag::ColorMap).map_err(error)?;
    let map = map.ok_or_else(|| Error::corrupt("the TIFF has no colours in its palette"))?;
    // Some writers put 8-bit values there.
    let narrow = map.iter().any(|value| *value > 255);
    Ok(map.into_iter().map(|v| if narrow { crate::decode::narrow(v) } else { v as u8 }).collect())
}

/// The ICC profile. One that is damaged is as good as none; one that is cut off means that the file is.
pub(super) fn profile(decoder: &mut RawDecoder<'_>) -> Result<Option<Vec<u8>>, Error> {
    match decoder.find_tag(Tag::IccProfile) {
        Ok(profile) => Ok(profile.and_then(|profile| profile.into_u8_vec().ok())),
        Err(TiffError::IoError(e)) => Err(error(TiffError::IoError(e))),
        Err(_) => Ok(None),
    }
}

/// All samples as 8 bits, pixel after pixel. Of fewer bits they keep their value, for a palette to look up.
pub(super) fn to_8_bits(result: DecodingResult, layout: &Layout) -> Result<Vec<u8>, Error> {
    let unit = |value: f64| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    let samples: Vec<u8> = match result {
        DecodingResult::U8(bytes) if layout.bits < 8 => unpack(bytes, layout),
        DecodingResult::U8(bytes) => bytes,
        DecodingResult::U16(words) if layout.is_lab() => lab_16(&words, layout),
        DecodingResult::U16(words) => words.into_iter().map(crate::decode::narrow).collect(),
        DecodingResult::U32(words) => {
            words.into_iter().map(|v| unit(f64::from(v) / f64::from(u32::MAX))).collect()
        }
        DecodingResult::U64(words) => words.into_iter().map(|v| unit(v as f64 / u64::MAX as f64)).collect(),
        DecodingResult::F16(floats) => floats.into_iter().map(|v| unit(v.into())).collect(),
        DecodingResult::F32(floats) => floats.into_iter().map(|v| unit(v.into())).collect(),
        DecodingResult::F64(floats) => floats.into_iter().map(unit).collect(),
        _ => return Err(unsupported("signed samples")),
    };
    Ok(if layout.planar && layout.samples > 1 { weave(&samples, layout.samples.into()) } else { samples })
}

/// L\* is unsigned; a\* and b\* are signed in CIE L\*a\*b\* and shifted by half in ICC's, with no full scale to round to.
fn lab_16(words: &[u16], layout: &Layout) -> Vec<u8> {
    let samples = usize::from(layout.samples).max(1);
    let plane = words.len() / samples;
    let component = |index: usize| if layout.planar { index / plane.max(1) } else { index % samples };
    let narrowed = |(index, word): (usize, &u16)| match component(index) {
        0 => crate::decode::narrow(*word),
        _ => (word >> 8) as u8,
    };
    words.iter().enumerate().map(narrowed).collect()
}

/// Samples of 1, 2 or 4 bits; each row starts on a byte of its own.
fn unpack(bytes: Vec<u8>, layout: &Layout) -> Vec<u8> {
    let per_byte = 8 / usize::from(layout.bits);
    let stride = (layout.width as usize).div_ceil(per_byte);
    let mask = most(layout) as u8;
    let row = |row: &[u8]| -> Vec<u8> {
        let sample = |x: usize| {
            (row[x / per_byte] >> ((per_byte - 1 - x % per_byte) * usize::from(layout.bits))) & mask
        };
        (0..layout.width as usize).map(sample).collect()
    };
    bytes.chunks_exact(stride).flat_map(row).collect()
}

/// One plane after the other becomes one pixel after the other.
fn weave(planes: &[u8], samples: usize) -> Vec<u8> {
    let length = planes.len() / samples;
    let mut woven = vec![0; length * samples];
    for (index, plane) in planes.chunks_exact(length.max(1)).enumerate() {
        for (pixel, sample) in woven.chunks_exact_mut(samples).zip(plane) {
            pixel[index] = *sample;
        }
    }
    woven
}
