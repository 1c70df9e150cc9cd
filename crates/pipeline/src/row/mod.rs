//! One row's way through the stages, and the promise that no image is made twice.
//!
//! In order, from cheap to dear: this run did this URL already; the store holds what the URL led to, and
//! the origin says it is unchanged; this run made the same bytes from another URL; only then is it made.

mod fetching;
mod making;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use imgmill_image::{Derivative, Findings};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::body::Body;
use crate::delegate::Delegates;
use crate::derive::Deriver;
use crate::error::{Error, Kind, Stage};
use crate::fetch::{Fetched, Fetcher};
use crate::identity::{self, SourceHash};
use crate::job::{Instructions, Job};
use crate::keep::Keeper;
use crate::limits::Limits;
use crate::memo::Memo;
use crate::naming::{self, Named};
use crate::outcome::{Derived, Outcome, SourceFacts, Status, StoredRendition, Timings};
use crate::redact;
use crate::store::{KnownRendition, Pointer, Store};
use crate::validators::Validators;

pub(crate) use fetching::Bodies;

/// What a stored result is asked before it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Freshness {
    /// Ask the origin whether the source changed, where it gave something to ask by.
    #[default]
    Revalidate,
    /// Ask nothing: what is stored stands.
    Trust,
    /// Begin again as if nothing were stored.
    Refresh,
}

/// How rows go through the stages.
#[derive(Debug)]
pub struct Stages {
    /// Gets bytes.
    pub fetcher: Fetcher,
    /// Reads formats that the deriver does not, where that is wanted.
    pub delegates: Option<Delegates>,
    /// Makes renditions.
    pub deriver: Deriver,
    /// Keeps renditions.
    pub store: Store,
    /// What a stored result is asked.
    pub freshness: Freshness,
    /// Whether notes of what URLs led to are left in the store, and read.
    pub pointers: bool,
    /// Where local copies go, if any are wanted.
    pub keeper: Option<Arc<Keeper>>,
    /// Where files without a name may lie for a while.
    pub spool_dir: PathBuf,
    /// Look only: download, make and store nothing.
    pub dry_run: bool,
}

/// The stages with what they remember during one run.
#[derive(Debug)]
pub(crate) struct Rows {
    stages: Stages,
    by_url: Memo<Arc<Derived>>,
    by_source: Memo<Arc<Made>>,
    lookups: Semaphore,
    shutdown: CancellationToken,
}

/// What a job cost by itself, as opposed to what it found done.
#[derive(Debug, Default)]
struct Spent {
    made: bool,
    attempts: u32,
    downloaded: u64,
    timings: Timings,
}

/// What was made of one image, wherever it came from.
#[derive(Debug)]
struct Made {
    width: u32,
    height: u32,
    truncated: bool,
    kept: Option<PathBuf>,
    renditions: Vec<StoredRendition>,
    left_out: Vec<(String, Arc<Error>)>,
    findings: Option<Arc<Findings>>,
}

/// A rendition that a row wants: its identity, and its key without the store's prefix.
struct Wanted<'a> {
    derivative: &'a Derivative,
    hash: String,
    key: String,
}

impl Rows {
    pub fn new(stages: Stages, limits: &Limits, shutdown: CancellationToken) -> Self {
        let under_way = NonZeroUsize::MIN.saturating_add(limits.window * 2);
        let remembered = NonZeroUsize::new(limits.remembered);
        let memo_size = remembered.map_or(under_way, |remembered| remembered.max(under_way));
        Rows {
            stages,
            by_url: Memo::new(memo_size, remembered.is_some()),
            by_source: Memo::new(memo_size, remembered.is_some()),
            lookups: Semaphore::new(limits.concurrency.max(1)),
            shutdown,
        }
    }

