//! From AV1's samples to 8-bit RGB: chroma brought to full size, range and matrix undone (ITU-T H.273 §8.3).
//!
//! Chroma between its samples is interpolated linearly, its samples taken to lie in the middle of the pixels that share
//! them: as libavif, libjpeg and browsers do it.

use super::av1::{Frame, Plane};
use crate::error::Error;

/// H.273's table 4, as far as pictures use it.
const IDENTITY: u8 = 0;
const YCGCO: u8 = 8;

/// Grey of luma alone, or of an alpha plane.
pub(super) fn gray(plane: &Plane, bits: u8, full_range: bool) -> Vec<u8> {
    let levels = Levels::new(bits, full_range);
    plane.samples.iter().map(|sample| byte(levels.luma(*sample))).collect()
}

/// Red, green and blue.
pub(super) fn rgb(frame: &Frame) -> Result<Vec<u8>, Error> {
    let convert = Convert::of(frame.cicp.matrix)?;
    let levels = Levels::new(frame.bits, frame.cicp.full_range);
    let ([luma, cb, cr], Some(subsampling)) = (frame.planes.as_slice(), frame.subsampling) else {
        return Err(Error::corrupt("the AVIF's picture has no colours"));
    };
    // Identity stores colours, which have no middle.
    let colours = matches!(convert, Convert::Identity);
    let (from_cb, from_cr) = (Chroma::new(cb, frame, subsampling), Chroma::new(cr, frame, subsampling));
    let mut rgb = vec![0; frame.width * frame.height * 3];
    let (mut cb_row, mut cr_row) = (vec![0.0; frame.width], vec![0.0; frame.width]);
    for (y, row) in rgb.chunks_exact_mut(frame.width * 3).enumerate() {
        from_cb.row(y, &mut cb_row);
        from_cr.row(y, &mut cr_row);
        let chroma = cb_row.iter().zip(&cr_row);
        for ((pixel, luma), (cb, cr)) in row.as_chunks_mut::<3>().0.iter_mut().zip(luma.row(y)).zip(chroma) {
            let (cb, cr) = if colours {
                (levels.colour(*cb), levels.colour(*cr))
            } else {
                (levels.chroma(*cb), levels.chroma(*cr))
            };
            *pixel = convert.apply(levels.luma(*luma), cb, cr).map(byte);
        }
    }
    Ok(rgb)
}

/// 0 to 1 to a byte, rounded to the nearest.
fn byte(value: f32) -> u8 {
    (value * 255.0 + 0.5) as u8
}

/// How samples count: luma from 0 to 1, chroma from -0.5 to 0.5.
struct Levels {
    black: f32,
    luma: f32,
    middle: f32,
    chroma: f32,
}

impl Levels {
    fn new(bits: u8, full_range: bool) -> Self {
        let unit = f32::from(1u16 << (bits - 8));
        let most = f32::from((1u16 << (bits - 1)) - 1) * 2.0 + 1.0;
        let middle = 128.0 * unit;
        if full_range {
            Self { black: 0.0, luma: 1.0 / most, middle, chroma: 1.0 / most }
        } else {
            Self { black: 16.0 * unit, luma: 1.0 / (219.0 * unit), middle, chroma: 1.0 / (224.0 * unit) }
        }
    }

    fn luma(&self, sample: u16) -> f32 {
        self.colour(f32::from(sample))
    }

    fn colour(&self, sample: f32) -> f32 {
        (sample - self.black) * self.luma
    }

    fn chroma(&self, sample: f32) -> f32 {
        (sample - self.middle) * self.chroma
    }
}

/// What luma and chroma mean.
#[derive(Debug, Clone, Copy)]
enum Convert {
    /// Green, blue and red as they are.
    Identity,
    YCgCo,
    /// What red and blue weigh in luma.
    Weights {
        red: f32,
        blue: f32,
    },
}

impl Convert {
    fn of(matrix: u8) -> Result<Self, Error> {
        let weights = |red, blue| Ok(Convert::Weights { red, blue });
        match matrix {
            IDENTITY => Ok(Convert::Identity),
            1 => weights(0.2126, 0.0722),
            // Unspecified: BT.601, as libavif and browsers take it.
            2 | 5 | 6 => weights(0.299, 0.114),
            4 => weights(0.30, 0.11),
            7 => weights(0.212, 0.087),
            YCGCO => Ok(Convert::YCgCo),
            9 => weights(0.2627, 0.0593),
            other => {
                let message = format!("AVIF with the matrix coefficients {other} is not supported");
                Err(Error::unsupported(message))
            }
        }
    }

