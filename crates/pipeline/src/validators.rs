//! How a later run asks an origin whether its image changed.

use serde::{Deserialize, Serialize};

/// What an origin said by which a later run can ask whether its image changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The entity tag, as sent, quotes and `W/` included (RFC 9110 § 8.8.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The modification date, as sent (RFC 9110 § 8.8.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

impl Validators {
    /// Whether the origin gave nothing to ask by.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }

    /// Whether `other`, from a later answer, names the same version. The entity tag decides where both
    /// have one.
    pub fn same_version(&self, other: &Validators) -> bool {
        match (&self.etag, &other.etag) {
            (Some(mine), Some(theirs)) => mine.trim_start_matches("W/") == theirs.trim_start_matches("W/"),
            (None, None) => self.last_modified.is_some() && self.last_modified == other.last_modified,
            _ => false,
        }
    }
}
