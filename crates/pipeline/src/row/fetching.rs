//! A row's source: fetched, or the one that another row of its delivery fetched.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::OwnedSemaphorePermit;

use super::{Rows, Spent, ms};
use crate::body::Body;
use crate::error::{Error, Kind, Stage};
use crate::fetch::{Fetch, Fetched};
use crate::identity;
use crate::job::Job;
use crate::memo::Memo;
use crate::validators::Validators;

/// What rows of one delivery fetched, for others of it with the same source. It is there until all are through: however
/// late one of them comes to it.
pub(crate) struct Bodies(Memo<Arc<Body>>);

impl Bodies {
    /// None where no source is wanted twice.
    pub(crate) fn of(jobs: &[Job]) -> Option<Self> {
        let urls: HashSet<&str> = jobs.iter().map(|job| &*job.url).collect();
        let room = NonZeroUsize::new(urls.len()).filter(|urls| urls.get() < jobs.len())?;
        Some(Bodies(Memo::new(room, true)))
    }
}

impl Rows {
    /// What a fetch brought, and the place that its job holds until it is stored.
    pub(super) async fn fetch(
        &self,
        job: &Job,
        known: Option<&Validators>,
        spent: &mut Spent,
    ) -> Result<(Fetched, OwnedSemaphorePermit), Error> {
        let Fetch { fetched, attempts, elapsed, place } =
            self.stages.fetcher.fetch(&job.url, known, &self.shutdown).await?;
        spent.attempts = attempts;
        spent.timings.fetch = elapsed;
        if let Fetched::New(body, _) = &fetched {
            spent.downloaded = body.len() as u64;
            tracing::info!(bytes = body.len(), attempts, ms = ms(elapsed), "fetched");
        }
        Ok((fetched, place))
    }

    /// The source, asked for without any condition, and the place that its job holds if it was this one that asked.
    pub(super) async fn body(
        &self,
        job: &Job,
        bodies: Option<&Bodies>,
        spent: &mut Spent,
    ) -> Result<(Arc<Body>, Option<OwnedSemaphorePermit>), Error> {
        let mut own_place = None;
        let fetched = async {
            match self.fetch(job, None, spent).await? {
                (Fetched::New(body, _), place) => {
                    own_place = Some(place);
                    Ok(Arc::new(body))
                }
                (Fetched::Unchanged, _) => Err(not_asked()),
            }
        };
        let body = match bodies {
            Some(Bodies(memo)) => {
                let key = Sha256::digest(identity::source_name(&job.url).as_bytes()).into();
                memo.once(key, fetched).await.map_err(|error| error.shared())?
            }
            None => fetched.await?,
        };
        Ok((body, own_place))
    }
}

/// The error for an origin that answers a question nobody asked.
pub(super) fn not_asked() -> Error {
    let message = "the origin says unchanged, though it was not asked";
    Error::new(Stage::Fetch, Kind::HttpStatus, message)
}
