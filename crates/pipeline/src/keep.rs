//! Local copies of sources and renditions, under the work folder, for people who want to look at them.
//!
//! Copies are a convenience: when the disk is nearly full, or one cannot be written, the run goes on
//! without them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::body::Body;
use crate::identity::hex;

/// No more copies are made when less than this is free...
const FREE_BYTES: u64 = 1 << 30;
/// ...or less than this share of the disk, whichever is the smaller bound.
const FREE_SHARE: u64 = 20;

/// The work folder's copies.
#[derive(Debug)]
pub struct Keeper {
    folder: PathBuf,
    stopped: AtomicBool,
}

impl Keeper {
    /// Keeps copies in `folder`, which exists.
    pub fn new(folder: PathBuf) -> Self {
        Keeper { folder, stopped: AtomicBool::new(false) }
    }

    /// Keeps a source as `SHA256.ext`; tells where, if it was kept.
    pub async fn source(self: &Arc<Self>, body: Arc<Body>) -> Option<PathBuf> {
        let extension = imgmill_image::sniff(&body).map_or("bin", |format| format.extension());
        let name = format!("{}.{extension}", body.sha256());
        let length = body.len() as u64;
        self.write(name, length, move |path| write_whole(path, &body)).await
    }

    /// Keeps a rendition as `SHA256.ext`; tells where, if it was kept.
    pub async fn rendition(
        self: &Arc<Self>,
        bytes: bytes::Bytes,
        extension: &'static str,
    ) -> Option<PathBuf> {
        use sha2::Digest as _;
        let name = format!("{}.{extension}", hex(&sha2::Sha256::digest(&bytes)));
        let length = bytes.len() as u64;
        self.write(name, length, move |path| write_whole(path, &bytes)).await
    }

    async fn write<F>(self: &Arc<Self>, name: String, length: u64, write: F) -> Option<PathBuf>
    where
        F: FnOnce(&Path) -> std::io::Result<()> + Send + 'static,
    {
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        let keeper = Arc::clone(self);
        let work = move || {
            let path = keeper.folder.join(name);
            // By its content's hash, so another length means that somebody else wrote it.
            if std::fs::metadata(&path).map(|found| found.len()).ok() != Some(length) {
                if let Some(free) = nearly_full(&keeper.folder) {
                    keeper.stop(&format!("only {} MiB are free", free >> 20));
                    return None;
                }
                if let Err(error) = write(&path) {
                    keeper.stop(&error.to_string());
                    return None;
                }
            }
            Some(path)
        };
        tokio::task::spawn_blocking(work).await.ok().flatten()
    }

    fn stop(&self, why: &str) {
        if !self.stopped.swap(true, Ordering::Relaxed) {
            tracing::warn!("keeping no more local copies in {}: {why}", self.folder.display());
        }
    }
}

/// The free bytes of the disk that holds `folder`, when they are too few.
fn nearly_full(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    let (free, all) = (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize);
    (free < FREE_BYTES.min(all / FREE_SHARE)).then_some(free)
}

/// Under its name only when whole, so that a killed run leaves no half copy to be trusted.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".part-").tempfile_in(folder)?;
    std::io::Write::write_all(&mut file, bytes)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}
