//! BMP: whatever the `image` crate's decoder reads, palettes and run lengths included.

use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;
use image::{ColorType, ImageDecoder, ImageError};

use super::whole::Whole;
use crate::error::{Error, ErrorKind};
use crate::exif;
use crate::header::{Header, RowOrder};
use crate::pixels::Channels;
use crate::scratch::{Buffer, Scratch};
use crate::sniff::SourceFormat;

pub(super) fn header(source: &[u8]) -> Result<Header, Error> {
    let decoder = open(source)?;
    let (width, height) = decoder.dimensions();
    Ok(Header {
        format: SourceFormat::Bmp,
        width,
        height,
        orientation: exif::UPRIGHT,
        channels: decoder.color_type().channel_count(),
        bits: 8,
        rows: RowOrder::aside(width, height, decoder.color_type().channel_count().into(), 0),
        jpeg: None,
        vector: None,
    })
}

pub(super) fn whole(source: &[u8], header: &Header, scratch: Scratch<'_>) -> Result<Whole, Error> {
    let decoder = open(source)?;
    let channels = match decoder.color_type() {
        ColorType::L8 => Channels::Gray,
        ColorType::Rgb8 => Channels::Rgb,
        ColorType::Rgba8 => Channels::Rgba,
        _ => return Err(Error::unsupported("this kind of BMP is not supported")),
    };
    let samples = header.width as usize * header.height as usize * channels.count();
    let mut data = Buffer::blank(samples, scratch)?;
    decoder.read_image(&mut data).map_err(error)?;
    Ok(Whole { data, channels, space: None, truncated: false })
}

fn open(source: &[u8]) -> Result<BmpDecoder<Cursor<&[u8]>>, Error> {
    BmpDecoder::new(Cursor::new(source)).map_err(error)
}

fn error(error: ImageError) -> Error {
    match error {
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::truncated("the BMP ends before its image does")
        }
        ImageError::Unsupported(e) => {
            Error::unsupported(format!("this kind of BMP is not supported: {e}")).caused_by(e)
        }
        ImageError::Limits(e) => {
            Error::new(ErrorKind::TooManyPixels, "the BMP takes more memory than its decoder is allowed")
                .caused_by(e)
        }
        other => Error::corrupt(format!("the BMP is damaged: {other}")).caused_by(other),
    }
}
