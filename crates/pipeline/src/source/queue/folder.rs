//! A folder as a queue: each `*.json` in it is a message. For one machine, trials and tests.
//!
//! A message in work lies in `.taken`, under a name that says how often it was received; the time of its file's last
//! change is when it may be received again. Taking is renaming, which one of several takers wins. Messages that came too
//! often lie in `dead`, which is such a queue itself; other folders beside this one are the queues that messages may be
//! sent on to.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::{Depth, Outgoing, Queue, Queues, Received};
use crate::error::{Error, Kind, Stage};

const TAKEN: &str = ".taken";
const DEAD: &str = "dead";
/// How long an empty folder is left alone.
const PAUSE: Duration = Duration::from_millis(100);
/// What a message may hold: as much as SQS lets it.
const LONGEST: u64 = 1 << 20;

/// How a folder plays a queue.
#[derive(Debug, Clone)]
pub struct FolderSettings {
    /// How long a message stays hidden that was received.
    pub visibility: Duration,
    /// How long to wait for messages where there are none.
    pub wait: Duration,
    /// How often a message may be received before it is moved to the dead ones.
    pub most_receives: u32,
}

/// The queue.
#[derive(Debug, Clone)]
pub struct FolderQueue {
    folder: Arc<Folder>,
    settings: FolderSettings,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// Names seen and not yet tried, so that a folder of thousands is not read for every ten.
    listed: Mutex<VecDeque<String>>,
}

impl FolderQueue {
    /// Opens the folder, which has to be there: one that is made for a name with a mistake in it stays empty for ever.
    ///
    /// # Errors
    /// When it is missing or cannot be written.
    pub fn open(path: &Path, settings: FolderSettings) -> Result<FolderQueue, Error> {
        let failed = |error: io::Error| {
            let message = format!("the queue's folder {} cannot be used: {error}", path.display());
            Error::new(Stage::Source, Kind::Io, message)
        };
        let path = std::path::absolute(path).map_err(failed)?;
        if !path.is_dir() {
            let message =
                format!("there is no folder {0}; make it (mkdir -p {0}), or name another", path.display());
            return Err(Error::new(Stage::Source, Kind::NotFound, message));
        }
        fs::create_dir_all(path.join(TAKEN)).map_err(failed)?;
        Ok(FolderQueue { folder: Arc::new(Folder { path, listed: Mutex::default() }), settings })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Folder, &FolderSettings) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (folder, settings) = (Arc::clone(&self.folder), self.settings.clone());
        let done = tokio::task::spawn_blocking(move || work(&folder, &settings)).await;
        done.unwrap_or_else(|join| Err(io::Error::other(join))).map_err(|error| {
            let message = format!("{doing} the folder {} failed: {error}", self.folder.path.display());
            Error::new(Stage::Source, Kind::Io, message).transient(error.kind() != io::ErrorKind::NotFound)
        })
    }
}

