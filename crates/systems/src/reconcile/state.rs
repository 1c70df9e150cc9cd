//! What has been done, on disk: findings, outcomes, and the point up to which they go. So a run that was killed goes on where
//! it stopped, and nothing grows in memory with what is found.
//!
//! Two files of JSON lines only ever grow; the checkpoint says how long each was when it was written, and is replaced as a
//! whole. What a killed run wrote after that is cut off by the next.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use imgmill_pipeline::{Error, Kind, Stage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::judge::{Finding, Status};

const VERSION: u32 = 1;

/// How far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Keys are compared, up to this one.
    Comparing(Option<String>),
    /// All are; originals up to this row were looked after.
    Repairing(u64),
    /// Orphans are removed.
    #[default]
    Pruning,
}

/// Numbers of what was found and done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Originals.
    pub originals: u64,
    /// Those of them that lie in the store itself.
    pub inside: u64,
    /// Derivatives that are to be there.
    pub expected: u64,
    /// Objects that are there.
    pub objects: u64,
    /// Derivatives that are there and good, as far as was looked.
    pub good: u64,
    /// Those that are not there.
    pub missing: u64,
    /// Those that are of another version or recipe.
    pub stale: u64,
    /// Those that are not what they are to be.
    pub unreadable: u64,
    /// Those that could not be looked at.
    pub unverified: u64,
    /// Those whose key another original has.
    pub conflicts: u64,
    /// Originals that can have no name in the store.
    pub unnamed: u64,
    /// Objects that no original has the key of.
    pub orphaned: u64,
    /// Derivatives that were made.
    pub fixed: u64,
    /// Those that somebody else made meanwhile.
    pub present: u64,
    /// Those that could not be made.
    pub failed: u64,
    /// Orphans that were removed.
    pub pruned: u64,
    /// Orphans that were left, since they changed meanwhile.
    pub left: u64,
}

impl Counts {
    pub(super) fn count(&mut self, status: Status) {
        *match status {
            Status::Missing => &mut self.missing,
            Status::Stale => &mut self.stale,
            Status::Unreadable => &mut self.unreadable,
            Status::Unverified => &mut self.unverified,
            Status::Conflict => &mut self.conflicts,
            Status::Unnamed => &mut self.unnamed,
            Status::Orphaned => &mut self.orphaned,
        } += 1;
    }

    /// Derivatives that can be made good by making them.
    pub fn repairable(&self) -> u64 {
        self.missing + self.stale + self.unreadable
    }

