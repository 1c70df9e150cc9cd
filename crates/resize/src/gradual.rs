//! All of an image at a smaller size, some rows at a time: what is held does not grow with its height.

use crate::{Area, Error, LOBES, Samples, lanczos3};

/// Rows above and below those that are wanted, which are drawn and thrown away: at the edge of what is held, samples
/// lack some of what they are made of.
const MARGIN: u32 = LOBES as u32 + 1;

/// An image whose rows come from top to bottom, and go so at another size: the pixels that [`lanczos3`] gives of it
/// at once, but for the last bit of a few, whose place is rounded otherwise.
#[derive(Debug)]
pub struct Gradual {
    channels: usize,
    /// Pixels across, and down, as they come.
    from: (u32, u32),
    /// Of these, how many count: a part of a pixel may be beyond the image.
    counts: (f64, f64),
    to: (u32, u32),
    /// Rows that were drawn.
    drawn: u32,
    /// Rows that came and are still wanted, and the number of the first.
    held: Vec<u8>,
    first: u32,
}

impl Gradual {
    /// Draws the first `counts` pixels across and down of an image of `from` pixels at `to` pixels. `channels` is as
    /// in [`Samples`]. No side of anything is 0.
    pub fn new(from: (u32, u32), channels: usize, counts: (f64, f64), to: (u32, u32)) -> Self {
        Self { channels, from, counts, to, drawn: 0, held: Vec::new(), first: 0 }
    }

    /// Bytes that it takes at most, what it is given not counted.
    pub fn memory(from: (u32, u32), channels: usize, to: (u32, u32)) -> u64 {
        let drawn = Self::at_a_time(from.1.into(), to.1) + 2 * MARGIN;
        let held = f64::from(drawn) * f64::from(from.1) / f64::from(to.1);
        // What is held twice, while what is not wanted any more is left behind; the same at its new width or height.
        let rows = held.ceil() as u64 + 1;
        let across = u64::from(from.0.max(to.0));
        (across * rows * 3 + u64::from(to.0) * u64::from(drawn) * 2) * channels as u64
    }

    /// Rows that are drawn together: of so many as come that margins are a small part of the work.
    fn at_a_time(counts: f64, to: u32) -> u32 {
        const HELD: f64 = 256.0;
        ((HELD * f64::from(to) / counts) as u32).clamp(4 * MARGIN, 128)
    }

    /// Pixels across of the rows that are drawn.
    pub fn width(&self) -> u32 {
        self.to.0
    }

    fn stride(&self) -> usize {
        self.from.0 as usize * self.channels
    }

    /// Takes the next rows, without gaps.
    pub fn push(&mut self, rows: &[u8]) {
        self.held.extend_from_slice(rows);
    }

    /// Rows that can be drawn of those that came; `None` until more come, and after the last.
    ///
    /// # Errors
    /// As [`lanczos3`]'s.
    pub fn draw(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let scale = self.counts.1 / f64::from(self.to.1);
        let last = (self.drawn + Self::at_a_time(self.counts.1, self.to.1)).min(self.to.1);
        let above = self.drawn.saturating_sub(MARGIN);
        let below = (last + MARGIN).min(self.to.1);
        let (top, bottom) = (f64::from(above) * scale, f64::from(below) * scale);
        let rows = (self.held.len() / self.stride()) as u32;
        let wanted = (bottom.ceil() as u32).min(self.from.1);
        if self.drawn == self.to.1 || self.first + rows < wanted {
            return Ok(None);
        }
        let samples = Samples { width: self.from.0, height: rows, channels: self.channels, data: &self.held };
        let y = top - f64::from(self.first);
        let h = (bottom - top).min(f64::from(rows) - y);
        let area = Area { x: 0.0, y, w: self.counts.0, h };
        let mut drawn = lanczos3(samples, area, self.to.0, below - above)?;
        let stride = self.to.0 as usize * self.channels;
        drawn.truncate((last - above) as usize * stride);
        drawn.drain(..(self.drawn - above) as usize * stride);
        self.drawn = last;
        self.forget((f64::from(last.saturating_sub(MARGIN)) * scale) as u32);
        Ok(Some(drawn))
    }

    /// Leaves rows behind that no later one is drawn of.
    fn forget(&mut self, wanted: u32) {
        let rows = wanted.saturating_sub(self.first);
        self.held.drain(..rows as usize * self.stride());
        self.first += rows;
    }
}
