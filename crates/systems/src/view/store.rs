//! What is shown from: a folder, or a bucket. Keys in, files to read from out.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use futures::TryStreamExt as _;
use hyper::StatusCode;
use imgmill_image::ReadAt;
use imgmill_pipeline::local::LocalFile;
use imgmill_pipeline::objects::Bucket;
use imgmill_pipeline::{Error, Kind, Stage};
use lru::LruCache;
use object_store::path::Path as Key;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use tokio::runtime::Handle;

use super::answer::Refused;

/// Files that a listing names at the most.
const MOST_LISTED: usize = 200_000;

/// A folder or a bucket.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    Folder(PathBuf),
    Bucket(Bucket),
}

/// Which version of a file was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    pub length: u64,
    changed: Option<SystemTime>,
    tag: Option<String>,
}

/// A file that is read piece by piece.
pub(crate) struct Opened {
    pub source: Arc<dyn ReadAt>,
    pub version: Version,
}

impl Store {
    pub(crate) fn folder(folder: &Path) -> Result<Store, Error> {
        let failed = |error: io::Error| {
            let message = format!("the folder {} cannot be shown", folder.display());
            Error::new(Stage::Source, Kind::NotFound, message).caused_by(error)
        };
        let folder = folder.canonicalize().map_err(failed)?;
        if !folder.is_dir() {
            return Err(failed(io::ErrorKind::NotADirectory.into()));
        }
        Ok(Store::Folder(folder))
    }

    pub(crate) fn bucket(bucket: Bucket) -> Store {
        match bucket.address {
            imgmill_pipeline::objects::Address::Local(folder) => Store::Folder(folder),
            _ => Store::Bucket(bucket),
        }
    }

    /// The version of a file that is there now; `None` if there is none.
    pub(crate) async fn version(&self, key: &str) -> Result<Option<Version>, Refused> {
        match self {
            Store::Folder(folder) => {
                let (folder, key) = (folder.clone(), key.to_owned());
                let looked = move || inside(&folder, &key)?.map(|path| of_file(&path)).transpose();
                blocking(looked).await.map(Option::flatten)
            }
            Store::Bucket(bucket) => match bucket.store.head(&object(bucket, key)).await {
                Ok(meta) => Ok(Some(of_object(&meta))),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(failed(key, &error)),
            },
        }
    }

    /// Opens a file; `None` if there is none.
    pub(crate) async fn open(&self, key: &str) -> Result<Option<Opened>, Refused> {
        match self {
            Store::Folder(folder) => {
                let (folder, key) = (folder.clone(), key.to_owned());
                blocking(move || {
                    let Some(path) = inside(&folder, &key)? else { return Ok(None) };
                    if !path.is_file() {
                        return Ok(None);
                    }
                    let file = LocalFile::open(&path)?;
                    let version = Version::of(file.metadata());
                    Ok(Some(Opened { source: Arc::new(file), version }))
                })
                .await
            }
            Store::Bucket(bucket) => {
                let Some(version) = self.version(key).await? else { return Ok(None) };
                let (length, path) = (version.length, object(bucket, key));
                let store = Arc::clone(&bucket.store);
                let blocks = Mutex::new(LruCache::new(BLOCKS_KEPT));
                let source = Arc::new(RemoteFile { store, path, length, runtime: Handle::current(), blocks });
                Ok(Some(Opened { source, version }))
            }
        }
    }

    /// A small file; `None` if there is none or it has more bytes than that.
    pub(crate) async fn small(&self, key: &str, most: u64) -> Result<Option<Bytes>, Refused> {
        let Some(Opened { source, .. }) = self.open(key).await? else { return Ok(None) };
        let length = source.length();
        if length > most {
            return Ok(None);
        }
        blocking(move || {
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
            source.read_at(0, &mut bytes)?;
            Ok(Some(Bytes::from(bytes)))
        })
        .await
    }

    /// The keys of all files, in order, hidden ones among them.
    pub(crate) async fn keys(&self) -> Result<Vec<String>, Refused> {
        match self {
            Store::Folder(folder) => {
                let folder = folder.clone();
                blocking(move || {
                    let mut keys = Vec::new();
                    below(&folder, "", &mut keys)?;
                    keys.sort_unstable();
                    Ok(keys)
                })
                .await
            }
            Store::Bucket(bucket) => {
                let prefix = (!bucket.prefix.as_ref().is_empty()).then_some(&bucket.prefix);
                let listed: Result<Vec<_>, _> =
                    futures::StreamExt::take(bucket.store.list(prefix), MOST_LISTED).try_collect().await;
                let listed = listed.map_err(|error| failed("the list of objects", &error))?;
                let key = |meta: object_store::ObjectMeta| {
                    let all = meta.location.as_ref().to_owned();
                    match prefix {
                        Some(prefix) => all
                            .strip_prefix(prefix.as_ref())
                            .map(|key| key.trim_start_matches('/').to_owned()),
                        None => Some(all),
                    }
                };
                let mut keys: Vec<String> = listed.into_iter().filter_map(key).collect();
                keys.sort_unstable();
                Ok(keys)
            }
        }
    }
}

