//! From a file's bytes to pixels: one file a format, each with its header reader and its decoder.
//!
//! A decoder answers with 8-bit sRGB pixels as stored, not yet oriented. It is called after the limits were checked
//! against its header, and says [`Truncated`](crate::ErrorKind::Truncated) where the file ends before its pixels do, unless the limits accept that
//! and the format's pixels come in an order that makes those before the cut an image: JPEG, PNG, GIF.

#[cfg(feature = "avif")]
mod avif;
mod bmp;
mod gif;
mod jpeg;
#[cfg(feature = "jpeg2000")]
mod jpeg2000;
#[cfg(feature = "pdf")]
mod pdf;
mod png;
mod sheet;
mod strips;
#[cfg(feature = "svg")]
mod svg;
mod tiff;
mod timed;
mod vector;
mod webp;
mod whole;

use std::borrow::Cow;

pub(crate) use jpeg::{check_scans, ycbcr_profile};
pub(crate) use sheet::Sheet;
pub(crate) use strips::{Strips, Wish, strips};
pub(crate) use vector::{Canvas, STACK};

use crate::error::Error;
use crate::header::Header;
use crate::jpeg::Scales;
use crate::limits::Limits;
use crate::pixels::Pixels;
use crate::planes::Planes;
use crate::sniff::SourceFormat;

/// What is needed of the source's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    /// The smallest scale that serves, in eighths of full size: 1, 2, 4 or 8. Only JPEG and JPEG 2000 can give less
    /// than 8.
    pub eighths: u8,
    /// Width and height in pixels that all of a drawing would have, drawn as large as the largest derivative needs it.
    pub whole: (u32, u32),
    /// Nothing but luma is needed. Only JPEG can save by it; the others decode all colours.
    pub luma_only: bool,
    /// Planes of these scales serve as well, where the source can be read as such.
    pub planes: Option<Scales>,
    /// Which page of the source, counted from 1.
    pub page: u32,
}

/// Decoded pixels and the scale they were decoded at.
pub(crate) struct Decoded {
    pub pixels: Pixels,
    /// How large a pixel of the header's size is here, across and down: 1.0 is full size.
    pub scale: (f64, f64),
    /// The file ended before its image did, and the limits accept that.
    pub truncated: bool,
}

impl Decoded {
    fn full(pixels: Pixels) -> Self {
        Self::scaled(pixels, 8)
    }

    /// Pixels at so many eighths of full size, sides rounded up.
    fn scaled(pixels: Pixels, eighths: u8) -> Self {
        let scale = f64::from(eighths) / 8.0;
        Self { pixels, scale: (scale, scale), truncated: false }
    }
}

/// Reads the header of a page, counted from 1: a page of a TIFF, a frame of a GIF or WebP.
pub(crate) fn header(format: SourceFormat, source: &[u8], page: u32) -> Result<Header, Error> {
    if page > 1 && !matches!(format, SourceFormat::Tiff | SourceFormat::Gif | SourceFormat::Webp) {
        return Err(no_such_page(page, 1));
    }
    match format {
        SourceFormat::Jpeg => jpeg::header(source),
        SourceFormat::Png => png::header(source),
        SourceFormat::Gif => gif::header(source, page),
        SourceFormat::Webp => webp::header(source, page),
        SourceFormat::Tiff => tiff::header(source, page),
        SourceFormat::Bmp => bmp::header(source),
        #[cfg(feature = "avif")]
        SourceFormat::Avif => avif::header(source),
        #[cfg(feature = "jpeg2000")]
        SourceFormat::Jpeg2000 => jpeg2000::header(source),
        #[cfg(feature = "svg")]
        SourceFormat::Svg => svg::header(source),
        #[cfg(feature = "pdf")]
        SourceFormat::Pdf => pdf::header(source),
        other => Err(Error::unsupported(other.why_not_decodable())),
    }
}

