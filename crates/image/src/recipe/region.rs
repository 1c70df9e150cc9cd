//! The region parameter: which part of the (upright) image a derivative shows. Image API 3.0 §4.1.

use std::fmt;
use std::str::FromStr;

use super::{Decimal, RecipeError};

/// The part of the upright image that a derivative shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Region {
    /// `full`: all of it.
    #[default]
    Full,
    /// `square`: the largest centred square.
    Square,
    /// `x,y,w,h` in pixels; what lies outside the image is cut off.
    #[allow(missing_docs)]
    Pixels { x: u32, y: u32, w: u32, h: u32 },
    /// `pct:x,y,w,h` in hundredths of the image's width and height.
    #[allow(missing_docs)]
    Percent { x: Decimal, y: Decimal, w: Decimal, h: Decimal },
    /// `-1,-1,w,h`, a go-iiif extension: the most interesting part of that shape, as large as it gets or a tenth less,
    /// drawn at `w` × `h`, to which the size then applies. Of a smaller image it is the largest part of that shape.
    #[allow(missing_docs)]
    Smart { w: u32, h: u32 },
}

const ALLOWED: &str = "full, square, x,y,w,h in pixels, pct:x,y,w,h, or -1,-1,w,h for a smart crop";

impl FromStr for Region {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        let bad = || RecipeError::bad("region", text, ALLOWED);
        match text {
            "full" => return Ok(Region::Full),
            "square" => return Ok(Region::Square),
            _ => {}
        }
        if let Some(percent) = text.strip_prefix("pct:") {
            let [x, y, w, h] = four(percent).ok_or_else(bad)?;
            let number = |s: &str| s.parse::<Decimal>().map_err(|_| bad());
            let (x, y, w, h) = (number(x)?, number(y)?, number(w)?, number(h)?);
            if w == Decimal::ZERO || h == Decimal::ZERO {
                return Err(empty(text));
            }
            return Ok(Region::Percent { x, y, w, h });
        }
        let [x, y, w, h] = four(text).ok_or_else(bad)?;
        let (w, h) = (whole(w).ok_or_else(bad)?, whole(h).ok_or_else(bad)?);
        if w == 0 || h == 0 {
            return Err(empty(text));
        }
        if (x, y) == ("-1", "-1") {
            return Ok(Region::Smart { w, h });
        }
        Ok(Region::Pixels { x: whole(x).ok_or_else(bad)?, y: whole(y).ok_or_else(bad)?, w, h })
    }
}

/// Zero by zero pixels is well-formed but never an image (§4.1: “should return a 400”).
fn empty(text: &str) -> RecipeError {
    RecipeError::bad("region", text, "a width and a height above zero")
}

fn four(text: &str) -> Option<[&str; 4]> {
    let mut parts = text.split(',');
    let four = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(four)
}

/// Digits only: `u32::from_str` alone would accept a leading plus.
pub(super) fn whole(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Region::Full => f.write_str("full"),
            Region::Square => f.write_str("square"),
            Region::Pixels { x, y, w, h } => write!(f, "{x},{y},{w},{h}"),
            Region::Percent { x, y, w, h } => write!(f, "pct:{x},{y},{w},{h}"),
            Region::Smart { w, h } => write!(f, "-1,-1,{w},{h}"),
        }
    }
}
