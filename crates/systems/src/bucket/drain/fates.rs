//! What becomes of a record when its image was made, or was not.

use std::sync::Arc;
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use imgmill_pipeline::{Error, Kind, Outcome, Settlement, Stage};

use super::documents;
use super::waitlist::Waitlist;
use super::work::{Claimed, InWork};
use crate::bucket::record::{Attempts, Failed, Record};

/// How long a watching drainer leaves a record alone that failed, the first time; twice as long each time after.
pub(super) const REST: Duration = Duration::from_secs(60);
const LONGEST_REST: Duration = Duration::from_secs(3600);

impl Waitlist {
    /// Settles a record by what became of its image.
    pub async fn decide(&self, work: &InWork, outcome: &Outcome) -> Result<Settlement, Error> {
        let error = match &outcome.result {
            Ok(derived) => match self.finish(work, &derived.source.sha256).await {
                Ok(()) => return Ok(Settlement::Done),
                Err(error) => {
                    tracing::error!(key = work.record.key, "after it was made: {}", error.chain());
                    self.tally.failed_outside(&error);
                    Arc::new(error)
                }
            },
            Err(error) => Arc::clone(error),
        };
        if error.kind() == Kind::KeyConflict && error.is_transient() {
            // Newer work is there already, or will be done of the record that the change left.
            tracing::warn!(key = work.record.key, "{}; the record stays", error.message());
            self.progress.set_aside(work.newest(), self.rest_until(REST));
            return Ok(Settlement::Retry { after: REST });
        }
        if work.held.is_lost() {
            // Whoever has the claim by now writes down what becomes of it.
            return Ok(Settlement::Release);
        }
        self.failed(&work.claimed, Some(&work.record), &error).await?;
        Ok(Settlement::Reject)
    }

    /// Everything that is to be done when the pyramid is stored. The records that stood for it were listed before its
    /// source was fetched, so whatever they told is in it; later ones stay.
    async fn finish(&self, work: &InWork, sha256: &str) -> Result<(), Error> {
        if let Some((key, over)) = &work.document {
            documents::copy(&work.url, sha256, &self.documents, &self.images, key, over).await?;
            self.tally.add(|counts| counts.copied += 1);
        }
        if let Some(status) = &work.record.copyright_status {
            self.ledger.set_rights(&work.claimed.name, &work.record.key, status).await?;
        }
        self.ledger.done(&work.claimed.name, &work.claimed.waiting).await
    }

    /// A record that failed before there was an image to work on.
    pub async fn failed_before_work(
        &self,
        claimed: &Claimed,
        record: Option<&Record>,
        error: &Error,
    ) -> Result<(), Error> {
        tracing::error!(record = %claimed.newest, stage = %error.stage(), kind = %error.kind(),
            "record failed: {}", error.chain());
        self.tally.failed_outside(error);
        self.failed(claimed, record, error).await
    }

    /// Writes down that a record failed, or gives it up.
    async fn failed(&self, claimed: &Claimed, record: Option<&Record>, error: &Error) -> Result<(), Error> {
        let attempts = claimed.attempts + u32::from(is_its_own(error));
        let failure = Attempts {
            attempts,
            last: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            stage: error.stage().as_str().to_owned(),
            kind: error.kind().as_str().to_owned(),
            message: error.chain(),
        };
        if is_its_own(error) && attempts >= self.max_attempts {
            tracing::error!(record = %claimed.newest, attempts, "given up, and moved to failed/");
            self.tally.add(|counts| counts.given_up += 1);
            let failed = Failed { record: record.cloned(), failure };
            return self.ledger.give_up(&claimed.name, &failed, &claimed.waiting).await;
        }
        let rest = REST.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(LONGEST_REST);
        self.progress.set_aside(&claimed.newest, self.rest_until(rest));
        if let Some(note) = claimed.waiting.note() {
            self.ledger.put_note(&note, &failure).await?;
        }
        // The newest stands for them, whatever becomes of it.
        self.ledger.remove(claimed.waiting.superseded()).await
    }
}

/// Whether a failure is the record's own, and not the store's, the disk's or the drainer's: those say nothing of how
/// the next attempt will end.
fn is_its_own(error: &Error) -> bool {
    match (error.stage(), error.kind()) {
        (_, Kind::DiskFull | Kind::Interrupted) | (Stage::Report, _) => false,
        (Stage::Store, kind) => kind == Kind::KeyConflict,
        _ => true,
    }
}
