//! Average and difference hash: 64 bits of what is bright in an image, for finding images that look alike.
//!
//! As goimagehash has them: drawn at 8 × 8 (9 × 8) with a triangle filter, grey by Rec. 601 without rounding, rows from
//! the top, the first bit the highest.

use super::triangle::shrink;
use crate::pixels::Pixels;

const SIDE: u32 = 8;

/// A bit for each of 8 × 8: brighter than the mean of all.
pub(super) fn average(pixels: &Pixels) -> u64 {
    let grey = grey(pixels, SIDE);
    let mean = grey.iter().sum::<f64>() / grey.len() as f64;
    bits(grey.iter().map(|value| *value > mean))
}

/// A bit for each of 8 steps in 8 rows: brighter to the right.
pub(super) fn difference(pixels: &Pixels) -> u64 {
    let grey = grey(pixels, SIDE + 1);
    let rows = grey.chunks_exact(SIDE as usize + 1);
    bits(rows.flat_map(|row| row.windows(2).map(|pair| pair[0] < pair[1])))
}

fn grey(pixels: &Pixels, width: u32) -> Vec<f64> {
    let weighed = |[red, green, blue]: [u8; 3]| {
        0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue)
    };
    shrink(pixels, width, SIDE).into_iter().map(weighed).collect()
}

fn bits(set: impl Iterator<Item = bool>) -> u64 {
    set.fold(0, |bits, set| bits << 1 | u64::from(set))
}
