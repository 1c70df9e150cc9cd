//! Half the size: each pixel the mean of four.
//!
//! Opaque pixels are carried from level to level with eight more bits than are stored, so that the smallest level is
//! the mean of what it covers too, and not of means that were rounded. Colour that can be transparent counts by its
//! opacity: what is transparent does not bleed into what is not.

use crate::pixels::Channels;

/// A sample in 256ths: what is stored, times this, and what is between two such.
const FINE: u16 = 256;

/// The row that two rows of bytes come to, in 256ths. An odd width's last pixel is paired with itself; an odd height's
/// last row is given twice.
pub(super) fn halve_bytes(upper: &[u8], lower: &[u8], channels: Channels, into: &mut Vec<u16>) {
    let sum =
        |a: u8, b: u8, c: u8, d: u8| (u16::from(a) + u16::from(b) + u16::from(c) + u16::from(d)) * (FINE / 4);
    by_channels(upper, lower, channels, sum, into);
}

/// The same of rows in 256ths.
pub(super) fn halve_fine(upper: &[u16], lower: &[u16], channels: Channels, into: &mut Vec<u16>) {
    let mean = |a: u16, b: u16, c: u16, d: u16| {
        ((u32::from(a) + u32::from(b) + u32::from(c) + u32::from(d) + 2) >> 2) as u16
    };
    by_channels(upper, lower, channels, mean, into);
}

/// Adds the samples that 256ths come to, rounded.
pub(super) fn narrow(fine: &[u16], into: &mut Vec<u8>) {
    into.extend(fine.iter().map(|sample| ((sample + FINE / 2) / FINE) as u8));
}

/// The row that two rows of 16 bits come to, in 256ths of those.
pub(super) fn halve_words(upper: &[u8], lower: &[u8], channels: Channels, into: &mut Vec<u32>) {
    let word = |bytes: [u8; 2]| u32::from(u16::from_le_bytes(bytes));
    let sum = |a, b, c, d| (word(a) + word(b) + word(c) + word(d)) * u32::from(FINE / 4);
    by_channels(upper.as_chunks::<2>().0, lower.as_chunks::<2>().0, channels, sum, into);
}

/// The same of rows in 256ths of 16 bits.
pub(super) fn halve_fine_words(upper: &[u32], lower: &[u32], channels: Channels, into: &mut Vec<u32>) {
    by_channels(upper, lower, channels, |a, b, c, d| (a + b + c + d + 2) >> 2, into);
}

/// Adds the samples of 16 bits that 256ths come to, rounded.
pub(super) fn narrow_words(fine: &[u32], into: &mut Vec<u8>) {
    let word = |sample: &u32| ((sample + u32::from(FINE / 2)) / u32::from(FINE)).min(0xFFFF) as u16;
    into.extend(fine.iter().flat_map(|sample| word(sample).to_le_bytes()));
}

fn by_channels<T: Copy, U: Copy + Default>(
    upper: &[T],
    lower: &[T],
    channels: Channels,
    mean: impl Fn(T, T, T, T) -> U,
    into: &mut Vec<U>,
) {
    match channels {
        Channels::Gray => plain::<T, U, 1>(upper, lower, mean, into),
        Channels::GrayAlpha => plain::<T, U, 2>(upper, lower, mean, into),
        Channels::Rgb => plain::<T, U, 3>(upper, lower, mean, into),
        Channels::Rgba => plain::<T, U, 4>(upper, lower, mean, into),
    }
}

fn plain<T: Copy, U: Copy + Default, const N: usize>(
    upper: &[T],
    lower: &[T],
    mean: impl Fn(T, T, T, T) -> U,
    into: &mut Vec<U>,
) {
    let (upper, upper_last) = pairs::<T, N>(upper);
    let (lower, lower_last) = pairs::<T, N>(lower);
    let start = into.len();
    into.resize(start + (upper.len() + usize::from(upper_last.is_some())) * N, U::default());
    let (to, _) = into[start..].as_chunks_mut::<N>();
    for ((to, up), low) in to.iter_mut().zip(upper).zip(lower) {
        for c in 0..N {
            to[c] = mean(up[0][c], up[1][c], low[0][c], low[1][c]);
        }
    }
    if let (Some(to), Some(up), Some(low)) = (to.last_mut(), upper_last, lower_last) {
        for c in 0..N {
            to[c] = mean(up[c], up[c], low[c], low[c]);
        }
    }
}

/// The row that two rows of bytes with opacity come to; `number` is the row's own. Half an opacity is rounded down on
/// every other row and up on the rest, so that none grows the further it is down.
pub(super) fn halve_transparent(
    upper: &[u8],
    lower: &[u8],
    channels: Channels,
    number: u32,
    into: &mut [u8],
) {
    match channels {
        Channels::Gray | Channels::GrayAlpha => weighted::<2>(upper, lower, number, into),
        Channels::Rgb | Channels::Rgba => weighted::<4>(upper, lower, number, into),
    }
}

