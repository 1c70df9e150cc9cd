//! The recipe grammar: IIIF Image API 3.0 and 2.1 requests, go-iiif's extensions, and recipes made of them.
//!
//! This module parses and prints. It knows no pixels: what a request comes to on an image of a given size is
//! worked out in `plan`. Nothing here depends on the rest of the crate, but for what services look at.

mod decimal;
mod derivative;
mod error;
mod format;
mod json;
mod options;
mod quality;
mod region;
mod request;
mod rotation;
mod size;
#[cfg(test)]
mod tests;

pub use decimal::Decimal;
pub use derivative::Derivative;
pub use error::RecipeError;
pub use format::OutputFormat;
pub use json::Entries;
pub use options::{Background, Compression, EncoderOptions, Icc, Metadata};
pub use quality::{GrayMethod, Quality};
pub use region::Region;
pub use request::{Edition, Request};
pub use rotation::Rotation;
pub use size::{Fit, Size};

use crate::services::Services;

/// What to make of a source: one or more derivatives, each with its own label; and what to find out about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    derivatives: Vec<Derivative>,
    services: Services,
    /// What services look at, where any is wanted.
    view: Option<Derivative>,
}

impl Recipe {
    /// A recipe of these derivatives, in this order.
    ///
    /// # Errors
    /// When there is none, a label occurs twice or holds anything but letters, digits, `.`, `_` and `-`, or an
    /// encoder option is out of range.
    pub fn new(derivatives: Vec<Derivative>) -> Result<Recipe, RecipeError> {
        if derivatives.is_empty() {
            return Err(RecipeError::new("the recipe has no derivatives; it needs at least one"));
        }
        let mut labels = std::collections::HashSet::new();
        for derivative in &derivatives {
            derivative.check()?;
            if !labels.insert(derivative.label.as_str()) {
                return Err(RecipeError::bad("label", &derivative.label, "each label once in a recipe"));
            }
        }
        let recipe = Recipe { derivatives, services: Services::default(), view: None };
        if recipe.derivatives.iter().any(|derivative| derivative.options.page.unwrap_or(1) != recipe.page()) {
            let message =
                "the derivatives of a recipe ask for different pages; give each page a recipe of its own";
            return Err(RecipeError::new(message));
        }
        Ok(recipe)
    }

    /// The default recipe: `gray=full/max/0/gray.jpg`.
    pub fn gray() -> Recipe {
        let request = Request { quality: Quality::Gray, ..Request::default() };
        let options = EncoderOptions::default();
        let derivatives = vec![Derivative { label: "gray".into(), request, options }];
        Recipe { derivatives, services: Services::default(), view: None }
    }

    /// The same recipe, with what else is wanted to be known of each source. Recipe files do not hold it.
    #[must_use]
    pub fn with_services(mut self, services: Services) -> Recipe {
        self.view = services.view(self.page());
        self.services = services;
        self
    }

    /// The same recipe without one derivative; none if it has no such one, or no other.
    pub fn without(&self, label: &str) -> Option<Recipe> {
        let mut recipe = self.clone();
        recipe.derivatives.retain(|derivative| derivative.label != label);
        (1..self.derivatives.len()).contains(&recipe.derivatives.len()).then_some(recipe)
    }

    /// What is wanted to be known of each source.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// What services look at, where any is wanted.
    pub(crate) fn view(&self) -> Option<&Derivative> {
        self.view.as_ref()
    }

    /// Parses a recipe file by the rules of Image API 3.0.
    ///
    /// # Errors
    /// See [`parse_json_as`](Self::parse_json_as).
    pub fn parse_json(text: &str) -> Result<Recipe, RecipeError> {
        Recipe::parse_json_as(text, Edition::V3)
    }

    /// Parses a recipe file: a JSON object whose keys are labels and whose values hold `region`, `size`, `rotation`,
    /// `quality` and `format` (missing or empty: `full`, `full`, `0`, `default`, `jpg`) and the encoder options by the
    /// names of [`EncoderOptions`]' fields. go-iiif's instruction files are such, and follow [`Edition::V2`].
    ///
    /// # Errors
    /// When it is no such object, has an unknown key (named), or a value is not understood (named, with what was
    /// allowed), and where [`Recipe::new`] refuses.
    pub fn parse_json_as(text: &str, edition: Edition) -> Result<Recipe, RecipeError> {
        Recipe::new(json::parse(text, edition)?)
    }

    /// The recipe as a file that [`parse_json`](Self::parse_json) reads back as the same recipe.
    pub fn to_json(&self) -> String {
        json::print(&self.derivatives)
    }

    /// The derivatives, in the recipe's order.
    pub fn derivatives(&self) -> &[Derivative] {
        &self.derivatives
    }

    /// The page of the source that all derivatives are drawn from, counted from 1.
    pub fn page(&self) -> u32 {
        self.derivatives.first().and_then(|derivative| derivative.options.page).unwrap_or(1)
    }

    /// Sets how colour becomes grey, for each derivative that did not choose.
    pub fn set_gray(&mut self, method: GrayMethod) {
        for derivative in &mut self.derivatives {
            derivative.options.gray.get_or_insert(method);
        }
    }
}
