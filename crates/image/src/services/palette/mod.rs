//! Palette: the few colours that an image lives by, and what people call them.
//!
//! As go-iiif's `vibrant` extruder does it, which follows Android's Palette: the colours of a small copy are cut into
//! boxes ([`quantize`]), and of the boxes' means the best are taken for six roles, from vibrant to dark and muted
//! ([`roles`]). Names are those of the nearest colour in a list ([`names`]).

mod names;
mod quantize;
mod roles;

use super::triangle::shrink;
use crate::pixels::Pixels;

pub use names::{ColourList, NamedColour};

/// Red, green and blue, sRGB.
pub type Rgb = [u8; 3];

/// Pixels of the copy that is looked at, about.
const AREA: f64 = 112.0 * 112.0;
/// Boxes at most.
const BOXES: usize = 24;

/// At most `count` colours of an image without alpha, the most vibrant first; none of one that is black and white.
pub(super) fn extract(pixels: &Pixels, count: usize) -> Vec<Rgb> {
    let area = f64::from(pixels.width) * f64::from(pixels.height);
    let ratio = (AREA / area).sqrt().min(1.0);
    let side = |side: u32| ((f64::from(side) * ratio).ceil() as u32).max(1);
    let small = shrink(pixels, side(pixels.width), side(pixels.height));
    let swatches = quantize::swatches(&small, BOXES);
    let mut chosen = roles::choose(&swatches);
    chosen.truncate(count);
    chosen
}
