//! One image request, `region/size/rotation/quality.format`, and its canonical form. Image API 3.0 §4 and §4.7.

use std::fmt;
use std::str::FromStr;

use super::{OutputFormat, Quality, RecipeError, Region, Rotation, Size};

/// Which edition of the Image API a text is read by.
///
/// They differ in one thing here: 3.0 enlarges only where `^` allows it, 2.1 wherever the size asks for it. What is
/// parsed is the same [`Request`] either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Edition {
    /// Image API 2.1, which go-iiif's instruction files follow.
    V2,
    /// Image API 3.0.
    #[default]
    V3,
}

/// What is asked of the source: `region/size/rotation/quality.format`.
///
/// Operations are applied in the order they are written in (3.0 §4.6). [`Display`](fmt::Display) writes the canonical
/// form, which parses to the same request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Request {
    /// The part of the image.
    pub region: Region,
    /// How large it is drawn.
    pub size: Size,
    /// How it is turned.
    pub rotation: Rotation,
    /// Colour, grey, or black and white.
    pub quality: Quality,
    /// What it is written as.
    pub format: OutputFormat,
}

impl Request {
    /// Parses a request as the given edition of the Image API reads it.
    ///
    /// # Errors
    /// When a part is missing or not understood; the message names it and what was allowed.
    pub fn parse(text: &str, edition: Edition) -> Result<Self, RecipeError> {
        let bad = || {
            RecipeError::bad(
                "request",
                text,
                "region/size/rotation/quality.format, as in full/max/0/gray.jpg",
            )
        };
        let parts: Vec<&str> = text.split('/').collect();
        let [region, size, rotation, last] = parts.as_slice() else {
            return Err(bad());
        };
        let (quality, format) = last.rsplit_once('.').ok_or_else(bad)?;
        Ok(Self {
            region: region.parse()?,
            size: Size::parse(size, edition)?,
            rotation: rotation.parse()?,
            quality: quality.parse()?,
            format: format.parse()?,
        })
    }

    /// How the given edition spells this request; [`Edition::V2`] is the spelling go-iiif stores derivatives under.
    pub fn spelled(&self, edition: Edition) -> String {
        let size = self.size.spelled(edition);
        format!("{}/{size}/{}/{}.{}", self.region, self.rotation, self.quality, self.format)
    }
}

impl FromStr for Request {
    type Err = RecipeError;

    /// Parses by the rules of 3.0.
    fn from_str(text: &str) -> Result<Self, RecipeError> {
        Request::parse(text, Edition::V3)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spelled(Edition::V3))
    }
}
