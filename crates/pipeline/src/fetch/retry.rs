//! When a failed attempt is worth another, and how long to wait for it.
//!
//! Exponential backoff with full jitter: the wait is drawn evenly from zero to a ceiling that doubles, so
//! that many clients which failed together do not come back together. What the server asks for
//! (`Retry-After`, RFC 9110 § 10.2.3) is a floor.

use std::time::Duration;

use rand::RngExt;

use crate::error::Error;

/// The first ceiling.
const FIRST: Duration = Duration::from_millis(500);
/// No ceiling is higher.
const HIGHEST: Duration = Duration::from_secs(30);
/// The longest wait that a server's `Retry-After` is granted.
pub const LONGEST_ASKED: Duration = Duration::from_secs(120);

/// How long to wait before the next attempt, or nothing when `error` is final after `attempts`.
pub fn wait(error: &Error, attempts: u32, retries: u32) -> Option<Duration> {
    if !error.is_transient() || attempts > retries {
        return None;
    }
    let jitter = ceiling(attempts).mul_f64(rand::rng().random::<f64>());
    Some(match error.wait_asked() {
        Some(asked) => asked.min(LONGEST_ASKED).max(jitter),
        None => jitter,
    })
}

/// The upper bound of the wait after attempt `attempts`, counted from 1.
fn ceiling(attempts: u32) -> Duration {
    FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(HIGHEST)
}

/// Reads a `Retry-After` value: seconds, or an HTTP date.
pub fn retry_after(value: &str, now: std::time::SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value.trim()).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Kind, Stage};

    fn transient() -> Error {
        Error::new(Stage::Fetch, Kind::HttpStatus, "503").transient(true)
    }

    #[test]
    fn ceilings_double_up_to_a_bound() {
        let seconds: Vec<f32> = (1..9).map(|attempt| ceiling(attempt).as_secs_f32()).collect();
        assert_eq!(seconds, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
    }

    #[test]
    fn waits_only_for_what_may_pass() {
        assert!(wait(&transient(), 3, 3).is_some());
        assert!(wait(&transient(), 4, 3).is_none());
        assert!(wait(&transient().transient(false), 1, 3).is_none());
        let asked = transient().retry_after(Some(Duration::from_secs(7)));
        assert_eq!(wait(&asked, 1, 3), Some(Duration::from_secs(7)));
        let too_long = transient().retry_after(Some(Duration::from_secs(9999)));
        assert_eq!(wait(&too_long, 1, 3), Some(LONGEST_ASKED));
    }

    #[test]
    fn reads_both_forms_of_retry_after() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:40 GMT", now), Some(Duration::from_secs(3)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}
