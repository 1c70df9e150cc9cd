//! WebP: lossy, lossless, with alpha; of an animation the first frame or another one.

use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use super::timed::Timed;
use super::whole::Whole;
use crate::color::Space;
use crate::error::{Error, ErrorKind};
use crate::exif;
use crate::header::{Header, RowOrder};
use crate::limits::Limits;
use crate::pixels::Channels;
use crate::scratch::{Buffer, Scratch};
use crate::sniff::SourceFormat;

type Decoder<'a> = WebPDecoder<Timed<Cursor<&'a [u8]>>>;

pub(super) fn header(source: &[u8], page: u32) -> Result<Header, Error> {
    let mut decoder = open(source)?;
    check_page(&decoder, page)?;
    let (width, height) = decoder.dimensions();
    let exif = decoder.exif_metadata().ok().flatten();
    let is_animated = decoder.is_animated();
    let (channels, beside) = match (decoder.has_alpha(), decoder.is_lossy()) {
        // A frame, and the canvas that it is laid on.
        (alpha, _) if is_animated => (if alpha { 4 } else { 3 }, 12),
        // Y, and U and V at half the resolution; then the four channels of a packed alpha, and one of them.
        (false, true) => (3, 2),
        (true, true) => (4, 7),
        // Four channels, which it takes for three by a copy.
        (false, false) => (3, 4),
        (true, false) => (4, 0),
    };
    Ok(Header {
        format: SourceFormat::Webp,
        width,
        height,
        orientation: exif.as_deref().and_then(exif::orientation).unwrap_or(exif::UPRIGHT),
        channels,
        bits: 8,
        rows: RowOrder::aside(width, height, channels.into(), beside),
        jpeg: None,
        vector: None,
    })
}

pub(super) fn exif(source: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    open(source)?.exif_metadata().map_err(error)
}

pub(super) fn whole(
    source: &[u8],
    header: &Header,
    page: u32,
    scratch: Scratch<'_>,
    limits: &Limits,
) -> Result<Whole, Error> {
    check_complete(source)?;
    let mut decoder = open_within(source, limits)?;
    limits.check_frames(decoder.num_frames())?;
    let pixels = header.width as usize * header.height as usize;
    decoder.set_memory_limit(pixels.saturating_mul(16).saturating_add(1 << 20));
    let channels = if decoder.has_alpha() { Channels::Rgba } else { Channels::Rgb };
    check_page(&decoder, page)?;
    let mut data = Buffer::blank(pixels * channels.count(), scratch)?;
    decoder.read_image(&mut data).map_err(error)?;
    if page > 1 {
        // The image was the first frame; each is laid on those before it.
        decoder.reset_animation();
        for _ in 0..page {
            decoder.read_frame(&mut data).map_err(error)?;
        }
    }
    let space = decoder.icc_profile().ok().flatten().map(|profile| Space::Icc(profile.into()));
    Ok(Whole { data, channels, space, truncated: false })
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
