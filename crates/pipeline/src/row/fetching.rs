//! A row's source: fetched, or the one that another row under way holds.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::OwnedSemaphorePermit;

use super::{Rows, Spent, ms};
use crate::body::Body;
use crate::error::{Error, Kind, Stage};
use crate::fetch::{Fetch, Fetched};
use crate::identity;
use crate::job::Job;
use crate::validators::Validators;

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

    /// The source, asked for without any condition; the one that another row under way has of the same URL, if one has.
    pub(super) async fn body(
        &self,
        job: &Job,
        spent: &mut Spent,
    ) -> Result<(Arc<Body>, Option<OwnedSemaphorePermit>), Error> {
        let mut own = None;
        let fetched = async |spent: &mut Spent| match self.fetch(job, None, spent).await? {
            (Fetched::New(body, _), place) => Ok((Arc::new(body), Some(place))),
            (Fetched::Unchanged, _) => Err(not_asked()),
        };
        let key = Sha256::digest(identity::source_name(&job.url).as_bytes()).into();
        let shared = self.bodies.once(key, async {
            let fetched = fetched(spent).await?;
            let shared = Arc::downgrade(&fetched.0);
            own = Some(fetched);
            Ok(shared)
        });
        let shared = shared.await.map_err(|error| error.shared())?;
        match own.or_else(|| Some((shared.upgrade()?, None))) {
            Some(held) => Ok(held),
            None => fetched(spent).await,
        }
    }
}

/// The error for an origin that answers a question nobody asked.
pub(super) fn not_asked() -> Error {
    let message = "the origin says unchanged, though it was not asked";
    Error::new(Stage::Fetch, Kind::HttpStatus, message)
}
