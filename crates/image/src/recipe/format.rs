//! The format parameter: what a derivative is written as. Image API 3.0 §4.5.

use std::fmt;
use std::str::FromStr;

use super::RecipeError;

/// What a derivative is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OutputFormat {
    /// JPEG.
    #[default]
    Jpg,
    /// PNG.
    Png,
    /// WebP.
    Webp,
    /// TIFF, one image.
    Tif,
    /// GIF, one frame.
    Gif,
    /// AVIF.
    Avif,
    /// Tiled pyramid TIFF, an extension to IIIF's list.
    Ptif,
}

impl OutputFormat {
    /// Every format that parses, in the order messages list them.
    pub const ALL: [OutputFormat; 7] = [
        OutputFormat::Jpg,
        OutputFormat::Png,
        OutputFormat::Webp,
        OutputFormat::Tif,
        OutputFormat::Gif,
        OutputFormat::Avif,
        OutputFormat::Ptif,
    ];

    /// The word a request names it by.
    pub fn as_str(self) -> &'static str {
        match self {
            OutputFormat::Jpg => "jpg",
            OutputFormat::Png => "png",
            OutputFormat::Webp => "webp",
            OutputFormat::Tif => "tif",
            OutputFormat::Gif => "gif",
            OutputFormat::Avif => "avif",
            OutputFormat::Ptif => "ptif",
        }
    }

    /// The file name extension, without its dot; a pyramid is a `tif` like any other.
    pub fn extension(&self) -> &'static str {
        match self {
            OutputFormat::Ptif => "tif",
            other => other.as_str(),
        }
    }

    /// The media type (IANA).
    pub fn media_type(&self) -> &'static str {
        match self {
            OutputFormat::Jpg => "image/jpeg",
            OutputFormat::Png => "image/png",
            OutputFormat::Webp => "image/webp",
            OutputFormat::Tif | OutputFormat::Ptif => "image/tiff",
            OutputFormat::Gif => "image/gif",
            OutputFormat::Avif => "image/avif",
        }
    }

    /// Whether this build can write it.
    pub fn is_built_in(self) -> bool {
        match self {
            OutputFormat::Avif => cfg!(feature = "avif"),
            _ => true,
        }
    }

    /// Whether it can hold transparency.
    pub fn has_alpha(self) -> bool {
        !matches!(self, OutputFormat::Jpg)
    }

    /// What is said of a format that this build cannot write.
    pub(crate) fn why_not_built_in(self) -> String {
        let names: Vec<_> = Self::ALL.into_iter().filter(|f| f.is_built_in()).map(Self::as_str).collect();
        let built_in = names.join(", ");
        let hint = if self == OutputFormat::Avif { " (build with the feature avif)" } else { "" };
        format!("the output format {self} is not built in{hint}; built in are {built_in}")
    }
}

impl FromStr for OutputFormat {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        let known = Self::ALL.into_iter().find(|format| format.as_str() == text);
        known.ok_or_else(|| RecipeError::bad("format", text, "jpg, png, webp, tif, gif, avif, ptif"))
    }
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
