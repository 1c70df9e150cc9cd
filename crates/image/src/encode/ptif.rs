//! Tiled pyramid TIFF: what a recipe's options come to, and pixels in memory as rows.

use crate::error::Error;
use crate::exif;
use crate::jpeg::PlaneRows;
use crate::limits::Limits;
use crate::pixels::{Channels, Depth, Pixels};
use crate::pyramid::{self, Packing, Settings};
use crate::recipe::{Derivative, EncoderOptions, OutputFormat};
use crate::sink::Output;

/// Side of a tile where none is asked for.
pub(crate) const TILE: u32 = 512;

/// What a print shop calls fine, and what is written where nothing is asked for.
const DPI: u16 = 300;

/// About the size of zlib's default level, in a fifth of its time.
const DEFLATE_LEVEL: u8 = 2;

/// 1 to 100, for tiles of JPEG or WebP.
const QUALITY: u8 = 85;

/// The shape of a pyramid, as image servers want to know it before they open the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shape {
    /// Side of its tiles in pixels.
    pub tile: u32,
    /// Sizes that it holds, the full one among them.
    pub levels: usize,
    /// Directories that follow each other: all levels, unless the smaller ones hang under the first.
    pub pages: usize,
}

impl Shape {
    /// That of a rendition of this size, if it is a pyramid.
    pub fn of(derivative: &Derivative, (width, height): (u32, u32)) -> Option<Shape> {
        let options = &derivative.options;
        let tile = options.tile.unwrap_or(TILE);
        let levels = pyramid::until_one_tile(width, height, tile).len();
        let pages = if options.subifd { 1 } else { levels };
        (derivative.request.format == OutputFormat::Ptif).then_some(Shape { tile, levels, pages })
    }
}

/// What a pyramid's samples are.
#[derive(Debug, Clone)]
pub(crate) struct Samples {
    pub channels: Channels,
    pub depth: Depth,
    /// Whose colours, where that is not sRGB.
    pub profile: Option<Vec<u8>>,
}

/// Writes a pyramid of rows that come from `rows`; `exif` is the block whose texts go with it.
pub(crate) fn write(
    size: (u32, u32),
    samples: Samples,
    options: &EncoderOptions,
    exif: Option<&[u8]>,
    limits: &Limits,
    out: &mut dyn Output,
    rows: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error>,
) -> Result<(), Error> {
    let Samples { channels, depth, profile } = samples;
    pyramid::write(size, (channels, depth), &settings(options, exif, profile), limits.threads, out, rows)
}

/// The same of a JPEG's planes, for tiles of JPEG; see [`pyramid::write_planes`].
#[allow(clippy::too_many_arguments)] // what a pyramid is made of, and where it goes
pub(crate) fn write_planes(
    size: (u32, u32),
    profile: Option<Vec<u8>>,
    options: &EncoderOptions,
    exif: Option<&[u8]>,
    halve: bool,
    limits: &Limits,
    out: &mut dyn Output,
    rows: impl FnOnce(&mut dyn FnMut([PlaneRows<'_>; 3]) -> Result<(), Error>) -> Result<(), Error>,
) -> Result<(), Error> {
    pyramid::write_planes(size, &settings(options, exif, profile), halve, limits.threads, out, rows)
}

/// The same of pixels.
pub(crate) fn write_pixels(
    pixels: &Pixels,
    options: &EncoderOptions,
    exif: Option<&[u8]>,
    limits: &Limits,
    out: &mut dyn Output,
) -> Result<(), Error> {
    let size = (pixels.width, pixels.height);
    let samples = Samples { channels: pixels.channels, depth: Depth::Eight, profile: None };
    write(size, samples, options, exif, limits, out, |push| push(&pixels.data))
}

/// Whether tiles of JPEG keep colour at half the resolution.
pub(crate) fn is_subsampled(options: &EncoderOptions) -> bool {
    packing(options).is_subsampled()
}

fn packing(options: &EncoderOptions) -> Packing {
    Packing {
        compression: options.compression.unwrap_or_default(),
        quality: options.q.unwrap_or(QUALITY),
        deflate_level: DEFLATE_LEVEL,
    }
}

fn settings(options: &EncoderOptions, exif: Option<&[u8]>, profile: Option<Vec<u8>>) -> Settings {
    Settings {
        tile: options.tile.unwrap_or(TILE),
        packing: packing(options),
        dpi: options.dpi.unwrap_or(DPI),
        subifd: options.subifd,
        texts: exif.map(exif::listed).unwrap_or_default(),
        profile,
    }
}
