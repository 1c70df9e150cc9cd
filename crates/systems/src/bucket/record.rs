//! A record: a change of an image that waits to be made. Written once, and removed when its pyramid is stored.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::changes::Change;
use super::keys;
use super::sequencer::Sequencer;

/// A record as it is written; of the fields, only `key` is sure to be there, as in the records of other programs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The source's key in its bucket, character by character.
    pub key: String,
    /// The key's folder, with the slash at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The bucket that the source is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// The source's entity tag when it was put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e_tag: Option<String>,
    /// The source's version, where its bucket keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Where this change stands among those of this key: see [`Sequencer`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequencer: Option<String>,
    /// `copyright`, in any case, has the pyramid made small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copyright_status: Option<String>,
    /// Where the image is, if not at its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_uri: Option<String>,
    /// What others wrote as well; it stays with the record.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Record {
    /// The record of a change.
    pub fn of(change: &Change) -> Record {
        Record {
            path: Some(keys::folder(&change.key).to_owned()),
            bucket: change.bucket.clone(),
            e_tag: change.e_tag.clone(),
            version_id: change.version_id.clone(),
            sequencer: Some(change.sequencer.to_string()),
            copyright_status: change.copyright_status.clone(),
            ..Record::of_key(&change.key)
        }
    }

    fn of_key(key: &str) -> Record {
        Record {
            key: key.to_owned(),
            path: None,
            bucket: None,
            e_tag: None,
            version_id: None,
            sequencer: None,
            copyright_status: None,
            source_uri: None,
            rest: Map::new(),
        }
    }

    /// Whether the pyramid has to be small enough to be shown though the work is protected.
    pub fn is_in_copyright(&self) -> bool {
        self.copyright_status.as_deref().is_some_and(|status| status.trim().eq_ignore_ascii_case("copyright"))
    }

    /// Its place among the records of its key.
    pub fn sequencer(&self) -> Option<Sequencer> {
        self.sequencer.as_deref()?.parse().ok()
    }
}

/// What is written beside a record that failed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Attempts {
    /// How often it failed by its own fault.
    pub attempts: u32,
    /// When it failed last, as RFC 3339 has it.
    pub last: String,
    /// Where.
    pub stage: String,
    /// With what.
    pub kind: String,
    /// A sentence for people.
    pub message: String,
}

/// A record that is given up, as it lies under `failed/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// The record, if it could be read.
    #[serde(flatten)]
    pub record: Option<Record>,
    /// What became of it.
    pub failure: Attempts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_today_are_read() {
        let text = r#"{"key": "digital/isaac_gala/lantern.png", "path": "digital/isaac_gala/"}"#;
        let record: Record = serde_json::from_str(text).unwrap();
        assert_eq!(record.key, "digital/isaac_gala/lantern.png");
        assert!(!record.is_in_copyright());
        let text = r#"{"key": "a.tif", "eTag": "x", "copyrightStatus": "Copyright", "sourceUri": "https://h/a", "n": 1}"#;
        let record: Record = serde_json::from_str(text).unwrap();
        assert!(record.is_in_copyright() && record.e_tag.as_deref() == Some("x"));
        assert_eq!(record.rest["n"], 1);
        let again: Record = serde_json::from_value(serde_json::to_value(&record).unwrap()).unwrap();
        assert_eq!(again, record);
    }

    #[test]
    fn a_failed_record_keeps_what_it_said() {
        let record: Record = serde_json::from_str(r#"{"key": "a.tif", "n": 1}"#).unwrap();
        let failed =
            Failed { record: Some(record.clone()), failure: Attempts { attempts: 5, ..Attempts::default() } };
        let value = serde_json::to_value(&failed).unwrap();
        assert_eq!(
            (&value["key"], &value["n"], &value["failure"]["attempts"]),
            (&"a.tif".into(), &1.into(), &5.into())
        );
    }
}
