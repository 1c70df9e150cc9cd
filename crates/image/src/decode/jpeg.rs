//! JPEG: any subsampling, grey, RGB, CMYK and YCCK, baseline and progressive, at full size or scaled in the DCT.

use super::{Decoded, Need};
use crate::color;
use crate::error::Error;
use crate::header::{Header, JpegTraits, RowOrder};
use crate::jpeg::{self, Colour, Frame, Model, Scaled, Scales};
use crate::limits::Limits;
use crate::pixels::{Channels, Pixels};
use crate::planes::Planes;
use crate::sniff::SourceFormat;

pub(super) fn header(source: &[u8]) -> Result<Header, Error> {
    let frame = jpeg::walk(source)?;
    let rows = match (frame.model, frame.several_scans) {
        (Model::Unknown, _) => RowOrder::AtOnce,
        (_, true) => RowOrder::Aside { bytes: frame.coefficient_bytes(), beside: 0 },
        (_, false) => RowOrder::TopDown,
    };
    Ok(Header {
        format: SourceFormat::Jpeg,
        width: frame.width,
        height: frame.height,
        orientation: frame.orientation,
        channels: u8::try_from(frame.sampling.len()).unwrap_or(u8::MAX),
        bits: frame.bits,
        rows,
        jpeg: Some(JpegTraits {
            progressive: frame.progressive,
            several_scans: frame.several_scans,
            luma_stands_alone: frame.luma_stands_alone(),
            colours_stand_alone: matches!(frame.model, Model::Gray | Model::YCbCr),
            unit: frame.unit(),
            is_srgb: is_srgb(&frame),
            coefficient_bytes: frame.coefficient_bytes(),
        }),
        vector: None,
    })
}

/// Refuses a progressive JPEG with more passes over its pixels than anyone has use for.
pub(crate) fn check_scans(source: &[u8], header: &Header, limits: &Limits) -> Result<(), Error> {
    let progressive = header.jpeg.as_ref().is_some_and(|jpeg| jpeg.progressive);
    if progressive && jpeg::count_scans(source, limits.max_scans) > limits.max_scans {
        let most = limits.max_scans;
        return Err(Error::corrupt(format!("the progressive JPEG has more scans than the limit of {most}")));
    }
    Ok(())
}

/// What a JPEG is decoded to, and the profile to convert from.
pub(super) struct Plain {
    pub colour: Colour,
    pub profile: Option<Vec<u8>>,
}

/// What a JPEG is decoded to; `None` for what is not known.
pub(super) fn plain(source: &[u8], luma_only: bool) -> Result<Option<Plain>, Error> {
    let frame = jpeg::walk(source)?;
    let profile = frame.icc_profile();
    Ok(match frame.model {
        Model::Gray => Some(Plain { colour: Colour::Luma, profile }),
        // Y is the grey of sRGB only.
        Model::YCbCr if luma_only && is_srgb(&frame) => Some(Plain { colour: Colour::Luma, profile: None }),
        Model::YCbCr | Model::Rgb => Some(Plain { colour: Colour::Rgb, profile }),
        Model::Cmyk | Model::Ycck => Some(Plain { colour: Colour::Cmyk, profile }),
        Model::Unknown => None,
    })
}

/// The profile of a JPEG of Y, Cb and Cr, if it has one, and whether its colours are sRGB's either way; `None` of any
/// other JPEG.
pub(crate) fn ycbcr_profile(source: &[u8]) -> Option<(Option<Vec<u8>>, bool)> {
    let frame = jpeg::walk(source).ok().filter(|frame| frame.model == Model::YCbCr)?;
    Some((frame.icc_profile(), is_srgb(&frame)))
}

pub(super) fn decode(source: &[u8], header: &Header, need: Need, limits: &Limits) -> Result<Decoded, Error> {
    check_scans(source, header, limits)?;
    let frame = jpeg::walk(source)?;
    let size = (frame.width, frame.height);
    let read = |colour| jpeg::decode(source, size, need.eighths, colour, limits);
    // Y is the grey of sRGB only: of a wider space it is made of the converted colours.
    let is_srgb = header.jpeg.as_ref().is_some_and(|jpeg| jpeg.is_srgb);
    let luma = need.luma_only && frame.model == Model::YCbCr && is_srgb;
    let (pixels, truncated) = match frame.model {
        Model::Gray | Model::YCbCr | Model::Rgb => {
            let (colour, channels) = if luma || frame.model == Model::Gray {
                (Colour::Luma, Channels::Gray)
            } else {
                (Colour::Rgb, Channels::Rgb)
            };
            let Scaled { width, height, data, truncated } = read(colour)?;
            let mut pixels = Pixels::new(width, height, channels, data)?;
            if let Some(profile) = frame.icc_profile().filter(|_| !is_srgb) {
                color::to_srgb(&mut pixels, &profile);
            }
            (pixels, truncated)
        }
        Model::Cmyk | Model::Ycck => {
            let scaled = read(Colour::Cmyk)?;
            let truncated = scaled.truncated;
            (cmyk(scaled, &frame)?, truncated)
        }
        Model::Unknown => return Err(Error::unsupported("this JPEG's colour model is not known")),
    };
    Ok(Decoded { truncated, ..Decoded::scaled(pixels, need.eighths) })
}

/// YCbCr without a profile that would change its colours, and of the plain kind that is read as planes.
pub(super) fn planes(source: &[u8], header: &Header, scales: Scales, limits: &Limits) -> Option<Planes> {
    let frame = jpeg::walk(source).ok()?;
    let as_it_is = frame.model == Model::YCbCr
        && frame.icc_profile().is_none_or(|profile| color::is_srgb(&profile, Channels::Rgb));
    as_it_is.then(|| Planes::read(source, (header.width, header.height), scales, limits)).flatten()
}

/// Whether the samples are sRGB as they are. A profile for another model than the image's says nothing of it.
fn is_srgb(frame: &Frame<'_>) -> bool {
    let channels = if frame.model == Model::Gray { Channels::Gray } else { Channels::Rgb };
    frame.icc_profile().is_none_or(|profile| color::is_srgb(&profile, channels))
}

/// CMYK as Adobe writes it: inverted, so that 255 is no ink. That files without Adobe's marker do the same is what
/// Photoshop, libvips and ImageMagick assume of them.
fn cmyk(scaled: Scaled, frame: &Frame<'_>) -> Result<Pixels, Error> {
    let Scaled { width, height, mut data, .. } = scaled;
    for sample in &mut data {
        *sample = 255 - *sample;
    }
    let data = color::cmyk_to_srgb(&data, frame.icc_profile().as_deref());
    Pixels::new(width, height, Channels::Rgb, data)
}
