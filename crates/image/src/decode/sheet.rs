//! A whole image laid aside: in memory if it is small, else in a scratch file, so that rows which do not come in the
//! order they are wanted in take disk and not memory.

use std::os::unix::fs::FileExt as _;

use crate::error::Error;
use crate::exif::Turn;
use crate::scratch::{SMALL, Scratch, ScratchFile, no_room};

/// Bytes of turned rows that are put together at a time.
const BAND: usize = 4 << 20;

/// An image of rows without gaps.
pub(crate) struct Sheet {
    place: Place,
    width: usize,
    height: usize,
    /// Bytes of a pixel.
    pixel: usize,
}

enum Place {
    Memory(Vec<u8>),
    File(ScratchFile),
}

impl Sheet {
    /// An image that is zero everywhere.
    pub(crate) fn blank(
        (width, height): (u32, u32),
        pixel: usize,
        scratch: Scratch<'_>,
    ) -> Result<Self, Error> {
        let (width, height) = (width as usize, height as usize);
        let bytes = width as u64 * height as u64 * pixel as u64;
        let place = if bytes > SMALL { scratch(bytes).map_err(no_room)? } else { None };
        let place = match place {
            Some(place) => {
                place.reserve(bytes)?;
                Place::File(place)
            }
            None => Place::Memory(vec![0; width * height * pixel]),
        };
        Ok(Self { place, width, height, pixel })
    }

    fn stride(&self) -> usize {
        self.width * self.pixel
    }

    /// Puts rows without gaps in their place, from row `first` on.
    pub(crate) fn write(&mut self, first: usize, rows: &[u8]) -> Result<(), Error> {
        let start = first * self.stride();
        match &mut self.place {
            Place::File(place) => place.file.write_all_at(rows, place.start + start as u64).map_err(no_room),
            Place::Memory(data) => {
                data.get_mut(start..start + rows.len()).ok_or_else(outside)?.copy_from_slice(rows);
                Ok(())
            }
        }
    }

    /// Reads rows, from row `first` on, as many as `into` holds.
    pub(crate) fn read(&self, first: usize, into: &mut [u8]) -> Result<(), Error> {
        self.read_at(first * self.stride(), into)
    }

    fn read_at(&self, start: usize, into: &mut [u8]) -> Result<(), Error> {
        match &self.place {
            Place::File(place) => place.file.read_exact_at(into, place.start + start as u64).map_err(no_room),
            Place::Memory(data) => {
                into.copy_from_slice(data.get(start..start + into.len()).ok_or_else(outside)?);
                Ok(())
            }
        }
    }

    /// Rows of the image as it is turned, from row `first` on: some, and at least one where there is one. They are the
    /// pixels that [`turn`](crate::ops::turn::turn) gives.
    pub(crate) fn turned(&self, turn: Turn, first: usize) -> Result<Vec<u8>, Error> {
        let half = turn.quarters >= 2;
        let (backward, upward) = (turn.mirror != half, half);
        let (width, height) =
            if turn.swaps_sides() { (self.height, self.width) } else { (self.width, self.height) };
        let rows = (BAND / (width * self.pixel)).max(1).min(height.saturating_sub(first));
        let mut data = vec![0; rows * width * self.pixel];
        if !turn.swaps_sides() {
            for (number, row) in data.chunks_exact_mut(self.stride()).enumerate() {
                let number = first + number;
                self.read(if upward { height - 1 - number } else { number }, row)?;
                if backward {
                    reverse(row, self.pixel);
                }
            }
            return Ok(data);
        }
        // Rows are columns of what is stored, from the bottom up; so many columns lie together in each stored row.
        let left = if backward { self.width - first - rows } else { first };
        let (pixel, stride) = (self.pixel, width * self.pixel);
        let mut piece = vec![0; rows * pixel];
        for column in 0..width {
            let stored = if upward { column } else { self.height - 1 - column };
            self.read_at(stored * self.stride() + left * pixel, &mut piece)?;
            if backward {
                reverse(&mut piece, pixel);
            }
            for (row, from) in data.chunks_exact_mut(stride).zip(piece.chunks_exact(pixel)) {
                row[column * pixel..][..pixel].copy_from_slice(from);
            }
        }
        Ok(data)
    }
}

/// Puts the pixels of a row in reverse order.
fn reverse(row: &mut [u8], pixel: usize) {
    row.reverse();
    row.chunks_exact_mut(pixel).for_each(<[u8]>::reverse);
}

fn outside() -> Error {
    Error::corrupt("the image has more rows than its header says")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::turn::turn;
    use crate::pixels::{Channels, Pixels};

    #[test]
    fn turned_as_in_memory() {
        for (width, height) in [(3, 2), (1, 5), (70, 45)] {
            let data: Vec<u8> = (0..width * height * 3).map(|n| (n % 251) as u8).collect();
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(&data, 1 << 16).unwrap();
            let file = ScratchFile { file: file.into(), start: 1 << 16 };
            let (w, h) = (width as usize, height as usize);
            for place in [Place::Memory(data.clone()), Place::File(file)] {
                let sheet = Sheet { place, width: w, height: h, pixel: 3 };
                for orientation in 1..=8 {
                    let by = Turn::upright(orientation);
                    let whole = Pixels { width, height, channels: Channels::Rgb, data: data.clone() };
                    let expected = turn(whole, by);
                    let mut found = Vec::new();
                    while found.len() < expected.data.len() {
                        let row = found.len() / expected.stride();
                        found.extend(sheet.turned(by, row).unwrap());
                    }
                    assert!(found == expected.data, "{width}×{height}, orientation {orientation}");
                }
            }
        }
    }
}
