//! The whole flow on one screen: take jobs while there is room, work on them, report, settle.

use std::sync::Arc;

use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::breaker::{Breaker, Tripped};
use crate::error::{Error, Kind, Stage};
use crate::job::{Delivery, Job, Settlement};
use crate::limits::Limits;
use crate::outcome::Outcome;
use crate::report::{Line, Reporter};
use crate::row::{self, Bodies, Rows};
use crate::source::Source;

pub use crate::row::{Freshness, Stages};

/// What a delivery under way holds: its source's receipt, its room in the window, and its place in the line.
type Ticket<Receipt> = (Receipt, OwnedSemaphorePermit, u64);

/// Why a run ended.
#[derive(Debug)]
pub enum End {
    /// The source has no more jobs.
    Exhausted,
    /// It was asked to stop before that.
    Interrupted,
    /// The source could not be read on; every job before that was settled.
    SourceFailed(Error),
    /// Too many rows failed for the same reason; those under way were settled or let go.
    FailedTooOften(Tripped),
}

/// Takes every job of `source` through the stages, has the source and then `reporter` tell of each, and settles each
/// only after that. Stops taking jobs when `shutdown` is cancelled, and gives those under way [`Limits::grace`] to
/// finish. Those that had not begun are settled as [`Settlement::Release`]; those that did not finish in time
/// are dropped with their receipts.
///
/// # Errors
/// Only what makes going on pointless: a report that cannot be written, a source that cannot be told.
pub async fn run<S: Source>(
    source: &S,
    stages: Stages,
    reporter: &mut dyn Reporter,
    limits: &Limits,
    shutdown: CancellationToken,
) -> Result<End, Error> {
    // Stopped by the caller, or by the breaker.
    let stop = shutdown.child_token();
    let mut breaker = limits.max_failure_rate.map(Breaker::new);
    let rows = Arc::new(Rows::new(stages, limits, stop.clone()));
    let window = Arc::new(Semaphore::new(limits.window.max(1)));
    let mut line = Line::new(reporter.order());
    let mut under_way = JoinSet::<(Option<Vec<Outcome>>, Ticket<S::Receipt>)>::new();
    let mut telling = FuturesUnordered::new();
    let mut deliveries = std::pin::pin!(source.deliveries());
    let mut taken = 0;
    let mut end = None;
    let mut give_up = None;
    while end.is_none() || !under_way.is_empty() || !telling.is_empty() {
        tokio::select! {
            biased;
            () = stop.cancelled(), if give_up.is_none() => {
                end = match end {
                    Some(End::FailedTooOften(_)) => end,
                    _ => Some(End::Interrupted),
                };
                give_up = Some(Instant::now() + limits.grace);
                tracing::warn!(under_way = under_way.len(), "stopping: no more rows are taken");
            }
            Some(finished) = under_way.join_next() => {
                match finished.map_err(defect)? {
                    (Some(outcomes), ticket) => telling.push(tell(source, outcomes, ticket)),
                    (None, (receipt, ..)) => source.settle(receipt, Settlement::Release).await?,
                }
            }
            Some((outcomes, told)) = telling.next() => {
                line.push(told.1.2, outcomes, told);
                while let Some((outcomes, (settlement, (receipt, room, _)))) = line.next() {
                    for outcome in &outcomes {
                        reporter.report(outcome).await?;
                        let tripped = breaker.as_mut().and_then(|breaker| breaker.count(outcome));
                        if let Some(tripped) = tripped.filter(|_| !stop.is_cancelled()) {
                            end = Some(End::FailedTooOften(tripped));
                            stop.cancel();
                        }
                    }
                    source.settle(receipt, settlement).await?;
                    drop::<OwnedSemaphorePermit>(room);
                }
            }
            next = next_delivery(&mut deliveries, &window), if end.is_none() => match next {
                None => end = Some(End::Exhausted),
                Some(Err(error)) => end = Some(End::SourceFailed(error)),
                Some(Ok((Delivery { jobs, receipt }, room))) => {
                    let (rows, ticket) = (Arc::clone(&rows), (receipt, room, taken));
                    taken += 1;
                    under_way.spawn(async move { (process(&rows, jobs).await, ticket) });
                }
            },
            () = sleep_until(give_up.unwrap_or_else(Instant::now)), if give_up.is_some() => {
                let left = under_way.len() + telling.len();
                tracing::warn!(left, "not waiting for what is still under way");
                under_way.shutdown().await;
                telling.clear();
            }
        }
    }
    // After an interruption rows are missing; what comes behind the first gap is reported all the same.
    for (outcomes, (settlement, (receipt, ..))) in line.rest() {
        for outcome in &outcomes {
            reporter.report(outcome).await?;
        }
        source.settle(receipt, settlement).await?;
    }
    reporter.finish().await?;
    Ok(end.unwrap_or(End::Exhausted))
}

/// The next job, once there is room for it. Both waits may be given up and begun again.
async fn next_delivery<R>(
    deliveries: &mut (impl Stream<Item = Result<Delivery<R>, Error>> + Unpin),
    window: &Arc<Semaphore>,
) -> Option<Result<(Delivery<R>, OwnedSemaphorePermit), Error>> {
    let room = Arc::clone(window).acquire_owned().await.ok()?;
    Some(deliveries.next().await?.map(|delivery| (delivery, room)))
}

/// What became of all jobs of a delivery, or nothing where one of them was let go.
async fn process(rows: &Rows, jobs: Vec<Job>) -> Option<Vec<Outcome>> {
    let bodies = Bodies::of(&jobs);
    let work = jobs.into_iter().map(|job| {
        let span = row::span(&job);
        rows.process(job, bodies.as_ref()).instrument(span)
    });
    futures::future::join_all(work).await.into_iter().collect()
}

/// Has the source tell of a delivery, many at once.
async fn tell<S: Source>(
    source: &S,
    outcomes: Vec<Outcome>,
    ticket: Ticket<S::Receipt>,
) -> (Vec<Outcome>, (Settlement, Ticket<S::Receipt>)) {
    let settlement = source.tell(&ticket.0, &outcomes).await;
    (outcomes, (settlement, ticket))
}

fn defect(join: tokio::task::JoinError) -> Error {
    let message = "a row's task failed; please report this as a defect of imgmill";
    Error::new(Stage::Report, Kind::Internal, message).caused_by(join)
}
