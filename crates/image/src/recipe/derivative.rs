//! A derivative: a request with the label its rendition goes by and the options it is encoded with.

use std::str::FromStr;

use super::{
    Compression, EncoderOptions, GrayMethod, Icc, Metadata, OutputFormat, Quality, RecipeError, Region,
    Request, Size,
};

/// One image to make of a source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Derivative {
    /// What its rendition is called: letters, digits, `.`, `_` and `-`. Unique in a recipe.
    pub label: String,
    /// What is asked for.
    pub request: Request,
    /// How it is encoded.
    pub options: EncoderOptions,
}

impl Derivative {
    /// The canonical request, each encoder option that is not the default, and the gray method where one is used.
    ///
    /// Stable: it is part of the key that renditions are stored under. The label is not in it.
    pub fn canonical(&self) -> String {
        let mut text = self.request.to_string();
        if self.uses_gray_method() {
            text.push_str(&format!(";gray={}", self.gray_method()));
        }
        text.push_str(&self.options.canonical(self.request.format));
        text
    }

    /// How its colours become grey, should they have to.
    pub fn gray_method(&self) -> GrayMethod {
        self.options.gray.unwrap_or_default()
    }

    /// Whether the quality asked for leaves no colour.
    pub(crate) fn uses_gray_method(&self) -> bool {
        matches!(self.request.quality, Quality::Gray | Quality::Bitonal | Quality::Dither)
    }

    /// Whether its rendition can be transparent.
    pub(crate) fn keeps_alpha(&self) -> bool {
        let format = self.request.format;
        let jpeg_tiles = format == OutputFormat::Ptif && self.options.compression == Some(Compression::Jpeg);
        format.has_alpha() && !jpeg_tiles
    }

    pub(super) fn check(&self) -> Result<(), RecipeError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let dots_only = self.label.bytes().all(|b| b == b'.');
        if dots_only || !self.label.bytes().all(allowed) {
            return Err(RecipeError::bad(
                "label",
                &self.label,
                "letters, digits, “.”, “_” and “-”, at least one",
            ));
        }
        self.request.quality.check()?;
        self.options.check(self.request.format)?;
        self.check_own_samples()
    }

    /// Refuses to keep a source's own samples where anything is to be done to them.
    fn check_own_samples(&self) -> Result<(), RecipeError> {
        let Request { region, size, rotation, quality, .. } = &self.request;
        let as_they_are = *region == Region::default()
            && *size == Size::default()
            && rotation.is_quarters()
            && matches!(quality, Quality::Default | Quality::Color);
        let (key, keeps) = match (self.options.icc, self.options.bits) {
            (Icc::Keep, _) => ("“icc”: “keep”", true),
            (_, Some(16)) => ("“bits”: 16", true),
            _ => ("", false),
        };
        if keeps && !as_they_are {
            return Err(RecipeError::new(format!(
                "{key} keeps the source's own samples: it goes with full/max, in quarter turns, in default quality"
            )));
        }
        Ok(())
    }
}

impl FromStr for Derivative {
    type Err = RecipeError;

    /// Parses `LABEL=REGION/SIZE/ROTATION/QUALITY.FORMAT`, as Image API 3.0 reads it.
    fn from_str(text: &str) -> Result<Self, RecipeError> {
        const ALLOWED: &str =
            "LABEL=REGION/SIZE/ROTATION/QUALITY.FORMAT, as in thumb=square/!250,250/0/default.jpg";
        let (label, request) =
            text.split_once('=').ok_or_else(|| RecipeError::bad("derivative", text, ALLOWED))?;
        let request: Request = request.parse().map_err(|e: RecipeError| e.in_derivative(label))?;
        let metadata = Metadata::default_for(request.format);
        let options = EncoderOptions { metadata, ..EncoderOptions::default() };
        let derivative = Derivative { label: label.to_owned(), request, options };
        derivative.check()?;
        Ok(derivative)
    }
}
