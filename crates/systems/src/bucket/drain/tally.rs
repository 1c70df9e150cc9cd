//! What becomes of records beside what the flow reports of images: those that need no work, and what fails before or
//! after it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use imgmill_pipeline::{Error, Kind, Stage};

/// The counts of a drain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records whose source is gone: nothing can be made, and they are removed.
    pub gone: u64,
    /// Keys that another drainer works on.
    pub elsewhere: u64,
    /// Records given up by this run, and moved to `failed/`.
    pub given_up: u64,
    /// Records that failed outside the flow's stages: before there was an image to work on, or after it was made.
    pub outside: BTreeMap<(Stage, Kind), u64>,
    /// PDFs copied beside their pyramids.
    pub copied: u64,
}

/// Counts that many may add to.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

impl Tally {
    /// Adds to them.
    pub fn add(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// As they are now.
    pub fn counts(&self) -> Counts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts a failure outside the flow's stages.
    pub fn failed_outside(&self, error: &Error) {
        self.add(|counts| *counts.outside.entry((error.stage(), error.kind())).or_default() += 1);
    }
}
