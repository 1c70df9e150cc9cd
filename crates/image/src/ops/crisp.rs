//! The quality `crisp:radius,amount,median`: an unsharp mask, then a median. What the three numbers mean is what
//! go-iiif's `crisp` does with them, by the Go library bild (`effect.UnsharpMask`, `effect.Median`):
//!
//! - **radius** and **amount**: each sample becomes `v + amount · (v − blurred)`. The blur is a Gaussian whose window
//!   reaches 5 · radius pixels to each side and whose weights are exp(−x² / (20 · radius)), which is a standard
//!   deviation of √(10 · radius) pixels: 4.5 for the default radius of 2. An amount over 10 counts as 10.
//! - **median**: the window is ⌊2 · median + 1.5⌋ pixels a side, so it is one pixel, which changes nothing, below 0.25,
//!   the default 0.025 included, and 3×3 at 1. Of the pixels in it, ordered by brightness, the middle one is taken
//!   whole, so no new colours come to be.
//!
//! Edges are continued outwards. Alpha is left as it is, where bild sharpens it too: half-transparent rims would get
//! halos. The blur keeps fractions, where bild rounds twice.

use crate::error::Error;
use crate::limits::Limits;
use crate::pixels::{Channels, Pixels};

/// bild's factor between the radius that is given and the one it blurs with.
const WINDOW: f64 = 5.0;
/// Where bild stops.
const MOST_AMOUNT: f64 = 10.0;

/// Sharpens, then takes medians. How long that takes grows with radius and median, hence the deadline of `limits`.
pub(crate) fn crisp(
    pixels: Pixels,
    radius: f64,
    amount: f64,
    median: f64,
    limits: &Limits,
) -> Result<Pixels, Error> {
    let sharp = unsharp(pixels, radius, amount.min(MOST_AMOUNT), limits)?;
    let window = (2.0 * median + 1.5) as usize;
    if window < 2 {
        return Ok(sharp);
    }
    match sharp.channels {
        Channels::Gray => middles::<1>(&sharp, window, limits, |[v]| v.into()),
        Channels::GrayAlpha => middles::<2>(&sharp, window, limits, |[v, _]| v.into()),
        Channels::Rgb => middles::<3>(&sharp, window, limits, |[r, g, b]| brightness(r, g, b)),
        Channels::Rgba => middles::<4>(&sharp, window, limits, |[r, g, b, _]| brightness(r, g, b)),
    }
}

/// What bild orders pixels by: 0.3 R + 0.6 G + 0.1 B, here in tenths.
fn brightness(r: u8, g: u8, b: u8) -> u32 {
    3 * u32::from(r) + 6 * u32::from(g) + u32::from(b)
}

fn unsharp(mut pixels: Pixels, radius: f64, amount: f64, limits: &Limits) -> Result<Pixels, Error> {
    let weights = gaussian(WINDOW * radius);
    if weights.len() < 2 || amount <= 0.0 {
        return Ok(pixels);
    }
    let blurred = blur(&pixels, &weights, limits)?;
    let amount = amount as f32;
    let samples = pixels.channels.count();
    let coloured = samples - usize::from(matches!(pixels.channels, Channels::GrayAlpha | Channels::Rgba));
    for (pixel, soft) in pixels.data.chunks_exact_mut(samples).zip(blurred.chunks_exact(samples)) {
        for (sample, soft) in pixel[..coloured].iter_mut().zip(soft) {
            let value = f32::from(*sample);
            // The conversion stops at 0 and 255.
            *sample = (value + (value - soft) * amount).round() as u8;
        }
    }
    Ok(pixels)
}

/// Weights that add up to one, the middle one being that of the pixel itself.
fn gaussian(radius: f64) -> Vec<f32> {
    let reach = radius.ceil() as i32;
    let weights: Vec<f64> = (-reach..=reach)
        .map(f64::from)
        .map(|x| if x.abs() > radius { 0.0 } else { (-x * x / (4.0 * radius)).exp() })
        .collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| (weight / sum) as f32).collect()
}

/// All samples, blurred along the rows and then down the columns.
fn blur(pixels: &Pixels, weights: &[f32], limits: &Limits) -> Result<Vec<f32>, Error> {
    let (samples, stride) = (pixels.channels.count(), pixels.stride());
    let reach = weights.len() / 2;
    let mut across = Vec::with_capacity(pixels.data.len());
    let mut padded = Vec::with_capacity(stride + 2 * reach * samples);
    for row in pixels.rows() {
        limits.check_time()?;
        padded.clear();
        (0..reach).for_each(|_| padded.extend_from_slice(&row[..samples]));
        padded.extend_from_slice(row);
        (0..reach).for_each(|_| padded.extend_from_slice(&row[stride - samples..]));
        let start = across.len();
        across.resize(start + stride, 0.0);
        for (n, weight) in weights.iter().enumerate() {
            add(&mut across[start..], &padded[n * samples..][..stride], *weight, |v| f32::from(*v));
        }
    }
    let last = pixels.height as usize - 1;
    let mut down = vec![0.0; across.len()];
    for (y, row) in down.chunks_exact_mut(stride).enumerate() {
        limits.check_time()?;
        for (n, weight) in weights.iter().enumerate() {
            let from = (y + n).saturating_sub(reach).min(last);
            add(row, &across[from * stride..][..stride], *weight, |v| *v);
        }
    }
    Ok(down)
}

