//! How a derive process ended that should have gone on, and what that means for its image.

use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

use super::{Bounds, Room};
use crate::error::{Error, Kind, Stage};

/// How a derive process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Death {
    /// It took longer than it may, and was killed for that.
    Timeout,
    /// It asked for more memory than it may have.
    Memory,
    /// It wrote more than it may.
    Output,
    /// Somebody else killed it (SIGKILL): the system out of memory, or a person.
    Killed,
    /// It crashed; the text says how.
    Crashed(String),
}

impl Death {
    /// What an exit status and the process's last words say.
    pub fn of(status: ExitStatus, words: &str) -> Death {
        // What Rust's allocator says before it aborts; a stack's end has words of its own.
        if words.contains("memory allocation of") {
            return Death::Memory;
        }
        if words.contains("has overflowed its stack") {
            return Death::Crashed("stack overflow".to_owned());
        }
        match signal(status) {
            Some(KILL) => Death::Killed,
            Some(FILE_TOO_LARGE) => Death::Output,
            Some(number) => Death::Crashed(format!("signal {number}")),
            None => Death::Crashed(status.to_string()),
        }
    }

    /// The error of the image that it happened to.
    pub fn error(&self, bounds: &Bounds, room: &Room, tries: u32) -> Error {
        let kind = match self {
            Death::Timeout => Kind::Timeout,
            Death::Memory => Kind::Memory,
            Death::Output => Kind::TooLarge,
            Death::Killed | Death::Crashed(_) => Kind::Crashed,
        };
        let message = match self {
            Death::Timeout => timeout(bounds.time),
            Death::Memory => "making it took more memory than its header promised".to_owned(),
            Death::Output => {
                format!(
                    "its renditions have more bytes than --max-output and --memory allow ({})",
                    room.output
                )
            }
            Death::Killed => format!("crashed: signal {KILL}, {tries} times: is the machine out of memory?"),
            Death::Crashed(how) => format!("crashed: {how}"),
        };
        Error::new(Stage::Derive, kind, message)
    }
}

/// What is said of an image that took too long, wherever it was made.
pub(in crate::derive) fn timeout(limit: Duration) -> String {
    format!("making it took longer than --job-timeout allows ({} s)", limit.as_secs_f32())
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Death::Timeout => f.write_str("took too long"),
            Death::Memory => f.write_str("took too much memory"),
            Death::Output => f.write_str("wrote too much"),
            Death::Killed => f.write_str("was killed by somebody else"),
            Death::Crashed(how) => write!(f, "crashed ({how})"),
        }
    }
}

/// SIGKILL, by POSIX's numbers.
const KILL: i32 = 9;
/// SIGXFSZ on Linux and the BSDs.
const FILE_TOO_LARGE: i32 = 25;

fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    #[test]
    fn status_and_words_tell_how() {
        let died = |raw, words| Death::of(ExitStatus::from_raw(raw), words);
        assert_eq!(died(11, ""), Death::Crashed("signal 11".into()));
        assert_eq!(died(9, ""), Death::Killed);
        assert_eq!(died(25, ""), Death::Output);
        assert_eq!(died(6, "memory allocation of 99 bytes failed\n"), Death::Memory);
        assert_eq!(
            died(6, "thread 'main' has overflowed its stack\n"),
            Death::Crashed("stack overflow".into())
        );
        assert!(matches!(died(256, ""), Death::Crashed(how) if how.contains('1')));
    }
}
