//! An object of a remote store, in parts of one size: each goes when it is full, but the first goes last.
//!
//! A store numbers parts by the order in which they are given to its client, and takes them in any. So the first is
//! given first, as bytes that lie in a file and may still be written there, and is sent when everything else arrived.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    Attributes, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions,
    TagSet, UploadPart,
};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::{Onto, lost};
use crate::error::{Error, Kind, Stage};
use crate::objects::failure;

/// A part, where the object does not need larger ones: stores want 5 MiB at least.
const PART: u64 = 8 << 20;
/// Stores take 10,000; some are left for an object that is larger than was thought.
const PARTS: u64 = 9_000;
/// Parts on their way at a time, beside the one that is being filled.
const IN_FLIGHT: usize = 2;

/// An object in parts.
pub(super) struct Parts {
    store: Arc<dyn ObjectStore>,
    path: Path,
    attributes: Attributes,
    tags: TagSet,
    runtime: Handle,
    size: usize,
    /// The part that is being filled.
    filling: Vec<u8>,
    /// None while one part, or less, is all there is.
    begun: Option<Begun>,
}

struct Begun {
    upload: Option<Box<dyn MultipartUpload>>,
    first: UploadPart,
    /// Where the bytes of the first part lie.
    first_bytes: File,
    on_the_way: VecDeque<JoinHandle<object_store::Result<()>>>,
    runtime: Handle,
    path: Path,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Parts {
    pub fn begin(
        store: Arc<dyn ObjectStore>,
        path: Path,
        (attributes, tags): (Attributes, TagSet),
        most: u64,
        runtime: Handle,
    ) -> Self {
        let size = most.div_ceil(PARTS).next_multiple_of(1 << 20).max(PART);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        Parts { store, path, attributes, tags, runtime, size, filling: Vec::new(), begun: None }
    }

    /// Adds to the end. On a thread that may wait.
    pub fn add(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            // One that is full goes when there is more, since a short object goes at once.
            if self.filling.len() == self.size {
                self.send()?;
            }
            if self.filling.is_empty() {
                self.filling.reserve_exact(self.size.min(bytes.len().max(1 << 20)));
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.size - self.filling.len()));
            self.filling.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Puts other bytes in the place of the first ones.
    pub fn begin_with(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match &self.begun {
            Some(begun) => {
                begun.first_bytes.write_all_at(bytes, 0).map_err(|error| no_room(&self.path, error))
            }
            None => match self.filling.get_mut(..bytes.len()) {
                Some(start) => {
                    start.copy_from_slice(bytes);
                    Ok(())
                }
                None => Err(lost(&doing(&self.path))),
            },
        }
    }

    /// Sends the part that is full, or keeps it if it is the first.
    fn send(&mut self) -> Result<(), Error> {
        let part = std::mem::take(&mut self.filling);
        match &mut self.begun {
            Some(begun) => begun.send(part),
            None => {
                let options = PutMultipartOptions {
                    attributes: self.attributes.clone(),
                    tags: self.tags.clone(),
                    ..PutMultipartOptions::default()
                };
                let upload = self.runtime.block_on(self.store.put_multipart_opts(&self.path, options));
                let upload = upload.map_err(|error| failure(Stage::Store, &doing(&self.path), error))?;
                let begun = Begun::new(upload, part, self.runtime.clone(), self.path.clone())?;
                self.begun = Some(begun);
                Ok(())
            }
        }
    }

    /// Sends what is left, the first part, and word that it is all; see [`Upload::finish`](super::Upload::finish).
    pub async fn finish(mut self, onto: Onto) -> Result<bool, Error> {
        let (doing, rest) = (doing(&self.path), std::mem::take(&mut self.filling));
        let Some(begun) = self.begun.take() else {
            let mode = if onto == Onto::Nothing { PutMode::Create } else { PutMode::Overwrite };
            let options =
                PutOptions { mode, attributes: self.attributes, tags: self.tags, ..PutOptions::default() };
            return match self.store.put_opts(&self.path, Bytes::from(rest).into(), options).await {
                Ok(_) => Ok(true),
                Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                    Ok(false)
                }
                Err(error) => Err(failure(Stage::Store, &doing, error)),
            };
        };
        if onto == Onto::Nothing {
            match self.store.head(&self.path).await {
                Ok(_) => return Ok(false),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failure(Stage::Store, &doing, error)),
            }
        }
        begun.finish(rest).await.map(|()| true)
    }
}

