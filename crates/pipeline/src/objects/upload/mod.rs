//! An object on its way into a bucket while its bytes are still being made, by a thread that knows no `async`.
//!
//! A folder gets it as a file under another name, which it loses when the object is whole ([`staged`]). A remote store
//! gets it in parts, of which the first goes last, since what makes the object may change its first bytes at the end
//! ([`parts`]). Either way nothing is at the object's key until [`finish`](Upload::finish): an upload that is dropped
//! leaves nothing.

mod parts;
mod staged;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use imgmill_image::Output;
use object_store::path::Path;
use object_store::{Attributes, TagSet};
use tokio::runtime::Handle;

use super::{Address, Bucket, failure};
use crate::body;
use crate::error::{Error, Kind, Stage};
use parts::Parts;
use staged::Staged;

/// What is to be at the key before an upload takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onto {
    /// Nothing. A remote store is asked just before; only small objects are put on this condition itself.
    Nothing,
    /// Whatever is there.
    Anything,
}

/// An object that is being written.
#[derive(Debug)]
pub struct Upload {
    key: String,
    to: To,
    /// The same bytes in an unnamed file, for who wants to read them afterwards.
    copy: Option<File>,
    length: u64,
}

#[derive(Debug)]
enum To {
    /// Nowhere yet: what is made shows where it belongs.
    Nowhere,
    Folder(Staged),
    Store(Box<Parts>),
}

impl Upload {
    /// Begins an object of about `most` bytes at the most. `copy` is a folder for a copy that can be read afterwards;
    /// an object in a folder can be read in any case. Parts are sent on `runtime`.
    pub(crate) fn begin(
        bucket: &Bucket,
        path: Path,
        (attributes, tags): (Attributes, TagSet),
        most: u64,
        copy: Option<&std::path::Path>,
        runtime: &Handle,
    ) -> io::Result<Upload> {
        let key = path.to_string();
        let (to, copy) = match &bucket.address {
            Address::Local(folder) => (To::Folder(Staged::begin(folder, &path)?), None),
            _ => {
                let store = Arc::clone(&bucket.store);
                let parts = Parts::begin(store, path, (attributes, tags), most, runtime.clone());
                (To::Store(Box::new(parts)), copy.map(tempfile::tempfile_in).transpose()?)
            }
        };
        Ok(Upload { key, to, copy, length: 0 })
    }

    /// Bytes that go to an unnamed file in `folder` alone.
    pub(crate) fn nowhere(folder: &std::path::Path) -> io::Result<Upload> {
        let copy = Some(tempfile::tempfile_in(folder)?);
        Ok(Upload { key: String::new(), to: To::Nowhere, copy, length: 0 })
    }

    /// Whether finishing it would put it anywhere.
    pub(crate) fn goes_somewhere(&self) -> bool {
        !matches!(self.to, To::Nowhere)
    }

    /// Bytes so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What was written, where it can be read here.
    pub(crate) fn bytes(&self) -> io::Result<Option<Bytes>> {
        let file = match (&self.to, &self.copy) {
            (To::Folder(staged), _) => staged.file(),
            (_, Some(copy)) => copy,
            (_, None) => return Ok(None),
        };
        body::map(file).map(|map| Some(Bytes::from_owner(map)))
    }

    /// Puts the whole object at its key; `false` if something is there already that was not to be.
    ///
    /// # Errors
    /// What the disk or the store answers; nothing is at the key then but what was there.
    pub async fn finish(self, onto: Onto) -> Result<bool, Error> {
        let doing = format!("storing {}", self.key);
        match self.to {
            To::Nowhere => Err(lost(&doing)),
            To::Folder(staged) => staged.finish(onto).map_err(|error| {
                let error = object_store::Error::Generic { store: "LocalFileSystem", source: error.into() };
                failure(Stage::Store, &doing, error)
            }),
            To::Store(parts) => parts.finish(onto).await,
        }
    }
}

impl Output for Upload {
    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        if let Some(copy) = &mut self.copy {
            copy.add(bytes)?;
        }
        match &mut self.to {
            To::Nowhere => Ok(()),
            To::Folder(staged) => staged.add(bytes),
            To::Store(parts) => parts.add(bytes).map_err(io::Error::other),
        }
    }

    fn begin_with(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(copy) = &mut self.copy {
            copy.write_all_at(bytes, 0)?;
        }
        match &mut self.to {
            To::Nowhere => Ok(()),
            To::Folder(staged) => staged.begin_with(bytes),
            To::Store(parts) => parts.begin_with(bytes).map_err(io::Error::other),
        }
    }
}

/// A part could not be handed to its task.
fn lost(doing: &str) -> Error {
    Error::new(Stage::Store, Kind::Internal, format!("{doing}: the upload stopped by itself"))
}
