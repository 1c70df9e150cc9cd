//! Sources that are read from top to bottom, some rows at a time, so that memory does not grow with their height: JPEG,
//! PNG and TIFF. The pixels are those that decoding at once gives.
//!
//! What does not come in order is laid aside in a scratch file: the rows of an interlaced PNG, the coefficients of a JPEG
//! of several scans (a progressive one), all pixels of GIF, WebP and BMP, and of an animated PNG.

use super::whole::{self, Whole};
use super::{jpeg, png, tiff};
use crate::color::{InkToSrgb, Space, ToSrgb};
use crate::error::Error;
use crate::header::Header;
use crate::jpeg::{Colour, Strips as JpegStrips};
use crate::limits::Limits;
use crate::pixels::{Channels, Depth};
use crate::recipe::{EncoderOptions, Icc};
use crate::scratch::Scratch;
use crate::sniff::SourceFormat;

/// How rows are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    /// Nothing but luma is needed, where that stands alone.
    pub luma_only: bool,
    /// Which page, counted from 1.
    pub page: u32,
    /// Samples as they are stored, with their profile, instead of sRGB.
    pub own_colours: bool,
    /// 16 bits a sample, where there are more than 8.
    pub wide: bool,
    /// The least scale that serves, in eighths: a JPEG is read at it.
    pub eighths: u8,
}

impl Wish {
    pub(crate) fn of(options: &EncoderOptions, luma_only: bool) -> Self {
        Self {
            luma_only,
            page: options.page.unwrap_or(1),
            own_colours: options.icc == Icc::Keep,
            wide: options.bits == Some(16),
            eighths: 8,
        }
    }

    /// The same for pixels that are drawn at another size: of 8 bits, in sRGB.
    pub(crate) fn to_be_scaled(self, eighths: u8) -> Self {
        Self { own_colours: false, wide: false, eighths, ..self }
    }
}

/// Rows of a source as stored, not yet oriented.
pub(crate) struct Strips<'a> {
    width: u32,
    height: u32,
    /// Rows that were not read yet.
    left: u32,
    channels: Channels,
    depth: Depth,
    to_srgb: Option<ToSrgb>,
    /// Whose colours the samples are, where that is not sRGB.
    profile: Option<Vec<u8>>,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Jpeg(JpegStrips<'a>),
    JpegInk(JpegStrips<'a>, InkToSrgb),
    Png(Box<png::InOrder<'a>>),
    Tiff {
        rows: Box<tiff::InOrder<'a>>,
        limits: Limits,
        ahead: Vec<u8>,
    },
    /// Decoded at once; so many bytes were taken.
    Whole {
        whole: Whole,
        taken: usize,
    },
}

/// The source's rows; `None` where it cannot be read in order.
pub(crate) fn strips<'a>(
    source: &'a [u8],
    header: &Header,
    wish: Wish,
    scratch: Scratch<'_>,
    limits: &Limits,
) -> Result<Option<Strips<'a>>, Error> {
    let wide = wish.wide && header.bits > 8;
    let deep = |is_wide: bool| if is_wide { Depth::Sixteen } else { Depth::Eight };
    let (channels, depth, space, kind) = match header.format {
        SourceFormat::Jpeg => match open_jpeg(source, header, wish, scratch, limits)? {
            Some((channels, profile, kind)) => (channels, Depth::Eight, profile.map(icc), kind),
            None => return Ok(None),
        },
        SourceFormat::Png => match png::InOrder::open(source, header, wide, scratch, limits)? {
            Some(png) => (png.channels, deep(png.is_wide()), png.space(), Kind::Png(Box::new(png))),
            None => open_whole(source, header, wish.page, scratch, limits)?,
        },
        SourceFormat::Gif | SourceFormat::Webp | SourceFormat::Bmp => {
            open_whole(source, header, wish.page, scratch, limits)?
        }
        SourceFormat::Tiff => {
            let tiff = tiff::InOrder::open(source, wish.page, wide)?;
            let depth = deep(wide && tiff.can_be_wide());
            let space = tiff.profile().map(|profile| icc(profile.to_vec()));
            let channels = tiff.channels();
            let rows = Box::new(tiff);
            (channels, depth, space, Kind::Tiff { rows, limits: *limits, ahead: Vec::new() })
        }
        _ => return Ok(None),
    };
    // Only a profile can go along with the pixels.
    let (profile, to_srgb) = match space {
        Some(Space::Icc(profile)) if wish.own_colours => (Some(profile.into_owned()), None),
        space => (None, space.and_then(|space| ToSrgb::of(channels, depth, &space))),
    };
    let (width, height) = match &kind {
        Kind::Jpeg(strips) | Kind::JpegInk(strips, _) => strips.size(),
        _ => (header.width, header.height),
    };
    Ok(Some(Strips { width, height, left: height, channels, depth, to_srgb, profile, kind }))
}

fn icc(profile: Vec<u8>) -> Space<'static> {
    Space::Icc(profile.into())
}

