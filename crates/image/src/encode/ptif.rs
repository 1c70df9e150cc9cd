//! Tiled pyramid TIFF: what a recipe's options come to, and pixels in memory as rows.

use crate::error::Error;
use crate::exif;
use crate::limits::Limits;
use crate::pixels::{Channels, Pixels};
use crate::pyramid::{self, Packing, Settings};
use crate::recipe::EncoderOptions;
use crate::sink::Output;

/// Side of a tile where none is asked for.
pub(crate) const TILE: u32 = 512;

/// What a print shop calls fine, and what is written where nothing is asked for.
const DPI: u16 = 300;

/// About the size of zlib's default level, in a fifth of its time.
const DEFLATE_LEVEL: u8 = 2;

/// 1 to 100, for tiles of JPEG or WebP.
const QUALITY: u8 = 85;

/// Writes a pyramid of rows that come from `rows`; `exif` is the block whose texts go with it.
pub(crate) fn write(
    size: (u32, u32),
    channels: Channels,
    options: &EncoderOptions,
    exif: Option<&[u8]>,
    limits: &Limits,
    out: &mut dyn Output,
    rows: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error>,
) -> Result<(), Error> {
    let settings = Settings {
        tile: options.tile.unwrap_or(TILE),
        packing: Packing {
            compression: options.compression.unwrap_or_default(),
            quality: options.q.unwrap_or(QUALITY),
            deflate_level: DEFLATE_LEVEL,
        },
        dpi: options.dpi.unwrap_or(DPI),
        subifd: options.subifd,
        texts: exif.map(exif::listed).unwrap_or_default(),
    };
    pyramid::write(size, channels, &settings, limits.threads, out, rows)
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
    write(size, pixels.channels, options, exif, limits, out, |push| push(&pixels.data))
}
