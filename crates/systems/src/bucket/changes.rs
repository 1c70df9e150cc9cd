//! What S3 says of a bucket, in whatever envelope it comes: Lambda, SQS, SNS, EventBridge. Events in, changes out.
//!
//! S3 writes a key into its own events as forms do (`+` for a space, `%XX` for most else); EventBridge has it as it is.

use chrono::{DateTime, NaiveDateTime, Utc};
use imgmill_pipeline::{Error, Kind, Stage};
use serde_json::Value;

use super::keys::{self, NotAnImage};
use super::sequencer::Sequencer;

/// Envelopes in envelopes: an EventBridge event in an SNS notification in an SQS message for Lambda has three.
const DEEPEST: usize = 6;

/// An object that was put, copied, or completed from parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The bucket that it is in, if the event says so.
    pub bucket: Option<String>,
    /// Its key, decoded.
    pub key: String,
    /// Its entity tag, without quotes.
    pub e_tag: Option<String>,
    /// Its version, where the bucket keeps versions.
    pub version_id: Option<String>,
    /// Where it stands among the changes of this key.
    pub sequencer: Sequencer,
    /// What some systems add for who makes the pyramid.
    pub copyright_status: Option<String>,
}

/// An object that was put, copied, or completed from parts, whatever it is: what all events have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The bucket that it is in, if the event says so.
    pub bucket: Option<String>,
    /// Its key, decoded.
    pub key: String,
    /// Its length, if the event says so.
    pub size: Option<u64>,
    e_tag: Option<String>,
    version_id: Option<String>,
    sequencer: Sequencer,
    copyright_status: Option<String>,
}

/// One thing that an event told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// An image is there.
    Change(Change),
    /// Something else is there.
    NoImage(String, NotAnImage),
    /// Something else happened, by S3's name for it: an object was removed, a notification was set up.
    Other(String),
}

/// Reads one event.
///
/// # Errors
/// [`Kind::Corrupt`] for what is no event of S3; says what was expected.
pub fn read(event: &Value) -> Result<Vec<Told>, Error> {
    let told = created(event)?.into_iter();
    Ok(told.map(|told| told.map_or_else(Told::Other, Created::told)).collect())
}

/// Reads one event; what else happened comes by S3's name for it.
///
/// # Errors
/// As [`read`].
pub fn created(event: &Value) -> Result<Vec<Result<Created, String>>, Error> {
    let mut told = Vec::new();
    unwrap(event, DEEPEST, &mut told)?;
    Ok(told)
}

impl Created {
    fn told(self) -> Told {
        if let Err(why) = keys::is_image(&self.key) {
            return Told::NoImage(self.key, why);
        }
        Told::Change(Change {
            bucket: self.bucket,
            key: self.key,
            e_tag: self.e_tag,
            version_id: self.version_id,
            sequencer: self.sequencer,
            copyright_status: self.copyright_status,
        })
    }
}

fn unwrap(value: &Value, deepest: usize, told: &mut Vec<Result<Created, String>>) -> Result<(), Error> {
    let Some(deepest) = deepest.checked_sub(1) else {
        return Err(wrong("its envelopes never end"));
    };
    if let Value::Array(events) = value {
        return events.iter().try_for_each(|event| unwrap(event, deepest, told));
    }
    // What S3 sends once when a notification is set up.
    if let Some(name) = value["Event"].as_str() {
        told.push(Err(name.to_owned()));
        return Ok(());
    }
    // Lambda's, with S3's own records or messages of SQS and SNS; then SQS's answer to who receives by themselves.
    if let Some(Value::Array(records)) = ["Records", "Messages"].iter().find_map(|name| value.get(name)) {
        return records.iter().try_for_each(|record| unwrap(record, deepest, told));
    }
    if value.get("s3").is_some() {
        told.push(of_s3(value)?);
        return Ok(());
    }
    if value.get("detail-type").is_some() {
        told.push(of_event_bridge(value)?);
        return Ok(());
    }
    let inner = [&value["body"], &value["Body"], &value["Sns"]["Message"], &value["Message"]];
    match inner.into_iter().find_map(Value::as_str) {
        Some(text) => {
            let inner: Value = serde_json::from_str(text)
                .map_err(|error| wrong("the message in its envelope is not JSON").caused_by(error))?;
            unwrap(&inner, deepest, told)
        }
        None => Err(wrong("it has none of Records, Messages, s3, detail-type, body, Message")),
    }
}

fn of_s3(record: &Value) -> Result<Result<Created, String>, Error> {
    let name = record["eventName"].as_str().unwrap_or_default();
    if !name.trim_start_matches("s3:").starts_with("ObjectCreated") {
        return Ok(Err(name.to_owned()));
    }
    let object = &record["s3"]["object"];
    let encoded = object["key"].as_str().ok_or_else(|| wrong("it names no key"))?;
    let key = decoded(encoded)?;
    Ok(Ok(object_of(key, object, &record["s3"]["bucket"], "eTag", "versionId", &record["eventTime"])))
}

/// A key as S3 writes it into its own events, and into the tasks of S3 Batch Operations.
///
/// # Errors
/// Where it is not UTF-8.
pub fn decoded(key: &str) -> Result<String, Error> {
    let decoded =
        percent_encoding::percent_decode_str(&key.replace('+', " ")).decode_utf8().map(String::from);
    decoded.map_err(|error| wrong(&format!("its key {key:?} is not UTF-8")).caused_by(error))
}

