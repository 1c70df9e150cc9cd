//! Grey to black and white by Atkinson's error diffusion, as the quality `dither` asks for.
//!
//! Row by row, left to right, each pixel becomes black below 128 and white from there on. An eighth of what that
//! changed it by goes to each of six neighbours that are still to come (`*` is the pixel):
//!
//! ```text
//!       *  1  1
//!    1  1  1
//!       1
//! ```
//!
//! That is six eighths; the other two are dropped, which is what Bill Atkinson's dither (MacPaint) is known for: cleaner
//! highlights and shadows, more contrast. go-iiif's `dither` does the same.

use crate::pixels::{Channels, Pixels};

/// Room beside a row for what is handed past its ends: one pixel on the left, two on the right.
const LEFT: usize = 1;
const RIGHT: usize = 2;

/// Makes each shade of grey black or white, so that areas keep about their brightness. Pixels must be one-channel grey:
/// error that flowed through transparent pixels would come from colours that nobody sees.
pub(crate) fn dither(mut pixels: Pixels) -> Pixels {
    debug_assert!(pixels.channels == Channels::Gray);
    let stride = pixels.stride();
    let mut owed = [0, 1, 2].map(|_| vec![0i16; stride + LEFT + RIGHT]);
    for row in pixels.data.chunks_exact_mut(stride) {
        let [this, next, after] = &mut owed;
        for (x, shade) in row.iter_mut().enumerate() {
            let at = x + LEFT;
            let wanted = i16::from(*shade) + this[at];
            let white = wanted >= 128;
            *shade = if white { 255 } else { 0 };
            let eighth = (wanted - if white { 255 } else { 0 }) / 8;
            for debt in [&mut this[at + 1..=at + 2], &mut next[at - 1..=at + 1], &mut after[at..=at]] {
                debt.iter_mut().for_each(|owed| *owed += eighth);
            }
        }
        this.fill(0);
        owed.rotate_left(1);
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(width: u32, data: Vec<u8>) -> Pixels {
        Pixels { width, height: data.len() as u32 / width, channels: Channels::Gray, data }
    }

    #[test]
    fn an_eighth_goes_to_each_of_six_neighbours() {
        // 120 becomes black and owes 15 to each, which lifts 113 to the middle; 105 stays below, whatever else comes to
        // it by detours.
        let reached = |place: usize, shade: u8| {
            let mut data = vec![0; 5 * 3];
            (data[1], data[place]) = (120, shade);
            dither(gray(5, data)).data[place] == 255
        };
        let found = |shade: u8| (2..15).filter(|place| reached(*place, shade)).collect::<Vec<usize>>();
        assert_eq!(found(113), [2, 3, 5, 6, 7, 11]);
        assert!(found(105).is_empty());
    }

    #[test]
    fn midtones_keep_their_brightness_and_the_ends_stay_clean() {
        for (shade, slack) in [(0, 0.0), (255, 0.0), (96, 16.0), (128, 8.0), (160, 16.0)] {
            let dithered = dither(gray(64, vec![shade; 64 * 64]));
            assert!(dithered.data.iter().all(|v| matches!(v, 0 | 255)));
            let mean = dithered.data.iter().map(|v| f64::from(*v)).sum::<f64>() / 4096.0;
            assert!((mean - f64::from(shade)).abs() <= slack, "{shade} became {mean:.1}");
        }
    }

    #[test]
    fn narrow_images_have_nowhere_to_send_error_and_that_is_fine() {
        for width in 1..=3 {
            let dithered = dither(gray(width, vec![130; width as usize * 2]));
            assert_eq!(dithered.data.len(), width as usize * 2);
        }
    }
}
