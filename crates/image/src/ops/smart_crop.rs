//! The region `-1,-1,w,h`: where a box of that shape shows the most of what people look at.
//!
//! The method is Jonas Wagner's smartcrop.js, with its published weights, as go-iiif has it through muesli's port:
//! each pixel is as interesting as it has detail (how much lighter it is than its four neighbours), colour (saturation)
//! and the hue of skin, the latter two more so where there is detail. A box scores by what is in it, most where thirds
//! of it cross, less towards its rim, and against it counts what it leaves out. Boxes are the largest of their shape
//! and one of 0.9 times that, laid out a 64th of the longest side apart. Of equal ones the one nearest to the centre
//! wins, so a picture without anything in it is cut in its middle.
//!
//! What differs: it looks at a copy of at most 256 pixels a side, sums blocks where smartcrop.js picks every eighth
//! pixel, and weighs lightness by ITU-R BT.709. Nothing but additions, products and square roots is computed, so every
//! machine finds the same box. The copy is made of what was decoded: beside derivatives that need another decode scale
//! a near tie may fall the other way.

use super::flatten::flatten;
use super::resize::{resize, whole};
use super::turn::turn;
use crate::error::Error;
use crate::exif::Turn;
use crate::pixels::{Channels, Pixels};
use crate::plan::Rect;
use crate::recipe::Background;

/// Longest side of the copy that is looked at.
pub(crate) const LONGEST: u32 = 256;
/// Side of the blocks that interest is summed in, and the distance between boxes, in pixels of the copy.
const STEP: usize = 4;

const DETAIL_WEIGHT: f64 = 0.2;
const SKIN_WEIGHT: f64 = 1.8;
const SKIN_BIAS: f64 = 0.01;
const SKIN_THRESHOLD: f64 = 0.8;
const SKIN_DARKEST: f64 = 0.2;
/// Direction of skin in red, green and blue.
const SKIN: [f64; 3] = [0.78, 0.57, 0.44];
const SATURATION_WEIGHT: f64 = 0.3;
const SATURATION_BIAS: f64 = 0.2;
const SATURATION_THRESHOLD: f64 = 0.4;
const SATURATION_LIGHTNESS: std::ops::RangeInclusive<f64> = 0.05..=0.9;
const OUTSIDE: f64 = -0.5;
const RIM: f64 = 0.4;
const RIM_WEIGHT: f64 = -20.0;

/// The best place, in an upright image of `full` pixels, for a box of one of these sizes. `pixels` are the whole image
/// as stored, at any scale.
pub(crate) fn find(
    pixels: &Pixels,
    upright: Turn,
    full: (u32, u32),
    sizes: &[(u32, u32)],
) -> Result<Rect, Error> {
    let map = Interest::of(&small(pixels, upright)?);
    let scale = (map.width / f64::from(full.0), map.height / f64::from(full.1));
    let mut boxes: Vec<(Candidate, Rect)> = Vec::new();
    for (w, h) in sizes.iter().map(|(w, h)| ((*w).min(full.0), (*h).min(full.1))) {
        for y in places(full.1 - h, scale.1) {
            for x in places(full.0 - w, scale.0) {
                let small = |length: u32, scale: f64| f64::from(length) * scale;
                let (left, top) = (small(x, scale.0), small(y, scale.1));
                boxes.push((
                    Candidate { left, top, width: small(w, scale.0), height: small(h, scale.1) },
                    Rect { x, y, w, h },
                ));
            }
        }
    }
    boxes.sort_by(|(a, _), (b, _)| map.off_centre(a).total_cmp(&map.off_centre(b)));
    let mut best = (f64::NEG_INFINITY, Rect { x: 0, y: 0, w: full.0, h: full.1 });
    for (candidate, rect) in boxes {
        let score = map.score(&candidate);
        if score > best.0 {
            best = (score, rect);
        }
    }
    Ok(best.1)
}

/// Starts of boxes that leave `slack` pixels of a side: from one end to the other, and the middle.
fn places(slack: u32, scale: f64) -> Vec<u32> {
    let step = (STEP as f64 / scale).max(1.0);
    let count = (f64::from(slack) / step) as u32;
    let mut places: Vec<u32> = (0..=count).map(|n| (f64::from(n) * step) as u32).collect();
    places.extend([slack / 2, slack]);
    places.sort_unstable();
    places.dedup();
    places
}

