//! A body as it arrives: counted, hashed, recognised as an image or refused, and kept in memory or on disk.
//!
//! All bodies of a run share one memory budget. A body that finds it used up goes on in an unnamed
//! temporary file and is mapped when complete, so that whoever reads it sees one slice of bytes either way.

use std::fs::File;
use std::io::Write;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Kind, Stage, is_disk_full};
use crate::identity::SourceHash;

/// The grain of the memory budget.
const UNIT: u64 = 16 << 10;

/// `bytes` in the budget's units, rounded up.
pub(crate) fn units(bytes: u64) -> usize {
    usize::try_from(bytes.div_ceil(UNIT)).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}

/// What holds for every body of a run.
#[derive(Debug)]
pub(crate) struct BodyPolicy {
    pub max_bytes: u64,
    pub budget: Arc<Semaphore>,
    pub spool_dir: PathBuf,
    pub idle_timeout: Duration,
}

/// The complete bytes of a source. Its memory goes back to the budget when it is dropped.
#[derive(Debug)]
pub struct Body {
    storage: Storage,
    sha256: SourceHash,
}

#[derive(Debug)]
enum Storage {
    Memory { bytes: Vec<u8>, _held: Vec<OwnedSemaphorePermit> },
    Spooled(memmap2::Mmap),
}

impl Body {
    /// SHA-256 of the bytes.
    pub fn sha256(&self) -> SourceHash {
        self.sha256
    }

    /// Whether the bytes are on disk rather than in memory.
    pub fn is_spooled(&self) -> bool {
        matches!(self.storage, Storage::Spooled(_))
    }
}

impl Body {
    /// The bytes, to be shared further.
    pub fn shared(self: Arc<Self>) -> Bytes {
        Bytes::from_owner(Shared(self))
    }
}

struct Shared(Arc<Body>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.storage {
            Storage::Memory { bytes, .. } => bytes,
            Storage::Spooled(map) => map,
        }
    }
}

impl BodyPolicy {
    /// Reads `stream` to its end. `announced` is the length that the origin promised, if it did.
    ///
    /// # Errors
    /// Too many bytes, none at all, fewer than announced, no image by the first bytes, a pause longer
    /// than the idle timeout, a full disk; and whatever `stream` yields.
    pub async fn read<S>(&self, stream: S, announced: Option<u64>) -> Result<Body, Error>
    where
        S: Stream<Item = Result<Bytes, Error>>,
    {
        if let Some(length) = announced.filter(|length| *length > self.max_bytes) {
            return Err(self.too_large(&format!("{length} bytes announced")));
        }
        let mut writer = BodyWriter::new(self, announced);
        let mut stream = std::pin::pin!(stream);
        loop {
            let next = tokio::time::timeout(self.idle_timeout, stream.next()).await.map_err(|_| {
                let pause = self.idle_timeout.as_secs_f32();
                Error::new(Stage::Fetch, Kind::Timeout, format!("no data came for {pause} s")).transient(true)
            })?;
            match next {
                Some(chunk) => writer.push(&chunk?)?,
                None => return writer.finish(announced),
            }
        }
    }

    fn too_large(&self, what: &str) -> Error {
        Error::new(
            Stage::Fetch,
            Kind::TooLarge,
            format!("{what}, more than --max-bytes allows ({})", self.max_bytes),
        )
    }
}

struct BodyWriter<'a> {
    policy: &'a BodyPolicy,
    bytes: Vec<u8>,
    held: Vec<OwnedSemaphorePermit>,
    room: u64,
    spool: Option<File>,
    length: u64,
    hasher: Sha256,
    recognised: bool,
}

impl<'a> BodyWriter<'a> {
    fn new(policy: &'a BodyPolicy, announced: Option<u64>) -> Self {
        let mut writer = BodyWriter {
            policy,
            bytes: Vec::new(),
            held: Vec::new(),
            room: 0,
            spool: None,
            length: 0,
            hasher: Sha256::new(),
            recognised: false,
        };
        // One exact allocation where the length is known and fits; a promise alone is never trusted with more.
        if let Some(length) = announced
            && writer.reserve(length)
        {
            writer.bytes.reserve_exact(usize::try_from(length).unwrap_or(0));
        }
        writer
    }

    /// Takes budget until `length` bytes fit in memory; `false` when there is not enough.
    fn reserve(&mut self, length: u64) -> bool {
        if length <= self.room {
            return true;
        }
        let Ok(wanted) = u32::try_from(units(length - self.room)) else { return false };
        match Arc::clone(&self.policy.budget).try_acquire_many_owned(wanted) {
            Ok(permit) => {
                self.room += u64::from(wanted) * UNIT;
                self.held.push(permit);
                true
            }
            Err(_) => false,
        }
    }

    fn push(&mut self, chunk: &[u8]) -> Result<(), Error> {
        self.length += chunk.len() as u64;
        if self.length > self.policy.max_bytes {
            return Err(self.policy.too_large("the body has more bytes"));
        }
        self.hasher.update(chunk);
        if self.spool.is_none() && !self.reserve(self.length) {
            self.start_spooling()?;
        }
        match &mut self.spool {
            Some(file) => file.write_all(chunk).map_err(spool_error)?,
            None => self.bytes.extend_from_slice(chunk),
        }
        if !self.recognised && self.length >= imgmill_image::SNIFF_LEN as u64 {
            self.recognise()?;
        }
        Ok(())
    }

