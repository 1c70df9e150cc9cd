//! The rules of Image API 3.0 for a region and a size on an image of known dimensions.

use super::geometry::Rect;
use crate::error::Error;
use crate::exif::Turn;
use crate::recipe::{Fit, Region, Rotation, Size};

/// What a region comes to on an upright image.
#[derive(Debug, PartialEq)]
pub(super) struct Part {
    /// Its rectangle; for a smart crop that has to be placed yet, the smallest it can be.
    pub region: Rect,
    /// The width and height that a size applies to.
    pub counts_as: (u32, u32),
    /// The sizes that a smart crop may have, where it has to be placed yet.
    pub sizes: Vec<(u32, u32)>,
}

/// The region's rectangle in an upright image (§4.1): cut to the image, and an error where nothing is left.
pub(super) fn region(region: &Region, width: u32, height: u32) -> Result<Part, Error> {
    let rect = match *region {
        Region::Full => Rect { x: 0, y: 0, w: width, h: height },
        Region::Smart { w, h } => return Ok(smart_crop(w, h, width, height)),
        Region::Square => {
            let side = width.min(height);
            Rect { x: (width - side) / 2, y: (height - side) / 2, w: side, h: side }
        }
        Region::Pixels { x, y, w, h } => {
            let (w, h) = (w.min(width.saturating_sub(x)), h.min(height.saturating_sub(y)));
            Rect { x, y, w, h }
        }
        Region::Percent { x, y, w, h } => {
            let along = |start: u64, length: u64, side: u32| {
                let start = u32::try_from(start).unwrap_or(u32::MAX).min(side);
                (start, u32::try_from(length).unwrap_or(u32::MAX).min(side - start))
            };
            let (x, w) = along(x.percent_of(width), w.percent_of(width), width);
            let (y, h) = along(y.percent_of(height), h.percent_of(height), height);
            Rect { x, y, w, h }
        }
    };
    if rect.w == 0 || rect.h == 0 {
        let message = format!("the region {region} holds no pixel of an image of {width}×{height}");
        return Err(Error::bad_request(message));
    }
    Ok(Part { region: rect, counts_as: (rect.w, rect.h), sizes: Vec::new() })
}

/// A smart crop takes the largest box of its shape, or one of nine tenths, and counts as `w` × `h`: what go-iiif makes
/// of it. Unlike there it never enlarges: where the image is smaller, it counts as the largest box of its shape.
fn smart_crop(w: u32, h: u32, width: u32, height: u32) -> Part {
    let largest = fit_box(width, height, w, h, true);
    let counts_as = if w <= width && h <= height { (w, h) } else { largest };
    let nine_tenths = |side: u32| u32::try_from((u64::from(side) * 9 + 5) / 10).unwrap_or(side);
    let smaller = (nine_tenths(largest.0), nine_tenths(largest.1));
    let mut sizes = vec![largest];
    if smaller.0 >= counts_as.0 && smaller.1 >= counts_as.1 {
        sizes.push(smaller);
    }
    let (w, h) = sizes[sizes.len() - 1];
    if (w, h) == (width, height) {
        // There is only one place.
        sizes.clear();
    }
    Part { region: Rect { x: 0, y: 0, w, h }, counts_as, sizes }
}

/// Width and height that a region is drawn at (§4.2).
pub(super) fn size(size: &Size, width: u32, height: u32) -> Result<(u32, u32), Error> {
    let (w, h) = match size.fit {
        Fit::Max => (width, height),
        Fit::Width(w) => (w, scaled(height, w, width)),
        Fit::Height(h) => (scaled(width, h, height), h),
        Fit::Exact(w, h) => (w, h),
        Fit::Percent(n) => {
            let side = |length| u32::try_from(n.percent_of(length)).unwrap_or(u32::MAX);
            (side(width), side(height))
        }
        Fit::Box(w, h) => return Ok(fit_box(w, h, width, height, size.upscale)),
    };
    if w == 0 || h == 0 {
        let message = format!("the size {size} leaves no pixels of a region of {width}×{height}");
        return Err(Error::bad_request(message));
    }
    if (w > width || h > height) && !size.upscale {
        let message = format!(
            "the size {size} would enlarge a region of {width}×{height} to {w}×{h}; ^{size} allows that"
        );
        return Err(Error::bad_request(message));
    }
    Ok((w, h))
}

/// The largest size within a box, never larger than the region unless enlarging is allowed. A side that would round to
/// nothing is one pixel: it is within the box too, and a very long image still gets its thumbnail.
fn fit_box(w: u32, h: u32, width: u32, height: u32, upscale: bool) -> (u32, u32) {
    if !upscale && width <= w && height <= h {
        return (width, height);
    }
    let width_decides = u64::from(w) * u64::from(height) <= u64::from(h) * u64::from(width);
    let (fitted_w, fitted_h) =
        if width_decides { (w, scaled(height, w, width)) } else { (scaled(width, h, height), h) };
    (fitted_w.max(1), fitted_h.max(1))
}

/// `length` · `to` / `from`, rounded to the nearest whole number.
fn scaled(length: u32, to: u32, from: u32) -> u32 {
    let (length, to, from) = (u64::from(length), u64::from(to), u64::from(from));
    u32::try_from((2 * length * to + from) / (2 * from)).unwrap_or(u32::MAX)
}

/// The quarter turns of the orientation and the rotation in one, and the degrees that are left (§4.3).
pub(super) fn rotation(rotation: &Rotation, upright: Turn) -> (Turn, Option<f64>) {
    let Rotation::Turn { mirror, degrees } = *rotation else {
        return (upright, None);
    };
    let degrees = degrees.to_f64();
    let quarters = degrees / 90.0;
    if quarters.fract() == 0.0 {
        return (upright.then(Turn { mirror, quarters: quarters as u8 }), None);
    }
    (upright.then(Turn { mirror, quarters: 0 }), Some(degrees))
}
