//! One host's turn-taking: how many requests at once, and not before when.
//!
//! A host that answers 429 or 503 with `Retry-After` means all of its clients' requests, so the pause
//! holds for every row of that host, not only for the one that was told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Hosts remembered before idle ones are forgotten.
const REMEMBERED: usize = 1024;

#[derive(Debug)]
struct Host {
    turns: Arc<Semaphore>,
    not_before: Mutex<Instant>,
}

/// All hosts of a run.
#[derive(Debug)]
pub(super) struct Hosts {
    at_once: usize,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

/// The right to send one request to one host, until dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Hosts {
    pub fn new(at_once: usize) -> Self {
        Hosts { at_once: at_once.max(1), hosts: Mutex::default() }
    }

    /// Waits for a turn at `host`, and until the host wants to be asked again.
    pub async fn turn(&self, host: &str) -> Turn {
        let host = self.host(host);
        loop {
            let not_before = *host.not_before.lock().unwrap_or_else(PoisonError::into_inner);
            if not_before <= Instant::now() {
                // The semaphore lives as long as `host` and is never closed.
                let permit = Arc::clone(&host.turns).acquire_owned().await.ok();
                // It may have asked for a pause while this request waited in line.
                let paused = *host.not_before.lock().unwrap_or_else(PoisonError::into_inner) > Instant::now();
                if !paused {
                    return Turn { _permit: permit };
                }
            } else {
                tokio::time::sleep_until(not_before).await;
            }
        }
    }

    /// Leaves `host` alone for `wait`.
    pub fn pause(&self, host: &str, wait: Duration) {
        let host = self.host(host);
        let mut not_before = host.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        *not_before = (*not_before).max(Instant::now() + wait);
    }

    fn host(&self, name: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(name) {
            return Arc::clone(host);
        }
        if hosts.len() >= REMEMBERED {
            let now = Instant::now();
            hosts.retain(|_, host| {
                Arc::strong_count(host) > 1
                    || host.turns.available_permits() < self.at_once
                    || *host.not_before.lock().unwrap_or_else(PoisonError::into_inner) > now
            });
        }
        let host = Arc::new(Host {
            turns: Arc::new(Semaphore::new(self.at_once)),
            not_before: Mutex::new(Instant::now()),
        });
        hosts.insert(name.to_owned(), Arc::clone(&host));
        host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn takes_turns_and_keeps_pauses() {
        let hosts = Hosts::new(1);
        let first = hosts.turn("a").await;
        let waits = tokio::time::timeout(Duration::from_secs(1), hosts.turn("a")).await;
        assert!(waits.is_err(), "one at a time");
        drop(hosts.turn("b").await);
        hosts.pause("a", Duration::from_secs(7));
        drop(first);
        let asked = Instant::now();
        drop(hosts.turn("a").await);
        assert!(asked.elapsed() >= Duration::from_secs(7));
    }

    #[tokio::test]
    async fn forgets_idle_hosts() {
        let hosts = Hosts::new(1);
        let held = hosts.turn("kept").await;
        for index in 0..REMEMBERED * 2 {
            drop(hosts.turn(&format!("h{index}")).await);
        }
        let known = hosts.hosts.lock().unwrap();
        assert!(known.len() <= REMEMBERED && known.contains_key("kept"));
        drop(held);
    }
}
