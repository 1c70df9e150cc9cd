//! Sources that are decoded at once, into bytes that may lie in a scratch file: those whose rows do not come in order, or
//! whose decoder gives no rows.

use super::{Decoded, bmp, gif, png, webp};
use crate::color::{self, Space};
use crate::error::Error;
use crate::header::Header;
use crate::limits::Limits;
use crate::pixels::{Channels, Pixels};
use crate::scratch::{Buffer, Scratch};
use crate::sniff::SourceFormat;

/// All pixels of an image, in its own colours and 8 bits.
pub(super) struct Whole {
    pub data: Buffer,
    pub channels: Channels,
    /// What the samples' colours are, where that is not sRGB.
    pub space: Option<Space<'static>>,
    /// The file ended before its image did, and the limits accept that.
    pub truncated: bool,
}

/// Decodes a page of a source.
pub(super) fn read(
    source: &[u8],
    header: &Header,
    page: u32,
    scratch: Scratch<'_>,
    limits: &Limits,
) -> Result<Whole, Error> {
    match header.format {
        SourceFormat::Png => png::whole(source, header, scratch, limits),
        SourceFormat::Gif => gif::whole(source, header, page, scratch, limits),
        SourceFormat::Webp => webp::whole(source, header, page, scratch, limits),
        SourceFormat::Bmp => bmp::whole(source, header, scratch),
        other => Err(Error::unsupported(other.why_not_decodable())),
    }
}

impl Whole {
    /// Checks that there are as many samples as the header says.
    pub(super) fn checked(self, header: &Header) -> Result<Self, Error> {
        let samples = header.width as usize * header.height as usize * self.channels.count();
        if self.data.len() != samples {
            return Err(Error::corrupt("the decoder gave another number of pixels than the header says"));
        }
        Ok(self)
    }

    /// The pixels in memory, in sRGB.
    pub(super) fn into_decoded(self, header: &Header) -> Result<Decoded, Error> {
        let Whole { data, channels, space, truncated } = self;
        let mut pixels = Pixels::new(header.width, header.height, channels, data.into_vec())?;
        if let Some(space) = space {
            color::space_to_srgb(&mut pixels, &space);
        }
        Ok(Decoded { truncated, ..Decoded::full(pixels) })
    }
}
