//! Static tiles: an image as a folder of small files that any web server can serve to a zooming viewer.
//!
//! Three layouts: the directory of a level-0 IIIF image service, by Image API 3.0 or 2.1, and Deep Zoom. [`layout`] knows
//! what is called how; the levels and the threads are [`pyramid`](crate::pyramid)'s.

mod layout;
mod making;

pub use layout::Layout;
pub use making::tile;

use crate::recipe::{EncoderOptions, OutputFormat, Quality};
use crate::scratch::ScratchFile;

/// What tiles to make.
#[derive(Debug, Clone)]
pub struct TileSettings {
    /// What the files are called.
    pub layout: Layout,
    /// Side of a tile in pixels: 64 to 4096.
    pub tile: u32,
    /// What tiles are encoded as: jpg, png or webp.
    pub format: OutputFormat,
    /// How they are encoded.
    pub options: EncoderOptions,
    /// How many times smaller than the image levels are made, in powers of two; none, and all are down to one tile.
    pub factors: Option<Vec<u32>>,
    /// In colour, grey or black and white.
    pub quality: Quality,
    /// The URL that the image will be served at, without a slash at its end: `id` in `info.json`. Deep Zoom has none.
    pub id: String,
    /// The name of the image, which Deep Zoom's files are called after.
    pub name: String,
}

/// Takes the files of a set of tiles, from several threads at once.
pub trait TileSink: Sync {
    /// Takes a file; `path` is relative, its parts separated by `/`.
    ///
    /// # Errors
    /// Whatever keeps it from being kept; nothing more is made then.
    fn put(&self, path: &str, bytes: &[u8]) -> std::io::Result<()>;

    /// As [`Sink::scratch`](crate::Sink::scratch).
    ///
    /// # Errors
    /// Whatever keeps it from being made.
    fn scratch(&self, _bytes: u64) -> std::io::Result<Option<ScratchFile>> {
        Ok(None)
    }
}

/// What was made of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tiled {
    /// Width of the upright image.
    pub width: u32,
    /// Height of the upright image.
    pub height: u32,
    /// Levels, the full size among them.
    pub levels: usize,
    /// Files that the sink took.
    pub files: u64,
}
