//! Decoded pixels: 8 bits a sample, one to four samples a pixel, rows without gaps.
//!
//! Grey stays one channel all the way, so a grey source never pays for colour. Samples are sRGB-encoded; alpha is
//! straight, not premultiplied.

use crate::error::Error;

/// What a pixel is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Channels {
    Gray,
    GrayAlpha,
    Rgb,
    Rgba,
}

impl Channels {
    /// Samples in a pixel.
    pub(crate) const fn count(self) -> usize {
        match self {
            Channels::Gray => 1,
            Channels::GrayAlpha => 2,
            Channels::Rgb => 3,
            Channels::Rgba => 4,
        }
    }

    pub(crate) const fn is_gray(self) -> bool {
        matches!(self, Channels::Gray | Channels::GrayAlpha)
    }

    /// The same colours with an alpha channel.
    pub(crate) const fn with_alpha(self) -> Self {
        if self.is_gray() { Channels::GrayAlpha } else { Channels::Rgba }
    }
}

/// How many bits a sample has. Where it is 16, its two bytes lie with the lower one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Depth {
    #[default]
    Eight,
    Sixteen,
}

impl Depth {
    /// Bytes in a sample.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Depth::Eight => 1,
            Depth::Sixteen => 2,
        }
    }
}

/// An image in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pixels {
    pub width: u32,
    pub height: u32,
    pub channels: Channels,
    /// `width * height * channels.count()` samples.
    pub data: Vec<u8>,
}

impl Pixels {
    /// Takes samples that a decoder made, if there are as many as the dimensions say.
    pub(crate) fn new(width: u32, height: u32, channels: Channels, data: Vec<u8>) -> Result<Self, Error> {
        if width == 0 || height == 0 {
            return Err(Error::corrupt("the image has no pixels"));
        }
        if data.len() != width as usize * height as usize * channels.count() {
            return Err(Error::corrupt("the decoder gave another number of pixels than the header says"));
        }
        Ok(Self { width, height, channels, data })
    }

    /// An image that is zero everywhere.
    pub(crate) fn blank(width: u32, height: u32, channels: Channels) -> Self {
        let data = vec![0; width as usize * height as usize * channels.count()];
        Self { width, height, channels, data }
    }

    /// Bytes in a row.
    pub(crate) fn stride(&self) -> usize {
        self.width as usize * self.channels.count()
    }

    /// The rows, top to bottom.
    pub(crate) fn rows(&self) -> std::slice::ChunksExact<'_, u8> {
        self.data.chunks_exact(self.stride())
    }

    /// The pixels of other channels that `convert` makes of each of these.
    pub(crate) fn map<const FROM: usize, const TO: usize>(
        &self,
        channels: Channels,
        convert: impl Fn([u8; FROM]) -> [u8; TO],
    ) -> Self {
        debug_assert!(self.channels.count() == FROM && channels.count() == TO);
        let mut data = vec![0; self.data.len() / FROM * TO];
        let (from, _) = self.data.as_chunks::<FROM>();
        let (to, _) = data.as_chunks_mut::<TO>();
        for (to, from) in to.iter_mut().zip(from) {
            *to = convert(*from);
        }
        Self { width: self.width, height: self.height, channels, data }
    }
}