type Opened<'a> = (Channels, Option<Vec<u8>>, Kind<'a>);

fn open_jpeg<'a>(
    source: &'a [u8],
    header: &Header,
    wish: Wish,
    scratch: Scratch<'_>,
    limits: &Limits,
) -> Result<Option<Opened<'a>>, Error> {
    jpeg::check_scans(source, header, limits)?;
    let Some(jpeg::Plain { colour, profile }) = jpeg::plain(source, wish.luma_only)? else { return Ok(None) };
    let strips =
        JpegStrips::open(source, (header.width, header.height), wish.eighths, colour, scratch, limits)?;
    Ok(Some(match colour {
        Colour::Luma => (Channels::Gray, profile, Kind::Jpeg(strips)),
        Colour::Rgb => (Channels::Rgb, profile, Kind::Jpeg(strips)),
        Colour::Cmyk => (Channels::Rgb, None, Kind::JpegInk(strips, InkToSrgb::of(profile.as_deref()))),
    }))
}

fn open_whole<'a>(
    source: &[u8],
    header: &Header,
    page: u32,
    scratch: Scratch<'_>,
    limits: &Limits,
) -> Result<(Channels, Depth, Option<Space<'static>>, Kind<'a>), Error> {
    let mut whole = whole::read(source, header, page, scratch, limits)?.checked(header)?;
    Ok((whole.channels, Depth::Eight, whole.space.take(), Kind::Whole { whole, taken: 0 }))
}

impl Strips<'_> {
    /// Width and height of what is read.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    pub(crate) fn channels(&self) -> Channels {
        match &self.kind {
            // Ink becomes light.
            Kind::Tiff { rows, .. } if rows.is_ink() => {
                if self.channels.count().is_multiple_of(2) {
                    Channels::Rgba
                } else {
                    Channels::Rgb
                }
            }
            _ => self.channels,
        }
    }

    pub(crate) fn depth(&self) -> Depth {
        self.depth
    }

    /// The profile of samples that are as they were stored.
    pub(crate) fn profile(&self) -> Option<&[u8]> {
        self.profile.as_deref()
    }

    /// Whether samples are given as they are stored, if that is wished.
    pub(crate) fn are_own_colours(&self) -> bool {
        match &self.kind {
            Kind::JpegInk(..) => false,
            Kind::Tiff { rows, .. } => rows.can_be_wide(),
            _ => self.to_srgb.is_none(),
        }
    }

    /// The next rows without gaps, at most as many as `most`; `None` after the last. Samples of 16 bits are two bytes each.
    pub(crate) fn next(&mut self, most: u32) -> Result<Option<Vec<u8>>, Error> {
        let rows = most.min(self.left);
        if rows == 0 {
            return Ok(None);
        }
        let mut data = Vec::new();
        match &mut self.kind {
            Kind::Jpeg(strips) => {
                strips.read(rows, &mut data)?;
            }
            Kind::JpegInk(strips, to_srgb) => {
                strips.read(rows, &mut data)?;
                data.iter_mut().for_each(|sample| *sample = 255 - *sample);
                data = to_srgb.convert(&data);
            }
            Kind::Png(png) => {
                png.append(rows, &mut data)?;
                if rows == self.left {
                    png.finish()?;
                }
            }
            Kind::Whole { whole, taken } => {
                let bytes = rows as usize * self.width as usize * self.channels.count();
                data.extend_from_slice(&whole.data[*taken..*taken + bytes]);
                *taken += bytes;
            }
            Kind::Tiff { rows: tiff, limits, ahead } => {
                let pixel =
                    if tiff.is_ink() { 4 + usize::from(tiff.channels() == Channels::Rgba) } else { 0 };
                let pixel = if pixel > 0 { pixel } else { self.channels.count() * self.depth.bytes() };
                let wanted = rows as usize * self.width as usize * pixel;
                while ahead.len() < wanted {
                    if tiff.append(ahead, limits)? == 0 {
                        return Err(Error::truncated("the TIFF ends before its image does"));
                    }
                }
                let later = ahead.split_off(wanted);
                data = std::mem::replace(ahead, later);
                if tiff.is_ink() {
                    data = tiff.ink_to_pixels(rows, data)?.data;
                }
            }
        }
        self.left -= rows;
        if let Some(to_srgb) = &self.to_srgb {
            let pixel = self.channels.count() * self.depth.bytes();
            data.chunks_exact_mut(self.width as usize * pixel).for_each(|row| to_srgb.convert_row(row));
        }
        Ok(Some(data))
    }

    /// Whether the file ended before its image did, and the limits accept that.
    pub(crate) fn truncated(&self) -> bool {
        match &self.kind {
            Kind::Jpeg(strips) | Kind::JpegInk(strips, _) => strips.ended_early(),
            Kind::Png(png) => png.ended_early(),
            Kind::Whole { whole, .. } => whole.truncated,
            Kind::Tiff { .. } => false,
        }
    }
}
