//! JPEG 2000: JP2 files and bare codestreams, any depth, grey, colour, palettes, alpha, sYCC, CMYK, subsampling, at full
//! size or at one of the smaller sizes that the wavelets hold.

use hayro_jpeg2000::{ColorSpace, DecodeError, DecodeSettings, DecoderContext, Image};

use super::{Decoded, Need};
use crate::color;
use crate::error::Error;
use crate::exif;
use crate::header::{Header, RowOrder};
use crate::pixels::{Channels, Pixels};
use crate::sniff::SourceFormat;

const CODESTREAM: [u8; 4] = [0xFF, 0x4F, 0xFF, 0x51];

pub(super) fn header(source: &[u8]) -> Result<Header, Error> {
    let image = open(source, None)?;
    Ok(Header {
        format: SourceFormat::Jpeg2000,
        width: image.width(),
        height: image.height(),
        orientation: exif::UPRIGHT,
        channels: image.color_space().num_channels().saturating_add(image.has_alpha().into()),
        bits: image.original_bit_depth(),
        rows: RowOrder::AtOnce,
        jpeg: None,
        vector: None,
    })
}

pub(super) fn decode(source: &[u8], header: &Header, need: Need) -> Result<Decoded, Error> {
    check_complete(source)?;
    let scaled = |side: u32| (side * u32::from(need.eighths) / 8).max(1);
    let image = open(source, Some((scaled(header.width), scaled(header.height))))?;
    let (width, height) = (image.width(), image.height());
    // A file has as many smaller sizes as its writer gave it, so the decoder may have given a larger one.
    let eighths = [1, 2, 4].into_iter().find(|eighths| {
        let side = |full: u32| (u64::from(full) * eighths).div_ceil(8);
        (side(header.width), side(header.height)) == (width.into(), height.into())
    });
    let eighths = eighths.unwrap_or(8) as u8;
    if eighths == 8 && (width, height) != (header.width, header.height) {
        return Err(Error::corrupt("the JPEG 2000's smaller sizes do not fit its size"));
    }
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(error)?;
    let pixels = to_pixels(&image, width, height, decoded.data_u8())?;
    Ok(Decoded::scaled(pixels, eighths))
}

fn to_pixels(image: &Image<'_>, width: u32, height: u32, samples: Vec<u8>) -> Result<Pixels, Error> {
    let (colours, profile) = match image.color_space() {
        ColorSpace::Icc { profile, num_channels } => (usize::from(*num_channels), Some(profile.as_slice())),
        other => (usize::from(other.num_channels()), None),
    };
    let each = colours + usize::from(image.has_alpha());
    let (samples, channels) = match (colours, image.has_alpha()) {
        (1, false) => (samples, Channels::Gray),
        (1, true) => (samples, Channels::GrayAlpha),
        (3, false) => (samples, Channels::Rgb),
        (3, true) => (samples, Channels::Rgba),
        (4, has_alpha) => {
            if samples.len() != width as usize * height as usize * each {
                return Err(Error::corrupt("the JPEG 2000 has not as many components as its colours need"));
            }
            let inks: Vec<u8> = samples.chunks_exact(each).flat_map(|pixel| &pixel[..4]).copied().collect();
            let rgb = color::cmyk_to_srgb(&inks, profile);
            if !has_alpha {
                return Pixels::new(width, height, Channels::Rgb, rgb);
            }
            let alpha = samples.chunks_exact(each).map(|pixel| pixel[4]);
            let with_alpha =
                rgb.as_chunks::<3>().0.iter().zip(alpha).flat_map(|([r, g, b], a)| [*r, *g, *b, a]);
            return Pixels::new(width, height, Channels::Rgba, with_alpha.collect());
        }
        (other, _) => {
            return Err(Error::unsupported(format!("JPEG 2000 with {other} colours is not supported")));
        }
    };
    let mut pixels = Pixels::new(width, height, channels, samples)?;
    if let Some(profile) = profile {
        color::to_srgb(&mut pixels, profile);
    }
    Ok(pixels)
}

fn open(source: &[u8], target_resolution: Option<(u32, u32)>) -> Result<Image<'_>, Error> {
    // Strict would refuse much that people have; what is cut is found by `check_complete`.
    let settings = DecodeSettings { resolve_palette_indices: true, strict: false, target_resolution };
    // A cut file makes the decoder miss boxes; that it is cut says more.
    Image::new(source, &settings).map_err(|e| check_complete(source).err().unwrap_or_else(|| error(e)))
}

/// Follows the tile-parts, which say how long they are, to the end marker (ISO/IEC 15444-1 annex A); the decoder makes
/// do with what there is.
fn check_complete(source: &[u8]) -> Result<(), Error> {
    const SOT: [u8; 2] = [0xFF, 0x90];
    const EOC: [u8; 2] = [0xFF, 0xD9];
    let stream = if source.starts_with(&CODESTREAM) { source } else { codestream(source)? };
    let mut at = 2;
    loop {
        let marker = stream.get(at..at + 2).ok_or_else(cut)?;
        if marker == EOC {
            return Ok(());
        }
        let length = if marker == SOT {
            let length = number(stream, at + 6)?;
            if length == 0 {
                // The last one reaches to the end.
                return if stream.ends_with(&EOC) { Ok(()) } else { Err(cut()) };
            }
            length
        } else if (0x30..=0x3F).contains(&marker[1]) {
            2
        } else {
            let length = stream.get(at + 2..at + 4).ok_or_else(cut)?;
            2 + usize::from(u16::from_be_bytes([length[0], length[1]]))
        };
        if marker[0] != 0xFF || length < 2 {
            return Err(Error::corrupt("the JPEG 2000's codestream is damaged"));
        }
        at = at.checked_add(length).ok_or_else(cut)?;
    }
}

/// The contents of a JP2's `jp2c` box (annex I).
fn codestream(file: &[u8]) -> Result<&[u8], Error> {
    let mut rest = file;
    loop {
        let kind = rest.get(4..8).ok_or_else(cut)?;
        let (header, length) = match number(rest, 0)? {
            0 => (8, rest.len()),
            1 => (
                16,
                usize::try_from((number(rest, 8)? as u64) << 32 | number(rest, 12)? as u64)
                    .map_err(|_| cut())?,
            ),
            length => (8, length),
        };
        let payload = rest.get(header..length).ok_or_else(cut)?;
        if kind == b"jp2c" {
            return Ok(payload);
        }
        rest = &rest[length..];
    }
}

fn number(bytes: &[u8], at: usize) -> Result<usize, Error> {
    let bytes = bytes.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    Ok(u32::from_be_bytes(bytes.ok_or_else(cut)?) as usize)
}

fn cut() -> Error {
    Error::truncated("the JPEG 2000 ends before its image does")
}

fn error(error: DecodeError) -> Error {
    Error::corrupt(format!("the JPEG 2000 is damaged: {error}")).caused_by(error)
}