    #[inline]
    fn apply(self, y: f32, cb: f32, cr: f32) -> [f32; 3] {
        match self {
            Convert::Identity => [cr, y, cb],
            Convert::YCgCo => [y - cb + cr, y + cb, y - cb - cr],
            Convert::Weights { red, blue } => {
                let (r, b) = (y + 2.0 * (1.0 - red) * cr, y + 2.0 * (1.0 - blue) * cb);
                [r, (y - red * r - blue * b) / (1.0 - red - blue), b]
            }
        }
    }
}

/// A chroma plane, read as if it were of full size.
struct Chroma<'a> {
    plane: &'a Plane,
    rows: usize,
    across: usize,
    down: usize,
}

impl<'a> Chroma<'a> {
    fn new(plane: &'a Plane, frame: &Frame, (across, down): (usize, usize)) -> Self {
        Self { plane, rows: frame.height.div_ceil(down), across, down }
    }

    /// The samples for a row of pixels.
    fn row(&self, y: usize, samples: &mut [f32]) {
        let (near, far) = beside(y, self.down, self.rows);
        let (near, far) = (self.plane.row(near), self.plane.row(far));
        // Three quarters of the nearer row, or of the nearer sample.
        let at = |x: usize| f32::from(near[x]) * 0.75 + f32::from(far[x]) * 0.25;
        for (x, sample) in samples.iter_mut().enumerate() {
            let (near, far) = beside(x, self.across, self.plane.width);
            *sample = at(near) * 0.75 + at(far) * 0.25;
        }
    }
}

/// Which samples are nearest and second nearest to a pixel; the same twice where each pixel has its own.
fn beside(pixel: usize, shared_by: usize, count: usize) -> (usize, usize) {
    if shared_by == 1 {
        return (pixel, pixel);
    }
    let near = pixel / 2;
    let far = if pixel.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(count - 1) };
    (near, far)
}

#[cfg(test)]
mod tests {
    use super::super::items::Cicp;
    use super::*;

    fn frame(bits: u8, matrix: u8, full_range: bool, sample: [u16; 3]) -> Frame {
        let planes = sample.map(|value| Plane { width: 1, samples: vec![value] });
        let cicp = Cicp { primaries: 1, transfer: 13, matrix, full_range };
        Frame { width: 1, height: 1, bits, subsampling: Some((1, 1)), cicp, planes: planes.into() }
    }

    #[test]
    fn matrices_and_ranges_undo_what_the_standard_says() {
        // Rec. 601 red, full range: Y = 0.299, Cb = -0.168736, Cr = 0.5.
        assert_eq!(rgb(&frame(8, 6, true, [76, 85, 255])).unwrap(), [254, 0, 0]);
        // Rec. 709 green, limited range: Y = 16 + 219 · 0.7152, and so on.
        assert_eq!(rgb(&frame(8, 1, false, [173, 42, 26])).unwrap(), [0, 255, 1]);
        // White, limited range, in all depths.
        for (bits, unit) in [(8, 1), (10, 4), (12, 16)] {
            let white = frame(bits, 9, false, [235 * unit, 128 * unit, 128 * unit]);
            assert_eq!(rgb(&white).unwrap(), [255; 3], "{bits} bits");
            let black = frame(bits, 9, false, [16 * unit, 128 * unit, 128 * unit]);
            assert_eq!(rgb(&black).unwrap(), [0; 3], "{bits} bits");
        }
        // Identity stores green, blue, red; YCgCo of a pure green.
        assert_eq!(rgb(&frame(8, IDENTITY, true, [10, 20, 30])).unwrap(), [30, 10, 20]);
        assert_eq!(rgb(&frame(10, IDENTITY, true, [1023, 0, 512])).unwrap(), [128, 255, 0]);
        assert_eq!(rgb(&frame(8, YCGCO, true, [128, 255, 128])).unwrap(), [1, 255, 1]);
        assert!(rgb(&frame(8, 14, true, [0; 3])).is_err());
    }

    #[test]
    fn chroma_is_interpolated_between_its_samples() {
        let plane = Plane { width: 2, samples: vec![0, 160, 0, 160] };
        let chroma = Chroma { plane: &plane, rows: 2, across: 2, down: 2 };
        let mut row = [0.0; 4];
        chroma.row(1, &mut row);
        assert_eq!(row, [0.0, 40.0, 120.0, 160.0]);
    }
}
