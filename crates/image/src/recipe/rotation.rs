//! The rotation parameter: mirrored or not, and how far clockwise. Image API 3.0 §4.3.

use std::fmt;
use std::str::FromStr;

use super::{Decimal, RecipeError};

/// How a derivative is turned after it was resized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rotation {
    /// `n` or `!n`: mirrored on the vertical axis first if asked, then turned clockwise.
    Turn {
        /// Whether left and right are exchanged before the turn.
        mirror: bool,
        /// Degrees clockwise, 0 to below 360 (360 parses to 0).
        degrees: Decimal,
    },
    /// `-1`, a go-iiif extension: the pixels as stored, with the EXIF orientation not applied.
    AsStored,
}

impl Rotation {
    /// `0`: upright, not turned.
    pub const NONE: Rotation = Rotation::Turn { mirror: false, degrees: Decimal::ZERO };

    /// Whether no pixel lies between others after it.
    pub(super) fn is_quarters(&self) -> bool {
        match self {
            Rotation::Turn { degrees, .. } => [0, 90, 180, 270].map(Decimal::whole).contains(degrees),
            Rotation::AsStored => true,
        }
    }
}

impl Default for Rotation {
    fn default() -> Self {
        Rotation::NONE
    }
}

impl FromStr for Rotation {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        const ALLOWED: &str =
            "0 to 360 degrees, fractions too, with ! before it to mirror; or -1 to keep pixels as stored";
        let bad = || RecipeError::bad("rotation", text, ALLOWED);
        if text == "-1" {
            return Ok(Rotation::AsStored);
        }
        let (mirror, number) = match text.strip_prefix('!') {
            Some(number) => (true, number),
            None => (false, text),
        };
        let degrees: Decimal = number.parse().map_err(|_| bad())?;
        let full_turn = Decimal::whole(360);
        if degrees > full_turn {
            return Err(bad());
        }
        let degrees = if degrees == full_turn { Decimal::ZERO } else { degrees };
        Ok(Rotation::Turn { mirror, degrees })
    }
}

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rotation::Turn { mirror, degrees } => write!(f, "{}{degrees}", if *mirror { "!" } else { "" }),
            Rotation::AsStored => f.write_str("-1"),
        }
    }
}
