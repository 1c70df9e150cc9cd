//! Drawing a region at another size: Lanczos3, its support scaled with the shrinking, alpha premultiplied around it.

use fast_image_resize as fir;

use crate::error::Error;
use crate::pixels::{Channels, Pixels};

/// A part of an image, in pixels; edges may fall between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

impl Area {
    /// All of an image.
    pub(crate) fn whole(pixels: &Pixels) -> Self {
        Self { x: 0.0, y: 0.0, w: pixels.width.into(), h: pixels.height.into() }
    }
}

/// Draws `area` of an image at `width` × `height`. Where that is the same size on whole pixels, it is copied.
pub(crate) fn resize(pixels: &Pixels, area: Area, width: u32, height: u32) -> Result<Pixels, Error> {
    let whole = [area.x, area.y, area.w, area.h].iter().all(|edge| edge.fract() == 0.0);
    if whole && area.w == f64::from(width) && area.h == f64::from(height) {
        return Ok(copy(pixels, area.x as usize, area.y as usize, width, height));
    }
    match pixels.channels {
        Channels::Gray => draw::<fir::pixels::U8>(pixels, area, width, height),
        Channels::GrayAlpha => draw::<fir::pixels::U8x2>(pixels, area, width, height),
        Channels::Rgb => draw::<fir::pixels::U8x3>(pixels, area, width, height),
        Channels::Rgba => draw::<fir::pixels::U8x4>(pixels, area, width, height),
    }
}

/// By the kind of pixel, because the function for all kinds takes most of this crate's time to compile.
fn draw<P: fir::PixelTrait>(pixels: &Pixels, area: Area, width: u32, height: u32) -> Result<Pixels, Error> {
    let failed = |e: &dyn std::fmt::Display| Error::encode(format!("resizing failed: {e}"));
    let source = fir::images::TypedImageRef::<P>::from_buffer(pixels.width, pixels.height, &pixels.data)
        .map_err(|e| failed(&e))?;
    let mut drawn = Pixels::blank(width, height, pixels.channels);
    let mut target =
        fir::images::TypedImage::<P>::from_buffer(width, height, &mut drawn.data).map_err(|e| failed(&e))?;
    let filter = fir::Filter::new("lanczos3", lanczos3, LOBES).map_err(|e| failed(&e))?;
    let options = fir::ResizeOptions::new()
        .resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::Custom(filter)))
        .crop(area.x, area.y, area.w, area.h)
        .use_alpha(true);
    fir::Resizer::new().resize_typed(&source, &mut target, &options).map_err(|e| failed(&e))?;
    Ok(drawn)
}

const LOBES: f64 = 3.0;

/// sinc(x)·sinc(x/3) within three lobes of its middle.
///
/// One sine gives both factors, because sin 3a = sin a·(3 − 4 sin² a): the taps of a picture's few sizes are otherwise
/// as dear as a tenth of the resize, and the sine of the system's library is not the same on every machine.
fn lanczos3(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    if x.abs() >= LOBES {
        return 0.0;
    }
    let angle = x.abs() * (std::f64::consts::PI / LOBES);
    let sine = sine(angle);
    let sinc = sine / angle;
    sinc * sinc * (1.0 - 4.0 / 3.0 * sine * sine)
}

/// The sine of an angle from 0 to π, within 1e-10: its series to the fifteenth power about the nearer end.
fn sine(angle: f64) -> f64 {
    const SERIES: [f64; 7] = [
        -1.0 / 6.0,
        1.0 / 120.0,
        -1.0 / 5_040.0,
        1.0 / 362_880.0,
        -1.0 / 39_916_800.0,
        1.0 / 6_227_020_800.0,
        -1.0 / 1_307_674_368_000.0,
    ];
    let angle = angle.min(std::f64::consts::PI - angle);
    let square = angle * angle;
    let sum = SERIES.iter().rev().fold(0.0, |sum, factor| (sum + factor) * square);
    angle + angle * sum
}

fn copy(pixels: &Pixels, x: usize, y: usize, width: u32, height: u32) -> Pixels {
    if (width, height) == (pixels.width, pixels.height) {
        return pixels.clone();
    }
    let samples = pixels.channels.count();
    let row = |row: &[u8]| row[x * samples..][..width as usize * samples].to_vec();
    let data = pixels.rows().skip(y).take(height as usize).flat_map(row).collect();
    Pixels { width, height, channels: pixels.channels, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkers(width: u32, height: u32) -> Pixels {
        let data =
            (0..height).flat_map(|y| (0..width).map(move |x| ((x * 7 + y * 13) % 256) as u8)).collect();
        Pixels { width, height, channels: Channels::Gray, data }
    }

    #[test]
    fn taps_are_those_of_the_formula() {
        let sinc = |x: f64| {
            let angle = x * std::f64::consts::PI;
            angle.sin() / angle
        };
        for n in (-4000..4000).filter(|n| *n != 0) {
            let x = f64::from(n) / 1000.0;
            let expected = if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 };
            assert!((lanczos3(x) - expected).abs() < 1e-9, "{x}: {} {expected}", lanczos3(x));
        }
        assert_eq!(lanczos3(0.0), 1.0);
    }

    #[test]
    fn an_unscaled_region_is_copied_exactly() {
        let source = checkers(9, 7);
        let area = Area { x: 2.0, y: 3.0, w: 4.0, h: 2.0 };
        let cut = resize(&source, area, 4, 2).unwrap();
        let expected: Vec<u8> =
            (3..5).flat_map(|y| (2..6).map(move |x| ((x * 7 + y * 13) % 256) as u8)).collect();
        assert_eq!(cut.data, expected);
    }

    #[test]
    fn transparent_colour_does_not_bleed() {
        // Opaque grey beside transparent white: premultiplied, no white shows in what is left.
        let data = (0..64)
            .flat_map(|n| if n % 2 == 0 { [100, 100, 100, 255] } else { [255, 255, 255, 0] })
            .collect();
        let source = Pixels { width: 8, height: 8, channels: Channels::Rgba, data };
        let small = resize(&source, Area { x: 0.0, y: 0.0, w: 8.0, h: 8.0 }, 2, 2).unwrap();
        for pixel in small.data.chunks_exact(4) {
            assert!(pixel[0].abs_diff(100) <= 2, "{pixel:?}");
        }
    }

    #[test]
    fn shrinking_keeps_the_mean() {
        let source = checkers(256, 256);
        let mean = |pixels: &Pixels| {
            pixels.data.iter().map(|v| f64::from(*v)).sum::<f64>() / pixels.data.len() as f64
        };
        let small = resize(&source, Area { x: 0.0, y: 0.0, w: 256.0, h: 256.0 }, 32, 32).unwrap();
        assert!((mean(&source) - mean(&small)).abs() < 1.0);
    }
}
