//! PNG: all colour types and depths, palettes, tRNS, interlacing; 16 bits become 8 by rounding.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, DecodingError, Info, Reader, Transformations};

use crate::color;
use crate::error::{Error, ErrorKind};
use crate::exif;
use crate::header::Header;
use crate::pixels::{Channels, Pixels};
use crate::sniff::SourceFormat;

/// What a profile, a text or an EXIF block may take, unpacked.
const CHUNK_BYTES: usize = 16 << 20;

pub(super) fn header(source: &[u8]) -> Result<Header, Error> {
    let reader = open(source, CHUNK_BYTES)?;
    let info = reader.info();
    let has_transparency = info.trns.is_some();
    let channels = match info.color_type {
        ColorType::Grayscale => 1 + u8::from(has_transparency),
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb | ColorType::Indexed => 3 + u8::from(has_transparency),
        ColorType::Rgba => 4,
    };
    Ok(Header {
        format: SourceFormat::Png,
        width: info.width,
        height: info.height,
        orientation: info.exif_metadata.as_deref().and_then(exif::orientation).unwrap_or(exif::UPRIGHT),
        channels,
        bits: (info.bit_depth as u8).max(8),
        jpeg: None,
    })
}

pub(super) fn exif(source: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let reader = open(source, CHUNK_BYTES)?;
    Ok(reader.info().exif_metadata.as_ref().map(|block| block.to_vec()))
}

pub(super) fn decode(source: &[u8], header: &Header) -> Result<Pixels, Error> {
    let row = header.width as usize * usize::from(header.channels) * usize::from(header.bits / 8);
    let mut reader = open(source, CHUNK_BYTES + 4 * row)?;
    let size = reader.output_buffer_size().ok_or_else(too_large)?;
    let mut data = vec![0; size];
    reader.next_frame(&mut data).map_err(error)?;
    let (color, depth) = reader.output_color_type();
    let profile = profile(reader.info());
    // Reads on to IEND, so that a file cut after its last pixel is noticed too.
    reader.finish().map_err(error)?;

    let channels = match color {
        ColorType::Grayscale => Channels::Gray,
        ColorType::GrayscaleAlpha => Channels::GrayAlpha,
        ColorType::Rgb => Channels::Rgb,
        ColorType::Rgba => Channels::Rgba,
        ColorType::Indexed => return Err(Error::corrupt("the PNG's palette could not be applied")),
    };
    let data = if depth == BitDepth::Sixteen { to_8_bits(&data) } else { data };
    let mut pixels = Pixels::new(header.width, header.height, channels, data)?;
    if let Some(profile) = profile {
        color::to_srgb(&mut pixels, &profile);
    }
    Ok(pixels)
}

fn open(source: &[u8], bytes: usize) -> Result<Reader<Cursor<&[u8]>>, Error> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(source), png::Limits { bytes });
    decoder.set_ignore_text_chunk(true);
    decoder.set_transformations(Transformations::EXPAND);
    decoder.read_info().map_err(error)
}

/// The profile to convert from. An sRGB chunk says that there is nothing to convert.
fn profile(info: &Info<'_>) -> Option<Vec<u8>> {
    if info.srgb.is_some() {
        return None;
    }
    info.icc_profile.as_ref().map(|profile| profile.to_vec())
}

/// Big-endian 16-bit samples to 8 bits, rounded to the nearest.
fn to_8_bits(data: &[u8]) -> Vec<u8> {
    let (samples, _) = data.as_chunks::<2>();
    samples.iter().map(|sample| super::narrow(u16::from_be_bytes(*sample))).collect()
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooManyPixels, "the PNG takes more memory than its decoder is allowed")
}

fn error(error: DecodingError) -> Error {
    match error {
        DecodingError::LimitsExceeded => too_large(),
        DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::truncated("the PNG ends before its image does")
        }
        other => Error::corrupt(format!("the PNG is damaged: {other}")).caused_by(other),
    }
}
