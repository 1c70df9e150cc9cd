//! From rows to bands: every level of a pyramid, filled from above as the rows of the image arrive.

use super::shrink;
use crate::error::Error;
use crate::pixels::{Channels, Depth};

/// A slice of a level, as wide as the level and as high as a tile; the last one may be lower.
#[derive(Debug)]
pub(crate) struct Band {
    /// Which level: 0 is full size.
    pub level: usize,
    /// Which of the level's bands, from the top.
    pub number: u32,
    /// Width of the level, in pixels.
    pub width: u32,
    /// Rows in this band.
    pub height: u32,
    pub channels: Channels,
    pub depth: Depth,
    /// The rows, without gaps.
    pub data: Vec<u8>,
}

impl Band {
    /// Bytes of a pixel.
    pub(crate) fn pixel(&self) -> usize {
        self.channels.count() * self.depth.bytes()
    }
}

/// Where bands go when they are full. They are not changed any more; their memory may be given back for others.
pub(crate) trait Take {
    /// Takes a band, and answers with memory that is free, or none.
    fn take(&mut self, band: Band) -> Result<Vec<u8>, Error>;
}

/// All levels, each with the band that is being filled.
pub(crate) struct Bands {
    levels: Vec<Level>,
    channels: Channels,
    depth: Depth,
    tile: u32,
}

struct Level {
    width: u32,
    height: u32,
    /// Bands that are done.
    bands: u32,
    /// Rows in the band that is being filled.
    rows: u32,
    data: Vec<u8>,
    /// The last row or two (of the last level all, of one tile) as they came from above, in 256ths; none at full size and of what can be
    /// transparent.
    fine: Vec<u16>,
    /// The same of 16 bits.
    fine_words: Vec<u32>,
}

impl Bands {
    /// Levels of these sizes, of which each is half the one before, in bands as high as a tile: an even number.
    pub(crate) fn new(sizes: &[(u32, u32)], channels: Channels, depth: Depth, tile: u32) -> Self {
        debug_assert!(tile.is_multiple_of(2));
        let level = |&(width, height): &(u32, u32)| Level {
            width,
            height,
            bands: 0,
            rows: 0,
            data: Vec::new(),
            fine: Vec::new(),
            fine_words: Vec::new(),
        };
        Self { levels: sizes.iter().map(level).collect(), channels, depth, tile }
    }

    /// Takes rows of the image, one or more, from the top on.
    pub(crate) fn push(&mut self, rows: &[u8], to: &mut dyn Take) -> Result<(), Error> {
        let pixel = self.channels.count() * self.depth.bytes();
        let stride = self.levels.first().map_or(1, |level| level.width as usize * pixel);
        rows.chunks_exact(stride).try_for_each(|row| self.push_row(row, to))
    }

    /// Takes one row of the image.
    pub(crate) fn push_row(&mut self, row: &[u8], to: &mut dyn Take) -> Result<(), Error> {
        self.levels[0].append(row, self.tile);
        self.after_row(0, to)
    }

    /// Whether all rows of all levels came.
    pub(crate) fn is_complete(&self) -> bool {
        self.levels.iter().all(|level| level.arrived(self.tile) == level.height)
    }

    /// Hands on what a row that arrived at a level completes: two rows a row of the next, rows a band.
    fn after_row(&mut self, at: usize, to: &mut dyn Take) -> Result<(), Error> {
        let (tile, channels, depth) = (self.tile, self.channels, self.depth);
        let (upper, lower) = self.levels.split_at_mut(at + 1);
        let level = &mut upper[at];
        let is_last = level.arrived(tile) >= level.height;
        if let Some(below) = lower.first_mut()
            && (level.rows.is_multiple_of(2) || is_last)
        {
            below.append_half(level, channels, depth, tile);
            self.after_row(at + 1, to)?;
        }
        let level = &mut self.levels[at];
        if level.rows == tile || is_last {
            let band = Band {
                level: at,
                number: level.bands,
                width: level.width,
                height: level.rows,
                channels,
                depth,
                data: std::mem::take(&mut level.data),
            };
            (level.bands, level.rows) = (level.bands + 1, 0);
            level.data = to.take(band)?;
            level.data.clear();
        }
        Ok(())
    }
}

