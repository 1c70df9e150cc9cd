//! Rectangles, and how they and whole images lie before and after a turn.

use crate::exif::Turn;

/// A rectangle of whole pixels, inside its image and not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Rect {
    pub x: u32,
    pub y: u32,
    pub w: u32,
    pub h: u32,
}

impl Rect {
    /// Where this rectangle of an upright image lies in the stored image of the given dimensions.
    pub(crate) fn stored(self, upright: Turn, (stored_w, stored_h): (u32, u32)) -> Rect {
        let (mut w, mut h) = swap_if(upright.swaps_sides(), (stored_w, stored_h));
        let mut rect = self;
        // Undo the turn by turning on to the full circle.
        for _ in 0..(4 - upright.quarters) % 4 {
            rect = Rect { x: h - rect.y - rect.h, y: rect.x, w: rect.h, h: rect.w };
            (w, h) = (h, w);
        }
        if upright.mirror {
            rect.x = w - rect.x - rect.w;
        }
        rect
    }
}

/// A pair with its halves exchanged, or not.
pub(crate) fn swap_if(swap: bool, (a, b): (u32, u32)) -> (u32, u32) {
    if swap { (b, a) } else { (a, b) }
}

/// The smallest upright box around an image that was turned about its centre (§4.3).
pub(crate) fn turned_bounds(w: u32, h: u32, degrees: f64) -> (u32, u32) {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (sin, cos) = (sin.abs(), cos.abs());
    let (w, h) = (f64::from(w), f64::from(h));
    // A hundredth of a pixel is not worth a column of its own.
    let side = |length: f64| (length - 0.01).ceil().max(1.0) as u32;
    (side(w * cos + h * sin), side(w * sin + h * cos))
}

impl Turn {
    /// One turn that does what `self` and then `next` do.
    pub(crate) fn then(self, next: Turn) -> Turn {
        // A mirror after a turn is the opposite turn after a mirror.
        let before = if next.mirror { 4 - self.quarters } else { self.quarters };
        Turn { mirror: self.mirror != next.mirror, quarters: (before + next.quarters) % 4 }
    }
}