/// The image as it is looked at: small, upright, opaque.
fn small(pixels: &Pixels, upright: Turn) -> Result<Pixels, Error> {
    let longest = pixels.width.max(pixels.height);
    let side = |side: u32| {
        let scaled = u64::from(side) * u64::from(LONGEST) / u64::from(longest);
        if longest <= LONGEST { side } else { (scaled as u32).max(1) }
    };
    let small = resize(pixels, whole(pixels), side(pixels.width), side(pixels.height))?;
    Ok(turn(flatten(small, Background::WHITE), upright))
}

/// A box in pixels of the copy.
struct Candidate {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

/// How interesting each block of the copy is.
struct Interest {
    width: f64,
    height: f64,
    /// The middle of a block, and the sum over its pixels. Blocks without interest are left out.
    blocks: Vec<(f64, f64, f64)>,
}

impl Interest {
    fn of(pixels: &Pixels) -> Self {
        let (width, height) = (pixels.width as usize, pixels.height as usize);
        let colours: Vec<[f64; 3]> = match pixels.channels {
            Channels::Gray => pixels.data.iter().map(|v| [f64::from(*v) / 255.0; 3]).collect(),
            _ => pixels.data.as_chunks::<3>().0.iter().map(|c| c.map(|v| f64::from(v) / 255.0)).collect(),
        };
        let light: Vec<f64> = colours.iter().map(|[r, g, b]| 0.2126 * r + 0.7152 * g + 0.0722 * b).collect();
        let across = width.div_ceil(STEP);
        let mut sums = vec![0.0; across * height.div_ceil(STEP)];
        for (at, colour) in colours.iter().enumerate() {
            let (x, y) = (at % width, at / width);
            let inside = x > 0 && y > 0 && x + 1 < width && y + 1 < height;
            let around = |at: usize| light[at - 1] + light[at + 1] + light[at - width] + light[at + width];
            let detail = if inside { (4.0 * light[at] - around(at)).clamp(0.0, 1.0) } else { 0.0 };
            sums[y / STEP * across + x / STEP] += interest(*colour, light[at], detail);
        }
        let middle = |n: usize| (n * STEP) as f64 + STEP as f64 / 2.0;
        let blocks = sums.iter().enumerate().filter(|(_, sum)| **sum > 0.0);
        let blocks = blocks.map(|(n, sum)| (middle(n % across), middle(n / across), *sum)).collect();
        Self { width: width as f64, height: height as f64, blocks }
    }

    fn score(&self, candidate: &Candidate) -> f64 {
        let sum: f64 = self.blocks.iter().map(|(x, y, sum)| sum * candidate.importance(*x, *y)).sum();
        sum / (candidate.width * candidate.height)
    }