impl Begun {
    fn new(
        mut upload: Box<dyn MultipartUpload>,
        first: Vec<u8>,
        runtime: Handle,
        path: Path,
    ) -> Result<Self, Error> {
        let lay = || {
            let file = tempfile::tempfile()?;
            file.write_all_at(&first, 0)?;
            map_changing(&file).map(|map| (file, map))
        };
        let (first_bytes, map) = match lay() {
            Ok(laid) => laid,
            Err(error) => {
                abort(&runtime, upload, path.clone());
                return Err(no_room(&path, error));
            }
        };
        // Nothing is read of it before it is polled.
        let first = upload.put_part(Bytes::from_owner(map).into());
        Ok(Begun { upload: Some(upload), first, first_bytes, on_the_way: VecDeque::new(), runtime, path })
    }

    fn send(&mut self, part: Vec<u8>) -> Result<(), Error> {
        while self.on_the_way.len() >= IN_FLIGHT
            && let Some(oldest) = self.on_the_way.pop_front()
        {
            let arrived = self.runtime.block_on(oldest);
            self.arrived(arrived)?;
        }
        if let Some(upload) = &mut self.upload {
            let part = upload.put_part(Bytes::from(part).into());
            self.on_the_way.push_back(self.runtime.spawn(part));
        }
        Ok(())
    }

    fn arrived(
        &self,
        arrived: Result<object_store::Result<()>, tokio::task::JoinError>,
    ) -> Result<(), Error> {
        let doing = doing(&self.path);
        arrived.map_err(|_| lost(&doing))?.map_err(|error| failure(Stage::Store, &doing, error))
    }

    async fn finish(mut self, rest: Vec<u8>) -> Result<(), Error> {
        let doing = doing(&self.path);
        let failed = |error| failure(Stage::Store, &doing, error);
        if let Some(upload) = &mut self.upload
            && !rest.is_empty()
        {
            let part = upload.put_part(Bytes::from(rest).into());
            self.on_the_way.push_back(self.runtime.spawn(part));
        }
        while let Some(part) = self.on_the_way.pop_front() {
            let arrived = part.await;
            self.arrived(arrived)?;
        }
        (&mut self.first).await.map_err(failed)?;
        if let Some(upload) = &mut self.upload {
            upload.complete().await.map_err(failed)?;
        }
        self.upload = None;
        Ok(())
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.on_the_way.iter().for_each(JoinHandle::abort);
        if let Some(upload) = self.upload.take() {
            abort(&self.runtime, upload, self.path.clone());
        }
    }
}

/// Has the store throw away the parts that it has. Where that is not allowed, they stay until the bucket's own rules
/// remove them; the object is not there either way.
fn abort(runtime: &Handle, mut upload: Box<dyn MultipartUpload>, path: Path) {
    let aborting = async move {
        if let Err(error) = upload.abort().await {
            let error = failure(Stage::Store, &format!("giving up the upload of {path}"), error);
            tracing::warn!("{}; its parts may stay until a lifecycle rule removes them", error.chain());
        }
    };
    match Handle::try_current() {
        // Nobody may wait here.
        Ok(here) => drop(here.spawn(aborting)),
        Err(_) => runtime.block_on(aborting),
    }
}

fn doing(path: &Path) -> String {
    format!("storing {path}")
}

fn no_room(path: &Path, error: io::Error) -> Error {
    let kind = if crate::error::is_disk_full(&error) { Kind::DiskFull } else { Kind::Io };
    let message = format!("{}: no file could be made for its first part", doing(path));
    Error::new(Stage::Store, kind, message).caused_by(error)
}

/// Maps the file of the first part, which is written once more before anybody reads the map.
#[allow(unsafe_code)]
fn map_changing(file: &File) -> io::Result<memmap2::Mmap> {
    // SAFETY: the map is sound while nobody shortens the file or writes it while somebody reads the map. The file has
    // no name and never leaves `Begun`, which does not shorten it. It is written by `begin_with`, for which the
    // upload is borrowed or owned by one thread; the map is read when `first` is polled, which `finish` alone does,
    // after it took the upload for itself. In between only its address is held.
    unsafe { memmap2::Mmap::map(file) }
}
