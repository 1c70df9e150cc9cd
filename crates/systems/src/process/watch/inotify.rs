//! What Linux tells of a folder and all below it.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::Happened;

/// Room for some hundred events at once.
const BUFFER: usize = 32 << 10;

/// The kernel watches single folders: all that there are, and those that come.
pub(super) struct Events {
    kernel: OwnedFd,
    root: PathBuf,
    folders: HashMap<i32, PathBuf>,
    buffer: Vec<MaybeUninit<u8>>,
}

impl Events {
    pub(super) fn begin(root: &Path) -> io::Result<Self> {
        let kernel = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let buffer = vec![MaybeUninit::uninit(); BUFFER];
        let mut events = Events { kernel, root: root.to_owned(), folders: HashMap::new(), buffer };
        events.add(root)?;
        Ok(events)
    }

    /// What happened, once something did or this time is over.
    pub(super) fn next(&mut self, wait: Duration) -> io::Result<Vec<Happened>> {
        let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
        let mut asked = [PollFd::new(&self.kernel, PollFlags::IN)];
        match rustix::event::poll(&mut asked, Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let (mut happened, mut new, mut lost) = (Vec::new(), Vec::new(), false);
        let mut reader = Reader::new(&self.kernel, &mut self.buffer);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                lost = true;
            } else if flags.contains(ReadFlags::IGNORED) {
                self.folders.remove(&event.wd());
            } else if let (Some(folder), Some(name)) = (self.folders.get(&event.wd()), event.file_name()) {
                let path = folder.join(OsStr::from_bytes(name.to_bytes()));
                match () {
                    () if flags.contains(ReadFlags::ISDIR) => {
                        if flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
                            new.push(path);
                        }
                    }
                    () if flags.intersects(ReadFlags::CLOSE_WRITE | ReadFlags::MOVED_TO) => {
                        happened.push(Happened::Closed(path));
                    }
                    () if flags.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM) => {
                        happened.push(Happened::Gone(path));
                    }
                    () => happened.push(Happened::Made(path)),
                }
            }
        }
        if lost {
            // Folders that were made meanwhile were not told of either.
            let root = self.root.clone();
            self.add(&root)?;
            happened.push(Happened::Lost);
        }
        for folder in new {
            self.add(&folder)?;
            happened.push(Happened::Folder(folder));
        }
        Ok(happened)
    }

    /// Watches a folder and all below it. Of what is gone again by now nothing is to be told.
    fn add(&mut self, folder: &Path) -> io::Result<()> {
        let what = WatchFlags::CREATE
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW;
        match inotify::add_watch(&self.kernel, folder, what) {
            Ok(watch) => {
                self.folders.insert(watch, folder.to_owned());
            }
            Err(Errno::NOENT | Errno::NOTDIR) if folder != self.root => return Ok(()),
            Err(Errno::NOSPC) => {
                let message = "more folders than fs.inotify.max_user_watches allows; raise it with sysctl";
                return Err(io::Error::other(message));
            }
            Err(error) => return Err(error.into()),
        }
        let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.add(&entry.path())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_and_folders_are_told_of_wherever_they_come() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir(at("old")).unwrap();
        let mut events = Events::begin(place.path()).unwrap();
        let mut told = |what: &dyn Fn()| {
            what();
            let mut told = Vec::new();
            // All that was done is in the queue by now.
            while let Some(more) = Some(events.next(Duration::ZERO).unwrap()).filter(|more| !more.is_empty())
            {
                told.extend(more);
            }
            told
        };
        let file = at("old/a.jpg");
        let (made, closed) = (Happened::Made(file.clone()), Happened::Closed(file.clone()));
        assert_eq!(told(&|| fs::write(&file, "x").unwrap()), [made, closed]);
        assert_eq!(told(&|| fs::create_dir(at("new")).unwrap()), [Happened::Folder(at("new"))]);
        assert_eq!(
            told(&|| fs::rename(&file, at("new/b.jpg")).unwrap()),
            [Happened::Gone(file.clone()), Happened::Closed(at("new/b.jpg"))]
        );
        assert_eq!(told(&|| fs::rename(at("new"), at("moved")).unwrap()), [Happened::Folder(at("moved"))]);
        let moved = at("moved/c.jpg");
        assert_eq!(told(&|| fs::write(&moved, "x").unwrap()).last(), Some(&Happened::Closed(moved.clone())));
        assert_eq!(told(&|| fs::remove_dir_all(at("old")).unwrap()), []);
    }
}
