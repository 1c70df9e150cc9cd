//! The report: a JSON object for each finding and for each thing that was done, then the numbers.

use std::path::Path;

use imgmill_image::Recipe;
use imgmill_pipeline::report::PartialFile;
use imgmill_pipeline::store::Store;
use imgmill_pipeline::{Error, Kind, Stage, redact};
use serde_json::{Value, json};

use super::judge::Finding;
use super::listing::moment;
use super::state::State;
use crate::batch::place::Place;

/// Writes it.
pub(super) fn write(
    place: &Place,
    state: &mut State,
    store: &Store,
    recipe: &Recipe,
    complete: bool,
    folder: &Path,
) -> Result<(), Error> {
    let mut file = PartialFile::create(&place.begin(folder)?)?;
    let mut lines = Vec::new();
    let mut append = |line: &Value, most: usize| -> Result<(), Error> {
        serde_json::to_writer(&mut lines, line).map_err(|error| {
            Error::new(Stage::Report, Kind::Internal, "making a report line").caused_by(error)
        })?;
        lines.push(b'\n');
        if lines.len() > most {
            file.append(&lines)?;
            lines.clear();
        }
        Ok(())
    };
    const BLOCK: usize = 256 << 10;
    for finding in state.findings()? {
        append(&line(&finding?, store, recipe), BLOCK)?;
    }
    for outcome in state.outcomes()? {
        append(&outcome?, BLOCK)?;
    }
    let mut summary = serde_json::to_value(&state.counts).unwrap_or_default();
    summary["complete"] = complete.into();
    append(&json!({ "summary": summary }), 0)?;
    file.finish()
}

fn line(finding: &Finding, store: &Store, recipe: &Recipe) -> Value {
    let mut line = json!({ "status": finding.status, "reason": finding.reason });
    if !finding.key.is_empty() {
        line["key"] = store.full_key(&finding.key).into();
    }
    if let Some(expected) = &finding.expected {
        line["row"] = expected.row.into();
        line["url"] = redact::url(&expected.url).into_owned().into();
        if let Some(derivative) = recipe.derivatives().get(expected.label).filter(|_| !finding.key.is_empty())
        {
            line["label"] = derivative.label.as_str().into();
        }
    }
    if let Some((bytes, changed)) = finding.seen {
        line["bytes"] = bytes.into();
        line["changed"] = moment(changed).into();
    }
    line
}