    /// How far a box's middle is from the image's, squared.
    fn off_centre(&self, candidate: &Candidate) -> f64 {
        let x = candidate.left + candidate.width / 2.0 - self.width / 2.0;
        let y = candidate.top + candidate.height / 2.0 - self.height / 2.0;
        x * x + y * y
    }
}

/// What makes one pixel worth seeing.
fn interest(colour: [f64; 3], light: f64, detail: f64) -> f64 {
    let skin = if light >= SKIN_DARKEST { above(likeness_to_skin(colour), SKIN_THRESHOLD) } else { 0.0 };
    let saturated = SATURATION_LIGHTNESS.contains(&light);
    let saturation = if saturated { above(saturation(colour), SATURATION_THRESHOLD) } else { 0.0 };
    DETAIL_WEIGHT * detail
        + SKIN_WEIGHT * skin * (detail + SKIN_BIAS)
        + SATURATION_WEIGHT * saturation * (detail + SATURATION_BIAS)
}

/// 0 up to a threshold, then rising to 1.
fn above(value: f64, threshold: f64) -> f64 {
    ((value - threshold) / (1.0 - threshold)).max(0.0)
}

fn likeness_to_skin(colour: [f64; 3]) -> f64 {
    let length = colour.iter().map(|v| v * v).sum::<f64>().sqrt();
    if length == 0.0 {
        return 0.0;
    }
    let apart: f64 = colour.iter().zip(SKIN).map(|(v, skin)| (v / length - skin) * (v / length - skin)).sum();
    1.0 - apart.sqrt()
}

/// HSL's.
fn saturation([r, g, b]: [f64; 3]) -> f64 {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let room = if most + least > 1.0 { 2.0 - most - least } else { most + least };
    if most > least { (most - least) / room } else { 0.0 }
}

impl Candidate {
    /// What a place counts for this box: more at the crossings of thirds, less at the rim, against it outside.
    fn importance(&self, x: f64, y: f64) -> f64 {
        let (across, down) = ((x - self.left) / self.width, (y - self.top) / self.height);
        if !(0.0..1.0).contains(&across) || !(0.0..1.0).contains(&down) {
            return OUTSIDE;
        }
        // 0 in the middle, 1 at the rim.
        let (out_x, out_y) = ((0.5 - across).abs() * 2.0, (0.5 - down).abs() * 2.0);
        let into_rim = |out: f64| (out - 1.0 + RIM).max(0.0);
        let rim = (into_rim(out_x) * into_rim(out_x) + into_rim(out_y) * into_rim(out_y)) * RIM_WEIGHT;
        let middle = 1.41 - (out_x * out_x + out_y * out_y).sqrt();
        middle + (middle + rim + 0.5).max(0.0) * 1.2 * (on_third(out_x) + on_third(out_y)) + rim
    }
}

/// 1 on the line between thirds, falling to 0 an eighth away from it.
fn on_third(out: f64) -> f64 {
    let away = (out - 1.0 / 3.0) * 8.0;
    (1.0 - away * away).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AS_STORED: Turn = Turn { mirror: false, quarters: 0 };

    /// Grey, with a patch of something to see from `left` on, 40 pixels wide and high.
    fn scene(width: u32, height: u32, left: u32, top: u32) -> Pixels {
        let colour =
            |x: u32, y: u32| match (x.wrapping_sub(left) < 40 && y.wrapping_sub(top) < 40, (x + y) % 8 < 4) {
                (true, true) => [230, 40, 30],
                (true, false) => [30, 60, 220],
                _ => [128; 3],
            };
        let data = (0..height).flat_map(|y| (0..width).flat_map(move |x| colour(x, y))).collect();
        Pixels { width, height, channels: Channels::Rgb, data }
    }

    #[test]
    fn the_box_goes_where_something_is() {
        for left in [0, 60, 150, 260] {
            let found = find(&scene(300, 100, left, 30), AS_STORED, (300, 100), &[(100, 100)]).unwrap();
            assert!(found.x <= left && found.x + 100 >= left + 40, "patch at {left}, box at {}", found.x);
            assert_eq!((found.y, found.w, found.h), (0, 100, 100));
        }
        let found = find(&scene(90, 400, 20, 330), AS_STORED, (90, 400), &[(90, 90)]).unwrap();
        assert!(found.y <= 330 && found.y + 90 >= 370, "{found:?}");
    }

    #[test]
    fn an_image_without_anything_is_cut_in_its_middle() {
        let flat = Pixels { width: 301, height: 100, channels: Channels::Gray, data: vec![90; 30100] };
        let found = find(&flat, AS_STORED, (301, 100), &[(100, 100), (90, 90)]).unwrap();
        assert_eq!((found.x, found.y), (100, 0));
    }

    #[test]
    fn boxes_lie_in_the_full_size_image_whatever_was_decoded() {
        let found = find(&scene(300, 100, 250, 30), AS_STORED, (2400, 800), &[(800, 800)]).unwrap();
        assert!(found.x <= 2000 && found.x + 800 >= 2320 && found.x + 800 <= 2400, "{found:?}");
        let found = find(&scene(1, 1, 0, 0), AS_STORED, (3, 5), &[(9, 9), (1, 1)]).unwrap();
        assert!(found.x + found.w <= 3 && found.y + found.h <= 5, "{found:?}");
    }

    #[test]
    fn what_is_looked_at_is_upright() {
        // Stored on its side: what is at the right lies at the bottom once it is turned clockwise.
        let quarter = Turn { mirror: false, quarters: 1 };
        let found = find(&scene(300, 100, 250, 30), quarter, (100, 300), &[(100, 100)]).unwrap();
        assert!(found.y >= 190 && found.x == 0, "{found:?}");
        let mirrored = Turn { mirror: true, quarters: 0 };
        let found = find(&scene(300, 100, 250, 30), mirrored, (300, 100), &[(100, 100)]).unwrap();
        assert!(found.x <= 10, "{found:?}");
    }

    #[test]
    fn skin_outweighs_detail() {
        // Skin at the left, as many pixels of grey texture at the right.
        let colour = |x: u32, y: u32| match (x, (x ^ y) & 2 == 0) {
            (10..50, true) => [220, 162, 125],
            (10..50, false) => [200, 146, 113],
            (250..290, true) => [150; 3],
            _ => [128; 3],
        };
        let data = (0..100).flat_map(|y| (0..300).flat_map(move |x| colour(x, y))).collect();
        let image = Pixels { width: 300, height: 100, channels: Channels::Rgb, data };
        let found = find(&image, AS_STORED, (300, 100), &[(100, 100)]).unwrap();
        assert!(found.x <= 10, "{found:?}");
    }
}
