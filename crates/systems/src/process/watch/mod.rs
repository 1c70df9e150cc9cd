//! A folder that is watched: files that arrive are told of once they are complete.
//!
//! A file is complete when whoever writes it has closed it, where the system tells ([`inotify`]), or when nothing happened
//! to it for a while and it stays as it is. Events only say where to look; what counts is the file. Where events were
//! lost, because thousands came at once, the folder is looked through; where there are none, every second.
//!
//! (Not by the crate `notify`: what it adds to the kernel's events, this has to do itself all the same.)

#[cfg(target_os = "linux")]
mod inotify;
#[cfg(not(target_os = "linux"))]
mod polling;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use futures::StreamExt as _;
use imgmill_pipeline::{Error, Kind, Stage};

#[cfg(target_os = "linux")]
use self::inotify::Events;
#[cfg(not(target_os = "linux"))]
use self::polling::Events;
use super::place::{Place, encoded};
use super::work::Texts;

/// How long nothing may have happened to a file that its writer has closed.
const SETTLED: Duration = Duration::from_millis(200);
/// And to one that nobody said anything of: a writer may pause.
const QUIET: Duration = Duration::from_secs(2);
/// And to one that is being written, where the system tells when that ends: its writer may be a slow line.
const PATIENCE: Duration = if cfg!(target_os = "linux") { Duration::from_secs(30) } else { QUIET };
/// How often files are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// The watch goes on until this is dropped.
pub struct Watcher(Arc<AtomicBool>);

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// URIs that were told of and are not through: one that is written to again meanwhile waits, so that the older version
/// cannot be the last that is stored.
#[derive(Debug, Clone, Default)]
pub(super) struct UnderWay(Arc<Mutex<HashSet<String>>>);

impl UnderWay {
    /// It is through.
    pub(super) fn end(&self, uri: &str) {
        self.uris().remove(uri);
    }

    fn uris(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the system says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Happened {
    /// A file was made, and may be written to.
    Made(PathBuf),
    /// A file's writer closed it, or it came here whole.
    Closed(PathBuf),
    /// A file is no longer here.
    Gone(PathBuf),
    /// There is a folder that may have got files before it was watched.
    Folder(PathBuf),
    /// More happened than is told.
    Lost,
}

/// What is known of a file that may be arriving.
struct Arriving {
    since: Instant,
    heard: Heard,
    last: Option<Stamp>,
}

/// What was heard of it last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// Nothing: it was found.
    Nothing,
    /// It was made, or written to.
    Written,
    /// Its writer closed it, or it came whole under its name.
    Closed,
}

impl Heard {
    fn wait(self) -> Duration {
        match self {
            Heard::Nothing => QUIET,
            Heard::Written => PATIENCE,
            Heard::Closed => SETTLED,
        }
    }
}

/// What tells a version of a file from another.
type Stamp = (u64, SystemTime);

/// Begins to watch the source's folder.
pub(super) fn begin(
    source: &Place,
    derivatives: &Place,
    under_way: UnderWay,
) -> Result<(Texts, Watcher), Error> {
    let wrong = |message: String| Error::new(Stage::Source, Kind::InvalidUrl, message);
    let folder = source.folder().and_then(|folder| folder.canonicalize().ok());
    let folder =
        folder.ok_or_else(|| wrong("-mode fsnotify watches a folder: images.source has to be one".into()))?;
    let inside = derivatives.folder().map(|folder| folder.canonicalize().unwrap_or(folder));
    if inside.is_some_and(|inside| inside.starts_with(&folder)) {
        let message =
            "derivatives.cache lies in the folder that is watched, so that derivatives would be processed";
        return Err(wrong(message.to_owned()));
    }
    // Before and after: what comes between the two is found when the folder is looked through.
    let mut known = Folder::new(folder.clone(), under_way);
    let events = Events::begin(&folder).map_err(|error| {
        let message = format!("{} cannot be watched", folder.display());
        Error::new(Stage::Source, Kind::Io, message).caused_by(error)
    })?;
    known.look_through(Instant::now());
    let (complete, arrived) = tokio::sync::mpsc::channel::<Vec<String>>(64);
    tracing::info!(folder = %folder.display(), "watching");
    let thread = std::thread::Builder::new().name("watch".to_owned());
    let over = Arc::new(AtomicBool::new(false));
    let watcher = Watcher(Arc::clone(&over));
    let watching = thread.spawn(move || {
        known.watch(events, |texts| {
            let sent = || texts.is_empty() || complete.blocking_send(texts).is_ok();
            !over.load(Ordering::Relaxed) && sent()
        });
    });
    watching.map_err(|error| {
        Error::new(Stage::Source, Kind::Internal, "no thread could be started").caused_by(error)
    })?;
    let arrived =
        futures::stream::unfold(arrived, |mut arrived| async { Some((arrived.recv().await?, arrived)) });
    Ok((arrived.boxed(), watcher))
}

/// A folder and what is known of its files.
struct Folder {
    root: PathBuf,
    arriving: HashMap<PathBuf, Arriving>,
    /// Those that were told of, or there from the beginning.
    known: HashMap<PathBuf, Stamp>,
    under_way: UnderWay,
}

impl Folder {
    fn new(root: PathBuf, under_way: UnderWay) -> Self {
        let mut known = HashMap::new();
        files_below(&root, &mut |path, stamp| {
            known.insert(path, stamp);
        });
        Folder { root, arriving: HashMap::new(), known, under_way }
    }

