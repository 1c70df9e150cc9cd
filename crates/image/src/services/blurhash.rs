//! BlurHash: a few waves that an image looks like from far away, as a short text.
//!
//! The definition is woltapp's “Algorithm”: cosine factors of linear light, quantised, in base 83. The crate of that
//! name visits every pixel once for every wave; here rows are summed up first, which is as many times less work as
//! there are waves in a column.

use std::f64::consts::PI;

use crate::pixels::{Channels, Pixels};

/// The digits, in order.
const DIGITS: &[u8; 83] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";

/// Red, green and blue of linear light.
type Light = [f64; 3];

/// The hash of an image without alpha, with `across` × `down` waves, each 1 to 9.
pub(super) fn encode(pixels: &Pixels, across: u8, down: u8) -> String {
    let factors = factors(pixels, across, down);
    let mut hash = String::new();
    push(&mut hash, u32::from(across - 1) + u32::from(down - 1) * 9, 1);
    let (average, waves) = factors.split_first().map_or(([0.0; 3], &[][..]), |(first, rest)| (*first, rest));
    let largest = waves.iter().flatten().fold(0.0_f64, |most, value| most.max(value.abs()));
    let scale = if waves.is_empty() {
        push(&mut hash, 0, 1);
        1.0
    } else {
        let quantised = (largest * 166.0 - 0.5).floor().clamp(0.0, 82.0);
        push(&mut hash, quantised as u32, 1);
        (quantised + 1.0) / 166.0
    };
    push(&mut hash, average.iter().fold(0, |sum, light| sum << 8 | u32::from(srgb(*light))), 4);
    for wave in waves {
        let step = |value: f64| {
            let root = (value / scale).abs().sqrt().copysign(value);
            (root * 9.0 + 9.5).floor().clamp(0.0, 18.0) as u32
        };
        push(&mut hash, wave.iter().fold(0, |sum, value| sum * 19 + step(*value)), 2);
    }
    hash
}

/// Whether a text can be the hash of so many waves.
pub(super) fn is_hash(text: &str, across: u8, down: u8) -> bool {
    text.len() == 4 + 2 * usize::from(across) * usize::from(down)
        && text.bytes().all(|digit| DIGITS.contains(&digit))
}

/// What each wave has of the image, row by row of waves.
fn factors(pixels: &Pixels, across: u8, down: u8) -> Vec<Light> {
    let linear: Vec<f64> = (0..=255).map(linear).collect();
    let (width, height) = (pixels.width as usize, pixels.height as usize);
    let (columns, rows) = (waves(across, width), waves(down, height));
    let mut sums = vec![[0.0; 3]; columns.len() * rows.len()];
    let mut row_sums = vec![[0.0; 3]; columns.len()];
    for (y, row) in pixels.rows().enumerate() {
        let light: Vec<Light> = match pixels.channels {
            Channels::Gray | Channels::GrayAlpha => {
                row.chunks_exact(pixels.channels.count()).map(|p| [linear[usize::from(p[0])]; 3]).collect()
            }
            Channels::Rgb | Channels::Rgba => row
                .chunks_exact(pixels.channels.count())
                .map(|p| [p[0], p[1], p[2]].map(|sample| linear[usize::from(sample)]))
                .collect(),
        };
        for (sum, wave) in row_sums.iter_mut().zip(&columns) {
            *sum = [0.0; 3];
            for (light, weight) in light.iter().zip(wave) {
                add(sum, light, *weight);
            }
        }
        for (sums, wave) in sums.chunks_exact_mut(columns.len()).zip(&rows) {
            for (sum, of_row) in sums.iter_mut().zip(&row_sums) {
                add(sum, of_row, wave[y]);
            }
        }
    }
    let area = (width * height) as f64;
    let scale = |(index, sum): (usize, Light)| {
        let norm = if index == 0 { 1.0 } else { 2.0 };
        sum.map(|value| value * norm / area)
    };
    sums.into_iter().enumerate().map(scale).collect()
}

fn add(sum: &mut Light, light: &Light, weight: f64) {
    for (sum, light) in sum.iter_mut().zip(light) {
        *sum += light * weight;
    }
}

/// The heights of so many cosine waves at each of `length` samples.
fn waves(count: u8, length: usize) -> Vec<Vec<f64>> {
    let height = |wave: u8, at: usize| (PI * f64::from(wave) * at as f64 / length as f64).cos();
    (0..count).map(|wave| (0..length).map(|at| height(wave, at)).collect()).collect()
}

/// Linear light of an sRGB sample (IEC 61966-2-1).
fn linear(sample: u16) -> f64 {
    let value = f64::from(sample) / 255.0;
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// The sRGB sample of linear light.
fn srgb(light: f64) -> u8 {
    let light = light.clamp(0.0, 1.0);
    let value = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    (value * 255.0 + 0.5) as u8
}

fn push(hash: &mut String, value: u32, digits: u32) {
    for place in (0..digits).rev() {
        let digit = value / 83_u32.pow(place) % 83;
        hash.push(char::from(DIGITS[digit as usize]));
    }
}
