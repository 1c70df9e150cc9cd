//! Turning by any angle: bilinear, on a canvas that holds all of it, with nothing (alpha 0) in the corners.

use crate::error::Error;
use crate::limits::Limits;
use crate::pixels::{Channels, Pixels};

/// Turns clockwise about the centre onto a canvas of `width` × `height`. The result has alpha.
pub(crate) fn rotate(
    pixels: &Pixels,
    degrees: f64,
    size: (u32, u32),
    limits: &Limits,
) -> Result<Pixels, Error> {
    match pixels.channels {
        Channels::Gray => {
            rotated::<2>(&pixels.map(Channels::GrayAlpha, |[v]| [v, 255]), degrees, size, limits)
        }
        Channels::GrayAlpha => rotated::<2>(pixels, degrees, size, limits),
        Channels::Rgb => {
            rotated::<4>(&pixels.map(Channels::Rgba, |[r, g, b]| [r, g, b, 255]), degrees, size, limits)
        }
        Channels::Rgba => rotated::<4>(pixels, degrees, size, limits),
    }
}

fn rotated<const N: usize>(
    pixels: &Pixels,
    degrees: f64,
    (width, height): (u32, u32),
    limits: &Limits,
) -> Result<Pixels, Error> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let centre = |side: u32| f64::from(side) / 2.0;
    let mut canvas = Pixels::blank(width, height, pixels.channels);
    let (to, _) = canvas.data.as_chunks_mut::<N>();
    for (y, row) in to.chunks_exact_mut(width as usize).enumerate() {
        limits.check_time()?;
        let down = y as f64 + 0.5 - centre(height);
        for (x, pixel) in row.iter_mut().enumerate() {
            let right = x as f64 + 0.5 - centre(width);
            // Turning back finds where this pixel comes from.
            let from_x = right * cos + down * sin + centre(pixels.width) - 0.5;
            let from_y = down * cos - right * sin + centre(pixels.height) - 0.5;
            *pixel = blend(pixels, from_x, from_y);
        }
    }
    Ok(canvas)
}

/// The four pixels around a point, weighted by nearness and by their alpha; outside the image there is none.
fn blend<const N: usize>(pixels: &Pixels, x: f64, y: f64) -> [u8; N] {
    let (left, top) = (x.floor(), y.floor());
    let (right_share, bottom_share) = (x - left, y - top);
    let (from, _) = pixels.data.as_chunks::<N>();
    let mut sums = [0.0; N];
    for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        let (column, row) = (left + dx, top + dy);
        let inside =
            column >= 0.0 && row >= 0.0 && column < f64::from(pixels.width) && row < f64::from(pixels.height);
        if !inside {
            continue;
        }
        let share = |distance: f64, share: f64| if distance == 0.0 { 1.0 - share } else { share };
        let pixel = from[row as usize * pixels.width as usize + column as usize];
        let weight = share(dx, right_share) * share(dy, bottom_share);
        let alpha = weight * f64::from(pixel[N - 1]);
        for (sum, sample) in sums.iter_mut().zip(&pixel[..N - 1]) {
            *sum += alpha * f64::from(*sample);
        }
        sums[N - 1] += alpha;
    }
    let alpha = sums[N - 1];
    let mut blended = [0; N];
    if alpha > 0.0 {
        for (sample, sum) in blended[..N - 1].iter_mut().zip(sums) {
            *sample = (sum / alpha).round() as u8;
        }
    }
    blended[N - 1] = alpha.round() as u8;
    blended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_is_exact() {
        let source = Pixels { width: 3, height: 2, channels: Channels::Gray, data: b"abcdef".to_vec() };
        let turned = rotate(&source, 90.0, (2, 3), &Limits::DEFAULT).unwrap();
        let letters: Vec<u8> = turned.data.chunks_exact(2).map(|pixel| pixel[0]).collect();
        assert_eq!(letters, b"daebfc");
        assert!(turned.data.chunks_exact(2).all(|pixel| pixel[1] == 255));
    }

    #[test]
    fn corners_are_empty_and_the_middle_is_not() {
        let source = Pixels { width: 40, height: 40, channels: Channels::Rgb, data: vec![200; 40 * 40 * 3] };
        let turned = rotate(&source, 45.0, (57, 57), &Limits::DEFAULT).unwrap();
        let at = |x: usize, y: usize| &turned.data[(y * 57 + x) * 4..][..4];
        assert_eq!(at(0, 0), [0, 0, 0, 0]);
        assert_eq!(at(28, 28), [200, 200, 200, 255]);
    }
}
