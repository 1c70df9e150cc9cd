//! S3 events become records of the process bucket, in whatever envelope they come.

use imgmill_pipeline::Error;
use serde_json::{Value, json};

use super::{failures, messages};
use crate::bucket::note::{Noted, Recorder};

/// Notes what an event tells. Of messages of SQS, those that could not be noted come again, each by itself.
///
/// # Errors
/// Of other events, anything that could not be noted: Lambda brings them again, and what was noted is found then.
pub async fn record(recorder: &Recorder, event: &Value) -> Result<Value, Error> {
    let mut noted = Noted::default();
    let Some(messages) = messages(event) else {
        recorder.note(event, &mut noted).await?;
        return Ok(answer(&noted, None));
    };
    let mut failed = Vec::new();
    for (id, message) in messages {
        if let Err(error) = recorder.note(message, &mut noted).await {
            tracing::error!(message = id, "not recorded: {}", error.chain());
            failed.push(id);
        }
    }
    Ok(answer(&noted, Some(failures(failed))))
}

fn answer(noted: &Noted, failed: Option<Vec<Value>>) -> Value {
    let mut answer = json!({
        "recorded": noted.recorded,
        "known": noted.known,
        "skipped": noted.skipped,
    });
    if let Some(failed) = failed {
        answer["batchItemFailures"] = Value::Array(failed);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::ledger::Ledger;

    fn event(key: &str) -> Value {
        json!({"Records": [{"eventSource": "aws:s3", "eventTime": "2026-01-02T03:04:05.678Z",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "rbsc"}, "object": {"key": key, "size": 9, "sequencer": "0A"}}}]})
    }

    #[tokio::test]
    async fn one_bad_message_comes_again_alone() {
        let folder = tempfile::tempdir().unwrap();
        let url = url::Url::from_directory_path(folder.path()).unwrap();
        let ledger = Ledger::open(url.as_str(), &Default::default()).await.unwrap();
        let recorder = Recorder::new(ledger, None, None);
        let message =
            |id: &str, body: String| json!({"eventSource": "aws:sqs", "messageId": id, "body": body});
        let batch = json!({"Records": [
            message("good", event("a/x.png").to_string()),
            message("poison", "no event".into()),
            message("other", event("a/notes.txt").to_string()),
        ]});
        let answer = record(&recorder, &batch).await.unwrap();
        assert_eq!(answer["recorded"], 1);
        assert_eq!(answer["skipped"]["not an image by its extension"], 1);
        assert_eq!(answer["batchItemFailures"], json!([{"itemIdentifier": "poison"}]));
        let again = record(&recorder, &event("a/x.png")).await.unwrap();
        assert_eq!(again, json!({"recorded": 0, "known": 1, "skipped": {}}));
        assert!(record(&recorder, &json!({"hello": 1})).await.is_err());
    }
}
