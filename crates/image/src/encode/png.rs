//! PNG: 8 bits a sample, grey or colour, with alpha or without, as the pixels are.

use std::borrow::Cow;

use png::{BitDepth, ColorType, Compression, Encoder, Info, PixelDimensions, Unit};

use super::{dots_a_metre, failed};
use crate::error::Error;
use crate::pixels::{Channels, Pixels};
use crate::recipe::EncoderOptions;

/// What an effort comes to: default is the fast deflate with adaptive filters.
fn compression(effort: Option<u8>) -> Compression {
    match effort {
        None | Some(1..=4) => Compression::Fast,
        Some(0) => Compression::Fastest,
        Some(5..=7) => Compression::Balanced,
        Some(_) => Compression::High,
    }
}

pub(super) fn encode(
    pixels: &Pixels,
    options: &EncoderOptions,
    exif: Option<&[u8]>,
) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(pixels.data.len() / 2);
    let mut info = Info::with_size(pixels.width, pixels.height);
    info.exif_metadata = exif.map(Cow::Borrowed);
    let mut encoder = Encoder::with_info(&mut bytes, info).map_err(|e| failed("PNG", e))?;
    encoder.set_color(match pixels.channels {
        Channels::Gray => ColorType::Grayscale,
        Channels::GrayAlpha => ColorType::GrayscaleAlpha,
        Channels::Rgb => ColorType::Rgb,
        Channels::Rgba => ColorType::Rgba,
    });
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(compression(options.effort));
    encoder.set_pixel_dims(options.dpi.map(|dpi| {
        let dots = dots_a_metre(dpi);
        PixelDimensions { xppu: dots, yppu: dots, unit: Unit::Meter }
    }));
    let mut writer = encoder.write_header().map_err(|e| failed("PNG", e))?;
    writer.write_image_data(&pixels.data).map_err(|e| failed("PNG", e))?;
    writer.finish().map_err(|e| failed("PNG", e))?;
    Ok(bytes)
}
