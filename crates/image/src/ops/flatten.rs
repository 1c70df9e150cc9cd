//! Alpha onto a background, for formats that hold no transparency.

use crate::pixels::{Channels, Pixels};
use crate::recipe::{Background, GrayMethod};

/// Lays pixels on a background, so that none is transparent any more. Grey ones stay grey if the background is.
pub(crate) fn flatten(pixels: Pixels, background: Background) -> Pixels {
    let [red, green, blue] = background.rgb;
    match pixels.channels {
        Channels::Gray | Channels::Rgb => pixels,
        Channels::GrayAlpha if red == green && green == blue => {
            pixels.map(Channels::Gray, |[v, a]| [over(v, red, a)])
        }
        Channels::GrayAlpha => {
            pixels.map(Channels::Rgb, |[v, a]| [over(v, red, a), over(v, green, a), over(v, blue, a)])
        }
        Channels::Rgba => {
            pixels.map(Channels::Rgb, |[r, g, b, a]| [over(r, red, a), over(g, green, a), over(b, blue, a)])
        }
    }
}

/// The background's shade of grey, for a derivative that must have no colour.
pub(crate) fn without_colour(background: Background, method: GrayMethod) -> Background {
    let pixel = Pixels { width: 1, height: 1, channels: Channels::Rgb, data: background.rgb.to_vec() };
    let shade = super::gray::gray(pixel, method).data;
    Background { rgb: [shade[0]; 3] }
}

/// `top` at `alpha` 255ths over `bottom`, rounded.
fn over(top: u8, bottom: u8, alpha: u8) -> u8 {
    let alpha = u32::from(alpha);
    let sum = u32::from(top) * alpha + u32::from(bottom) * (255 - alpha);
    ((sum + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opaque_hides_and_transparent_shows_the_background() {
        let rgba = Pixels {
            width: 3,
            height: 1,
            channels: Channels::Rgba,
            data: vec![1, 2, 3, 255, 1, 2, 3, 0, 0, 0, 0, 128],
        };
        assert_eq!(flatten(rgba, Background { rgb: [10, 20, 255] }).data, [1, 2, 3, 10, 20, 255, 5, 10, 127]);
    }

    #[test]
    fn grey_stays_one_channel_on_a_grey_background() {
        let gray = Pixels { width: 1, height: 1, channels: Channels::GrayAlpha, data: vec![0, 0] };
        assert_eq!(flatten(gray.clone(), Background::WHITE).channels, Channels::Gray);
        assert_eq!(flatten(gray, Background { rgb: [1, 2, 3] }).channels, Channels::Rgb);
    }
}