    /// Until nobody wants to hear.
    fn watch(mut self, mut events: Events, mut tell: impl FnMut(Vec<String>) -> bool) {
        loop {
            match events.next(LOOK) {
                Ok(happened) => happened.into_iter().for_each(|one| self.hear(one, Instant::now())),
                Err(error) => {
                    tracing::error!("the folder is no longer watched: {error}");
                    return;
                }
            }
            let complete = self.complete(Instant::now());
            if !tell(complete) {
                return;
            }
        }
    }

    fn hear(&mut self, happened: Happened, now: Instant) {
        match happened {
            Happened::Made(path) if is_linked(&path) => self.happened(path, Heard::Closed, now),
            Happened::Made(path) => self.happened(path, Heard::Written, now),
            Happened::Closed(path) => self.happened(path, Heard::Closed, now),
            Happened::Gone(path) => {
                self.arriving.remove(&path);
                self.known.remove(&path);
            }
            Happened::Folder(path) => self.look_below(&path, now),
            Happened::Lost => {
                tracing::warn!(
                    "more happened at once than the system tells of; the folder is looked through"
                );
                self.look_through(now);
            }
        }
    }

    fn happened(&mut self, path: PathBuf, heard: Heard, now: Instant) {
        if !is_hidden(&self.root, &path) {
            let last = self.arriving.get(&path).and_then(|arriving| arriving.last);
            self.arriving.insert(path, Arriving { since: now, heard, last });
        }
    }

    fn look_through(&mut self, now: Instant) {
        let root = self.root.clone();
        self.look_below(&root, now);
    }

    /// Files that are new, or not as they were.
    fn look_below(&mut self, folder: &Path, now: Instant) {
        let mut found = Vec::new();
        files_below(folder, &mut |path, stamp| {
            if self.known.get(&path) != Some(&stamp) && !self.arriving.contains_key(&path) {
                found.push(path);
            }
        });
        found.into_iter().for_each(|path| self.happened(path, Heard::Nothing, now));
    }

