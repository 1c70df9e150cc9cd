//! Arguments that go-iiif's tools take over from the others: typed in Go's style, and meant as here.

use clap::Parser;

use super::shared::{LimitArguments, LogArguments};

/// Bounds and messages, by the names that they have elsewhere.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
pub struct SharedArguments {
    #[command(flatten)]
    pub limits: LimitArguments,
    #[command(flatten)]
    pub logs: LogArguments,
}

impl SharedArguments {
    /// Reads `--name value` and `--name`.
    pub fn of_words(words: Vec<String>) -> Result<Self, String> {
        SharedArguments::try_parse_from(words).map_err(|error| {
            // Its first line says what is wrong; the rest is how this program's own flags are used.
            let text = error.to_string();
            text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
        })
    }
}
