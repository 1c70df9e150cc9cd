//! The size parameter: how large the region is drawn. Image API 3.0 §4.2 and 2.1 §4.2.

use std::fmt;
use std::str::FromStr;

use super::region::whole;
use super::{Decimal, Edition, RecipeError};

/// How large the region is drawn.
///
/// Whether the result may be larger than the region is [`upscale`](Self::upscale) alone: 3.0 writes it as `^`, and
/// a 2.1 request that may enlarge by its own rules parses to the same value as the 3.0 request with `^`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Size {
    /// The wanted dimensions.
    pub fit: Fit,
    /// Whether the result may be larger than the region.
    pub upscale: bool,
}

/// The wanted dimensions of a derivative, in pixels of the drawn region before rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Fit {
    /// `max` (2.1: `full`): the region as it is.
    #[default]
    Max,
    /// `w,`: this wide, as high as that makes it.
    Width(u32),
    /// `,h`: this high, as wide as that makes it.
    Height(u32),
    /// `w,h`: exactly this, stretched if need be.
    Exact(u32, u32),
    /// `pct:n`: n hundredths of the region.
    Percent(Decimal),
    /// `!w,h`: as large as fits into this box with its proportions kept.
    Box(u32, u32),
}

const ALLOWED: &str =
    "max, w,  ,h  w,h  pct:n  !w,h  (each with ^ before it to allow enlarging), full meaning max";

impl Size {
    /// Parses a size as the given edition of the Image API reads it.
    ///
    /// # Errors
    /// When the text is no size, or asks for zero pixels, or for more than 100 % without leave to enlarge.
    pub fn parse(text: &str, edition: Edition) -> Result<Self, RecipeError> {
        let bad = || RecipeError::bad("size", text, ALLOWED);
        let (caret, rest) = match text.strip_prefix('^') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let fit = if rest == "max" || (rest == "full" && !caret) {
            Fit::Max
        } else if let Some(n) = rest.strip_prefix("pct:") {
            Fit::Percent(n.parse().map_err(|_| bad())?)
        } else if let Some(within) = rest.strip_prefix('!') {
            let (w, h) = within.split_once(',').ok_or_else(bad)?;
            Fit::Box(whole(w).ok_or_else(bad)?, whole(h).ok_or_else(bad)?)
        } else {
            match rest.split_once(',').ok_or_else(bad)? {
                ("", h) => Fit::Height(whole(h).ok_or_else(bad)?),
                (w, "") => Fit::Width(whole(w).ok_or_else(bad)?),
                (w, h) => Fit::Exact(whole(w).ok_or_else(bad)?, whole(h).ok_or_else(bad)?),
            }
        };
        // 2.1 draws every size but `max` and `full` as asked, larger than the region too.
        let upscale = caret || (edition == Edition::V2 && fit != Fit::Max);
        fit.refuse_impossible(text, upscale)?;
        Ok(Self { fit, upscale })
    }

    /// How the given edition writes this size: 2.1 has no `^`, and calls the whole region `full`.
    pub fn spelled(self, edition: Edition) -> String {
        match (edition, self.fit) {
            (Edition::V2, Fit::Max) => "full".into(),
            (Edition::V2, fit) => fit.to_string(),
            (Edition::V3, _) => self.to_string(),
        }
    }
}

impl Fit {
    fn refuse_impossible(self, text: &str, upscale: bool) -> Result<(), RecipeError> {
        let zero = match self {
            Fit::Max => false,
            Fit::Width(n) | Fit::Height(n) => n == 0,
            Fit::Exact(w, h) | Fit::Box(w, h) => w == 0 || h == 0,
            Fit::Percent(n) => n == Decimal::ZERO,
        };
        if zero {
            return Err(RecipeError::bad("size", text, "dimensions above zero"));
        }
        match self {
            Fit::Percent(n) if n > Decimal::whole(100) && !upscale => {
                Err(RecipeError::bad("size", text, "pct:n with n of at most 100, or ^pct:n to enlarge"))
            }
            _ => Ok(()),
        }
    }
}

impl FromStr for Size {
    type Err = RecipeError;

    /// Parses by the rules of 3.0.
    fn from_str(text: &str) -> Result<Self, RecipeError> {
        Size::parse(text, Edition::V3)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let caret = if self.upscale { "^" } else { "" };
        write!(f, "{caret}{}", self.fit)
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fit::Max => f.write_str("max"),
            Fit::Width(w) => write!(f, "{w},"),
            Fit::Height(h) => write!(f, ",{h}"),
            Fit::Exact(w, h) => write!(f, "{w},{h}"),
            Fit::Percent(n) => write!(f, "pct:{n}"),
            Fit::Box(w, h) => write!(f, "!{w},{h}"),
        }
    }
}
