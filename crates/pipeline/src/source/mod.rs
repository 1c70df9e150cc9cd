//! Source: where jobs come from, and who is told when they are settled.

pub mod list;

use futures::Stream;

use crate::error::Error;
use crate::job::{Delivery, Settlement};

/// A list, queue or bucket of jobs.
pub trait Source {
    /// What the source needs to settle a delivery.
    type Receipt: Send + 'static;

    /// The jobs, numbered from 1 without gaps. Ends with an error where the source cannot be read on.
    fn deliveries(&self) -> impl Stream<Item = Result<Delivery<Self::Receipt>, Error>> + Send;

    /// Hears how a delivery ended. Called once for each, after it was stored and reported.
    ///
    /// # Errors
    /// When the source cannot be told, so that going on would do work twice.
    fn settle(
        &self,
        receipt: Self::Receipt,
        settlement: Settlement,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}
