//! What a file says of its image before any pixel is decoded: the type alone. [`probe`](crate::probe()) reads it.

use crate::sniff::SourceFormat;

/// A source's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The format, by the file's own bytes.
    pub format: SourceFormat,
    /// Width in pixels as stored, before the orientation is applied; of a drawing, which can be drawn at any size, in
    /// pixels of 1/96 inch (SVG, as in CSS) or 1/72 inch (PDF, its own unit), rounded to the nearest.
    pub width: u32,
    /// Height in pixels as stored, before the orientation is applied; of a drawing as its width.
    pub height: u32,
    /// How stored pixels become upright, as EXIF numbers it: 1 to 8, 1 being upright.
    pub orientation: u8,
    /// Samples a pixel as stored, alpha among them; a palette counts as the colours it stands for.
    pub channels: u8,
    /// Bits a sample as stored.
    pub bits: u8,
    /// How its rows come.
    pub(crate) rows: RowOrder,
    /// What only a JPEG's header tells.
    pub(crate) jpeg: Option<JpegTraits>,
    /// What only a drawing has.
    pub(crate) vector: Option<VectorTraits>,
}

/// How the rows of an image can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowOrder {
    /// From top to bottom, some at a time.
    TopDown,
    /// The same, once so many bytes lie aside: in a file where they are many, so that memory need not hold them all.
    Aside {
        bytes: u64,
        /// What the decoder holds in memory meanwhile.
        beside: u64,
    },
    /// All at once, in memory.
    AtOnce,
}

impl RowOrder {
    /// Of so many pixels, each of so many bytes.
    pub(crate) fn aside(width: u32, height: u32, pixel: u64, beside: u64) -> Self {
        let pixels = u64::from(width) * u64::from(height);
        RowOrder::Aside { bytes: pixels * pixel, beside: pixels * beside }
    }
}

/// What is known of a drawing (SVG, PDF), which has no pixels of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VectorTraits {
    /// Width and height in thousandths of pixels at `dpi`.
    size: (u64, u64),
    /// Dots an inch that the header's width and height are at.
    dpi: u16,
    /// Canvases that drawing it may take at a time.
    pub layers: u64,
}

/// What a JPEG's header tells of how it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JpegTraits {
    pub progressive: bool,
    /// Its components, or parts of their coefficients, come one after another, so that all are held: it is progressive,
    /// or its first scan has not all components.
    pub several_scans: bool,
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

impl VectorTraits {
    /// A drawing of a width and height in pixels at `dpi`; those have to be numbers that make sense.
    #[cfg(any(feature = "svg", feature = "pdf"))]
    pub(crate) fn new(width: f64, height: f64, dpi: u16, layers: u64) -> Result<Self, crate::error::Error> {
        /// Pixels a side; more than any canvas, and few enough to count with.
        const MOST: f64 = 1e8;
        if !(width > 0.0 && height > 0.0 && width < MOST && height < MOST) {
            let message = format!("the drawing's size of {width}×{height} makes no sense");
            return Err(crate::error::Error::corrupt(message));
        }
        let thousandths = |side: f64| (side * 1000.0).round() as u64;
        Ok(Self { size: (thousandths(width), thousandths(height)), dpi, layers })
    }

    /// A drawing's header.
    #[cfg(any(feature = "svg", feature = "pdf"))]
    pub(crate) fn header(self, format: SourceFormat, channels: u8) -> Header {
        let (width, height) = self.size_at(self.dpi);
        Header {
            format,
            width,
            height,
            orientation: 1,
            channels,
            bits: 8,
            rows: RowOrder::AtOnce,
            jpeg: None,
            vector: Some(self),
        }
    }

    /// Width and height in pixels at a number of dots an inch, rounded to the nearest, at least 1.
    fn size_at(&self, dpi: u16) -> (u32, u32) {
        let side = |thousandths: u64| {
            let unit = u64::from(self.dpi) * 1000;
            let pixels = (thousandths * u64::from(dpi) + unit / 2) / unit;
            u32::try_from(pixels).unwrap_or(u32::MAX).max(1)
        };
        (side(self.size.0), side(self.size.1))
    }
}

impl Header {
    /// Width and height that a derivative's regions and sizes count in, as stored: of a drawing at the derivative's own
    /// dots an inch, if it has any.
    pub(crate) fn size_for(&self, dpi: Option<u16>) -> (u32, u32) {
        match (&self.vector, dpi) {
            (Some(vector), Some(dpi)) => vector.size_at(dpi),
            _ => (self.width, self.height),
        }
    }

    /// Width and height of the upright image, in pixels.
    pub fn upright(&self) -> (u32, u32) {
        if crate::exif::Turn::upright(self.orientation).swaps_sides() {
            (self.height, self.width)
        } else {
            (self.width, self.height)
        }
    }
}
