//! What a function of Lambda does with an event: the event's JSON in, the answer's JSON out. The runtime that brings events
//! is in `crates/aws`; nothing here knows of it.
//!
//! `record` notes images (bucket to pyramids), `worker` works on messages of SQS, `derive` makes derivatives of objects,
//! `map` of the items of a Distributed Map, `s3_batch` of the tasks of S3 Batch Operations. `rows` is what the last three
//! have in common, `deadline` how long there is.

pub mod deadline;
pub mod derive;
pub mod map;
pub mod record;
pub mod s3_batch;
pub mod worker;

mod rows;

use std::str::FromStr;

use imgmill_pipeline::{Error, Kind, Stage};
use serde_json::{Value, json};

pub use deadline::Deadline;

/// Which of them a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handler {
    /// S3 events become records of the process bucket.
    Record,
    /// Messages of SQS are worked on.
    Worker,
    /// S3 events start ECS tasks.
    Ecs,
    /// S3 events become derivatives.
    Derive,
    /// S3 events' keys are URIs that go-iiif's instructions are followed for.
    Process,
    /// Items of a Distributed Map become derivatives.
    Map,
    /// Tasks of S3 Batch Operations become derivatives.
    Batch,
    /// What became of ECS tasks is written down.
    Report,
}

impl Handler {
    const ALL: [(&str, Handler); 8] = [
        ("record", Handler::Record),
        ("worker", Handler::Worker),
        ("ecs", Handler::Ecs),
        ("derive", Handler::Derive),
        ("process", Handler::Process),
        ("map", Handler::Map),
        ("batch", Handler::Batch),
        ("report", Handler::Report),
    ];
}

impl FromStr for Handler {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Handler::ALL.iter().find(|(name, _)| *name == text.trim());
        found.map(|(_, handler)| *handler).ok_or_else(|| {
            let names: Vec<&str> = Handler::ALL.iter().map(|(name, _)| *name).collect();
            format!("IMGMILL_HANDLER is {text:?}; expected one of {}", names.join(", "))
        })
    }
}

/// The messages of an event that came by way of SQS, each with its id; nothing for other events.
fn messages(event: &Value) -> Option<Vec<(&str, &Value)>> {
    let records = event["Records"].as_array()?;
    let is_sqs = |record: &&Value| record["eventSource"] == "aws:sqs";
    if records.is_empty() || !records.iter().all(|record| is_sqs(&record)) {
        return None;
    }
    Some(records.iter().map(|record| (record["messageId"].as_str().unwrap_or_default(), record)).collect())
}

/// What SQS is told of a batch: which messages come again.
fn failures<'a>(ids: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
    ids.into_iter().map(|id| json!({ "itemIdentifier": id })).collect()
}

fn not_understood(what: &str) -> Error {
    Error::new(Stage::Source, Kind::Corrupt, format!("the event is not understood: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_have_names() {
        assert_eq!("batch".parse(), Ok(Handler::Batch));
        let error = "marble".parse::<Handler>().unwrap_err();
        assert!(error.contains("record, worker, ecs, derive, process, map, batch, report"), "{error}");
    }

    #[test]
    fn only_events_of_sqs_have_messages() {
        let event = json!({"Records": [{"eventSource": "aws:sqs", "messageId": "m1", "body": "{}"}]});
        assert_eq!(messages(&event).unwrap()[0].0, "m1");
        assert_eq!(messages(&json!({"Records": [{"eventSource": "aws:s3"}]})), None);
        assert_eq!(messages(&json!({"Records": []})), None);
        assert_eq!(messages(&json!({"detail": {}})), None);
    }
}
