//! A file of this machine that is read piece by piece, by several at once. It is read, not mapped: a map of a file that
//! somebody makes shorter ends the program.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

use imgmill_image::ReadAt;

/// The file, as long as it was when it was opened.
#[derive(Debug)]
pub struct LocalFile {
    file: File,
    metadata: Metadata,
}

impl LocalFile {
    /// Opens a file.
    ///
    /// # Errors
    /// What the system says; that it is a folder or a device.
    pub fn open(path: &Path) -> io::Result<LocalFile> {
        // Looked at before it is opened: opening a pipe waits for whoever writes to it.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok(LocalFile { file, metadata })
    }

    /// What the system said of it when it was opened.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl ReadAt for LocalFile {
    fn length(&self) -> u64 {
        self.metadata.len()
    }

    fn read_at(&self, start: u64, into: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, into, start)
    }
}
