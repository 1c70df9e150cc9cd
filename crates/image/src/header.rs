//! What a file says of its image before any pixel is decoded: the type alone. [`probe`](crate::probe()) reads it.

use crate::sniff::SourceFormat;

/// A source's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The format, by the file's own bytes.
    pub format: SourceFormat,
    /// Width in pixels as stored, before the orientation is applied.
    pub width: u32,
    /// Height in pixels as stored, before the orientation is applied.
    pub height: u32,
    /// How stored pixels become upright, as EXIF numbers it: 1 to 8, 1 being upright.
    pub orientation: u8,
    /// Samples a pixel as stored, alpha among them; a palette counts as the colours it stands for.
    pub channels: u8,
    /// Bits a sample as stored.
    pub bits: u8,
    /// What only a JPEG's header tells.
    pub(crate) jpeg: Option<JpegTraits>,
}

/// What a JPEG's header tells of how it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JpegTraits {
    pub progressive: bool,
    /// Grey, or YCbCr whose Y is at full size: Y alone can be decoded, or copied as it is.
    pub luma_stands_alone: bool,
    /// Grey or YCbCr: colours that any reader takes for what they are, so that all components can be copied.
    pub colours_stand_alone: bool,
    /// Width and height in pixels of the blocks of all components that lie over each other: only whole ones can be
    /// turned as they are.
    pub unit: (u32, u32),
    /// There is no profile, or one that is sRGB's as good as exactly, so that Y is the grey of sRGB.
    pub is_srgb: bool,
    /// Bytes that all coefficients take in memory.
    pub coefficient_bytes: u64,
}

impl Header {
    /// Width and height of the upright image, in pixels.
    pub fn upright(&self) -> (u32, u32) {
        if crate::exif::Turn::upright(self.orientation).swaps_sides() {
            (self.height, self.width)
        } else {
            (self.width, self.height)
        }
    }
}
