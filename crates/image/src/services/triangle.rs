//! Shrinking with a triangle for a filter, what others call bilinear: for services whose definition says so.
//!
//! Across and then down, each rounded to bytes, as Pillow does it, and nfnt's resize, which goimagehash stands on. To the
//! last bit as Pillow does it, because a hash turns on that: weights are whole numbers of 22 bits.

use crate::pixels::{Channels, Pixels};

/// Red, green and blue.
type Rgb = [u8; 3];

/// All of an image without alpha at this size, row by row.
pub(super) fn shrink(pixels: &Pixels, width: u32, height: u32) -> Vec<Rgb> {
    let rgb = |pixel: &[u8]| match pixels.channels {
        Channels::Gray | Channels::GrayAlpha => [pixel[0]; 3],
        Channels::Rgb | Channels::Rgba => [pixel[0], pixel[1], pixel[2]],
    };
    let (columns, lines) = (weights(pixels.width, width), weights(pixels.height, height));
    let samples = pixels.channels.count();
    let rows: Vec<Vec<Rgb>> = pixels
        .rows()
        .map(|row| {
            let row: Vec<Rgb> = row.chunks_exact(samples).map(rgb).collect();
            columns.iter().map(|Weights { from, of }| mean(&row[*from..], of)).collect()
        })
        .collect();
    let down = |Weights { from, of }: &Weights, x: usize| {
        let mut sums = [HALF; 3];
        for (row, weight) in rows[*from..].iter().zip(of) {
            add(&mut sums, row[x], *weight);
        }
        sums.map(rounded)
    };
    lines.iter().flat_map(|line| (0..columns.len()).map(move |x| down(line, x))).collect()
}

/// What one sample is made of: of so many from here.
struct Weights {
    from: usize,
    of: Vec<i64>,
}

/// Bits behind the point of a weight.
const BITS: u32 = 22;
/// What rounds a sum.
const HALF: i64 = 1 << (BITS - 1);

fn weights(length: u32, drawn: u32) -> Vec<Weights> {
    let scale = f64::from(length) / f64::from(drawn);
    // Enlarging looks at the two nearest.
    let support = scale.max(1.0);
    (0..drawn)
        .map(|at| {
            let centre = (f64::from(at) + 0.5) * scale;
            // Positions in an image; a float that is negative becomes zero.
            let from = (centre - support + 0.5) as usize;
            let to = ((centre + support + 0.5) as usize).min(length as usize);
            let weight = |at: usize| (1.0 - ((at as f64 + 0.5 - centre) / support).abs()).max(0.0);
            let of: Vec<f64> = (from..to).map(weight).collect();
            let sum: f64 = of.iter().sum();
            // Below one, so a number of 22 bits.
            let whole = |weight: &f64| (weight / sum * f64::from(1 << BITS) + 0.5) as i64;
            Weights { from, of: of.iter().map(whole).collect() }
        })
        .collect()
}

fn mean(row: &[Rgb], weights: &[i64]) -> Rgb {
    let mut sums = [HALF; 3];
    for (pixel, weight) in row.iter().zip(weights) {
        add(&mut sums, *pixel, *weight);
    }
    sums.map(rounded)
}

fn add(sums: &mut [i64; 3], pixel: Rgb, weight: i64) {
    for (sum, sample) in sums.iter_mut().zip(pixel) {
        *sum += i64::from(sample) * weight;
    }
}

fn rounded(sum: i64) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_weighs_the_same_and_flat_stays_flat() {
        for (length, drawn) in [(512, 8), (9, 9), (100, 9), (3, 8), (1, 8), (8, 1)] {
            for Weights { from, of } in weights(length, drawn) {
                assert!(from + of.len() <= length as usize && !of.is_empty(), "{length} to {drawn}");
                assert!((of.iter().sum::<i64>() - (1 << BITS)).abs() <= of.len() as i64);
            }
            let flat = Pixels {
                width: length,
                height: 2,
                channels: Channels::Gray,
                data: vec![77; length as usize * 2],
            };
            assert!(shrink(&flat, drawn, 3).iter().all(|pixel| *pixel == [77; 3]));
        }
    }
}