    /// Whether every derivative is there and good: as it was found, or after all repairs.
    pub fn is_complete(&self, repaired: bool) -> bool {
        let left = if repaired { self.failed } else { self.repairable() };
        left + self.unverified + self.conflicts + self.unnamed == 0
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Saved {
    version: u32,
    /// What was asked for.
    of: String,
    phase: Phase,
    counts: Counts,
    findings: u64,
    outcomes: u64,
    /// Objects that changed later may have originals that were not seen: nanoseconds since 1970.
    as_of: i64,
}

/// The state of a run.
#[derive(Debug)]
pub struct State {
    /// Where the checkpoint is, if one is kept.
    checkpoint: Option<PathBuf>,
    /// Holds the files of a run without one.
    _folder: Option<tempfile::TempDir>,
    findings: Log,
    outcomes: Log,
    of: String,
    /// How far it is.
    pub phase: Phase,
    /// What was found and done.
    pub counts: Counts,
    /// Objects that changed later may have originals that were not seen.
    pub as_of: i64,
    /// It goes on where another stopped.
    pub resumed: bool,
}

impl State {
    /// Begins, or goes on where a run for the same (`of`) stopped.
    ///
    /// # Errors
    /// A checkpoint of something else; what the disk says.
    pub fn open(checkpoint: Option<&Path>, of: String, folder: &Path) -> Result<State, Error> {
        let Some(path) = checkpoint else {
            let folder = tempfile::Builder::new().prefix("reconcile-").tempdir_in(folder);
            let folder = folder.map_err(|error| unusable(Path::new("the work folder"), &error))?;
            let findings = Log::open(folder.path().join("findings"), 0)?;
            let outcomes = Log::open(folder.path().join("outcomes"), 0)?;
            return Ok(State::new(None, Some(folder), (findings, outcomes), of));
        };
        let saved = match std::fs::read(path) {
            Ok(text) => Some(read(path, &text, &of)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(unusable(path, &error)),
        };
        let length = |of: fn(&Saved) -> u64| saved.as_ref().map_or(0, of);
        let findings = Log::open(beside(path, ".findings"), length(|saved| saved.findings))?;
        let outcomes = Log::open(beside(path, ".outcomes"), length(|saved| saved.outcomes))?;
        let mut state = State::new(Some(path.to_owned()), None, (findings, outcomes), of);
        if let Some(Saved { phase, counts, as_of, .. }) = saved {
            (state.phase, state.counts, state.as_of, state.resumed) = (phase, counts, as_of, true);
        }
        Ok(state)
    }

    fn new(
        checkpoint: Option<PathBuf>,
        folder: Option<tempfile::TempDir>,
        (findings, outcomes): (Log, Log),
        of: String,
    ) -> State {
        let (phase, counts) = (Phase::Comparing(None), Counts::default());
        State {
            checkpoint,
            _folder: folder,
            findings,
            outcomes,
            of,
            phase,
            counts,
            as_of: i64::MAX,
            resumed: false,
        }
    }

    /// Keeps a finding.
    ///
    /// # Errors
    /// A disk that is full.
    pub fn found(&mut self, finding: &Finding) -> Result<(), Error> {
        self.counts.count(finding.status);
        self.findings.append(finding)
    }

    /// Keeps what was done, as the report will have it.
    ///
    /// # Errors
    /// A disk that is full.
    pub fn done(&mut self, outcome: &Value) -> Result<(), Error> {
        self.outcomes.append(outcome)
    }

    /// Writes down how far it is.
    ///
    /// # Errors
    /// What the disk says.
    pub fn save(&mut self) -> Result<(), Error> {
        let (findings, outcomes) = (self.findings.flush()?, self.outcomes.flush()?);
        let Some(path) = &self.checkpoint else { return Ok(()) };
        let saved = Saved {
            version: VERSION,
            of: self.of.clone(),
            phase: self.phase.clone(),
            counts: self.counts.clone(),
            findings,
            outcomes,
            as_of: self.as_of,
        };
        let (text, unfinished) = (serde_json::to_vec(&saved).unwrap_or_default(), beside(path, ".new"));
        let written = std::fs::write(&unfinished, text).and_then(|()| std::fs::rename(&unfinished, path));
        written.map_err(|error| unusable(path, &error))
    }

    /// All findings, in order.
    ///
    /// # Errors
    /// What the disk says.
    pub fn findings(&mut self) -> Result<impl Iterator<Item = Result<Finding, Error>> + use<>, Error> {
        self.findings.lines()
    }

    /// What was done, in order.
    ///
    /// # Errors
    /// What the disk says.
    pub fn outcomes(&mut self) -> Result<impl Iterator<Item = Result<Value, Error>> + use<>, Error> {
        self.outcomes.lines()
    }

    /// Nothing is left to go on with.
    pub fn remove(self) {
        if let Some(path) = &self.checkpoint {
            for path in [path, &self.findings.path, &self.outcomes.path] {
                if let Err(error) = std::fs::remove_file(path) {
                    tracing::debug!("{} was not removed: {error}", path.display());
                }
            }
        }
    }
}

fn read(path: &Path, text: &[u8], of: &str) -> Result<Saved, Error> {
    let wrong = |what: &str| {
        let message =
            format!("--checkpoint {}: {what}; remove it to begin anew, or name another", path.display());
        Error::new(Stage::Source, Kind::BadRequest, message)
    };
    let saved: Saved = serde_json::from_slice(text).map_err(|_| wrong("not a checkpoint"))?;
    match saved {
        saved if saved.version != VERSION => Err(wrong("of another version of imgmill")),
        saved if saved.of != of => Err(wrong("of other originals, another store, recipe or way to look")),
        saved => Ok(saved),
    }
}

/// JSON lines that only ever grow.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Log {
    /// Goes on behind the first `length` bytes.
    fn open(path: PathBuf, length: u64) -> Result<Log, Error> {
        let opened =
            OpenOptions::new().create(true).truncate(false).write(true).open(&path).and_then(|mut file| {
                file.set_len(length)?;
                file.seek(SeekFrom::End(0))?;
                Ok(file)
            });
        let file = opened.map_err(|error| unusable(&path, &error))?;
        Ok(Log { path, file: BufWriter::with_capacity(64 << 10, file) })
    }

    fn append(&mut self, line: &impl Serialize) -> Result<(), Error> {
        let written = serde_json::to_writer(&mut self.file, line).map_err(std::io::Error::from);
        let written = written.and_then(|()| self.file.write_all(b"\n"));
        written.map_err(|error| unusable(&self.path, &error))
    }

    fn flush(&mut self) -> Result<u64, Error> {
        let length = self.file.flush().and_then(|()| self.file.stream_position());
        length.map_err(|error| unusable(&self.path, &error))
    }

    fn lines<T: serde::de::DeserializeOwned>(
        &mut self,
    ) -> Result<impl Iterator<Item = Result<T, Error>> + use<T>, Error> {
        self.flush()?;
        let path = self.path.clone();
        let file = File::open(&path).map_err(|error| unusable(&path, &error))?;
        Ok(BufReader::new(file).lines().map(move |line| {
            let line = line.and_then(|line| serde_json::from_str(&line).map_err(std::io::Error::from));
            line.map_err(|error| unusable(&path, &error))
        }))
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    let kind = if imgmill_pipeline::error::is_disk_full(error) { Kind::DiskFull } else { Kind::Io };
    Error::new(Stage::Report, kind, format!("{} cannot be used: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(key: &str) -> Finding {
        Finding { status: Status::Missing, reason: "x".into(), key: key.into(), expected: None, seen: None }
    }

    #[test]
    fn what_came_after_the_checkpoint_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        let open = |of: &str| State::open(Some(&path), of.into(), folder.path());
        let mut state = open("a").unwrap();
        state.found(&finding("1")).unwrap();
        state.phase = Phase::Comparing(Some("1".into()));
        state.save().unwrap();
        state.found(&finding("2")).unwrap();
        state.findings.flush().unwrap();
        drop(state);
        let mut state = open("a").unwrap();
        assert!(
            state.resumed && state.counts.missing == 1 && state.phase == Phase::Comparing(Some("1".into()))
        );
        state.found(&finding("3")).unwrap();
        let keys: Vec<String> = state.findings().unwrap().map(|finding| finding.unwrap().key).collect();
        assert_eq!(keys, ["1", "3"]);
        assert!(open("b").unwrap_err().message().contains("of other originals"));
        state.remove();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        std::fs::write(&path, "x").unwrap();
        assert!(open("a").unwrap_err().message().contains("not a checkpoint"));
    }
}