/// The last sample of a pixel is its opacity.
fn weighted<const N: usize>(upper: &[u8], lower: &[u8], number: u32, into: &mut [u8]) {
    let (upper, upper_last) = pairs::<u8, N>(upper);
    let (lower, lower_last) = pairs::<u8, N>(lower);
    let (into, _) = into.as_chunks_mut::<N>();
    let last = upper_last.zip(lower_last).map(|(up, low)| [*up, *up, *low, *low]);
    let four = upper.iter().zip(lower).map(|(up, low)| [up[0], up[1], low[0], low[1]]);
    for (to, four) in into.iter_mut().zip(four.chain(last)) {
        let opacity: u32 = four.iter().map(|pixel| u32::from(pixel[N - 1])).sum();
        for c in 0..N - 1 {
            let sum: u32 = four.iter().map(|pixel| u32::from(pixel[c]) * u32::from(pixel[N - 1])).sum();
            to[c] = (sum + opacity / 2).checked_div(opacity).unwrap_or(0) as u8;
        }
        to[N - 1] = ((opacity + rounding(number)) >> 2) as u8;
    }
}

/// The same of rows of 16 bits with opacity.
pub(super) fn halve_transparent_words(
    upper: &[u8],
    lower: &[u8],
    channels: Channels,
    number: u32,
    into: &mut [u8],
) {
    let samples = |row: &[u8]| -> Vec<u16> {
        row.as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect()
    };
    let (upper, lower) = (samples(upper), samples(lower));
    let (into, _) = into.as_chunks_mut::<2>();
    match channels {
        Channels::Gray | Channels::GrayAlpha => weighted_words::<2>(&upper, &lower, number, into),
        Channels::Rgb | Channels::Rgba => weighted_words::<4>(&upper, &lower, number, into),
    }
}

fn weighted_words<const N: usize>(upper: &[u16], lower: &[u16], number: u32, into: &mut [[u8; 2]]) {
    let (upper, upper_last) = pairs::<u16, N>(upper);
    let (lower, lower_last) = pairs::<u16, N>(lower);
    let last = upper_last.zip(lower_last).map(|(up, low)| [*up, *up, *low, *low]);
    let four = upper.iter().zip(lower).map(|(up, low)| [up[0], up[1], low[0], low[1]]);
    for (to, four) in into.chunks_exact_mut(N).zip(four.chain(last)) {
        let opacity: u64 = four.iter().map(|pixel| u64::from(pixel[N - 1])).sum();
        for c in 0..N - 1 {
            let sum: u64 = four.iter().map(|pixel| u64::from(pixel[c]) * u64::from(pixel[N - 1])).sum();
            to[c] = ((sum + opacity / 2).checked_div(opacity).unwrap_or(0) as u16).to_le_bytes();
        }
        to[N - 1] = (((opacity + u64::from(rounding(number))) >> 2) as u16).to_le_bytes();
    }
}

fn rounding(number: u32) -> u32 {
    if number.is_multiple_of(2) { 1 } else { 2 }
}

/// Pixels two by two, and the one that is left.
fn pairs<T, const N: usize>(row: &[T]) -> (&[[[T; N]; 2]], Option<&[T; N]>) {
    let (pixels, _) = row.as_chunks::<N>();
    let (pairs, rest) = pixels.as_chunks::<2>();
    (pairs, rest.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halved(rows: [&[u8]; 2], channels: Channels) -> Vec<u8> {
        let (mut fine, mut bytes) = (Vec::new(), Vec::new());
        halve_bytes(rows[0], rows[1], channels, &mut fine);
        narrow(&fine, &mut bytes);
        bytes
    }

    #[test]
    fn each_is_the_mean_of_four() {
        assert_eq!(halved([&[0, 4, 100, 100, 9], &[8, 4, 200, 200, 11]], Channels::Gray), [4, 150, 10]);
        assert_eq!(halved([&[1, 2, 3, 3, 4, 5], &[1, 2, 3, 3, 4, 5]], Channels::Rgb), [2, 3, 4]);
        assert_eq!(halved([&[255; 6], &[255; 6]], Channels::Rgb), [255; 3]);
    }

    #[test]
    fn what_is_between_two_shades_is_not_lost_on_the_way_down() {
        // A quarter more than 10 everywhere; rounded at each level it would be 10 or 11 by the rounding.
        let row: Vec<u8> = [10, 11].repeat(512);
        let other = vec![10; 1024];
        let mut fine = Vec::new();
        halve_bytes(&row, &other, Channels::Gray, &mut fine);
        while fine.len() > 1 {
            let above = std::mem::take(&mut fine);
            halve_fine(&above, &above, Channels::Gray, &mut fine);
        }
        assert_eq!(fine, [10 * FINE + FINE / 4]);
        let white = vec![255 * FINE; 3];
        let mut still = Vec::new();
        halve_fine(&white, &white, Channels::Rgb, &mut still);
        assert_eq!(still, white);
    }

    #[test]
    fn what_is_transparent_does_not_bleed() {
        let halved = |row: &[u8], channels: Channels, number| {
            let mut into = vec![7; (row.len() / channels.count()).div_ceil(2) * channels.count()];
            halve_transparent(row, row, channels, number, &mut into);
            into
        };
        assert_eq!(halved(&[9, 9, 9, 255, 200, 200, 200, 0], Channels::Rgba, 0), [9, 9, 9, 127]);
        assert_eq!(halved(&[9, 9, 9, 255, 200, 200, 200, 0], Channels::Rgba, 1), [9, 9, 9, 128]);
        assert_eq!(halved(&[9, 0, 9, 0, 50, 40], Channels::GrayAlpha, 0), [0, 0, 50, 40]);
    }
}
