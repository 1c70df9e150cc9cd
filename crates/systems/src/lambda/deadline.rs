//! How long an invocation has, and when it has to begin to end: what is under way needs time to settle, or nobody hears of
//! what was done.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What an invocation is taken to have whose deadline is not known: emulators say 1970.
const UNKNOWN: Duration = Duration::from_secs(60);
/// No invocation has more.
const LONGEST: Duration = Duration::from_secs(900);
/// What is kept to settle: a fifth of the time, within these.
const SETTLING: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(20));

/// The end of an invocation.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// No more work is begun after this.
    pub stop: Instant,
    /// What is under way may then take so long.
    pub grace: Duration,
}

impl Deadline {
    /// Of an invocation that ends at `milliseconds` after 1970.
    pub fn at(milliseconds: u64) -> Deadline {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (work, grace) = divide(Duration::from_millis(milliseconds), now);
        Deadline { stop: Instant::now() + work, grace }
    }

    /// Cancelled when work has to stop.
    pub fn token(&self) -> CancellationToken {
        let (token, stop) = (CancellationToken::new(), self.stop);
        let cancel = token.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep_until(stop) => {
                    tracing::warn!("the function's time is nearly over: no more work is begun");
                    cancel.cancel();
                }
                // Whoever is done with it has cancelled it.
                () = cancel.cancelled() => {}
            }
        });
        token
    }
}

/// The time to work in, and the time for what is then under way; what is left of it after that is for the answer.
fn divide(deadline: Duration, now: Duration) -> (Duration, Duration) {
    let left = match deadline.checked_sub(now) {
        Some(left) if !left.is_zero() => left.min(LONGEST),
        // An emulator's 1970; a deadline of Lambda's own is never past when the event comes.
        _ => UNKNOWN,
    };
    let settling = (left / 5).clamp(SETTLING.0, SETTLING.1);
    (left.saturating_sub(settling), settling / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_kept_to_settle() {
        let now = Duration::from_secs(1_700_000_000);
        let of = |left: u64| divide(now + Duration::from_secs(left), now);
        assert_eq!(of(10), (Duration::from_secs(8), Duration::from_secs(1)));
        assert_eq!(of(900), (Duration::from_secs(880), Duration::from_secs(10)));
        assert_eq!(of(1), (Duration::from_millis(500), Duration::from_millis(250)));
        assert_eq!(of(1 << 40).0, Duration::from_secs(880), "no function has longer");
        for unknown in [Duration::ZERO, now] {
            assert_eq!(divide(unknown, now), (Duration::from_secs(48), Duration::from_secs(6)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_stopped_in_time() {
        let deadline =
            Deadline { stop: Instant::now() + Duration::from_secs(8), grace: Duration::from_secs(1) };
        let token = deadline.token();
        tokio::time::timeout(Duration::from_secs(7), token.cancelled()).await.unwrap_err();
        tokio::time::timeout(Duration::from_secs(2), token.cancelled()).await.unwrap();
    }
}