    /// Takes one job through every stage; nothing comes back of one that was let go, because the run is
    /// to stop and its download had not begun.
    pub async fn process(&self, job: Job, bodies: Option<&Bodies>) -> Option<Outcome> {
        if self.shutdown.is_cancelled() {
            return None;
        }
        let mut spent = Spent::default();
        let mut key = Sha256::new();
        key.update(job.instructions.identity());
        key.update(identity::source_name(&job.url).as_bytes());
        if job.instructions.naming.tells_rows_apart() {
            key.update(format!("\0{}", id(&job).unwrap_or_default()));
        }
        let key = key.finalize().into();
        // On the heap, and only once it begins: most rows that are known wait, and should be small meanwhile.
        let resolve = async { Box::pin(self.resolve(&job, bodies, &mut spent)).await };
        let result = self.by_url.once(key, resolve).await;
        let status = match &result {
            Err(error) if error.kind() == Kind::Interrupted => return None,
            Err(_) => Status::Failed,
            Ok(derived) if derived.renditions.is_empty() => Status::Planned,
            Ok(_) if spent.made => Status::Done,
            Ok(_) => Status::Reused,
        };
        match &result {
            Ok(_) => tracing::info!(status = status.as_str(), "row finished"),
            Err(error) => tracing::error!(stage = %error.stage(), kind = %error.kind(),
                attempts = error.attempts(), "row failed: {}", error.chain()),
        }
        let attempts = match &result {
            Err(error) if error.stage() == Stage::Fetch => error.attempts(),
            _ => spent.attempts,
        };
        let Spent { downloaded, timings, .. } = spent;
        Some(Outcome { job, status, attempts, downloaded, timings, result })
    }

    async fn resolve(
        &self,
        job: &Job,
        bodies: Option<&Bodies>,
        spent: &mut Spent,
    ) -> Result<Arc<Derived>, Error> {
        let pointer = self.pointer(job, spent).await?;
        let standing = match &pointer {
            Some(pointer) => self.standing(job, pointer, spent).await?,
            None => None,
        };
        if let Some(derived) = &standing {
            let nothing_to_ask = pointer.as_ref().is_none_or(|pointer| pointer.validators.is_empty());
            if self.stages.dry_run || nothing_to_ask || self.stages.freshness == Freshness::Trust {
                tracing::debug!("every rendition is in the store");
                return Ok(Arc::clone(derived));
            }
        }
        if self.stages.dry_run {
            tracing::info!("would be fetched and made");
            return Ok(Arc::new(Derived {
                source: SourceFacts::default(),
                renditions: Vec::new(),
                left_out: Vec::new(),
                findings: None,
            }));
        }
        if !self.stages.pointers {
            let (body, _place) = self.body(job, bodies, spent).await?;
            return self.make(job, body, Validators::default(), None, spent).await;
        }
        let known = standing.as_ref().and(pointer.as_ref()).map(|pointer| &pointer.validators);
        let (fetched, _place) = self.fetch(job, known, spent).await?;
        match (fetched, standing) {
            (Fetched::New(body, validators), _) => {
                self.make(job, Arc::new(body), validators, pointer, spent).await
            }
            (Fetched::Unchanged, Some(derived)) => {
                tracing::info!("unchanged at its origin, and every rendition is in the store");
                Ok(derived)
            }
            (Fetched::Unchanged, None) => Err(fetching::not_asked()),
        }
    }

    async fn pointer(&self, job: &Job, spent: &mut Spent) -> Result<Option<Pointer>, Error> {
        if self.stages.freshness == Freshness::Refresh || !self.stages.pointers {
            return Ok(None);
        }
        let _turn = self.lookups.acquire().await.ok();
        let started = Instant::now();
        let pointer = self.stages.store.pointer(&job.url).await;
        spent.timings.store += started.elapsed();
        pointer
    }

