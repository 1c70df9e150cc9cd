//! Report: telling about outcomes, in the source's order where a list is promised that.

mod json;
mod list;
mod partial;
mod sheet;
mod summary;

use std::collections::BTreeMap;

use async_trait::async_trait;

pub use json::JsonLines;
pub use list::{FailedList, OutputList, ROW};
pub use partial::PartialFile;
pub use sheet::ContactSheet;
pub use summary::Summary;

use crate::error::Error;
use crate::outcome::Outcome;

/// In which order a reporter hears of outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As the source listed the jobs: an early row that takes long holds the later ones back.
    AsListed,
    /// As they finish.
    AsFinished,
}

/// Somebody who is told of every outcome, once.
#[async_trait]
pub trait Reporter: Send {
    /// The order it needs.
    fn order(&self) -> Order {
        Order::AsFinished
    }

    /// Hears of one outcome. When this returns, it is safe to forget it.
    async fn report(&mut self, outcome: &Outcome) -> Result<(), Error>;

    /// Hears that there will be no more.
    async fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Several reporters as one: the strictest order holds.
#[async_trait]
impl Reporter for Vec<Box<dyn Reporter + '_>> {
    fn order(&self) -> Order {
        let strict = self.iter().any(|reporter| reporter.order() == Order::AsListed);
        if strict { Order::AsListed } else { Order::AsFinished }
    }

    async fn report(&mut self, outcome: &Outcome) -> Result<(), Error> {
        for reporter in self {
            reporter.report(outcome).await?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Error> {
        // All of them, whatever becomes of one: each has something to lose.
        let mut first = Ok(());
        for reporter in self {
            first = first.and(reporter.finish().await);
        }
        first
    }
}

/// Finished deliveries on their way to the reporter: in the line that they were taken in, where the order asks for it.
#[derive(Debug)]
pub(crate) struct Line<T> {
    order: Order,
    next: u64,
    waiting: BTreeMap<u64, (Vec<Outcome>, T)>,
}

impl<T> Line<T> {
    pub fn new(order: Order) -> Self {
        Line { order, next: 0, waiting: BTreeMap::new() }
    }

    /// `place` counts deliveries from 0, as they were taken from the source.
    pub fn push(&mut self, place: u64, outcomes: Vec<Outcome>, ticket: T) {
        self.waiting.insert(place, (outcomes, ticket));
    }

    /// The next one that may be reported.
    pub fn next(&mut self) -> Option<(Vec<Outcome>, T)> {
        let first = self.waiting.first_entry()?;
        if self.order == Order::AsListed && *first.key() != self.next {
            return None;
        }
        self.next = first.key() + 1;
        Some(first.remove())
    }

    /// All that wait, gaps or not.
    pub fn rest(self) -> impl Iterator<Item = (Vec<Outcome>, T)> {
        self.waiting.into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Kind, Stage};
    use crate::job::{Instructions, Job};
    use crate::outcome::Status;
    use std::sync::Arc;

    fn outcome(row: u64) -> Outcome {
        Outcome {
            job: Job { row, url: "u".into(), instructions: Instructions::gray().into(), columns: None },
            status: Status::Failed,
            attempts: 1,
            downloaded: 0,
            timings: Default::default(),
            result: Err(Arc::new(Error::new(Stage::Fetch, Kind::Io, "x"))),
        }
    }

    fn rows(order: Order, finished: &[(u64, &[u64])]) -> (Vec<u64>, Vec<u64>) {
        let rows_of = |outcomes: Vec<Outcome>| outcomes.into_iter().map(|outcome| outcome.job.row);
        let mut line = Line::new(order);
        let mut reported = Vec::new();
        for (place, rows) in finished {
            line.push(*place, rows.iter().map(|row| outcome(*row)).collect(), ());
            while let Some((outcomes, ())) = line.next() {
                reported.extend(rows_of(outcomes));
            }
        }
        (reported, line.rest().flat_map(|(outcomes, ())| rows_of(outcomes)).collect())
    }

    #[test]
    fn keeps_the_promised_order() {
        let listed = Order::AsListed;
        let gap = rows(listed, &[(1, &[2]), (2, &[3]), (0, &[1]), (4, &[5])]);
        assert_eq!(gap, (vec![1, 2, 3], vec![5]));
        let several = rows(listed, &[(1, &[3, 4]), (2, &[5]), (0, &[1, 2])]);
        assert_eq!(several, (vec![1, 2, 3, 4, 5], vec![]));
        let a_shards = rows(listed, &[(1, &[12]), (2, &[20]), (0, &[4])]);
        assert_eq!(a_shards, (vec![4, 12, 20], vec![]), "rows may be far apart");
        assert_eq!(rows(Order::AsFinished, &[(1, &[2]), (2, &[3]), (0, &[1])]), (vec![2, 3, 1], vec![]));
    }
}
