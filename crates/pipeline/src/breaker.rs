//! The breaker: a run that fails row after row for one reason is stopped, rather than carried to its bitter end.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use crate::error::{Kind, Stage};
use crate::outcome::Outcome;

/// Rows that are looked back on.
const WINDOW: usize = 100;
/// Rows that must have ended before a rate means anything.
const LEAST: usize = 20;

type Reason = (Stage, Kind);

/// Counts the latest rows' failures by reason.
#[derive(Debug)]
pub(crate) struct Breaker {
    most: f64,
    latest: VecDeque<Option<Reason>>,
    failures: BTreeMap<Reason, usize>,
}

/// Why a run was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tripped {
    /// The stage in which the rows failed.
    pub stage: Stage,
    /// What was wrong with them.
    pub kind: Kind,
    /// How many of the latest rows failed so.
    pub failed: usize,
    /// How many rows were looked at.
    pub rows: usize,
}

impl Breaker {
    /// Trips when a larger share than `most` (0 to 1) of the last 100 rows, and of 20 at least, fails for the same
    /// reason.
    pub fn new(most: f64) -> Self {
        Breaker { most, latest: VecDeque::with_capacity(WINDOW), failures: BTreeMap::new() }
    }

    /// Counts a row that ended; the answer is why to stop, if it is time.
    pub fn count(&mut self, outcome: &Outcome) -> Option<Tripped> {
        self.count_reason(outcome.result.as_ref().err().map(|error| (error.stage(), error.kind())))
    }

    fn count_reason(&mut self, reason: Option<Reason>) -> Option<Tripped> {
        if self.latest.len() == WINDOW
            && let Some(Some(oldest)) = self.latest.pop_front()
            && let Some(count) = self.failures.get_mut(&oldest)
        {
            *count -= 1;
        }
        self.latest.push_back(reason);
        let (stage, kind) = reason?;
        let failed = self.failures.entry((stage, kind)).or_default();
        *failed += 1;
        let rows = self.latest.len();
        let too_many = *failed as f64 > self.most * rows as f64;
        (rows >= LEAST && too_many).then_some(Tripped { stage, kind, failed: *failed, rows })
    }
}

impl fmt::Display for Tripped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tripped { stage, kind, failed, rows } = self;
        write!(f, "{failed} of the last {rows} rows failed in {stage} with {kind}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REASON: Reason = (Stage::Fetch, Kind::Timeout);

    fn feed(breaker: &mut Breaker, rows: impl IntoIterator<Item = Option<Reason>>) -> Option<usize> {
        rows.into_iter().position(|reason| breaker.count_reason(reason).is_some())
    }

    #[test]
    fn one_reason_too_often_trips() {
        assert_eq!(feed(&mut Breaker::new(0.5), [Some(REASON); 40]), Some(LEAST - 1));
        let mut breaker = Breaker::new(0.5);
        assert_eq!(feed(&mut breaker, [None; 200]), None);
        assert_eq!(feed(&mut breaker, [Some(REASON); 100]), Some(50), "51 of the last 100");
    }

    #[test]
    fn different_reasons_do_not_add_up_and_old_ones_are_forgotten() {
        let other = (Stage::Derive, Kind::Corrupt);
        let mixed = (0..300).map(|row| Some(if row % 2 == 0 { REASON } else { other }));
        assert_eq!(feed(&mut Breaker::new(0.6), mixed), None);
        let rare = (0..1000).map(|row| (row % 4 == 0).then_some(REASON));
        assert_eq!(feed(&mut Breaker::new(0.3), rare), None);
    }
}
