//! What a recipe that cannot be understood answers: the token at fault and what was allowed there.

/// A recipe, derivative or request that could not be parsed.
///
/// Its message is one sentence that names the offending token and what was allowed instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RecipeError {
    message: String,
}

impl RecipeError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// A `token` that is no valid `what`; `allowed` lists what would have been.
    pub(crate) fn bad(what: &str, token: &str, allowed: &str) -> Self {
        let shown = Shortened(token);
        Self::new(format!("{what} “{shown}” is not understood; allowed: {allowed}"))
    }

    /// The same error, with the derivative it was found in named.
    pub(crate) fn in_derivative(self, label: &str) -> Self {
        Self::new(format!("derivative “{}”: {}", Shortened(label), self.message))
    }
}

/// Text from outside, cut so that a megabyte of it does not become a megabyte of error message.
struct Shortened<'a>(&'a str);

impl std::fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const LONGEST: usize = 80;
        match self.0.char_indices().nth(LONGEST) {
            Some((end, _)) => write!(f, "{}…", &self.0[..end]),
            None => f.write_str(self.0),
        }
    }
}
