//! One tile of a band: its samples, and what formats do to them before they are packed.

use std::sync::Arc;

use super::Band;
use crate::pixels::{Channels, Depth};

/// A tile: a column of a band.
#[derive(Debug, Clone)]
pub(crate) struct Tile {
    pub band: Arc<Band>,
    /// Which tile of the band, from the left.
    pub column: u32,
    /// Side of a whole tile, in pixels.
    pub side: u32,
}

impl Tile {
    /// The tiles of a band, from left to right.
    pub(crate) fn of(band: &Arc<Band>, side: u32) -> impl Iterator<Item = Tile> + use<> {
        let band = Arc::clone(band);
        (0..band.width.div_ceil(side)).map(move |column| Tile { band: Arc::clone(&band), column, side })
    }

    pub(crate) fn channels(&self) -> Channels {
        self.band.channels
    }

    /// Width and height of what is in the image.
    pub(crate) fn inside(&self) -> (u32, u32) {
        (self.side.min(self.band.width - self.column * self.side), self.band.height)
    }

    /// The tile's part of each row.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[u8]> {
        let samples = self.band.pixel();
        let start = self.column as usize * self.side as usize * samples;
        let length = self.inside().0 as usize * samples;
        self.band
            .data
            .chunks_exact(self.band.width as usize * samples)
            .map(move |row| &row[start..][..length])
    }

    /// Whether it reaches beyond the image.
    pub(crate) fn is_partial(&self) -> bool {
        self.inside() != (self.side, self.side)
    }

    /// The tile's samples and no others, rows without gaps.
    pub(crate) fn cut(&self, into: &mut Vec<u8>) {
        into.clear();
        self.rows().for_each(|row| into.extend_from_slice(row));
    }

    /// A whole tile, as TIFF 6.0 §15 wants it. Beyond the image its last column and row go on to the end of their block
    /// of 16, so that no edge shows in a JPEG; after that there is flat grey, which takes next to no room.
    pub(crate) fn padded(&self, into: &mut Vec<u8>) {
        const FLAT: u8 = 128;
        let block = |pixels: u32| pixels.next_multiple_of(16).min(self.side);
        let (samples, (width, height)) = (self.band.pixel(), self.inside());
        let (stride, filled) = (self.side as usize * samples, block(width) as usize * samples);
        into.clear();
        into.reserve(stride * self.side as usize);
        for row in self.rows() {
            let (start, last) = (into.len(), &row[row.len() - samples..]);
            into.extend_from_slice(row);
            (row.len()..filled).step_by(samples).for_each(|_| into.extend_from_slice(last));
            into.resize(start + stride, FLAT);
        }
        for _ in height..block(height) {
            into.extend_from_within(into.len() - stride..);
        }
        into.resize(stride * self.side as usize, FLAT);
    }

    /// A whole tile as differences to the pixel on the left: TIFF 6.0 §14, horizontal differencing. Beyond the image there
    /// are none.
    pub(crate) fn padded_differences(&self, into: &mut Vec<u8>) {
        let samples = self.band.pixel();
        let stride = self.side as usize * samples;
        into.clear();
        into.reserve(stride * self.side as usize);
        for row in self.rows() {
            let start = into.len();
            into.extend_from_slice(&row[..samples]);
            match self.band.depth {
                Depth::Eight => {
                    into.extend(row[samples..].iter().zip(row).map(|(this, left)| this.wrapping_sub(*left)))
                }
                Depth::Sixteen => into.extend(word_differences(row, samples)),
            }
            into.resize(start + stride, 0);
        }
        into.resize(stride * self.side as usize, 0);
    }
}

/// What samples of 16 bits have more than those of the pixel on the left, which is so many bytes before.
fn word_differences(row: &[u8], pixel: usize) -> impl Iterator<Item = u8> {
    let (these, _) = row[pixel..].as_chunks::<2>();
    let (lefts, _) = row.as_chunks::<2>();
    let difference = |(this, left): (&[u8; 2], &[u8; 2])| {
        u16::from_le_bytes(*this).wrapping_sub(u16::from_le_bytes(*left)).to_le_bytes()
    };
    these.iter().zip(lefts).flat_map(difference)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corner() -> Tile {
        let data = vec![1, 2, 3, 4, 5, 9, 8, 7, 6, 250];
        let band = Band {
            level: 0,
            number: 0,
            width: 5,
            height: 2,
            channels: Channels::Gray,
            depth: Depth::Eight,
            data,
        };
        Tile { band: Arc::new(band), column: 1, side: 3 }
    }

    #[test]
    fn the_last_column_and_row_go_on() {
        let (mut cut, mut padded) = (Vec::new(), Vec::new());
        corner().cut(&mut cut);
        corner().padded(&mut padded);
        assert_eq!((corner().inside(), cut), ((2, 2), vec![4, 5, 6, 250]));
        assert_eq!(padded, [4, 5, 5, 6, 250, 250, 6, 250, 250]);
    }

    #[test]
    fn beyond_its_block_of_sixteen_a_tile_is_flat() {
        let band = Band {
            level: 0,
            number: 0,
            width: 20,
            height: 3,
            channels: Channels::Gray,
            depth: Depth::Eight,
            data: vec![9; 60],
        };
        let mut padded = Vec::new();
        Tile { band: Arc::new(band), column: 0, side: 48 }.padded(&mut padded);
        for (at, found) in padded.iter().enumerate() {
            let expected = if at % 48 < 32 && at / 48 < 16 { 9 } else { 128 };
            assert_eq!(*found, expected, "{at}");
        }
        assert_eq!(padded.len(), 48 * 48);
    }

    #[test]
    fn differences_are_to_the_left_and_wrap() {
        let mut differences = Vec::new();
        corner().padded_differences(&mut differences);
        assert_eq!(differences, [4, 1, 0, 6, 244, 0, 0, 0, 0]);
    }
}
