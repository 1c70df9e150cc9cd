//! From pixels to a file's bytes: one file a format. The same pixels and options give the same bytes, every run.

#[cfg(feature = "avif")]
mod avif;
mod gif;
mod jpg;
mod png;
pub(crate) mod ptif;
mod tif;
pub(crate) mod webp;

pub(crate) use jpg::{chroma, encode_planes};

use crate::error::{Error, ErrorKind};
use crate::pixels::Pixels;
use crate::recipe::{EncoderOptions, OutputFormat};

/// Encodes pixels, which must have no alpha where the format holds none, with an EXIF block where the format takes one.
pub(crate) fn encode(
    pixels: &Pixels,
    format: OutputFormat,
    options: &EncoderOptions,
    exif: Option<&[u8]>,
) -> Result<Vec<u8>, Error> {
    match format {
        OutputFormat::Jpg => jpg::encode(pixels, options, exif),
        OutputFormat::Png => png::encode(pixels, options, exif),
        OutputFormat::Webp => webp::encode(pixels, options, exif),
        OutputFormat::Tif => tif::encode(pixels, options, exif),
        OutputFormat::Gif => gif::encode(pixels),
        #[cfg(feature = "avif")]
        OutputFormat::Avif => avif::encode(pixels, options, exif),
        other => Err(Error::new(ErrorKind::UnsupportedOutput, other.why_not_built_in())),
    }
}

fn failed(format: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::encode(format!("the {format} could not be written: {error}")).caused_by(error)
}

/// Dots a metre for dots an inch.
fn dots_a_metre(dpi: u16) -> u32 {
    (f64::from(dpi) / 0.0254).round() as u32
}
