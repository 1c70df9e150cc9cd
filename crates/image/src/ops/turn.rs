//! Mirrors and quarter turns: every pixel exactly as it was, in another place.

use crate::exif::Turn;
use crate::pixels::Pixels;

/// Mirrors left to right if asked, then turns clockwise by quarters.
pub(crate) fn turn(pixels: Pixels, turn: Turn) -> Pixels {
    match pixels.channels.count() {
        1 => turned::<1>(pixels, turn),
        2 => turned::<2>(pixels, turn),
        3 => turned::<3>(pixels, turn),
        _ => turned::<4>(pixels, turn),
    }
}

fn turned<const N: usize>(mut pixels: Pixels, turn: Turn) -> Pixels {
    let (width, height) = (pixels.width as usize, pixels.height as usize);
    let (all, _) = pixels.data.as_chunks_mut::<N>();
    // Half a turn is every pixel in reverse order, and a mirror is every row so.
    if turn.quarters >= 2 {
        all.reverse();
    }
    if turn.mirror {
        all.chunks_exact_mut(width).for_each(<[_]>::reverse);
    }
    if !turn.swaps_sides() {
        return pixels;
    }
    let mut data = vec![0u8; pixels.data.len()];
    let (from, _) = pixels.data.as_chunks::<N>();
    let (to, _) = data.as_chunks_mut::<N>();
    quarter(from, to, width, height);
    Pixels { width: pixels.height, height: pixels.width, channels: pixels.channels, data }
}

/// Turns clockwise by a quarter, in blocks small enough that both the rows read and the rows written stay in cache.
fn quarter<const N: usize>(from: &[[u8; N]], to: &mut [[u8; N]], width: usize, height: usize) {
    const BLOCK: usize = 32;
    for top in (0..height).step_by(BLOCK) {
        for left in (0..width).step_by(BLOCK) {
            for x in left..(left + BLOCK).min(width) {
                let row = &mut to[x * height..][..height];
                for y in top..(top + BLOCK).min(height) {
                    row[height - 1 - y] = from[y * width + x];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::Channels;

    /// The corner pixels, clockwise from the top left, of a 3×2 image of the letters a to f.
    fn letters(turn_by: Turn) -> (u32, u32, String) {
        let source = Pixels { width: 3, height: 2, channels: Channels::Gray, data: b"abcdef".to_vec() };
        let turned = turn(source, turn_by);
        (turned.width, turned.height, String::from_utf8(turned.data).unwrap())
    }

    #[test]
    fn every_orientation() {
        for (orientation, width, height, expected) in [
            (1, 3, 2, "abcdef"),
            (2, 3, 2, "cbafed"),
            (3, 3, 2, "fedcba"),
            (4, 3, 2, "defabc"),
            (5, 2, 3, "adbecf"),
            (6, 2, 3, "daebfc"),
            (7, 2, 3, "fcebda"),
            (8, 2, 3, "cfbead"),
        ] {
            let found = letters(Turn::upright(orientation));
            assert_eq!(found, (width, height, expected.to_owned()), "orientation {orientation}");
        }
    }

    #[test]
    fn four_quarters_are_none_at_any_depth() {
        for channels in [Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba] {
            let (width, height) = (70, 45);
            let length = width as usize * height as usize * channels.count();
            let data: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let source = Pixels { width, height, channels, data };
            let quarter = Turn { mirror: false, quarters: 1 };
            let around = (0..4).fold(source.clone(), |pixels, _| turn(pixels, quarter));
            assert_eq!(around, source);
        }
    }
}
