//! How far a run is, as an object beside its output: whoever started it on another machine looks there.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use imgmill_pipeline::objects::{Bucket, ObjectOptions};
use imgmill_pipeline::report::Reporter;
use imgmill_pipeline::{Error, Outcome, Stage, Status};
use object_store::ObjectStoreExt as _;
use serde::{Deserialize, Serialize};

/// Written so often, and when the run ends.
const EVERY: Duration = Duration::from_secs(10);
/// What its name ends with.
const ENDING: &str = ".progress";

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Rows that it has, where that is known.
    pub rows: Option<u64>,
    /// Rows that are stored.
    pub stored: u64,
    /// Rows that failed.
    pub failed: u64,
}

impl Progress {
    /// Where the progress of a run with this output is.
    pub fn of(output: &str) -> String {
        format!("{output}{ENDING}")
    }

    /// Rows that are done.
    pub fn done(&self) -> u64 {
        self.stored + self.failed
    }

    /// Reads one; nothing where there is none (yet).
    pub async fn read(bucket: &Bucket) -> Option<Progress> {
        let found = bucket.store.get(&bucket.prefix).await.ok()?;
        serde_json::from_slice(&found.bytes().await.ok()?).ok()
    }
}

/// Writes progress.
#[derive(Debug)]
pub(super) struct ProgressNote {
    bucket: Bucket,
    progress: Progress,
    last: Instant,
}

impl ProgressNote {
    /// Of a run with this output.
    pub async fn open(
        output: &str,
        rows: Option<u64>,
        objects: &ObjectOptions,
    ) -> Result<ProgressNote, Error> {
        let bucket = Bucket::connect(Stage::Report, &Progress::of(output), objects).await?;
        let mut note =
            ProgressNote { bucket, progress: Progress { rows, ..Progress::default() }, last: Instant::now() };
        note.write().await;
        Ok(note)
    }

    /// Nobody loses anything by one that could not be written.
    async fn write(&mut self) {
        self.last = Instant::now();
        let text = serde_json::to_vec(&self.progress).unwrap_or_default();
        if let Err(error) = self.bucket.store.put(&self.bucket.prefix, text.into()).await {
            tracing::debug!("progress was not written: {error}");
        }
    }
}

#[async_trait]
impl Reporter for ProgressNote {
    async fn report(&mut self, outcome: &Outcome) -> Result<(), Error> {
        match outcome.status {
            Status::Failed => self.progress.failed += 1,
            _ => self.progress.stored += 1,
        }
        if self.last.elapsed() >= EVERY {
            self.write().await;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Error> {
        self.write().await;
        Ok(())
    }
}