#[async_trait]
impl Queue for FolderQueue {
    async fn receive(&self, most: usize) -> Result<Vec<Received>, Error> {
        let until = Instant::now() + self.settings.wait;
        loop {
            let received =
                self.blocking("reading", move |folder, settings| folder.take(most, settings)).await?;
            if !received.is_empty() || Instant::now() >= until {
                return Ok(received);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn hide(&self, handle: &str, time: Duration) -> Result<(), Error> {
        let handle = handle.to_owned();
        self.blocking("changing", move |folder, _| {
            let file = File::options().write(true).open(folder.path.join(TAKEN).join(handle))?;
            file.set_modified(SystemTime::now() + time)
        })
        .await
    }

    async fn remove(&self, handle: &str) -> Result<(), Error> {
        let handle = handle.to_owned();
        self.blocking("changing", move |folder, _| fs::remove_file(folder.path.join(TAKEN).join(handle)))
            .await
    }

    async fn send(&self, messages: &[Outgoing]) -> Result<(), Error> {
        let messages = messages.to_vec();
        self.blocking("writing to", move |folder, _| {
            messages.iter().enumerate().try_for_each(|(index, message)| folder.put(index, message))
        })
        .await
    }

    async fn depth(&self) -> Result<Depth, Error> {
        self.blocking("reading", |folder, _| folder.depth()).await
    }

    async fn dead_letters(&self) -> Result<Option<Arc<dyn Queue>>, Error> {
        let settings = FolderSettings { most_receives: u32::MAX, ..self.settings.clone() };
        self.blocking("writing to", |folder, _| fs::create_dir_all(folder.path.join(DEAD))).await?;
        Ok(Some(Arc::new(FolderQueue::open(&self.folder.path.join(DEAD), settings)?)))
    }

    async fn most_receives(&self) -> Result<Option<u32>, Error> {
        Ok(Some(self.settings.most_receives))
    }

    fn visibility(&self) -> Duration {
        self.settings.visibility
    }

    fn name(&self) -> String {
        format!("the folder {}", self.folder.path.display())
    }
}

/// The folders beside a queue's, each a queue.
#[async_trait]
impl Queues for FolderQueue {
    async fn find(&self, name: &str) -> Result<Option<Arc<dyn Queue>>, Error> {
        let mut parts = Path::new(name).components();
        let (Some(Component::Normal(_)), None) = (parts.next(), parts.next()) else { return Ok(None) };
        let Some(parent) = self.folder.path.parent() else { return Ok(None) };
        let path = parent.join(name);
        if !path.is_dir() || name.starts_with('.') {
            return Ok(None);
        }
        Ok(Some(Arc::new(FolderQueue::open(&path, self.settings.clone())?)))
    }
}

impl Folder {
    /// Messages that came back first, then new ones by name.
    fn take(&self, most: usize, settings: &FolderSettings) -> io::Result<Vec<Received>> {
        let mut received = Vec::new();
        for (handle, due) in self.taken()? {
            if received.len() < most && due <= SystemTime::now() {
                received.extend(self.take_one(&Path::new(TAKEN).join(&handle), settings)?);
            }
        }
        let mut is_fresh = false;
        while received.len() < most {
            let next = self.listed.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            match next {
                Some(name) => received.extend(self.take_one(Path::new(&name), settings)?),
                None if is_fresh => break,
                None => {
                    is_fresh = true;
                    let names = messages_in(&self.path)?;
                    *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = names.into();
                }
            }
        }
        Ok(received)
    }

    /// Takes one message, unless somebody else was faster.
    fn take_one(&self, from: &Path, settings: &FolderSettings) -> io::Result<Option<Received>> {
        let Some(file_name) = from.file_name().and_then(OsStr::to_str) else { return Ok(None) };
        let is_new = from.parent() == Some(Path::new(""));
        let (receives, name) = if is_new { (0, file_name) } else { counted(file_name) };
        let from = self.path.join(from);
        if receives >= settings.most_receives {
            let dead = self.path.join(DEAD);
            fs::create_dir_all(&dead)?;
            tracing::error!(
                message = name,
                receives,
                "a message came too often and is now in {}",
                dead.display()
            );
            return missing_is_none(fs::rename(&from, dead.join(name))).map(|_| None);
        }
        let taken = || -> io::Result<Received> {
            let sent = fs::metadata(&from)?.modified().ok().filter(|_| is_new);
            // Before the renaming: nobody is to find it in `.taken` with a time that has passed.
            File::options().write(true).open(&from)?.set_modified(SystemTime::now() + settings.visibility)?;
            let handle = format!("{}~{name}", receives + 1);
            let to = self.path.join(TAKEN).join(&handle);
            fs::rename(&from, &to)?;
            let mut bytes = Vec::new();
            File::open(&to)?.take(LONGEST).read_to_end(&mut bytes)?;
            let body = String::from_utf8_lossy(&bytes).into_owned();
            let id = name.trim_end_matches(".json").to_owned();
            Ok(Received { id, body, handle, receives: receives + 1, group: None, sent })
        };
        missing_is_none(taken())
    }

    /// What is in work or waits to come back, and until when.
    fn taken(&self) -> io::Result<Vec<(String, SystemTime)>> {
        let mut taken = Vec::new();
        for entry in fs::read_dir(self.path.join(TAKEN))? {
            let entry = entry?;
            let Some(due) = missing_is_none(entry.metadata().and_then(|about| about.modified()))? else {
                continue;
            };
            taken.extend(entry.file_name().into_string().ok().map(|name| (name, due)));
        }
        taken.sort_by_key(|(_, due)| *due);
        Ok(taken)
    }

    fn put(&self, index: usize, message: &Outgoing) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let end: String = message.name.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
        let name = format!("{now:018}-{index:04}-{end}.json");
        let unfinished = self.path.join(format!(".{name}"));
        fs::write(&unfinished, &message.body)?;
        fs::rename(unfinished, self.path.join(name))
    }

    fn depth(&self) -> io::Result<Depth> {
        let (now, taken) = (SystemTime::now(), self.taken()?);
        let in_flight = taken.iter().filter(|(_, due)| *due > now).count();
        let waiting = messages_in(&self.path)?.len() + taken.len() - in_flight;
        Ok(Depth { waiting: waiting as u64, in_flight: in_flight as u64, delayed: 0 })
    }
}

/// The messages that nobody took yet, in the order of their names.
fn messages_in(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().into_string();
        names.extend(name.ok().filter(|name| name.ends_with(".json") && !name.starts_with('.')));
    }
    names.sort_unstable();
    Ok(names)
}

/// How often a message was received, and its own name.
fn counted(taken: &str) -> (u32, &str) {
    match taken.split_once('~') {
        Some((count, name)) => (count.parse().unwrap_or(0), name),
        None => (0, taken),
    }
}

fn missing_is_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(folder: &Path, most_receives: u32) -> FolderQueue {
        let settings =
            FolderSettings { visibility: Duration::from_secs(600), wait: Duration::ZERO, most_receives };
        FolderQueue::open(folder, settings).unwrap()
    }