fn add<T>(sums: &mut [f32], samples: &[T], weight: f32, value: impl Fn(&T) -> f32) {
    for (sum, sample) in sums.iter_mut().zip(samples) {
        *sum += weight * value(sample);
    }
}

/// Each pixel replaced by the middle one, by `rank`, of the `window` × `window` around it.
fn middles<const N: usize>(
    pixels: &Pixels,
    window: usize,
    limits: &Limits,
    rank: impl Fn([u8; N]) -> u32,
) -> Result<Pixels, Error> {
    let (width, height) = (pixels.width as usize, pixels.height as usize);
    let (from, _) = pixels.data.as_chunks::<N>();
    let mut data = Vec::with_capacity(pixels.data.len());
    let mut around = Vec::with_capacity(window * window);
    let inside = |at: usize, n: usize, side: usize| (at + n).saturating_sub(window / 2).min(side - 1);
    for y in 0..height {
        for x in 0..width {
            // A window may be as large as the image, so a row would be too long to wait for.
            limits.check_time()?;
            around.clear();
            for row in (0..window).map(|n| inside(y, n, height)) {
                let row = &from[row * width..][..width];
                around.extend((0..window).map(|n| row[inside(x, n, width)]));
            }
            let middle = around.len() / 2;
            // Colours of the same rank in an order of their own, so that which one is taken is always the same.
            let (_, middle, _) = around.select_nth_unstable_by_key(middle, |pixel| (rank(*pixel), *pixel));
            data.extend_from_slice(middle.as_slice());
        }
    }
    Ok(Pixels { width: pixels.width, height: pixels.height, channels: pixels.channels, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crisp(pixels: Pixels, radius: f64, amount: f64, median: f64) -> Pixels {
        super::crisp(pixels, radius, amount, median, &Limits::DEFAULT).unwrap()
    }

    fn gray(width: u32, data: Vec<u8>) -> Pixels {
        Pixels { width, height: data.len() as u32 / width, channels: Channels::Gray, data }
    }

    /// Left half dark, right half light.
    fn edge() -> Pixels {
        gray(64, (0..64 * 16).map(|n| if n % 64 < 32 { 100 } else { 150 }).collect())
    }

    #[test]
    fn the_blur_is_a_gaussian_of_the_documented_width() {
        let weights = gaussian(WINDOW * 2.0);
        assert_eq!(weights.len(), 21);
        let variance: f32 = weights.iter().zip(-10i16..).map(|(w, x)| w * f32::from(x * x)).sum();
        // Cut off at 10 pixels, so a little less than 20.
        assert!((17.0..20.0).contains(&variance), "{variance}");
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn edges_overshoot_by_half_their_step_times_the_amount_and_flats_stay() {
        let sharp = crisp(edge(), 2.0, 0.5, 0.025);
        let row = &sharp.data[..64];
        assert_eq!((row[0], row[63]), (100, 150), "out of reach of the edge");
        // Next to the edge the blur is near its middle, 125: 12 more at half strength, a little less for half a pixel.
        assert!((86..=91).contains(&row[31]) && (159..=164).contains(&row[32]), "{row:?}");
        assert!(sharp.data.chunks_exact(64).all(|other| other == row));
    }

    #[test]
    fn amount_counts_and_none_is_none() {
        assert_eq!(crisp(edge(), 2.0, 0.0, 0.0), edge());
        assert_eq!(crisp(edge(), 0.0, 0.5, 0.0), edge());
        let overshoot = |amount| 100 - crisp(edge(), 2.0, amount, 0.0).data[31];
        assert!(overshoot(1.0) > overshoot(0.5) + 5);
        assert_eq!(overshoot(10.0), overshoot(300.0));
    }

    #[test]
    fn a_median_takes_specks_away_and_keeps_edges() {
        let mut specked = edge();
        specked.data[64 * 5 + 10] = 255;
        assert_eq!(crisp(specked.clone(), 0.0, 0.0, 1.0), edge());
        assert_eq!(crisp(specked.clone(), 0.0, 0.0, 0.2), specked, "a window of one pixel");
    }

    #[test]
    fn a_median_of_colours_invents_none() {
        let data: Vec<u8> =
            (0..12 * 12).flat_map(|n: u32| [[9, 0, 0], [0, 9, 0], [0, 0, 9]][n as usize * 7 % 3]).collect();
        let colours = Pixels { width: 12, height: 12, channels: Channels::Rgb, data };
        let middles = crisp(colours, 0.0, 0.0, 2.0);
        assert!(middles.data.chunks_exact(3).all(|pixel| pixel.iter().filter(|v| **v == 9).count() == 1));
    }

    #[test]
    fn alpha_is_kept() {
        let data = (0..16u8).flat_map(|n| [n * 15, 255 - n]).collect();
        let source = Pixels { width: 4, height: 4, channels: Channels::GrayAlpha, data };
        let alpha = |pixels: &Pixels| pixels.data.iter().skip(1).step_by(2).copied().collect::<Vec<u8>>();
        let sharp = crisp(source.clone(), 2.0, 1.0, 0.0);
        assert_eq!(alpha(&sharp), alpha(&source));
        assert_ne!(sharp, source);
    }
}
