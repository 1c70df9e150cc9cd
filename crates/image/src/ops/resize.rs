//! Drawing a region at another size, by the crate for that, or copying it.

use imgmill_resize::Samples;

use crate::error::Error;
use crate::pixels::Pixels;

pub(crate) use imgmill_resize::Area;

/// All of an image.
pub(crate) fn whole(pixels: &Pixels) -> Area {
    Area { x: 0.0, y: 0.0, w: pixels.width.into(), h: pixels.height.into() }
}

/// Draws `area` of an image at `width` × `height`. Where that is the same size on whole pixels, it is copied.
pub(crate) fn resize(pixels: &Pixels, area: Area, width: u32, height: u32) -> Result<Pixels, Error> {
    let whole = [area.x, area.y, area.w, area.h].iter().all(|edge| edge.fract() == 0.0);
    if whole && area.w == f64::from(width) && area.h == f64::from(height) {
        return Ok(copy(pixels, area.x as usize, area.y as usize, width, height));
    }
    let Pixels { channels, data, .. } = pixels;
    let samples = Samples { width: pixels.width, height: pixels.height, channels: channels.count(), data };
    let data =
        imgmill_resize::lanczos3(samples, area, width, height).map_err(|e| Error::encode(e.to_string()))?;
    Ok(Pixels { width, height, channels: *channels, data })
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
    use crate::pixels::Channels;

    fn checkers(width: u32, height: u32) -> Pixels {
        let data =
            (0..height).flat_map(|y| (0..width).map(move |x| ((x * 7 + y * 13) % 256) as u8)).collect();
        Pixels { width, height, channels: Channels::Gray, data }
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
