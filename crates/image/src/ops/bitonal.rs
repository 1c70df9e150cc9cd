//! Grey to black and white, split at half of full brightness.

use crate::pixels::{Channels, Pixels};

/// Makes each shade of grey black or white; alpha is kept. Pixels must be grey.
pub(crate) fn bitonal(mut pixels: Pixels) -> Pixels {
    debug_assert!(pixels.channels.is_gray());
    let step = if pixels.channels == Channels::GrayAlpha { 2 } else { 1 };
    for shade in pixels.data.iter_mut().step_by(step) {
        *shade = if *shade >= 128 { 255 } else { 0 };
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_in_the_middle_and_keeps_alpha() {
        let gray =
            Pixels { width: 2, height: 1, channels: Channels::GrayAlpha, data: vec![127, 5, 128, 200] };
        assert_eq!(bitonal(gray).data, [0, 5, 255, 200]);
    }
}
