//! Records as a listing shows them: those of a key together, told by their names alone.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use futures::{Stream, TryStreamExt as _, stream};
use imgmill_pipeline::Error;
use object_store::ObjectMeta;
use object_store::path::Path;

use crate::bucket::sequencer::Sequencer;

const ATTEMPTS: &str = ".attempts";

/// A record, as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub path: Path,
    /// When it was written.
    pub since: DateTime<Utc>,
    sequencer: Option<Sequencer>,
}

/// The records of one key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    /// What the key's claim is called; nothing before the record was read, of a record that other programs wrote.
    pub name: Option<String>,
    /// Its records, at least one.
    pub records: Vec<Entry>,
    /// What is written beside them.
    pub notes: Vec<Path>,
}

impl Waiting {
    /// The record that stands for all: the last by the order of events.
    pub fn newest(&self) -> Option<&Entry> {
        self.records.iter().max_by(|one, other| one.sequencer.cmp(&other.sequencer))
    }

    /// Where the newest record's failures are written.
    pub fn note(&self) -> Option<Path> {
        self.newest().map(|newest| note_of(&newest.path))
    }

    /// Whether the newest record failed before, as far as a listing can tell.
    pub fn may_have_failed(&self) -> bool {
        self.name.is_none() || self.note().is_some_and(|note| self.notes.contains(&note))
    }

    /// Everything of it but the newest record: what that one stands for.
    pub fn superseded(&self) -> Vec<Path> {
        let (newest, note) = (self.newest().map(|entry| &entry.path), self.note());
        let records = self.records.iter().map(|entry| &entry.path).filter(|path| Some(*path) != newest);
        records.chain(self.notes.iter().filter(|path| Some(*path) != note.as_ref())).cloned().collect()
    }

    /// All that waits of this key.
    pub(super) fn paths(&self) -> Vec<Path> {
        self.records.iter().map(|entry| &entry.path).chain(&self.notes).cloned().collect()
    }
}

/// What a listing shows below `rbsc/`.
pub(super) enum Listed {
    Record(Option<String>, Entry),
    Note(String, Path),
    Other,
}

fn note_of(record: &Path) -> Path {
    Path::parse(format!("{record}{ATTEMPTS}")).unwrap_or_default()
}

/// What an object below `prefix` is by its name.
pub(super) fn listed(prefix: &str, object: ObjectMeta) -> Listed {
    let Some(name) = object.location.as_ref().strip_prefix(prefix) else { return Listed::Other };
    let v2 = name.strip_prefix("v2/").and_then(|name| name.split_once('/'));
    let entry = |sequencer| Entry { path: object.location.clone(), since: object.last_modified, sequencer };
    match v2 {
        Some((folder, name)) if name.ends_with(".json") => {
            Listed::Record(Some(folder.to_owned()), entry(Sequencer::of_name(name)))
        }
        Some((folder, name)) if name.ends_with(ATTEMPTS) => {
            Listed::Note(folder.to_owned(), object.location.clone())
        }
        None if name.ends_with(".json") => Listed::Record(None, entry(None)),
        _ => Listed::Other,
    }
}

/// Puts together what follows each other and is of one key.
pub(super) fn grouped(
    listed: impl Stream<Item = Result<Listed, Error>> + Send + 'static,
) -> impl Stream<Item = Result<Waiting, Error>> + Send {
    struct State<S> {
        listed: std::pin::Pin<Box<S>>,
        open: Waiting,
        ready: VecDeque<Waiting>,
        ended: bool,
    }
    let state =
        State { listed: Box::pin(listed), open: Waiting::default(), ready: VecDeque::new(), ended: false };
    stream::try_unfold(state, |mut state| async move {
        loop {
            if let Some(ready) = state.ready.pop_front() {
                return Ok(Some((ready, state)));
            }
            if state.ended {
                return Ok(None);
            }
            let next = state.listed.try_next().await?;
            let folder = match &next {
                Some(Listed::Record(Some(folder), _) | Listed::Note(folder, _)) => Some(folder.clone()),
                _ => None,
            };
            if folder != state.open.name {
                let closed = std::mem::take(&mut state.open);
                state.ready.extend(Some(closed).filter(|closed| !closed.records.is_empty()));
                state.open.name = folder;
            }
            match next {
                None => state.ended = true,
                Some(Listed::Record(Some(_), entry)) => state.open.records.push(entry),
                Some(Listed::Note(_, path)) => state.open.notes.push(path),
                Some(Listed::Record(None, entry)) => {
                    let notes = vec![note_of(&entry.path)];
                    state.ready.push_back(Waiting { name: None, records: vec![entry], notes });
                }
                Some(Listed::Other) => {}
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(path: &str) -> ObjectMeta {
        let location = Path::parse(path).unwrap();
        ObjectMeta { location, last_modified: Utc::now(), size: 1, e_tag: None, version: None }
    }

    async fn groups(paths: &[&str]) -> Vec<Waiting> {
        let items: Vec<_> = paths.iter().map(|path| Ok(listed("p/rbsc/", object(path)))).collect();
        grouped(stream::iter(items)).try_collect().await.unwrap()
    }

    #[tokio::test]
    async fn records_of_a_key_are_one_image() {
        let groups = groups(&[
            "p/rbsc/LANTERN.json",
            "p/rbsc/v2/aa/0002.json",
            "p/rbsc/v2/aa/0002.json.attempts",
            "p/rbsc/v2/aa/01.json",
            "p/rbsc/v2/aa/0300.json",
            "p/rbsc/v2/bb/02.json",
            "p/rbsc/v2/bb/02.json#1",
            "p/rbsc/v2/cc/02.json.attempts",
            "p/rbsc/zebra.json",
            "p/rbsc/notes.txt",
        ])
        .await;
        let names: Vec<_> = groups.iter().map(|group| group.name.as_deref()).collect();
        assert_eq!(names, [None, Some("aa"), Some("bb"), None]);
        assert_eq!(groups[1].newest().unwrap().path.as_ref(), "p/rbsc/v2/aa/0300.json");
        assert_eq!(groups[1].superseded().len(), 3);
        assert!(!groups[1].may_have_failed(), "an older one did");
        assert!(groups[2].superseded().is_empty());
        assert!(groups[3].may_have_failed(), "only looking tells");
    }
}