/// Decodes the image that `header` was read from.
pub(crate) fn decode(source: &[u8], header: &Header, need: Need, limits: &Limits) -> Result<Decoded, Error> {
    let full = Decoded::full;
    let decoded = match header.format {
        SourceFormat::Jpeg => jpeg::decode(source, header, need, limits),
        SourceFormat::Png | SourceFormat::Gif | SourceFormat::Webp | SourceFormat::Bmp => {
            whole::read(source, header, need.page, &mut |_| Ok(None), limits)
                .and_then(|whole| whole.into_decoded(header))
        }
        SourceFormat::Tiff => tiff::decode(source, header, need.page, limits).map(full),
        #[cfg(feature = "avif")]
        SourceFormat::Avif => avif::decode(source, header).map(full),
        #[cfg(feature = "jpeg2000")]
        SourceFormat::Jpeg2000 => jpeg2000::decode(source, header, need),
        #[cfg(feature = "svg")]
        SourceFormat::Svg => {
            let canvas = Canvas::new(&need, limits);
            let scale = canvas.scale(header);
            svg::decode(source, canvas, limits).map(|pixels| Decoded { scale, ..full(pixels) })
        }
        #[cfg(feature = "pdf")]
        SourceFormat::Pdf => {
            let canvas = Canvas::new(&need, limits);
            let scale = canvas.scale(header);
            pdf::decode(source, canvas).map(|pixels| Decoded { scale, ..full(pixels) })
        }
        other => Err(Error::unsupported(other.why_not_decodable())),
    };
    // A decoder that was stopped says so in words of its own.
    limits.check_time()?;
    decoded
}

/// Decodes the image to planes if they serve and the source is kept as such; `None` says nothing of what is wrong.
pub(crate) fn planes(source: &[u8], header: &Header, need: Need, limits: &Limits) -> Option<Planes> {
    match header.format {
        SourceFormat::Jpeg => jpeg::planes(source, header, need.planes?, limits),
        _ => None,
    }
}

/// The error for a page that a source of so many does not have.
fn no_such_page(page: u32, pages: usize) -> Error {
    let has = if pages == 1 { "one page".to_owned() } else { format!("{pages} pages") };
    Error::bad_request(format!("there is no page {page}: the image has {has}"))
}

/// The EXIF block of a source, if it has one. A TIFF is one itself.
pub(crate) fn exif(source: &[u8], format: SourceFormat) -> Result<Option<Cow<'_, [u8]>>, Error> {
    Ok(match format {
        SourceFormat::Jpeg => crate::jpeg::walk(source)?.exif.map(Cow::Borrowed),
        SourceFormat::Png => png::exif(source)?.map(Cow::Owned),
        SourceFormat::Webp => webp::exif(source)?.map(Cow::Owned),
        #[cfg(feature = "avif")]
        SourceFormat::Avif => avif::exif(source)?.map(Cow::Owned),
        SourceFormat::Tiff => Some(Cow::Borrowed(source)),
        _ => None,
    })
}

/// A colour that alpha was multiplied into, without it.
#[cfg(any(feature = "avif", feature = "svg"))]
fn unmultiplied(colour: u8, alpha: u8) -> u8 {
    let (colour, alpha) = (u32::from(colour), u32::from(alpha));
    (colour * 255 + alpha / 2).checked_div(alpha).map_or(0, |straight| straight.min(255) as u8)
}

/// 16 bits to 8, rounded to the nearest: exactly `sample * 255 / 65535`.
fn narrow(sample: u16) -> u8 {
    ((u32::from(sample) * 255 + 32_895) >> 16) as u8
}

#[cfg(test)]
mod tests {
    #[test]
    fn narrowing_rounds_to_nearest() {
        for sample in 0..=u16::MAX {
            let exact = (f64::from(sample) * 255.0 / 65535.0).round() as u8;
            assert_eq!(super::narrow(sample), exact, "{sample}");
        }
    }
}
