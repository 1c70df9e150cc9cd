//! Note: what events tell becomes records. The one thing that a Lambda function, a queue's reader and the command line
//! do with an event.

use std::collections::BTreeMap;

use imgmill_pipeline::{Error, Kind, Stage};
use serde_json::Value;

use super::changes::{self, Change, Told};
use super::ledger::{Ledger, Written};
use super::record::Record;

/// Writes records.
#[derive(Debug)]
pub struct Recorder {
    ledger: Ledger,
    /// The one bucket whose events count, where that is known.
    bucket: Option<String>,
    /// What the records say of the rights, where the event says nothing.
    copyright_status: Option<String>,
}

/// What became of events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noted {
    /// Records written.
    pub recorded: u64,
    /// Changes that were written before.
    pub known: u64,
    /// What no record was written of, by reason.
    pub skipped: BTreeMap<String, u64>,
}

impl Recorder {
    /// Records changes of `bucket`, or of whatever bucket events tell of.
    pub fn new(ledger: Ledger, bucket: Option<String>, copyright_status: Option<String>) -> Self {
        Recorder { ledger, bucket, copyright_status }
    }

    /// Writes a record for every new image that an event tells of. To be called again with the whole event where it
    /// fails: what was written before is found then.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] where it is no event of S3's; else what the bucket answers.
    pub async fn note(&self, event: &Value, noted: &mut Noted) -> Result<(), Error> {
        for told in changes::read(event)? {
            match told {
                Told::Change(change) => self.change(change, noted).await?,
                Told::NoImage(key, why) => {
                    tracing::debug!(key, "no record: {}", why.as_str());
                    *noted.skipped.entry(why.as_str().to_owned()).or_default() += 1;
                }
                Told::Other(name) => *noted.skipped.entry(format!("{name:?}")).or_default() += 1,
            }
        }
        Ok(())
    }

    async fn change(&self, change: Change, noted: &mut Noted) -> Result<(), Error> {
        let is_other = |bucket: &String| change.bucket.as_ref().is_some_and(|told| told != bucket);
        if let Some(bucket) = self.bucket.as_ref().filter(|bucket| is_other(bucket)) {
            let told = change.bucket.as_deref().unwrap_or_default();
            tracing::warn!(
                key = change.key,
                "no record: it is in the bucket {told}, and RBSC_BUCKET is {bucket}"
            );
            *noted.skipped.entry("of another bucket".to_owned()).or_default() += 1;
            return Ok(());
        }
        let mut record = Record::of(&change);
        if record.copyright_status.is_none() {
            record.copyright_status.clone_from(&self.copyright_status);
        }
        match self.ledger.write(&record, &change.sequencer).await? {
            Written::New => {
                tracing::info!(key = change.key, sequencer = %change.sequencer, "recorded");
                noted.recorded += 1;
            }
            Written::Known => noted.known += 1,
        }
        Ok(())
    }
}

/// The events of a text: JSON documents one after another.
///
/// # Errors
/// Where it is not JSON, or holds nothing.
pub fn events(text: &str) -> Result<Vec<Value>, Error> {
    let wrong = |why: &str| {
        let message = format!("not the JSON of an event: {why}");
        Error::new(Stage::Source, Kind::Corrupt, message)
    };
    let events: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(text).into_iter().collect();
    match events {
        Ok(events) if events.is_empty() => Err(wrong("it is empty")),
        Ok(events) => Ok(events),
        Err(error) => Err(wrong(&error.to_string())),
    }
}