    /// Refuses what does not begin like an image as soon as enough of it is there.
    fn recognise(&mut self) -> Result<(), Error> {
        self.recognised = true;
        let spooled;
        let beginning = match &self.spool {
            Some(file) => {
                spooled = beginning_of(file).map_err(spool_error)?;
                &spooled[..]
            }
            None => &self.bytes,
        };
        check_is_image(beginning)
    }

    fn start_spooling(&mut self) -> Result<(), Error> {
        let mut file = tempfile::tempfile_in(&self.policy.spool_dir).map_err(spool_error)?;
        file.write_all(&self.bytes).map_err(spool_error)?;
        tracing::debug!(bytes = self.length, "body memory is used up, spooling to disk");
        self.bytes = Vec::new();
        self.held.clear();
        self.room = 0;
        self.spool = Some(file);
        Ok(())
    }

    fn finish(mut self, announced: Option<u64>) -> Result<Body, Error> {
        if let Some(length) = announced.filter(|length| *length != self.length) {
            let message = format!("the body ended after {} of {length} bytes", self.length);
            return Err(Error::new(Stage::Fetch, Kind::Truncated, message).transient(true));
        }
        if self.length == 0 {
            return Err(Error::new(Stage::Fetch, Kind::NotAnImage, "the body is empty"));
        }
        if !self.recognised {
            self.recognise()?;
        }
        let sha256 = SourceHash(self.hasher.finalize().into());
        let storage = match self.spool {
            Some(file) => Storage::Spooled(map(&file).map_err(spool_error)?),
            None => Storage::Memory { bytes: self.bytes, _held: self.held },
        };
        Ok(Body { storage, sha256 })
    }
}

fn check_is_image(beginning: &[u8]) -> Result<(), Error> {
    if imgmill_image::sniff(beginning).is_some() {
        return Ok(());
    }
    let looks_like = if beginning.trim_ascii_start().starts_with(b"<") {
        "a page of markup, such as an error page"
    } else {
        "something else"
    };
    let message = format!("the body is not an image by its first bytes but {looks_like}");
    Err(Error::new(Stage::Fetch, Kind::NotAnImage, message))
}

fn spool_error(error: std::io::Error) -> Error {
    let (kind, hint) = if is_disk_full(&error) {
        (Kind::DiskFull, "; free some space or name another disk with --work-dir")
    } else {
        (Kind::Io, "")
    };
    let message = format!("could not spool the body to the work folder: {error}{hint}");
    Error::new(Stage::Fetch, kind, message).caused_by(error)
}

fn beginning_of(file: &File) -> std::io::Result<Vec<u8>> {
    use std::os::unix::fs::FileExt;
    let mut beginning = vec![0; imgmill_image::SNIFF_LEN];
    let read = file.read_at(&mut beginning, 0)?;
    beginning.truncate(read);
    Ok(beginning)
}

/// Maps a complete spool file.
#[allow(unsafe_code)]
pub(crate) fn map(file: &File) -> std::io::Result<memmap2::Mmap> {
    // SAFETY: the map is sound while nobody shortens or writes the file. It was created without a name
    // (`tempfile_in`), so no other process can open it, and this process drops its only handle after this.
    unsafe { memmap2::Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIF: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

    fn policy(max_bytes: u64, budget: u64) -> BodyPolicy {
        BodyPolicy {
            max_bytes,
            budget: Arc::new(Semaphore::new(units(budget))),
            spool_dir: std::env::temp_dir(),
            idle_timeout: Duration::from_millis(50),
        }
    }

    fn chunks(bytes: &[u8], size: usize) -> impl Stream<Item = Result<Bytes, Error>> {
        let parts: Vec<_> = bytes.chunks(size).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
        futures::stream::iter(parts)
    }

    #[tokio::test]
    async fn memory_and_disk_hold_the_same_bytes() {
        let mut image = GIF.to_vec();
        image.resize(100_000, 7);
        for (budget, spooled) in [(1 << 20, false), (0, true), (UNIT * 2, true)] {
            let policy = policy(1 << 20, budget);
            for announced in [None, Some(image.len() as u64)] {
                let body = policy.read(chunks(&image, 10), announced).await.unwrap();
                assert_eq!(&body[..], &image[..]);
                assert_eq!(body.is_spooled(), spooled);
                assert_eq!(body.sha256().0[..], Sha256::digest(&image)[..]);
            }
            assert_eq!(policy.budget.available_permits(), units(budget), "the budget came back");
        }
    }

    #[tokio::test]
    async fn each_bad_body_has_its_kind() {
        let kind = async |max, bytes: &[u8], announced| {
            policy(max, 1 << 20).read(chunks(bytes, 64), announced).await.unwrap_err().kind()
        };
        assert_eq!(kind(10, GIF, None).await, Kind::TooLarge);
        assert_eq!(kind(10, GIF, Some(1000)).await, Kind::TooLarge);
        assert_eq!(kind(1000, GIF, Some(1000)).await, Kind::Truncated);
        assert_eq!(kind(1000, b"<!doctype html><p>no", None).await, Kind::NotAnImage);
        assert_eq!(kind(1000, b"", None).await, Kind::NotAnImage);
        let silent = policy(1000, 1000).read(futures::stream::pending(), None).await.unwrap_err();
        assert_eq!((silent.kind(), silent.is_transient()), (Kind::Timeout, true));
    }
}
