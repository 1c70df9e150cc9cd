//! Everything known of every row, one JSON object a line.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use serde::Serialize;

use super::{Order, PartialFile, Reporter};
use crate::columns::Columns;
use crate::error::{Error, Kind, Stage};
use crate::outcome::{Outcome, Timings};
use crate::redact;

/// The report of `--report FILE.jsonl`.
#[derive(Debug)]
pub struct JsonLines {
    file: PartialFile,
}

impl JsonLines {
    /// Begins the report at `path`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(path: &Path) -> Result<JsonLines, Error> {
        Ok(JsonLines { file: PartialFile::create(path)? })
    }
}

#[derive(Serialize)]
struct Row<'a> {
    row: u64,
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    columns: BTreeMap<&'a str, &'a str>,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    attempts: u32,
    bytes: u64,
    #[serde(skip_serializing_if = "is_zero")]
    width: u32,
    #[serde(skip_serializing_if = "is_zero")]
    height: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    sha256: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    renditions: Vec<Rendition<'a>>,
    ms: Milliseconds,
}

#[derive(Serialize)]
struct Rendition<'a> {
    label: &'a str,
    key: &'a str,
    url: &'a str,
    bytes: u64,
    width: u32,
    height: u32,
}

#[derive(Serialize)]
struct Milliseconds {
    fetch: f64,
    derive: f64,
    store: f64,
}

// serde hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl From<Timings> for Milliseconds {
    fn from(timings: Timings) -> Self {
        let ms = |time: std::time::Duration| (time.as_secs_f64() * 1e5).round() / 100.0;
        Milliseconds { fetch: ms(timings.fetch), derive: ms(timings.derive), store: ms(timings.store) }
    }
}

fn line(outcome: &Outcome) -> Result<Vec<u8>, serde_json::Error> {
    let url = redact::url(&outcome.job.url);
    let columns = outcome.job.columns.as_deref();
    let error = outcome.result.as_ref().err();
    let derived = outcome.result.as_ref().ok();
    let source = derived.map(|derived| &derived.source);
    let renditions = derived.map_or(&[][..], |derived| &derived.renditions);
    let row = Row {
        row: outcome.job.row,
        url: &url,
        id: columns.and_then(Columns::id),
        columns: columns.map_or_else(BTreeMap::new, |columns| columns.carried().collect()),
        status: outcome.status.as_str(),
        stage: error.map(|error| error.stage().as_str()),
        kind: error.map(|error| error.kind().as_str()),
        message: error.map(|error| error.chain()),
        attempts: outcome.attempts,
        bytes: source.map_or(outcome.downloaded, |source| source.bytes),
        width: source.map_or(0, |source| source.width),
        height: source.map_or(0, |source| source.height),
        sha256: source.map_or("", |source| &source.sha256),
        truncated: source.is_some_and(|source| source.truncated),
        renditions: renditions
            .iter()
            .map(|rendition| Rendition {
                label: &rendition.label,
                key: &rendition.key,
                url: &rendition.url,
                bytes: rendition.bytes,
                width: rendition.width,
                height: rendition.height,
            })
            .collect(),
        ms: outcome.timings.into(),
    };
    let mut line = serde_json::to_vec(&row)?;
    line.push(b'\n');
    Ok(line)
}

#[async_trait]
impl Reporter for JsonLines {
    fn order(&self) -> Order {
        Order::AsListed
    }

    async fn report(&mut self, outcome: &Outcome) -> Result<(), Error> {
        let line = line(outcome).map_err(|error| {
            Error::new(Stage::Report, Kind::Internal, "making a report line").caused_by(error)
        })?;
        self.file.append(&line)
    }

    async fn finish(&mut self) -> Result<(), Error> {
        self.file.finish()
    }
}