/// Runs what waits for a disk where waiting keeps nobody else.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Refused> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| Refused::failed(format!("the store could not be read: {error}"))),
        Err(_) => Err(Refused::failed("reading the store failed; please report this as a defect")),
    }
}

/// The path of a key, if it is there and below the folder: a link may lead out of it.
fn inside(folder: &Path, key: &str) -> io::Result<Option<PathBuf>> {
    match folder.join(key).canonicalize() {
        Ok(path) if path.starts_with(folder) => Ok(Some(path)),
        Ok(_) => Ok(None),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {
                Ok(None)
            }
            _ => Err(error),
        },
    }
}

fn of_file(path: &Path) -> io::Result<Option<Version>> {
    let meta = path.metadata()?;
    Ok(meta.is_file().then(|| Version::of(&meta)))
}

fn of_object(meta: &object_store::ObjectMeta) -> Version {
    Version { length: meta.size, changed: Some(meta.last_modified.into()), tag: meta.e_tag.clone() }
}

fn object(bucket: &Bucket, key: &str) -> Key {
    bucket.prefix.parts().chain(Key::from(key).parts()).collect()
}

fn failed(what: &str, error: &object_store::Error) -> Refused {
    Refused::new(StatusCode::BAD_GATEWAY, format!("{what} could not be read: {error}"))
}

/// Adds the keys of all files of a folder; of folders that links lead to, none.
fn below(folder: &Path, prefix: &str, keys: &mut Vec<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // A name that is no text cannot be asked for.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let key = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            below(&entry.path(), &key, keys)?;
        } else if keys.len() < MOST_LISTED {
            keys.push(key);
        }
    }
    Ok(())
}

/// Bytes that are asked for at once where few are wanted: directories are read piece by piece.
const BLOCK: u64 = 128 << 10;
const BLOCKS_KEPT: std::num::NonZeroUsize = std::num::NonZeroUsize::MIN.saturating_add(7);

/// An object of a bucket. Asked from threads that may wait, not from the runtime's own.
struct RemoteFile {
    store: Arc<dyn object_store::ObjectStore>,
    path: Key,
    length: u64,
    runtime: Handle,
    blocks: Mutex<LruCache<u64, Bytes>>,
}

impl RemoteFile {
    fn range(&self, range: std::ops::Range<u64>) -> io::Result<Bytes> {
        self.runtime.block_on(self.store.get_range(&self.path, range)).map_err(io::Error::other)
    }

    fn block(&self, number: u64) -> io::Result<Bytes> {
        let kept = self.blocks.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned();
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let start = number * BLOCK;
        let block = self.range(start..(start + BLOCK).min(self.length))?;
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner).put(number, block.clone());
        Ok(block)
    }
}

impl ReadAt for RemoteFile {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, start: u64, into: &mut [u8]) -> io::Result<()> {
        let end = start + into.len() as u64;
        if end > self.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if into.len() as u64 > BLOCK / 8 {
            let bytes = self.range(start..end)?;
            into.copy_from_slice(bytes.get(..into.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
            return Ok(());
        }
        let mut at = start;
        while at < end {
            let block = self.block(at / BLOCK)?;
            let from = usize::try_from(at % BLOCK).unwrap_or(0);
            let rest =
                block.get(from..).filter(|rest| !rest.is_empty()).ok_or(io::ErrorKind::UnexpectedEof)?;
            let target = &mut into[(at - start) as usize..];
            let length = rest.len().min(target.len());
            target[..length].copy_from_slice(&rest[..length]);
            at += length as u64;
        }
        Ok(())
    }
}

impl Version {
    fn of(meta: &std::fs::Metadata) -> Self {
        Version { length: meta.len(), changed: meta.modified().ok(), tag: None }
    }

    /// A number that is another one for another version.
    pub(crate) fn hash(&self) -> u64 {
        use std::hash::{Hash as _, Hasher as _};
        let mut hasher = std::hash::DefaultHasher::new();
        (self.length, self.changed, &self.tag).hash(&mut hasher);
        hasher.finish()
    }
}