    fn message(body: &str) -> Outgoing {
        Outgoing { body: body.to_owned(), group: String::new(), name: body.to_owned() }
    }

    #[tokio::test]
    async fn each_message_is_taken_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let bodies: Vec<String> = (10..40).map(|number| format!("{number}")).collect();
        let messages: Vec<Outgoing> = bodies.iter().map(|body| message(body)).collect();
        queue(folder.path(), 3).send(&messages).await.unwrap();
        let queues = [0; 4].map(|_| queue(folder.path(), 3));
        let [a, b, c, d] = queues.each_ref().map(|queue| queue.receive(20));
        let (a, b, c, d) = tokio::join!(a, b, c, d);
        let mut taken: Vec<String> =
            [a, b, c, d].into_iter().flatten().flatten().map(|message| message.body).collect();
        taken.sort_unstable();
        assert_eq!(taken, bodies);
        assert_eq!(queues[0].depth().await.unwrap(), Depth { waiting: 0, in_flight: 30, delayed: 0 });
    }

    #[tokio::test]
    async fn a_message_comes_back_until_it_came_too_often() {
        let folder = tempfile::tempdir().unwrap();
        let queue = queue(folder.path(), 2);
        fs::write(folder.path().join("a.json"), "{}").unwrap();
        let first = queue.receive(1).await.unwrap().remove(0);
        assert_eq!((first.id.as_str(), first.body.as_str(), first.receives), ("a", "{}", 1));
        assert!(queue.receive(1).await.unwrap().is_empty(), "it is hidden");
        queue.hide(&first.handle, Duration::ZERO).await.unwrap();
        let second = queue.receive(1).await.unwrap().remove(0);
        assert_eq!((second.id.as_str(), second.receives), ("a", 2));
        assert!(queue.remove(&first.handle).await.is_err(), "the first delivery is over");
        queue.hide(&second.handle, Duration::ZERO).await.unwrap();
        assert!(queue.receive(1).await.unwrap().is_empty());
        let dead = queue.dead_letters().await.unwrap().unwrap();
        let found = dead.receive(5).await.unwrap().remove(0);
        assert_eq!(found.body, "{}");
        dead.remove(&found.handle).await.unwrap();
        assert_eq!(dead.depth().await.unwrap(), Depth::default());
    }

    #[test]
    fn a_folder_that_is_missing_is_not_made() {
        let parent = tempfile::tempdir().unwrap();
        let settings = FolderSettings { visibility: Duration::ZERO, wait: Duration::ZERO, most_receives: 1 };
        let error = FolderQueue::open(&parent.path().join("typo"), settings).unwrap_err();
        assert!(error.message().contains("typo; make it (mkdir -p"), "{error}");
        assert!(!parent.path().join("typo").exists());
    }

    #[tokio::test]
    async fn only_folders_beside_it_are_queues() {
        let parent = tempfile::tempdir().unwrap();
        ["images", "done"].iter().for_each(|name| fs::create_dir(parent.path().join(name)).unwrap());
        let queue = queue(&parent.path().join("images"), 3);
        assert!(queue.find("done").await.unwrap().is_some());
        for name in ["missing", "..", "../images", "/tmp", "", ".taken", "images/.taken"] {
            assert!(queue.find(name).await.unwrap().is_none(), "{name}");
        }
    }
}
