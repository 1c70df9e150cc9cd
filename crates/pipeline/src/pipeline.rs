//! The whole flow on one screen: take jobs while there is room, work on them, report, settle.

use std::sync::Arc;

use futures::{Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::breaker::{Breaker, Tripped};
use crate::error::{Error, Kind, Stage};
use crate::job::{Delivery, Settlement};
use crate::limits::Limits;
use crate::outcome::Outcome;
use crate::report::{Line, Reporter};
use crate::row::{self, Rows};
use crate::source::Source;

pub use crate::row::{Freshness, Stages};

/// What a row under way holds: its source's receipt and its place in the window.
type Ticket<Receipt> = (Receipt, OwnedSemaphorePermit);

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

/// Takes every job of `source` through the stages, tells `reporter` of each, and settles each only after
/// that. Stops taking jobs when `shutdown` is cancelled, and gives those under way [`Limits::grace`] to
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
    let mut under_way = JoinSet::<(Option<Outcome>, Ticket<S::Receipt>)>::new();
    let mut deliveries = std::pin::pin!(source.deliveries());
    let mut end = None;
    let mut give_up = None;
    while end.is_none() || !under_way.is_empty() {
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
                let (outcome, ticket) = finished.map_err(defect)?;
                match outcome {
                    Some(outcome) => line.push(outcome, ticket),
                    None => source.settle(ticket.0, Settlement::Release).await?,
                }
                while let Some((outcome, (receipt, place))) = line.next() {
                    reporter.report(&outcome).await?;
                    source.settle(receipt, settlement(&outcome)).await?;
                    drop::<OwnedSemaphorePermit>(place);
                    let tripped = breaker.as_mut().and_then(|breaker| breaker.count(&outcome));
                    if let Some(tripped) = tripped.filter(|_| !stop.is_cancelled()) {
                        end = Some(End::FailedTooOften(tripped));
                        stop.cancel();
                    }
                }
            }
            next = next_delivery(&mut deliveries, &window), if end.is_none() => match next {
                None => end = Some(End::Exhausted),
                Some(Err(error)) => end = Some(End::SourceFailed(error)),
                Some(Ok((Delivery { job, receipt }, place))) => {
                    let (rows, span) = (Arc::clone(&rows), row::span(&job));
                    let work = async move { (rows.process(job).await, (receipt, place)) };
                    under_way.spawn(work.instrument(span));
                }
            },
            () = sleep_until(give_up.unwrap_or_else(Instant::now)), if give_up.is_some() => {
                tracing::warn!(left = under_way.len(), "not waiting for what is still under way");
                under_way.shutdown().await;
            }
        }
    }
    // After an interruption rows are missing; what comes behind the first gap is reported all the same.
    for (outcome, (receipt, _)) in line.rest() {
        reporter.report(&outcome).await?;
        source.settle(receipt, settlement(&outcome)).await?;
    }
    reporter.finish().await?;
    Ok(end.unwrap_or(End::Exhausted))
}

/// The next job, once there is room for it. Both waits may be given up and begun again.
async fn next_delivery<R>(
    deliveries: &mut (impl Stream<Item = Result<Delivery<R>, Error>> + Unpin),
    window: &Arc<Semaphore>,
) -> Option<Result<(Delivery<R>, OwnedSemaphorePermit), Error>> {
    let place = Arc::clone(window).acquire_owned().await.ok()?;
    Some(deliveries.next().await?.map(|delivery| (delivery, place)))
}

/// What an outcome means to the source.
fn settlement(outcome: &Outcome) -> Settlement {
    match &outcome.result {
        Ok(_) => Settlement::Done,
        Err(error) if error.is_transient() => {
            Settlement::Retry { after: error.wait_asked().unwrap_or_default() }
        }
        Err(_) => Settlement::Reject,
    }
}

fn defect(join: tokio::task::JoinError) -> Error {
    let message = "a row's task failed; please report this as a defect of imgmill";
    Error::new(Stage::Report, Kind::Internal, message).caused_by(join)
}
