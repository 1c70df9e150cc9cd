//! Where a run is: what it has tried, and how much of it is in work.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use object_store::path::Path;
use tokio::sync::watch;
use tokio::time::Instant;

/// Where a run is. It remembers sixteen bytes of each record that failed, and nothing of those that were made.
#[derive(Debug)]
pub struct Progress {
    tried: Mutex<HashMap<u64, Option<Instant>>>,
    hasher: RandomState,
    deliveries: watch::Sender<Deliveries>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Deliveries {
    ever: u64,
    in_work: u64,
}

impl Default for Progress {
    fn default() -> Self {
        let deliveries = watch::channel(Deliveries::default()).0;
        Progress { tried: Mutex::default(), hasher: RandomState::new(), deliveries }
    }
}

impl Progress {
    /// Whether a record was not tried in this run, or may be again.
    pub fn may_try(&self, record: &Path) -> bool {
        let tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        match tried.get(&self.hasher.hash_one(record.as_ref())) {
            None => true,
            Some(until) => until.is_some_and(|until| until <= Instant::now()),
        }
    }

    /// Leaves a record alone until then, or for the rest of this run.
    pub fn set_aside(&self, record: &Path, until: Option<Instant>) {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        tried.insert(self.hasher.hash_one(record.as_ref()), until);
    }

    /// One more is in work; answers how many that makes in all.
    pub fn deliver(&self) -> u64 {
        self.deliveries.send_modify(|now| {
            now.ever += 1;
            now.in_work += 1;
        });
        self.delivered()
    }

    /// One of them is settled.
    pub fn settle(&self) {
        self.deliveries.send_modify(|now| now.in_work = now.in_work.saturating_sub(1));
    }

    /// How many were ever delivered.
    pub fn delivered(&self) -> u64 {
        self.deliveries.borrow().ever
    }

    /// Waits until nothing is in work.
    pub async fn idle(&self) {
        // The sender is in here too.
        let _ = self.deliveries.subscribe().wait_for(|now| now.in_work == 0).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn what_failed_rests() {
        let progress = Progress::default();
        let (one, other) = (Path::from("1.json"), Path::from("2.json"));
        progress.set_aside(&one, None);
        progress.set_aside(&other, Some(Instant::now() + Duration::from_secs(60)));
        assert!(
            !progress.may_try(&one) && !progress.may_try(&other) && progress.may_try(&Path::from("3.json"))
        );
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(!progress.may_try(&one) && progress.may_try(&other));
    }

    #[tokio::test]
    async fn idle_is_when_all_are_settled() {
        let progress = Progress::default();
        progress.idle().await;
        assert_eq!((progress.deliver(), progress.deliver()), (1, 2));
        progress.settle();
        assert!(tokio::time::timeout(Duration::from_millis(20), progress.idle()).await.is_err());
        progress.settle();
        progress.idle().await;
        assert_eq!(progress.delivered(), 2);
    }
}