    /// What the pointer promises, if the store's objects bear out all of it.
    async fn standing(
        &self,
        job: &Job,
        pointer: &Pointer,
        spent: &mut Spent,
    ) -> Result<Option<Arc<Derived>>, Error> {
        let Some(source) = SourceHash::from_hex(&pointer.sha256) else { return Ok(None) };
        let _turn = self.lookups.acquire().await.ok();
        let started = Instant::now();
        let is_known = |wanted: &Wanted<'_>| {
            pointer.renditions.get(&wanted.key).is_some_and(|known| known.hash == wanted.hash)
        };
        let mut wanted = self.wanted(job, source, false)?;
        let truncated = self.stages.deriver.accepts_truncated() && !wanted.iter().all(is_known);
        if truncated {
            wanted = self.wanted(job, source, true)?;
        }
        let mut renditions = Vec::new();
        for wanted in wanted {
            let Some(known) = pointer.renditions.get(&wanted.key).filter(|known| known.hash == wanted.hash)
            else {
                return Ok(None);
            };
            let found = self.stages.store.find(&wanted.key).await?;
            if found.as_ref().map(|found| found.length) != Some(known.bytes) {
                let what = if found.is_some() { "has another length" } else { "is gone" };
                tracing::warn!(key = wanted.key, "a stored rendition {what}; making it again");
                return Ok(None);
            }
            renditions.push(self.stored(&wanted, known));
        }
        spent.timings.store += started.elapsed();
        let source = SourceFacts {
            bytes: pointer.bytes,
            width: pointer.width,
            height: pointer.height,
            sha256: pointer.sha256.clone(),
            truncated,
            kept: None,
        };
        Ok(Some(Arc::new(Derived { source, renditions, left_out: Vec::new(), findings: None })))
    }

    /// Makes and stores what the store lacks, then leaves a pointer for the next run.
    async fn make(
        &self,
        job: &Job,
        body: Arc<Body>,
        validators: Validators,
        before: Option<Pointer>,
        spent: &mut Spent,
    ) -> Result<Arc<Derived>, Error> {
        let hash = body.sha256();
        let wanted = self.wanted(job, hash, false)?;
        let mut same = Sha256::new();
        same.update(job.instructions.identity());
        wanted.iter().for_each(|wanted| same.update(format!("{}\0{}\0", wanted.hash, wanted.key)));
        let bytes = body.len() as u64;
        let made =
            self.by_source.once(same.finalize().into(), self.derive_and_store(job, body, &wanted, spent));
        let made = made.await.map_err(|shared| shared.shared())?;
        let source = SourceFacts {
            bytes,
            width: made.width,
            height: made.height,
            sha256: hash.to_string(),
            truncated: made.truncated,
            kept: made.kept.clone(),
        };
        if self.stages.pointers {
            let pointer =
                Pointer::new(&job.url, validators, source.sha256.clone(), bytes, (made.width, made.height));
            let wanted = if made.truncated { self.wanted(job, hash, true)? } else { wanted };
            self.leave_pointer(job, pointer, before, (&wanted, &made.renditions), spent).await;
        }
        let Made { renditions, left_out, findings, .. } = &*made;
        Ok(Arc::new(Derived {
            source,
            renditions: renditions.clone(),
            left_out: left_out.clone(),
            findings: findings.clone(),
        }))
    }

    /// An aid to the next run: without it that run asks once more, and nothing is wrong.
    async fn leave_pointer(
        &self,
        job: &Job,
        mut pointer: Pointer,
        before: Option<Pointer>,
        made: (&[Wanted<'_>], &[StoredRendition]),
        spent: &mut Spent,
    ) {
        let started = Instant::now();
        let before = match before {
            // It counted for nothing, and what it says of other recipes is as true as it was.
            None if self.stages.freshness == Freshness::Refresh => {
                self.stages.store.pointer(&job.url).await.ok().flatten()
            }
            before => before,
        };
        // What other recipes made of the same bytes stays known.
        if let Some(before) = before.filter(|before| before.sha256 == pointer.sha256) {
            pointer.renditions = before.renditions;
        }
        let made = made.0.iter().zip(made.1);
        pointer.renditions.extend(made.map(|(wanted, stored)| (wanted.key.clone(), wanted.known(stored))));
        if let Err(error) = self.stages.store.set_pointer(&job.url, &pointer).await {
            tracing::warn!("{}", error.chain());
        }
        spent.timings.store += started.elapsed();
    }

    /// What is wanted of a source, or of what is there of it where it is `truncated`.
    fn wanted<'a>(
        &self,
        job: &'a Job,
        source: SourceHash,
        truncated: bool,
    ) -> Result<Vec<Wanted<'a>>, Error> {
        let Instructions { recipe, naming, .. } = &*job.instructions;
        let wanted = |derivative: &'a Derivative| {
            let hash = identity::rendition_hash(source, derivative, truncated);
            let named = Named { hash: &hash, source, url: &job.url, row: job.row, id: id(job), derivative };
            let key = naming::checked(naming.key(&named)?)?;
            Ok(Wanted { derivative, hash, key })
        };
        recipe.derivatives().iter().map(wanted).collect()
    }

    fn stored(&self, wanted: &Wanted<'_>, known: &KnownRendition) -> StoredRendition {
        StoredRendition {
            label: wanted.derivative.label.clone(),
            key: self.stages.store.full_key(&wanted.key),
            url: self.stages.store.url(&wanted.key),
            bytes: known.bytes,
            width: known.width,
            height: known.height,
            kept: None,
        }
    }
}

impl Wanted<'_> {
    fn known(&self, stored: &StoredRendition) -> KnownRendition {
        KnownRendition {
            hash: self.hash.clone(),
            bytes: stored.bytes,
            width: stored.width,
            height: stored.height,
        }
    }
}

/// What the source knows the job by.
fn id(job: &Job) -> Option<&str> {
    job.columns.as_ref()?.id()
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A span that names the job in every log line of it, at every level.
pub(crate) fn span(job: &Job) -> tracing::Span {
    tracing::error_span!("row", row = job.row, url = %redact::url(&job.url))
}
