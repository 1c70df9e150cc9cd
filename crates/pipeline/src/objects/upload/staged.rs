//! An object of a folder, under another name until it is whole.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use imgmill_image::Output as _;

use super::Onto;
use crate::identity::RESERVED;

/// A file that has not got its name yet; dropped, it is removed.
#[derive(Debug)]
pub(super) struct Staged {
    file: File,
    from: tempfile::TempPath,
    to: PathBuf,
}

impl Staged {
    /// Begins the file of an object in a bucket that is this folder.
    pub fn begin(folder: &Path, key: &object_store::path::Path) -> io::Result<Self> {
        // On the same file system as where it goes, and where nobody takes it for an object.
        let unfinished = folder.join(RESERVED).join("unfinished");
        fs::create_dir_all(&unfinished)?;
        let open = |path: &Path| File::options().read(true).write(true).create_new(true).open(path);
        let (file, from) = tempfile::Builder::new().make_in(&unfinished, open)?.into_parts();
        let to = key.parts().fold(folder.to_owned(), |path, part| path.join(part.as_ref()));
        Ok(Staged { file, from, to })
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    pub fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.add(bytes)
    }

    pub fn begin_with(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, 0)
    }

    pub fn finish(self, onto: Onto) -> io::Result<bool> {
        let Staged { file, from, to } = self;
        drop(file);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        let named = match onto {
            Onto::Anything => from.persist(&to),
            Onto::Nothing => from.persist_noclobber(&to),
        };
        match named {
            Ok(()) => Ok(true),
            Err(error) if onto == Onto::Nothing && error.error.kind() == io::ErrorKind::AlreadyExists => {
                Ok(false)
            }
            Err(error) => Err(error.error),
        }
    }
}