impl Level {
    fn arrived(&self, tile: u32) -> u32 {
        self.bands.saturating_mul(tile).saturating_add(self.rows).min(self.height)
    }

    fn append(&mut self, row: &[u8], tile: u32) {
        self.make_room(row.len(), tile);
        self.data.extend_from_slice(row);
        self.rows += 1;
    }

    /// Adds the row that the last two rows of the level above come to; or its last one, if it is alone.
    fn append_half(&mut self, above: &mut Level, channels: Channels, depth: Depth, tile: u32) {
        let samples = above.width as usize * channels.count();
        let stride = self.width as usize * channels.count() * depth.bytes();
        self.make_room(stride, tile);
        let above_stride = samples * depth.bytes();
        let second = above.data.len() - above_stride;
        let first = if above.rows.is_multiple_of(2) { second - above_stride } else { second };
        let (upper, lower) = (&above.data[first..][..above_stride], &above.data[second..]);
        let is_transparent = matches!(channels, Channels::GrayAlpha | Channels::Rgba);
        let (number, start) = (self.arrived(tile), self.data.len());
        match (is_transparent, depth) {
            (true, Depth::Eight) => {
                self.data.resize(start + stride, 0);
                shrink::halve_transparent(upper, lower, channels, number, &mut self.data[start..]);
            }
            (true, Depth::Sixteen) => {
                self.data.resize(start + stride, 0);
                shrink::halve_transparent_words(upper, lower, channels, number, &mut self.data[start..]);
            }
            (false, Depth::Eight) => {
                let start = self.fine.len();
                match two(&above.fine, samples) {
                    None => shrink::halve_bytes(upper, lower, channels, &mut self.fine),
                    Some((upper, lower)) => shrink::halve_fine(upper, lower, channels, &mut self.fine),
                }
                above.fine.clear();
                shrink::narrow(&self.fine[start..], &mut self.data);
            }
            (false, Depth::Sixteen) => {
                let start = self.fine_words.len();
                let into = &mut self.fine_words;
                match two(&above.fine_words, samples) {
                    None => shrink::halve_words(upper, lower, channels, into),
                    Some((upper, lower)) => shrink::halve_fine_words(upper, lower, channels, into),
                }
                above.fine_words.clear();
                shrink::narrow_words(&self.fine_words[start..], &mut self.data);
            }
        }
        self.rows += 1;
    }

    /// Room for all of a band at once: growing step by step would copy it, and hold it twice.
    fn make_room(&mut self, stride: usize, tile: u32) {
        if self.data.is_empty() {
            let rows = self.height.saturating_sub(self.bands.saturating_mul(tile)).min(tile);
            self.data.reserve_exact(stride * rows as usize);
        }
    }
}

/// Two rows of so many samples, or one twice; none if there is none.
fn two<T>(rows: &[T], samples: usize) -> Option<(&[T], &[T])> {
    let (upper, lower) = rows.split_at_checked(samples)?;
    Some((upper, if lower.is_empty() { upper } else { lower }))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Kept(Vec<Band>);

    impl Take for Kept {
        fn take(&mut self, band: Band) -> Result<Vec<u8>, Error> {
            self.0.push(band);
            Ok(Vec::new())
        }
    }

    #[test]
    fn every_level_comes_whole_and_in_order() {
        for (width, height) in [(1, 1), (33, 47), (16, 16), (17, 64), (100, 31), (5, 129)] {
            let sizes = super::super::until_one_tile(width, height, 16);
            let mut bands = Bands::new(&sizes, Channels::Gray, Depth::Eight, 16);
            let mut kept = Kept(Vec::new());
            for row in 0..height {
                assert!(!bands.is_complete());
                bands.push(&vec![row as u8; width as usize], &mut kept).unwrap();
            }
            assert!(bands.is_complete());
            for (level, (w, h)) in sizes.iter().enumerate() {
                let of_level: Vec<_> = kept.0.iter().filter(|band| band.level == level).collect();
                let rows: u32 = of_level.iter().map(|band| band.height).sum();
                assert_eq!((rows, of_level.len() as u32), (*h, h.div_ceil(16)), "{width}×{height}");
                for (number, band) in of_level.iter().enumerate() {
                    assert_eq!((band.number as usize, band.width), (number, *w));
                    assert_eq!(band.data.len() as u32, band.width * band.height);
                }
            }
        }
    }
}
