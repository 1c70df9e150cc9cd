//! WebP: lossy, lossless, with alpha; of an animation the first frame or another one.

use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use super::timed::Timed;
use crate::color;
use crate::error::{Error, ErrorKind};
use crate::exif;
use crate::header::Header;
use crate::limits::Limits;
use crate::pixels::{Channels, Pixels};
use crate::sniff::SourceFormat;

type Decoder<'a> = WebPDecoder<Timed<Cursor<&'a [u8]>>>;

pub(super) fn header(source: &[u8], page: u32) -> Result<Header, Error> {
    let mut decoder = open(source)?;
    check_page(&decoder, page)?;
    let (width, height) = decoder.dimensions();
    let exif = decoder.exif_metadata().ok().flatten();
    Ok(Header {
        format: SourceFormat::Webp,
        width,
        height,
        orientation: exif.as_deref().and_then(exif::orientation).unwrap_or(exif::UPRIGHT),
        channels: if decoder.has_alpha() { 4 } else { 3 },
        bits: 8,
        in_order: false,
        jpeg: None,
        vector: None,
    })
}

pub(super) fn exif(source: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    open(source)?.exif_metadata().map_err(error)
}

pub(super) fn decode(source: &[u8], header: &Header, page: u32, limits: &Limits) -> Result<Pixels, Error> {
    check_complete(source)?;
    let mut decoder = open_within(source, limits)?;
    limits.check_frames(decoder.num_frames())?;
    let pixels = header.width as usize * header.height as usize;
    decoder.set_memory_limit(pixels.saturating_mul(16).saturating_add(1 << 20));
    let channels = if decoder.has_alpha() { Channels::Rgba } else { Channels::Rgb };
    let mut data = vec![0; pixels * channels.count()];
    check_page(&decoder, page)?;
    decoder.read_image(&mut data).map_err(error)?;
    if page > 1 {
        // The image was the first frame; each is laid on those before it.
        decoder.reset_animation();
        for _ in 0..page {
            decoder.read_frame(&mut data).map_err(error)?;
        }
    }
    let mut pixels = Pixels::new(header.width, header.height, channels, data)?;
    if let Ok(Some(profile)) = decoder.icc_profile() {
        color::to_srgb(&mut pixels, &profile);
    }
    Ok(pixels)
}

fn check_page(decoder: &Decoder<'_>, page: u32) -> Result<(), Error> {
    let frames = if decoder.is_animated() { decoder.num_frames() } else { 1 };
    if page > frames.max(1) { Err(super::no_such_page(page, frames.max(1) as usize)) } else { Ok(()) }
}

fn open(source: &[u8]) -> Result<Decoder<'_>, Error> {
    open_within(source, &Limits::DEFAULT)
}

fn open_within<'a>(source: &'a [u8], limits: &Limits) -> Result<Decoder<'a>, Error> {
    // A cut file makes the decoder miss chunks; that it is cut says more.
    WebPDecoder::new(Timed::new(Cursor::new(source), limits))
        .map_err(|e| check_complete(source).err().unwrap_or_else(|| error(e)))
}

/// The RIFF header says how long the file is; the bitstream itself may end anywhere unnoticed.
fn check_complete(source: &[u8]) -> Result<(), Error> {
    let length = source.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    match length {
        Some(length) if source.len() as u64 >= u64::from(length) + 8 => Ok(()),
        _ => Err(Error::truncated("the WebP ends before its image does")),
    }
}

fn error(error: DecodingError) -> Error {
    match error {
        DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::truncated("the WebP ends before its image does")
        }
        DecodingError::MemoryLimitExceeded | DecodingError::ImageTooLarge => {
            Error::new(ErrorKind::TooManyPixels, "the WebP takes more memory than its decoder is allowed")
        }
        other => Error::corrupt(format!("the WebP is damaged: {other}")).caused_by(other),
    }
}
