//! The records that wait, as a source of jobs: listed, claimed, delivered; and settled once their pyramids are stored.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use imgmill_pipeline::fetch::Fetcher;
use imgmill_pipeline::objects::Bucket;
use imgmill_pipeline::source::Source;
use imgmill_pipeline::store::Store;
use imgmill_pipeline::{Delivery, Error, Job, Outcome, Settlement};
use tokio::time::Instant;

use super::fates::REST;
use super::progress::Progress;
use super::pyramids::Recipes;
use super::tally::Tally;
use super::work::InWork;
use crate::bucket::claims::Claims;
use crate::bucket::ledger::{Ledger, Waiting};

/// Records looked at and claimed at once.
const AT_ONCE: usize = 8;

/// The records that wait, and all it takes to have them made.
#[derive(Debug)]
pub(super) struct Waitlist {
    pub ledger: Ledger,
    pub claims: Claims,
    /// Where sources are.
    pub sources: Bucket,
    /// The same as a URL.
    pub sources_url: String,
    /// The bucket's name, where it is one and no folder.
    pub sources_name: Option<String>,
    pub images: Store,
    pub recipes: Recipes,
    /// Brings PDFs once more, to be copied.
    pub documents: Fetcher,
    pub tally: Arc<Tally>,
    pub max_attempts: u32,
    /// How long to wait where nothing waits; without it, the list ends there.
    pub watch: Option<Duration>,
    pub progress: Progress,
}

impl Waitlist {
    /// The records as the bucket lists them now, but for those that this run leaves alone; each claimed.
    fn pass(&self) -> impl Stream<Item = Result<InWork, Error>> + Send {
        // Each pass meets anew what others work on.
        self.tally.add(|counts| counts.elsewhere = 0);
        self.ledger
            .waiting()
            .try_filter(|waiting| {
                let newest = waiting.newest();
                std::future::ready(newest.is_some_and(|newest| self.progress.may_try(&newest.path)))
            })
            .map_ok(|waiting| async { Ok(self.take_or_leave(waiting).await) })
            .try_buffer_unordered(AT_ONCE)
            .try_filter_map(|taken| std::future::ready(Ok(taken)))
            .filter(|taken| std::future::ready(!self.is_bearable(taken.as_ref().err())))
    }

    /// Whether a listing broke off that can be had anew in a while: who watches goes on then.
    fn is_bearable(&self, error: Option<&Error>) -> bool {
        let bearable = error.filter(|error| self.watch.is_some() && error.is_transient());
        if let Some(error) = bearable {
            tracing::error!("{}; it is tried again", error.chain());
        }
        bearable.is_some()
    }

    /// Takes a record into work. One that cannot even be looked at is no reason to leave all others.
    async fn take_or_leave(&self, waiting: Waiting) -> Option<InWork> {
        let newest = waiting.newest()?.path.clone();
        match self.take(waiting).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::error!(record = %newest, "left as it is: {}", error.chain());
                self.tally.failed_outside(&error);
                self.progress.set_aside(&newest, self.rest_until(REST));
                None
            }
        }
    }

    /// Until when a record is left alone that failed: for the rest of a run that ends.
    pub fn rest_until(&self, rest: Duration) -> Option<Instant> {
        self.watch.map(|_| Instant::now() + rest)
    }

    /// Waits until it is time for another pass; `false` if there is to be none. What came while its key was in work
    /// is seen only by a pass after that.
    async fn is_another_pass_due(&self, delivered_before: Option<u64>) -> bool {
        let Some(before) = delivered_before else { return true };
        self.progress.idle().await;
        let did_something = self.progress.delivered() > before;
        if !did_something && let Err(error) = self.claims.tidy().await {
            tracing::warn!("{}", error.chain());
        }
        match self.watch {
            Some(wait) if !did_something => {
                tokio::time::sleep(wait).await;
                true
            }
            Some(_) => true,
            None => did_something,
        }
    }
}

impl Source for Waitlist {
    type Receipt = InWork;

    fn deliveries(&self) -> impl Stream<Item = Result<Delivery<InWork>, Error>> + Send {
        let passes = stream::unfold(None, move |before| async move {
            let due = self.is_another_pass_due(before).await;
            due.then(|| (Ok::<_, Error>(self.pass()), Some(self.progress.delivered())))
        });
        passes.try_flatten().map_ok(|work| {
            let (url, instructions) = (Arc::clone(&work.url), Arc::clone(&work.instructions));
            let job = Job { row: self.progress.deliver(), url, instructions, columns: None };
            Delivery { jobs: vec![job], receipt: work }
        })
    }

    async fn tell(&self, work: &InWork, outcomes: &[Outcome]) -> Settlement {
        let Some(outcome) = outcomes.first() else { return Settlement::Release };
        match self.decide(work, outcome).await {
            Ok(settlement) => settlement,
            Err(error) => {
                tracing::error!(key = work.record.key, "the record stays as it is: {}", error.chain());
                self.tally.failed_outside(&error);
                self.progress.set_aside(work.newest(), self.rest_until(REST));
                Settlement::Retry { after: REST }
            }
        }
    }

    async fn settle(&self, work: InWork, _: Settlement) -> Result<(), Error> {
        // A claim that is not given back runs out.
        if let Err(error) = work.held.release().await {
            tracing::warn!("{}", error.chain());
        }
        self.progress.settle();
        Ok(())
    }
}
