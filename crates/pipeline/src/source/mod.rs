//! Source: where jobs come from, and who is told when they are settled. A list can be read by shards.

pub mod given;
pub mod list;
pub mod queue;
pub mod shard;

use futures::Stream;

use crate::error::Error;
use crate::job::{Delivery, Settlement};
use crate::outcome::Outcome;

/// A list, queue or bucket of jobs.
pub trait Source {
    /// What the source needs to settle a delivery.
    type Receipt: Send + 'static;

    /// The jobs, numbered from 1 upwards; a shard's numbers have gaps. Ends with an error where the source cannot be read on.
    fn deliveries(&self) -> impl Stream<Item = Result<Delivery<Self::Receipt>, Error>> + Send;

    /// Tells whoever waits for a delivery what became of its jobs, and what that means for the source: a postback, a
    /// message sent on, a file beside the renditions. Called once all is stored, before reporters hear of it; many
    /// deliveries may be told at once.
    fn tell(&self, receipt: &Self::Receipt, outcomes: &[Outcome]) -> impl Future<Output = Settlement> + Send {
        let _ = receipt;
        std::future::ready(Settlement::of(outcomes))
    }

    /// Hears how a delivery ended. Called once for each, after it was stored, told and reported.
    ///
    /// # Errors
    /// When the source cannot be told, so that going on would do work twice.
    fn settle(
        &self,
        receipt: Self::Receipt,
        settlement: Settlement,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}
