//! YCbCr that is stored with fewer chroma samples than pixels, and what its samples mean. TIFF 6.0 §21.

use super::directory::Directory;
use super::layout::tag;
use crate::error::Error;

/// Bytes of a piece of `width` × `rows` pixels: units of `across` × `down` lumas and one pair of chromas.
pub(super) fn stored_length((across, down): (usize, usize), width: u32, rows: u32) -> usize {
    let units = (width as usize).div_ceil(across) * (rows as usize).div_ceil(down);
    units * (across * down + 2)
}

/// Pixels of three samples; each pixel takes the chromas of its unit.
pub(super) fn spread(stored: &[u8], (across, down): (usize, usize), width: u32, rows: u32) -> Vec<u8> {
    let (width, rows) = (width as usize, rows as usize);
    let mut pixels = vec![0; width * rows * 3];
    let units_across = width.div_ceil(across);
    for (number, unit) in stored.chunks_exact(across * down + 2).enumerate() {
        let (left, top) = (number % units_across * across, number / units_across * down);
        let (lumas, chromas) = unit.split_at(across * down);
        for (place, luma) in lumas.iter().enumerate() {
            let (x, y) = (left + place % across, top + place / across);
            if x < width && y < rows {
                let at = (y * width + x) * 3;
                pixels[at..at + 3].copy_from_slice(&[*luma, chromas[0], chromas[1]]);
            }
        }
    }
    pixels
}

/// From YCbCr to RGB, by the page's own weights and levels.
pub(super) struct Matrix {
    /// Weights of red, green and blue in luma.
    weights: [f32; 3],
    /// Codes of black and white for Y, Cb and Cr; for chroma the white one is the full colour.
    levels: [f32; 6],
}

/// ITU-R BT.601, the default of TIFF 6.0 page 91 and what JPEG uses, at full range.
const WEIGHTS: [f32; 3] = [0.299, 0.587, 0.114];
const LEVELS: [f32; 6] = [0.0, 255.0, 128.0, 255.0, 128.0, 255.0];

impl Matrix {
    pub(super) fn read(directory: &Directory<'_>) -> Result<Self, Error> {
        let weights = directory.fractions(tag::YCBCR_COEFFICIENTS)?;
        let levels = directory.fractions(tag::REFERENCE_BLACK_WHITE)?;
        let sound = |list: &[f32]| list.iter().all(|value| value.is_finite());
        let weights = <[f32; 3]>::try_from(weights).ok().filter(|w| sound(w) && w.iter().all(|w| *w > 0.0));
        let levels = <[f32; 6]>::try_from(levels).ok();
        let levels = levels.filter(|l| sound(l) && l.as_chunks::<2>().0.iter().all(|[b, w]| b != w));
        Ok(Self { weights: weights.unwrap_or(WEIGHTS), levels: levels.unwrap_or(LEVELS) })
    }

    /// Samples of 0 to 255 to red, green and blue of 0 to 255. TIFF 6.0 pages 91 and 87.
    pub(super) fn rgb(&self, [y, cb, cr]: [f32; 3]) -> [f32; 3] {
        let [red, green, blue] = self.weights;
        let level = |code: f32, index: usize, range: f32| {
            let (black, white) = (self.levels[index], self.levels[index + 1]);
            (code - black) * range / (white - black)
        };
        let (y, cb, cr) = (level(y, 0, 255.0), level(cb, 2, 127.0), level(cr, 4, 127.0));
        let r = y + cr * (2.0 - 2.0 * red);
        let b = y + cb * (2.0 - 2.0 * blue);
        [r, (y - red * r - blue * b) / green, b]
    }
}
