//! Sources that end processes: one that did so twice is not tried again in this run, whatever URL it comes from.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;

use crate::error::{Error, Kind, Stage};
use crate::identity::SourceHash;

/// Deaths of one source that are enough.
const ENOUGH: u32 = 2;
/// Sources that are remembered, the latest; some ten megabytes when full.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// The sources that ended a process lately.
#[derive(Debug)]
pub(super) struct Fatal {
    sources: Mutex<LruCache<[u8; 32], Record>>,
}

/// What one of them did.
#[derive(Debug)]
struct Record {
    deaths: u32,
    last: Option<(Kind, String)>,
}

impl Fatal {
    pub fn new() -> Fatal {
        Fatal { sources: Mutex::new(LruCache::new(REMEMBERED)) }
    }

    /// Refuses a source that was fatal often enough, with the error that its last death was.
    pub fn check(&self, source: SourceHash) -> Result<(), Error> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        match sources.get(&source.0) {
            Some(Record { deaths: ENOUGH.., last: Some((kind, message)) }) => {
                let message =
                    format!("{message}; this image ended two processes of this run and is not tried again");
                Err(Error::new(Stage::Derive, *kind, message))
            }
            _ => Ok(()),
        }
    }

    /// Notes that a process died of a source.
    pub fn died(&self, source: SourceHash) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.get_or_insert_mut(source.0, || Record { deaths: 0, last: None }).deaths += 1;
    }

    /// Notes what that came to in the end.
    pub fn failed(&self, source: SourceHash, error: &Error) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = sources.get_mut(&source.0) {
            record.last = Some((error.kind(), error.message().to_owned()));
        }
    }

    /// Forgets a source that could be worked on after all.
    pub fn worked(&self, source: SourceHash) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if !sources.is_empty() {
            sources.pop(&source.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: SourceHash = SourceHash([7; 32]);

    #[test]
    fn the_second_death_is_the_last() {
        let fatal = Fatal::new();
        let crash = || Error::new(Stage::Derive, Kind::Crashed, "crashed: signal 11");
        fatal.died(SOURCE);
        fatal.failed(SOURCE, &crash());
        assert!(fatal.check(SOURCE).is_ok(), "one may be a neighbour's doing");
        fatal.died(SOURCE);
        fatal.failed(SOURCE, &crash());
        let error = fatal.check(SOURCE).unwrap_err();
        assert_eq!(error.kind(), Kind::Crashed);
        assert!(error.message().starts_with("crashed: signal 11; "), "{error}");
        assert!(fatal.check(SourceHash([8; 32])).is_ok());
    }

    #[test]
    fn one_that_worked_begins_anew() {
        let fatal = Fatal::new();
        fatal.died(SOURCE);
        fatal.worked(SOURCE);
        fatal.died(SOURCE);
        assert!(fatal.check(SOURCE).is_ok());
    }
}
