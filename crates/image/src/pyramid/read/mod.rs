//! Pyramids read back: any part of one, at any size, from the few tiles that hold it.
//!
//! [`directory`] finds a file's directories and reads their values where they lie; [`level`](mod@level) is one of them with its
//! tiles, and [`joined`] a JPEG tile as a file of its own. [`draw`](mod@draw) knows what a request asks of which level. What
//! the samples mean is known by the decoder of TIFF alone, which is given a small file of the tiles that are wanted.
//!
//! Whoever has the file gives bytes of it by [`ReadAt`]; nothing is held of it but its directories.

mod directory;
mod draw;
mod joined;
mod level;

use std::io;

use crate::error::{Error, ErrorKind};
use crate::exif::{self, Turn};
use crate::plan;
use directory::Directories;
use level::Level;

pub use draw::Resolved;

/// A file of which any bytes can be read at any time, by several at once.
pub trait ReadAt: Send + Sync {
    /// How many bytes it has.
    fn length(&self) -> u64;

    /// Fills `into` with the bytes from `start` on.
    ///
    /// # Errors
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) where the file ends before, and whatever keeps it from being read.
    fn read_at(&self, start: u64, into: &mut [u8]) -> io::Result<()>;
}

impl ReadAt for [u8] {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, start: u64, into: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(start).ok();
        let bytes = start.and_then(|start| self.get(start..)?.get(..into.len()));
        into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A tiled TIFF of several sizes, whose directories were read.
#[derive(Debug)]
pub struct Pyramid {
    /// From full size down.
    levels: Vec<Level>,
    /// How stored pixels become upright, 1 to 8.
    orientation: u8,
}

/// How large one level of a pyramid is, upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PyramidLevel {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Pixels across of its tiles.
    pub tile_width: u32,
    /// Pixels down of its tiles.
    pub tile_height: u32,
}

impl Pyramid {
    /// Reads the directories of a pyramid: of levels that follow the first one and of levels that hang under it. Other
    /// pages of the file are left alone.
    ///
    /// # Errors
    /// [`NotAnImage`](ErrorKind::NotAnImage) if this is no TIFF, [`UnsupportedFormat`](ErrorKind::UnsupportedFormat) if its
    /// first image is not in tiles, [`Truncated`](ErrorKind::Truncated) and [`Corrupt`](ErrorKind::Corrupt) for a file that
    /// is not whole, [`Read`](ErrorKind::Read) if it cannot be read.
    pub fn open(source: &dyn ReadAt) -> Result<Self, Error> {
        let mut directories = Directories::open(source)?;
        let first = directories.next()?.ok_or_else(|| Error::corrupt("the TIFF has no directory"))?;
        let full = Level::read(source, &first)?.ok_or_else(|| {
            Error::unsupported("the TIFF is no pyramid: its image is not cut into tiles of pixels")
        })?;
        let orientation = full.orientation;
        let mut levels = vec![full];
        for place in first.below(source)? {
            levels.extend(Level::read(source, &directories.at(place)?)?);
        }
        while let Some(directory) = directories.next()? {
            levels.extend(Level::read(source, &directory)?);
        }
        let full = levels.remove(0);
        levels.retain(|level| level.is_smaller_of(&full));
        levels.sort_by_key(|level| std::cmp::Reverse(level.width));
        levels.dedup_by_key(|level| (level.width, level.height));
        levels.insert(0, full);
        Ok(Self { levels, orientation })
    }

    /// Width and height of the upright image.
    pub fn size(&self) -> (u32, u32) {
        let full = &self.levels[0];
        plan::swapped(self.turn().swaps_sides(), (full.width, full.height))
    }

    /// The levels, from full size down.
    pub fn levels(&self) -> impl Iterator<Item = PyramidLevel> {
        let swaps = self.turn().swaps_sides();
        self.levels.iter().map(move |level| {
            let (width, height) = plan::swapped(swaps, (level.width, level.height));
            let (tile_width, tile_height) = plan::swapped(swaps, level.tile);
            PyramidLevel { width, height, tile_width, tile_height }
        })
    }

    /// Bytes of memory that its directories take.
    pub fn memory(&self) -> usize {
        self.levels.iter().map(Level::memory).sum()
    }

    fn turn(&self) -> Turn {
        Turn::upright(self.orientation)
    }

    fn is_upright(&self) -> bool {
        self.orientation == exif::UPRIGHT
    }
}

/// Bytes of a source, so many that they are there to be had.
fn read(source: &dyn ReadAt, start: u64, length: usize) -> Result<Vec<u8>, Error> {
    let end = start.checked_add(length as u64);
    if end.is_none_or(|end| end > source.length()) {
        return Err(Error::truncated("the TIFF ends before what its directories speak of"));
    }
    let mut bytes = vec![0; length];
    source.read_at(start, &mut bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::truncated("the TIFF became shorter while it was read"),
        _ => Error::new(ErrorKind::Read, format!("the TIFF could not be read: {error}")).caused_by(error),
    })?;
    Ok(bytes)
}
