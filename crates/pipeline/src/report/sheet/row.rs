//! What the sheet says of a row, secrets masked.

use serde::Serialize;

use crate::outcome::{Outcome, StoredRendition};
use crate::redact;

/// A row. Names are short because they stand there ten thousand times.
#[derive(Debug, Default, Serialize)]
pub(super) struct Row {
    /// Its number.
    n: u64,
    url: String,
    status: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    stage: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    kind: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
    /// Bytes, width and height of the source.
    source: (u64, u32, u32),
    made: Vec<Made>,
    /// Milliseconds of fetch, derive, store.
    ms: (u64, u64, u64),
    /// Pictures, which are written apart.
    #[serde(skip)]
    pub before: Option<String>,
    #[serde(skip)]
    pub after: Option<String>,
}

/// A rendition.
#[derive(Debug, Serialize)]
pub(super) struct Made {
    label: String,
    url: String,
    /// Bytes, width and height.
    size: (u64, u32, u32),
}

impl Row {
    pub(super) fn of(outcome: &Outcome) -> Row {
        let error = outcome.result.as_ref().err();
        let derived = outcome.result.as_ref().ok();
        let source = derived.map(|derived| &derived.source);
        let made = |rendition: &StoredRendition| Made {
            label: rendition.label.clone(),
            url: redact::url(&rendition.url).into_owned(),
            size: (rendition.bytes, rendition.width, rendition.height),
        };
        let left_out = derived.map_or(&[][..], |derived| &derived.left_out);
        let why = match error {
            Some(error) => error.chain(),
            None => {
                let sentences: Vec<_> =
                    left_out.iter().map(|(label, error)| format!("{label}: {}", error.chain())).collect();
                sentences.join("; ")
            }
        };
        let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let timings = outcome.timings;
        Row {
            n: outcome.job.row,
            url: redact::url(&outcome.job.url).into_owned(),
            status: outcome.status.as_str(),
            stage: error.map_or("", |error| error.stage().as_str()),
            kind: error.map_or("", |error| error.kind().as_str()),
            why,
            source: source
                .map_or((outcome.downloaded, 0, 0), |source| (source.bytes, source.width, source.height)),
            made: derived.map_or_else(Vec::new, |derived| derived.renditions.iter().map(made).collect()),
            ms: (ms(timings.fetch), ms(timings.derive), ms(timings.store)),
            before: None,
            after: None,
        }
    }
}
