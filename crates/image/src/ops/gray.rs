//! Colour to grey, by any of four methods, on encoded values. Alpha is kept.

use crate::pixels::{Channels, Pixels};
use crate::recipe::GrayMethod;

/// Makes pixels grey; grey ones stay as they are.
pub(crate) fn gray(pixels: Pixels, method: GrayMethod) -> Pixels {
    match method {
        GrayMethod::Luma => weighted(pixels, REC601),
        GrayMethod::Rec709 => weighted(pixels, REC709),
        GrayMethod::Average => each(pixels, |[r, g, b]| {
            // Dividing by three, exact for all sums, as a multiplication that vectorises.
            let sum = u32::from(r) + u32::from(g) + u32::from(b) + 1;
            ((sum * 21846) >> 16) as u8
        }),
        GrayMethod::Lightness => each(pixels, |[r, g, b]| {
            let sum = u16::from(r.max(g).max(b)) + u16::from(r.min(g).min(b));
            sum.div_ceil(2) as u8
        }),
    }
}

/// Shares of red, green and blue in 65536ths; each triple adds up to one.
type Weights = [u32; 3];
const REC601: Weights = [19595, 38470, 7471];
const REC709: Weights = [13933, 46871, 4732];

fn weighted(pixels: Pixels, [red, green, blue]: Weights) -> Pixels {
    each(pixels, move |[r, g, b]| {
        let sum = u32::from(r) * red + u32::from(g) * green + u32::from(b) * blue;
        ((sum + 0x8000) >> 16) as u8
    })
}

fn each(pixels: Pixels, shade: impl Fn([u8; 3]) -> u8) -> Pixels {
    match pixels.channels {
        Channels::Gray | Channels::GrayAlpha => pixels,
        Channels::Rgb => pixels.map(Channels::Gray, |rgb| [shade(rgb)]),
        Channels::Rgba => pixels.map(Channels::GrayAlpha, |[r, g, b, a]| [shade([r, g, b]), a]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shade(rgb: [u8; 3], method: GrayMethod) -> u8 {
        let pixel = Pixels { width: 1, height: 1, channels: Channels::Rgb, data: rgb.to_vec() };
        gray(pixel, method).data[0]
    }

    #[test]
    fn methods_are_what_they_say() {
        let methods = [GrayMethod::Luma, GrayMethod::Average, GrayMethod::Rec709, GrayMethod::Lightness];
        for (rgb, expected) in [
            ([255, 0, 0], [76, 85, 54, 128]),
            ([0, 255, 0], [150, 85, 182, 128]),
            ([0, 0, 255], [29, 85, 18, 128]),
            ([10, 20, 40], [19, 23, 19, 25]),
        ] {
            for (method, expected) in methods.iter().zip(expected) {
                assert_eq!(shade(rgb, *method), expected, "{method} of {rgb:?}");
            }
        }
    }

    #[test]
    fn greys_stay_what_they_are() {
        for method in [GrayMethod::Luma, GrayMethod::Average, GrayMethod::Rec709, GrayMethod::Lightness] {
            for level in 0..=255 {
                assert_eq!(shade([level; 3], method), level, "{method}");
            }
        }
    }

    #[test]
    fn average_rounds_to_nearest() {
        for sum in 0..=765u32 {
            let r = sum.min(255);
            let g = (sum - r).min(255);
            let b = sum - r - g;
            let expected = (f64::from(sum) / 3.0).round() as u8;
            assert_eq!(shade([r as u8, g as u8, b as u8], GrayMethod::Average), expected);
        }
    }

    #[test]
    fn alpha_is_kept() {
        let pixel = Pixels { width: 1, height: 1, channels: Channels::Rgba, data: vec![9, 9, 9, 77] };
        assert_eq!(gray(pixel, GrayMethod::Luma).data, [9, 77]);
    }
}
