//! Where the system is not asked: the folder is looked through every second.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Happened;

const EVERY: Duration = Duration::from_secs(1);

pub(super) struct Events {
    root: std::path::PathBuf,
    last: Instant,
}

impl Events {
    pub(super) fn begin(root: &Path) -> io::Result<Self> {
        Ok(Events { root: root.to_owned(), last: Instant::now() })
    }

    /// What happened, once this time is over.
    pub(super) fn next(&mut self, wait: Duration) -> io::Result<Vec<Happened>> {
        std::thread::sleep(wait);
        if self.last.elapsed() < EVERY {
            return Ok(Vec::new());
        }
        self.last = Instant::now();
        Ok(vec![Happened::Folder(self.root.clone())])
    }
}