fn of_event_bridge(event: &Value) -> Result<Result<Created, String>, Error> {
    let name = event["detail-type"].as_str().unwrap_or_default();
    if name != "Object Created" {
        return Ok(Err(name.to_owned()));
    }
    let detail = &event["detail"];
    let key = detail["object"]["key"].as_str().ok_or_else(|| wrong("it names no key"))?;
    let key = key.to_owned();
    Ok(Ok(object_of(key, &detail["object"], &detail["bucket"], "etag", "version-id", &event["time"])))
}

fn object_of(
    key: String,
    object: &Value,
    bucket: &Value,
    e_tag: &str,
    version: &str,
    time: &Value,
) -> Created {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let sequencer = text(&object["sequencer"]).and_then(|text| text.parse().ok());
    let time = || time.as_str().and_then(parse_time).unwrap_or_else(Utc::now);
    Created {
        bucket: text(&bucket["name"]),
        key,
        size: object["size"].as_u64(),
        e_tag: text(&object[e_tag]).map(|tag| tag.trim_matches('"').to_owned()),
        version_id: text(&object[version]).filter(|version| version != "null"),
        sequencer: sequencer.unwrap_or_else(|| Sequencer::of_time(time())),
        copyright_status: text(&object["copyrightStatus"]),
    }
}

/// RFC 3339; some servers that speak S3 leave the zone out.
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let naive = || text.parse::<NaiveDateTime>().ok().map(|time| time.and_utc());
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()).or_else(naive)
}

fn wrong(what: &str) -> Error {
    let message = format!(
        "not an event of S3: {what}; expected ObjectCreated records as Lambda, SQS, SNS or EventBridge bring them"
    );
    Error::new(Stage::Source, Kind::Corrupt, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(name: &str, key: &str, sequencer: &str) -> Value {
        json!({
            "eventSource": "aws:s3", "eventTime": "2026-01-02T03:04:05.678Z", "eventName": name,
            "s3": {"bucket": {"name": "rbsc"}, "object":
                {"key": key, "size": 9, "eTag": "d41d8", "versionId": "v1", "sequencer": sequencer}}
        })
    }

    fn changes(event: &Value) -> Vec<Change> {
        let told = read(event).unwrap().into_iter();
        told.filter_map(|told| if let Told::Change(change) = told { Some(change) } else { None }).collect()
    }

    #[test]
    fn every_envelope_brings_the_same() {
        let event = json!({"Records": [record("ObjectCreated:Put", "a+b/1%2B1%25/%C3%BC.png", "0A")]});
        let expected = vec![Change {
            bucket: Some("rbsc".into()),
            key: "a b/1+1%/ü.png".into(),
            e_tag: Some("d41d8".into()),
            version_id: Some("v1".into()),
            sequencer: "0A".parse().unwrap(),
            copyright_status: None,
        }];
        let text = event.to_string();
        let notification = json!({"Type": "Notification", "Message": text});
        let bridge = json!({
            "detail-type": "Object Created", "source": "aws.s3", "time": "2026-01-02T03:04:05Z",
            "detail": {"bucket": {"name": "rbsc"}, "reason": "CopyObject", "object":
                {"key": "a b/1+1%/ü.png", "etag": "d41d8", "version-id": "v1", "sequencer": "0A"}}
        });
        for event in [
            event.clone(),
            json!([event]),
            json!({"Records": [{"eventSource": "aws:sqs", "body": text}]}),
            json!({"Records": [{"eventSource": "aws:sqs", "body": notification.to_string()}]}),
            json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": text}}]}),
            json!({"Messages": [{"Body": text, "ReceiptHandle": "r"}]}),
            notification,
            bridge.clone(),
            json!({"Records": [{"eventSource": "aws:sqs", "body": bridge.to_string()}]}),
        ] {
            assert_eq!(changes(&event), expected, "{event}");
        }
    }

    #[test]
    fn what_is_no_new_image_is_told_apart() {
        let event = json!({"Records": [
            record("ObjectCreated:Copy", "a/._x.png", "1"),
            record("ObjectCreated:CompleteMultipartUpload", "a/notes.txt", "1"),
            record("ObjectRemoved:Delete", "a/x.png", "1"),
        ]});
        let told = read(&event).unwrap();
        assert_eq!(told[0], Told::NoImage("a/._x.png".into(), NotAnImage::DotFile));
        assert_eq!(told[1], Told::NoImage("a/notes.txt".into(), NotAnImage::Extension));
        assert_eq!(told[2], Told::Other("ObjectRemoved:Delete".into()));
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "rbsc"});
        assert_eq!(read(&test).unwrap(), [Told::Other("s3:TestEvent".into())]);
    }

    #[test]
    fn without_a_sequencer_the_time_stands_in() {
        let mut events = [
            record("ObjectCreated:Put", "a.png", ""),
            record("ObjectCreated:Put", "a.png", "not hexadecimal"),
            record("ObjectCreated:Put", "a.png", ""),
        ];
        events[2]["eventTime"] = "2026-01-02T03:04:05.900000".into();
        let found: Vec<_> = events.iter().map(|event| changes(event).remove(0).sequencer).collect();
        assert_eq!(found[0], found[1]);
        assert!(found[0] < found[2]);
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for event in [
            json!({}),
            json!("x"),
            json!({"Records": [{"body": "not JSON"}]}),
            json!({"s3": {}, "eventName": "ObjectCreated:Put"}),
        ] {
            assert!(read(&event).unwrap_err().message().contains("not an event of S3"), "{event}");
        }
        let mut deep = json!({"Event": "x"});
        for _ in 0..10 {
            deep = json!([deep]);
        }
        assert!(read(&deep).is_err());
    }
}
