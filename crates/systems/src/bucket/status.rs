//! Status: how many records wait, are claimed or were given up, and why.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use imgmill_pipeline::Error;
use serde::Serialize;

use super::claims::Claim;
use super::ledger::Ledger;
use super::record::Failed;

/// Small objects read at once.
const AT_ONCE: usize = 32;

/// What the process bucket says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Records that wait, those that are worked on included.
    pub waiting: u64,
    /// Images that they are of: records of one key are one image.
    pub images: u64,
    /// Images that failed before and will be tried again.
    pub failed_before: u64,
    /// Images that are worked on.
    pub claimed: u64,
    /// Claims that nobody renewed: their drainer died, and the next takes them over.
    pub abandoned: u64,
    /// Images given up.
    pub failed: u64,
    /// Why, most frequent first.
    pub reasons: Vec<Reason>,
    /// When the oldest record was written.
    pub oldest: Option<DateTime<Utc>>,
    /// How long that is ago, in seconds.
    pub oldest_seconds: Option<i64>,
}

/// A reason that images were given up for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Where.
    pub stage: String,
    /// With what.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// What was said of one of them.
    pub message: String,
    /// Its key.
    pub example: Option<String>,
}

/// Counts what is in the process bucket. Records are counted by their names alone, page by page.
///
/// # Errors
/// What the bucket answers.
pub async fn status(ledger: &Ledger) -> Result<Status, Error> {
    let mut status = Status::default();
    let mut waiting = ledger.waiting();
    while let Some(waiting) = waiting.try_next().await? {
        status.images += 1;
        status.waiting += waiting.records.len() as u64;
        status.failed_before += u64::from(waiting.name.is_some() && waiting.may_have_failed());
        let since = waiting.records.iter().map(|entry| entry.since).min();
        status.oldest = [status.oldest, since].into_iter().flatten().min();
    }
    status.oldest_seconds = status.oldest.map(|oldest| (Utc::now() - oldest).num_seconds().max(0));
    let claims = ledger.claims().map_ok(|path| async move { ledger.read::<Claim>(&path).await });
    let mut claims = std::pin::pin!(claims.try_buffer_unordered(AT_ONCE));
    while let Some(claim) = claims.try_next().await? {
        match claim {
            Some((Ok(claim), _)) if !claim.is_expired() => status.claimed += 1,
            Some(_) => status.abandoned += 1,
            None => {}
        }
    }
    let failed = ledger.failed().map_ok(|path| async move { ledger.read::<Failed>(&path).await });
    let mut failed = std::pin::pin!(failed.try_buffer_unordered(AT_ONCE));
    let mut reasons = BTreeMap::<(String, String), Reason>::new();
    while let Some(found) = failed.try_next().await? {
        let Some((Ok(Failed { record, failure }), _)) = found else { continue };
        status.failed += 1;
        let reason = reasons.entry((failure.stage.clone(), failure.kind.clone())).or_insert_with(|| Reason {
            stage: failure.stage,
            kind: failure.kind,
            count: 0,
            message: failure.message,
            example: record.map(|record| record.key),
        });
        reason.count += 1;
    }
    status.reasons = reasons.into_values().collect();
    status.reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
    Ok(status)
}
