//! What happened to a job: renditions stored, or an error; with everything a report may say of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use imgmill_image::Findings;

use crate::error::Error;
use crate::job::{Job, Settlement};

/// Whether a job's renditions were made now, were there already, or could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// At least one rendition was made and stored by this job.
    Done,
    /// Every rendition was stored already, or another row of this run stored it.
    Reused,
    /// A dry run found that it would be made.
    Planned,
    /// There is an error.
    Failed,
}

impl Status {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Done => "done",
            Status::Reused => "reused",
            Status::Planned => "planned",
            Status::Failed => "failed",
        }
    }
}

/// One derivative of one source, known to be in the store.
#[derive(Debug, Clone)]
pub struct StoredRendition {
    /// The derivative's name in its recipe.
    pub label: String,
    /// Its object key, store prefix included.
    pub key: String,
    /// Where the store serves it.
    pub url: String,
    /// Its length.
    pub bytes: u64,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The local copy, where one was kept.
    pub kept: Option<PathBuf>,
}

/// What is known of a source image.
#[derive(Debug, Clone, Default)]
pub struct SourceFacts {
    /// Its length.
    pub bytes: u64,
    /// Pixels across, as stored.
    pub width: u32,
    /// Pixels down, as stored.
    pub height: u32,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// It ends before its image does; what is missing is grey or transparent in the renditions.
    pub truncated: bool,
    /// The local copy, where one was kept.
    pub kept: Option<PathBuf>,
}

/// A source and the renditions of it that are in the store.
#[derive(Debug, Clone)]
pub struct Derived {
    /// The source.
    pub source: SourceFacts,
    /// One for each derivative of the recipe, in the recipe's order, but for those that were left out.
    pub renditions: Vec<StoredRendition>,
    /// Labels of derivatives that could not be made or stored, and why: only of forgiving instructions.
    pub left_out: Vec<(String, Arc<Error>)>,
    /// What the recipe's services found out, if it has any.
    pub findings: Option<Arc<Findings>>,
}

/// Time spent on a job by stage; waiting for a turn is not counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// Getting the bytes.
    pub fetch: Duration,
    /// Making the renditions.
    pub derive: Duration,
    /// Looking in the store and putting there.
    pub store: Duration,
}

/// What happened to one job.
#[derive(Debug)]
pub struct Outcome {
    /// The job.
    pub job: Job,
    /// How it ended.
    pub status: Status,
    /// Download attempts that this job itself made.
    pub attempts: u32,
    /// Bytes that this job itself downloaded.
    pub downloaded: u64,
    /// Where the time went.
    pub timings: Timings,
    /// The renditions, or why there are none. Shared by the rows that named the same image.
    pub result: Result<Arc<Derived>, Arc<Error>>,
}

impl Settlement {
    /// What the outcomes of a delivery mean where nobody else has a say in it: one that may pass is tried again, even
    /// beside one that will not.
    pub fn of(outcomes: &[Outcome]) -> Settlement {
        let errors = || outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err());
        let waits = errors().filter(|error| error.is_transient()).map(|error| error.wait_asked());
        match waits.max() {
            Some(after) => Settlement::Retry { after: after.unwrap_or_default() },
            None if errors().next().is_some() => Settlement::Reject,
            None => Settlement::Done,
        }
    }
}
