//! BMP: whatever the `image` crate's decoder reads, palettes and run lengths included.

use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;
use image::{ColorType, ImageDecoder, ImageError};

use crate::error::{Error, ErrorKind};
use crate::exif;
use crate::header::Header;
use crate::pixels::{Channels, Pixels};
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
        in_order: false,
        jpeg: None,
        vector: None,
    })
}

pub(super) fn decode(source: &[u8], header: &Header) -> Result<Pixels, Error> {
    let decoder = open(source)?;
    let channels = match decoder.color_type() {
        ColorType::L8 => Channels::Gray,
        ColorType::Rgb8 => Channels::Rgb,
        ColorType::Rgba8 => Channels::Rgba,
        _ => return Err(Error::unsupported("this kind of BMP is not supported")),
    };
    let mut data = vec![0; header.width as usize * header.height as usize * channels.count()];
    decoder.read_image(&mut data).map_err(error)?;
    Pixels::new(header.width, header.height, channels, data)
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
