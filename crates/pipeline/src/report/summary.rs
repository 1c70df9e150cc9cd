//! The counts of a run: by status, and of failures by stage and kind.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use super::Reporter;
use crate::error::{Error, Kind, Stage};
use crate::outcome::{Outcome, Status, Timings};

/// What a run came to.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Rows of which at least one rendition was made.
    pub done: u64,
    /// Rows whose renditions were there.
    pub reused: u64,
    /// Rows that a dry run would make.
    pub planned: u64,
    /// Rows that failed.
    pub failed: u64,
    /// The failed rows by where and what.
    pub failures: BTreeMap<(Stage, Kind), u64>,
    /// Bytes downloaded.
    pub downloaded: u64,
    /// Bytes of the renditions of the rows that are done.
    pub stored: u64,
    /// Time by stage, added up over all rows.
    pub timings: Timings,
}

impl Summary {
    /// Rows reported in all.
    pub fn rows(&self) -> u64 {
        self.done + self.reused + self.planned + self.failed
    }

    /// Counts one outcome.
    pub fn add(&mut self, outcome: &Outcome) {
        match outcome.status {
            Status::Done => self.done += 1,
            Status::Reused => self.reused += 1,
            Status::Planned => self.planned += 1,
            Status::Failed => self.failed += 1,
        }
        match &outcome.result {
            Err(error) => *self.failures.entry((error.stage(), error.kind())).or_default() += 1,
            Ok(derived) if outcome.status == Status::Done => {
                self.stored += derived.renditions.iter().map(|rendition| rendition.bytes).sum::<u64>();
            }
            Ok(_) => {}
        }
        self.downloaded += outcome.downloaded;
        let add = |sum: &mut Duration, time: Duration| *sum += time;
        add(&mut self.timings.fetch, outcome.timings.fetch);
        add(&mut self.timings.derive, outcome.timings.derive);
        add(&mut self.timings.store, outcome.timings.store);
    }
}

#[async_trait]
impl Reporter for &mut Summary {
    async fn report(&mut self, outcome: &Outcome) -> Result<(), Error> {
        self.add(outcome);
        Ok(())
    }
}
