//! What the flow carries: a job, the delivery it came in, and how its source is told that it ended.

use std::sync::Arc;
use std::time::Duration;

/// One source image to turn into all derivatives of a recipe.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its place in the source, counted from 1 and without gaps: reports keep this order.
    pub row: u64,
    /// Where the image is, as the source wrote it: a URL or a path.
    pub url: Arc<str>,
}

/// A job with the receipt that its source needs to settle it.
#[derive(Debug)]
pub struct Delivery<Receipt> {
    /// The work.
    pub job: Job,
    /// Whatever the source wants back.
    pub receipt: Receipt,
}

/// What a source is told of a delivery, only after store **and** report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Finished, for good or ill: never deliver it again.
    Done,
    /// It failed in a way that may pass: deliver it again.
    Retry {
        /// Not sooner than this.
        after: Duration,
    },
    /// The program is stopping; the job is as good as it was.
    Release,
    /// It can never succeed.
    Reject,
}
