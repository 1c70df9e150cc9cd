//! TIFF: the first image of the file; strips and tiles, chunky and planar, 1 to 64 bits, float, and the colour models
//! grey, palette, RGB, CMYK, YCbCr and L\*a\*b\*.
//!
//! The `tiff` crate unpacks, `raw` has it hand over plain samples whatever they mean, `colour` knows what they mean.

mod colour;
mod raw;

use tiff::TiffError;
use tiff::decoder::DecodingResult;

use crate::color;
use crate::error::{Error, ErrorKind};
use crate::exif;
use crate::header::Header;
use crate::pixels::Pixels;
use crate::sniff::SourceFormat;
use raw::Layout;

pub(super) fn header(source: &[u8]) -> Result<Header, Error> {
    let (_, layout) = raw::open(source)?;
    Ok(Header {
        format: SourceFormat::Tiff,
        width: layout.width,
        height: layout.height,
        orientation: if (1..=8).contains(&layout.orientation) { layout.orientation } else { exif::UPRIGHT },
        channels: u8::try_from(layout.samples).unwrap_or(u8::MAX),
        bits: layout.bits,
        jpeg: None,
    })
}

pub(super) fn decode(source: &[u8], header: &Header) -> Result<Pixels, Error> {
    let (mut decoder, layout) = raw::open(source)?;
    raw::check_complete(source, &mut decoder)?;
    // Read under the default limits: the ones below are too tight for long tags, and tight on purpose.
    let palette = if layout.is_palette() { raw::palette(&mut decoder)? } else { Vec::new() };
    let profile = raw::profile(&mut decoder)?;
    let pixels = header.width as usize * header.height as usize;
    let bytes = pixels * usize::from(layout.samples) * usize::from(layout.bits).div_ceil(8);
    let mut limits = tiff::decoder::Limits::default();
    // Rows of few bits are padded to whole bytes.
    limits.decoding_buffer_size = bytes + header.height as usize * usize::from(layout.samples);
    limits.intermediate_buffer_size = source.len();
    let mut decoder = decoder.with_limits(limits);
    let mut result = DecodingResult::U8(Vec::new());
    let read = decoder.read_image_to_buffer(&mut result).map_err(error)?;
    if result.as_buffer(0).byte_len() < read.complete_len {
        return Err(too_large());
    }
    let samples = raw::to_8_bits(result, &layout)?;
    let mut pixels = colour::to_pixels(samples, &layout, &palette, profile.as_deref())?;
    if let Some(profile) = profile {
        color::to_srgb(&mut pixels, &profile);
    }
    Ok(pixels)
}

fn unsupported(what: impl std::fmt::Display) -> Error {
    Error::unsupported(format!("TIFF with {what} is not supported"))
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooManyPixels, "the TIFF takes more memory than its decoder is allowed")
}

fn error(error: TiffError) -> Error {
    match error {
        TiffError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::truncated("the TIFF ends before its image does")
        }
        TiffError::UnsupportedError(e) => {
            Error::unsupported(format!("this kind of TIFF is not supported: {e}")).caused_by(e)
        }
        TiffError::LimitsExceeded | TiffError::IntSizeError => too_large(),
        other => Error::corrupt(format!("the TIFF is damaged: {other}")).caused_by(other),
    }
}

/// What a sample of this many bits is at most, for whole numbers.
fn most(layout: &Layout) -> u32 {
    if layout.bits >= 8 { 255 } else { (1 << layout.bits) - 1 }
}
