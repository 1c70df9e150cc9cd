//! The quality parameter, and how colour becomes grey. Image API 3.0 §4.4 and go-iiif's extensions.

use std::fmt;
use std::str::FromStr;

use super::{Decimal, RecipeError};

/// Whether a derivative is in colour, grey, or black and white.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Quality {
    /// `default`: as the source is.
    #[default]
    Default,
    /// `color`: in full colour; a grey source stays grey.
    Color,
    /// `gray`: each pixel a shade of grey, by the derivative's [`GrayMethod`].
    Gray,
    /// `bitonal`: each pixel black or white, split at half of full brightness.
    Bitonal,
    /// `dither`, a go-iiif extension: black and white with Atkinson's error diffusion, on the background where the
    /// source is transparent.
    Dither,
    /// `crisp` or `crisp:radius,amount,median`, a go-iiif extension: unsharp mask, then median.
    Crisp {
        /// Of the unsharp mask, up to 50: its blur has a standard deviation of √(10 · radius) pixels.
        radius: Decimal,
        /// Its strength; over 10 counts as 10.
        amount: Decimal,
        /// Radius of the median in pixels, up to 10; below 0.25 there is none.
        median: Decimal,
    },
}

const ALLOWED: &str = "default, color, gray, bitonal, dither, crisp or crisp:radius,amount,median";

impl Quality {
    /// Refuses windows so large that one pixel of a derivative would take thousands of others.
    pub(super) fn check(&self) -> Result<(), RecipeError> {
        match self {
            Quality::Crisp { radius, median, .. }
                if *radius > Decimal::whole(50) || *median > Decimal::whole(10) =>
            {
                let allowed = "crisp:radius,amount,median with a radius up to 50 and a median up to 10";
                Err(RecipeError::bad("quality", &self.to_string(), allowed))
            }
            _ => Ok(()),
        }
    }

    /// `crisp` with go-iiif's own defaults, 2.0, 0.5 and 0.025.
    fn crisp(numbers: Option<&str>) -> Option<Self> {
        let mut parts =
            numbers.unwrap_or("2,0.5,0.025").split(',').map(|part| part.trim().parse::<Decimal>());
        let (radius, amount, median) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
        parts.next().is_none().then_some(Quality::Crisp { radius, amount, median })
    }
}

impl FromStr for Quality {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        let bad = || RecipeError::bad("quality", text, ALLOWED);
        Ok(match text {
            "default" => Quality::Default,
            "color" => Quality::Color,
            "gray" => Quality::Gray,
            "bitonal" => Quality::Bitonal,
            "dither" => Quality::Dither,
            "crisp" => Quality::crisp(None).ok_or_else(bad)?,
            _ => text.strip_prefix("crisp:").and_then(|n| Quality::crisp(Some(n))).ok_or_else(bad)?,
        })
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Quality::Default => f.write_str("default"),
            Quality::Color => f.write_str("color"),
            Quality::Gray => f.write_str("gray"),
            Quality::Bitonal => f.write_str("bitonal"),
            Quality::Dither => f.write_str("dither"),
            Quality::Crisp { radius, amount, median } => write!(f, "crisp:{radius},{amount},{median}"),
        }
    }
}

/// How red, green and blue become one shade of grey.
///
/// All four work on the encoded (gamma-compressed) values, as the tools do that people compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum GrayMethod {
    /// `luma`, the default: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), which is a JPEG's own Y.
    #[default]
    Luma,
    /// `average`: (R + G + B) / 3.
    Average,
    /// `rec709`: 0.2126 R + 0.7152 G + 0.0722 B (ITU-R BT.709).
    Rec709,
    /// `lightness`: (max + min) / 2, HSL's L.
    Lightness,
}

impl GrayMethod {
    /// The name it is written by.
    pub fn as_str(self) -> &'static str {
        match self {
            GrayMethod::Luma => "luma",
            GrayMethod::Average => "average",
            GrayMethod::Rec709 => "rec709",
            GrayMethod::Lightness => "lightness",
        }
    }
}

impl FromStr for GrayMethod {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        Ok(match text {
            "luma" => GrayMethod::Luma,
            "average" => GrayMethod::Average,
            "rec709" => GrayMethod::Rec709,
            "lightness" => GrayMethod::Lightness,
            _ => return Err(RecipeError::bad("gray method", text, "luma, average, rec709, lightness")),
        })
    }
}

impl fmt::Display for GrayMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
