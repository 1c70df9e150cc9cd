//! Fax: black and white by runs, as ITU-T T.4 (Group 3, one- and two-dimensional) and T.6 (Group 4) code them, and
//! the runs of T.4 alone that TIFF 6.0 §10 calls Modified Huffman.

use std::convert::Infallible;

use ::fax::BitReader;
use ::fax::maps::{Mode, black, mode, white};

use crate::error::Error;

/// How rows follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Runs only; each row starts on a unit of so many bits.
    Runs { unit: usize },
    /// Group 3: rows between end-of-line codes.
    Group3 {
        /// A bit after each end-of-line says whether the row is coded by itself or by its changes.
        two_dimensional: bool,
    },
    /// Group 4: every row by its changes.
    Group4,
}

/// End-of-line codes in a row that end the page: T.4 §4.1.4.
const END_OF_PAGE: usize = 6;

/// Rows of bits, 1 being black, each on bytes of its own.
pub(super) fn decode(data: &[u8], width: u32, rows: usize, coding: Coding) -> Result<Vec<u8>, Error> {
    let mut bits = Bits { data, at: 0 };
    let stride = (width as usize).div_ceil(8);
    let mut image = vec![0; stride * rows];
    // Where the colour changes in the row before and in this one; rows start white.
    let (mut above, mut row) = (Vec::new(), Vec::new());
    for line in image.chunks_exact_mut(stride.max(1)) {
        row.clear();
        let by_changes = match coding {
            Coding::Runs { unit } => {
                bits.at = bits.at.next_multiple_of(unit);
                false
            }
            Coding::Group3 { two_dimensional } => match bits.line_start(two_dimensional) {
                Some(by_runs) => !by_runs,
                None => return Err(ended()),
            },
            Coding::Group4 => true,
        };
        if bits.is_at_end() {
            return Err(ended());
        }
        if by_changes {
            bits.row_by_changes(width, &above, &mut row)?;
        } else {
            bits.row_by_runs(width, &mut row)?;
        }
        paint(line, width, &row);
        std::mem::swap(&mut above, &mut row);
    }
    Ok(image)
}

fn ended() -> Error {
    Error::truncated("the TIFF's fax data ends before its image does")
}

/// Rows that reach past the image, or codes that do not exist.
fn damaged() -> Error {
    Error::corrupt("the TIFF's fax data is damaged")
}

/// Blackens what lies between each change to black and the next change to white.
fn paint(line: &mut [u8], width: u32, changes: &[u32]) {
    for pair in changes.chunks(2) {
        let (from, to) = (pair[0], pair.get(1).copied().unwrap_or(width).min(width));
        for x in from.min(width)..to {
            line[x as usize / 8] |= 0x80 >> (x % 8);
        }
    }
}

/// A change of colour. Two at one place, which a run of no length makes, undo each other.
fn change(row: &mut Vec<u32>, at: u32) {
    if row.last() == Some(&at) {
        row.pop();
    } else {
        row.push(at);
    }
}

struct Bits<'a> {
    data: &'a [u8],
    /// In bits.
    at: usize,
}

impl BitReader for Bits<'_> {
    type Error = Infallible;

    /// The next bits; zeros past the end, where the last code's table may look further than the code reaches.
    fn peek(&self, count: u8) -> Option<u16> {
        let byte = |index: usize| u32::from(self.data.get(self.at / 8 + index).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        let word = (word << (8 + self.at % 8)) >> (32 - u32::from(count.clamp(1, 16)));
        Some(word as u16)
    }

    fn consume(&mut self, count: u8) -> Result<(), Infallible> {
        self.at += usize::from(count);
        Ok(())
    }

    fn bits_to_byte_boundary(&self) -> u8 {
        (self.at.next_multiple_of(8) - self.at) as u8
    }
}

impl Bits<'_> {
    fn is_at_end(&self) -> bool {
        self.at >= self.data.len() * 8
    }

    /// What it means that the next bits are no code: the longest have 13.
    fn no_code(&self) -> Error {
        if self.at + 13 > self.data.len() * 8 { ended() } else { damaged() }
    }

    /// Steps over an end-of-line code with its fill, if one is next.
    fn skip_end_of_line(&mut self) -> bool {
        if self.peek(11) != Some(0) {
            return false;
        }
        let start = self.at;
        while self.peek(1) == Some(0) && !self.is_at_end() {
            self.at += 1;
        }
        if self.is_at_end() {
            self.at = start;
            return false;
        }
        self.at += 1;
        true
    }

    /// Steps to where a row of Group 3 starts and says whether it is coded by runs; `None` at the end of the page.
    fn line_start(&mut self, two_dimensional: bool) -> Option<bool> {
        let mut by_runs = true;
        let mut codes = 0;
        while self.skip_end_of_line() {
            codes += 1;
            if two_dimensional {
                by_runs = self.peek(1) == Some(1);
                self.at += 1;
            }
        }
        // One starts a row, though some writers leave it out.
        (codes < END_OF_PAGE).then_some(by_runs)
    }

    fn run(&mut self, is_black: bool) -> Result<u32, Error> {
        let mut sum = 0u32;
        loop {
            if self.is_at_end() {
                return Err(ended());
            }
            let part = if is_black { black::decode(self) } else { white::decode(self) };
            let part = part.ok_or_else(|| self.no_code())?;
            sum = sum.saturating_add(part.into());
            // Codes of 64 and more are followed by the rest of the run.
            if part < 64 {
                return Ok(sum);
            }
        }
    }

    fn row_by_runs(&mut self, width: u32, row: &mut Vec<u32>) -> Result<(), Error> {
        let (mut at, mut is_black) = (0u32, false);
        while at < width {
            at = self.run(is_black)?.saturating_add(at);
            if at > width {
                return Err(damaged());
            }
            change(row, at);
            is_black = !is_black;
        }
        Ok(())
    }

    /// T.4 §4.2 and T.6 §2.2: every change is told by its place beside one of the row above.
    fn row_by_changes(&mut self, width: u32, above: &[u32], row: &mut Vec<u32>) -> Result<(), Error> {
        // Before the first pixel a change at 0 counts as one to the right.
        let (mut at, mut is_black, mut next) = (None::<u32>, false, 0);
        while at.unwrap_or(0) < width {
            if self.is_at_end() {
                return Err(ended());
            }
            // The first change above, to the other colour, that lies right of here.
            let passed = |change: &u32| at.is_some_and(|at| *change <= at);
            while next > 0 && !passed(&above[next - 1]) {
                next -= 1;
            }
            while above.get(next).is_some_and(passed) || (next % 2 == 1) != is_black {
                next += 1;
            }
            let upper = |index: usize| above.get(index).copied().unwrap_or(width);
            match mode::decode(self).ok_or_else(|| self.no_code())? {
                Mode::Pass => at = Some(upper(next + 1)),
                Mode::Horizontal => {
                    for is_black in [is_black, !is_black] {
                        let to = self.run(is_black)?.saturating_add(at.unwrap_or(0));
                        if to > width {
                            return Err(damaged());
                        }
                        change(row, to);
                        at = Some(to);
                    }
                }
                Mode::Vertical(by) => {
                    let to = upper(next).checked_add_signed(by.into()).ok_or_else(damaged)?;
                    if to > width || at.is_some_and(|at| to < at) {
                        return Err(damaged());
                    }
                    change(row, to);
                    (at, is_black) = (Some(to), !is_black);
                }
                Mode::EOF => return Err(ended()),
                Mode::Extension => return Err(super::super::unsupported("uncompressed fax rows")),
            }
            next = next.min(above.len());
        }
        Ok(())
    }
}
