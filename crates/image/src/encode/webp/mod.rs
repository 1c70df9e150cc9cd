//! WebP: lossy by libwebp unless lossless is asked for.

mod container;
mod ffi;

use crate::error::Error;
use crate::pixels::{Channels, Pixels};
use crate::recipe::{EncoderOptions, OutputFormat};
use ffi::Settings;

/// libwebp's limit, in pixels a side.
const LONGEST: u32 = 16_383;

/// libwebp's own default method.
const METHOD: u8 = 4;

/// A lossy WebP with no metadata.
pub(crate) fn plain(pixels: &Pixels, quality: u8) -> Result<Vec<u8>, Error> {
    in_colour(pixels, Settings { quality, lossless: false, method: METHOD })
}

/// WebP is always in colour.
fn in_colour(pixels: &Pixels, settings: Settings) -> Result<Vec<u8>, Error> {
    match pixels.channels {
        Channels::Rgb | Channels::Rgba => ffi::encode(pixels, settings),
        Channels::Gray => ffi::encode(&pixels.map(Channels::Rgb, |[v]| [v; 3]), settings),
        Channels::GrayAlpha => ffi::encode(&pixels.map(Channels::Rgba, |[v, a]| [v, v, v, a]), settings),
    }
}

pub(super) fn encode(
    pixels: &Pixels,
    options: &EncoderOptions,
    exif: Option<&[u8]>,
) -> Result<Vec<u8>, Error> {
    if pixels.width > LONGEST || pixels.height > LONGEST {
        let (width, height) = (pixels.width, pixels.height);
        return Err(Error::encode(format!(
            "a WebP has at most {LONGEST} pixels a side, not {width}×{height}"
        )));
    }
    let settings = Settings {
        quality: options.quality_for(OutputFormat::Webp),
        lossless: options.lossless,
        // libwebp's methods are 0 to 6.
        method: options.effort.map_or(METHOD, |effort| (effort * 6).div_ceil(10)),
    };
    let file = in_colour(pixels, settings)?;
    let has_alpha = matches!(pixels.channels, Channels::GrayAlpha | Channels::Rgba);
    match exif {
        Some(exif) => container::with_exif(&file, (pixels.width, pixels.height), has_alpha, exif),
        None => Ok(file),
    }
}