    /// URIs of files that are complete now.
    fn complete(&mut self, now: Instant) -> Vec<String> {
        let mut complete = Vec::new();
        let (known, root) = (&mut self.known, &self.root);
        let mut under_way = self.under_way.uris();
        self.arriving.retain(|path, arriving| {
            let waits = now.duration_since(arriving.since) < arriving.heard.wait();
            if waits || uri(root, path).is_some_and(|uri| under_way.contains(&uri)) {
                return true;
            }
            // Gone, or no file.
            let Some(stamp) = stamp(path) else { return false };
            if arriving.heard != Heard::Closed && arriving.last != Some(stamp) {
                *arriving = Arriving { since: now, heard: Heard::Nothing, last: Some(stamp) };
                return true;
            }
            // Opened and closed, and not written; or there since before.
            if stamp.0 > 0 && known.insert(path.clone(), stamp) != Some(stamp) {
                complete.push(path.clone());
            }
            false
        });
        complete.sort();
        let named = |path: &PathBuf| {
            let uri = uri(root, path);
            if uri.is_none() {
                tracing::error!(path = %path.display(), "its name is no UTF-8, so that it can have no URI");
            }
            uri
        };
        let uris: Vec<String> = complete.iter().filter_map(named).collect();
        under_way.extend(uris.iter().cloned());
        uris
    }
}

fn uri(root: &Path, path: &Path) -> Option<String> {
    let below = path.strip_prefix(root).ok()?.to_str()?;
    Some(format!("file:///{}", encoded(below)))
}

/// A file that is there by another name as well was whole before it got this one.
#[cfg(unix)]
fn is_linked(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::symlink_metadata(path)
        .is_ok_and(|file| file.is_symlink() || (file.is_file() && file.nlink() > 1))
}

#[cfg(not(unix))]
fn is_linked(_: &Path) -> bool {
    false
}

/// Files that programs write to and rename when they are whole.
fn is_hidden(root: &Path, path: &Path) -> bool {
    let below = path.strip_prefix(root).unwrap_or(path);
    below.iter().any(|part| part.as_encoded_bytes().starts_with(b"."))
        || path.as_os_str().as_encoded_bytes().ends_with(b"~")
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some((metadata.len(), metadata.modified().ok()?))
}

fn files_below(folder: &Path, found: &mut dyn FnMut(PathBuf, Stamp)) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        // Not `path.is_dir()`, which would follow a link in a circle.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files_below(&path, found);
        } else if let Some(stamp) = stamp(&path) {
            found(path, stamp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_of_once_and_when_it_is_whole() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(place.path().to_owned(), UnderWay::default());
        let path = place.path().join("a b.jpg");
        let start = Instant::now();
        std::fs::write(&path, b"half").unwrap();
        folder.hear(Happened::Made(path.clone()), start);
        assert!(folder.complete(start + SETTLED * 2).is_empty(), "its writer may go on");
        std::fs::write(&path, b"half and half").unwrap();
        folder.hear(Happened::Closed(path.clone()), start + SETTLED * 2);
        assert!(folder.complete(start + SETTLED * 2).is_empty(), "another writer may come");
        assert_eq!(folder.complete(start + SETTLED * 3), ["file:///a%20b.jpg"]);
        folder.hear(Happened::Closed(path.clone()), start + SETTLED * 4);
        folder.under_way.end("file:///a%20b.jpg");
        assert!(folder.complete(start + SETTLED * 9).is_empty(), "it is what it was");
    }

    #[test]
    fn a_file_that_is_written_again_waits_until_it_is_through() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(place.path().to_owned(), UnderWay::default());
        let path = place.path().join("a.jpg");
        let start = Instant::now();
        std::fs::write(&path, b"old").unwrap();
        folder.hear(Happened::Closed(path.clone()), start);
        assert_eq!(folder.complete(start + SETTLED), ["file:///a.jpg"]);
        std::fs::write(&path, b"newer").unwrap();
        folder.hear(Happened::Closed(path), start + SETTLED);
        assert!(folder.complete(start + SETTLED * 9).is_empty(), "the old one is under way");
        folder.under_way.end("file:///a.jpg");
        assert_eq!(folder.complete(start + SETTLED * 9), ["file:///a.jpg"]);
    }

    #[test]
    fn where_nobody_tells_a_file_has_to_stay_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(place.path().to_owned(), UnderWay::default());
        let path = place.path().join("a.jpg");
        let start = Instant::now();
        std::fs::write(&path, b"half").unwrap();
        folder.look_through(start);
        assert!(folder.complete(start + QUIET).is_empty(), "looked at for the first time");
        std::fs::write(&path, b"half and half").unwrap();
        assert!(folder.complete(start + QUIET * 2).is_empty(), "it grew");
        assert_eq!(folder.complete(start + QUIET * 3), ["file:///a.jpg"]);
    }

    #[test]
    fn events_that_were_lost_are_made_up_for() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("old.jpg"), b"x").unwrap();
        let mut folder = Folder::new(place.path().to_owned(), UnderWay::default());
        let inside = place.path().join("new");
        std::fs::create_dir(&inside).unwrap();
        for number in 0..3000 {
            std::fs::write(inside.join(format!("{number}.jpg")), b"x").unwrap();
        }
        std::fs::write(inside.join(".hidden.jpg"), b"x").unwrap();
        std::fs::write(inside.join("empty.jpg"), b"").unwrap();
        let start = Instant::now();
        folder.hear(Happened::Lost, start);
        assert!(folder.complete(start + QUIET).is_empty());
        assert_eq!(folder.complete(start + QUIET * 2).len(), 3000);
        folder.hear(Happened::Folder(inside), start + QUIET * 2);
        assert!(folder.complete(start + QUIET * 9).is_empty(), "all of these were told of");
    }
}
