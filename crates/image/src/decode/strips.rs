//! Sources that can be read from top to bottom, some rows at a time, so that memory does not grow with their height:
//! baseline JPEG in grey or colour, and PNG without interlacing. The pixels are those that decoding at once gives.

use super::jpeg;
use super::png::InOrder;
use crate::color::{Space, ToSrgb};
use crate::error::Error;
use crate::header::Header;
use crate::jpeg::{Colour, Strips as JpegStrips};
use crate::limits::Limits;
use crate::pixels::{Channels, Pixels};
use crate::sniff::SourceFormat;

/// Rows of a source, in sRGB as stored, not yet oriented.
pub(crate) struct Strips<'a> {
    width: u32,
    left: u32,
    channels: Channels,
    to_srgb: Option<ToSrgb>,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Jpeg(JpegStrips<'a>),
    Png(Box<InOrder<'a>>),
}

/// Whether a source with this header can be read in strips, where the header alone tells.
pub(crate) fn is_sure(header: &Header) -> bool {
    header.channels != 4 && header.jpeg.as_ref().is_some_and(|jpeg| !jpeg.progressive)
}

/// The source's rows; `None` where it cannot be read in order.
pub(crate) fn strips<'a>(
    source: &'a [u8],
    header: &Header,
    luma_only: bool,
    limits: &Limits,
) -> Result<Option<Strips<'a>>, Error> {
    let (channels, space, kind) = match header.format {
        SourceFormat::Jpeg if is_sure(header) => {
            let Some(jpeg::Plain { colour, profile }) = jpeg::plain(source, luma_only)? else {
                return Ok(None);
            };
            let channels = if colour == Colour::Luma { Channels::Gray } else { Channels::Rgb };
            let size = (header.width, header.height);
            let strips = JpegStrips::open(source, size, colour, limits)?;
            (channels, profile.map(|profile| Space::Icc(profile.into())), Kind::Jpeg(strips))
        }
        // What a cut one has is known only when all of it was read.
        SourceFormat::Png if !limits.accepts_truncated() => {
            let Some(png) = InOrder::open(source, header, limits)? else { return Ok(None) };
            (png.channels, png.space(), Kind::Png(Box::new(png)))
        }
        _ => return Ok(None),
    };
    let to_srgb = space.and_then(|space| ToSrgb::of(channels, &space));
    Ok(Some(Strips { width: header.width, left: header.height, channels, to_srgb, kind }))
}

impl Strips<'_> {
    /// The next rows, at most as many as `most`; `None` after the last.
    pub(crate) fn next(&mut self, most: u32) -> Result<Option<Pixels>, Error> {
        let rows = most.min(self.left);
        if rows == 0 {
            return Ok(None);
        }
        let mut data = Vec::new();
        match &mut self.kind {
            Kind::Jpeg(strips) => {
                strips.read(rows, &mut data)?;
            }
            Kind::Png(png) => {
                for _ in 0..rows {
                    png.append_row(&mut data)?;
                }
                if rows == self.left {
                    png.finish()?;
                }
            }
        }
        self.left -= rows;
        let mut pixels = Pixels::new(self.width, rows, self.channels, data)?;
        if let Some(to_srgb) = &self.to_srgb {
            to_srgb.convert(&mut pixels);
        }
        Ok(Some(pixels))
    }

    /// Whether the file ended before its image did, and the limits accept that.
    pub(crate) fn truncated(&self) -> bool {
        match &self.kind {
            Kind::Jpeg(strips) => strips.ended_early(),
            Kind::Png(_) => false,
        }
    }
}
