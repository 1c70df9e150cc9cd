//! Pyramids that are open, and what was made of them lately: both few, and both of the version that is in the store.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::StatusCode;
use imgmill_image::{ErrorKind, Limits, Pyramid, ReadAt, Request, Resolved};
use lru::LruCache;
use tokio::sync::Semaphore;

use super::answer::Refused;
use super::store::{Opened, Store, Version};

/// Pyramids that are kept open, and bytes of their directories at the most.
const OPEN: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);
const DIRECTORIES: usize = 64 << 20;
/// How long nobody looks whether a file changed.
const FRESH: Duration = Duration::from_secs(1);
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What identifiers may leave out of a key.
const ENDINGS: [&str; 5] = ["", ".tif", ".tiff", ".ptif", ".TIF"];

/// A pyramid that is open.
pub(super) struct Image {
    pub pyramid: Pyramid,
    source: Arc<dyn ReadAt>,
    version: Version,
    key: String,
    /// Another one with each opening.
    pub number: u64,
    checked: Mutex<Instant>,
}

/// The open pyramids, and made images.
pub(super) struct Pyramids {
    open: Mutex<LruCache<String, Arc<Image>>>,
    made: Mutex<Made>,
    threads: Arc<Semaphore>,
    next: AtomicU64,
}

/// Made images by the pyramid and the request.
struct Made {
    images: LruCache<(u64, String), Bytes>,
    bytes: usize,
    most: usize,
}

impl Pyramids {
    pub(super) fn new(threads: usize, cache: usize) -> Self {
        Self {
            open: Mutex::new(LruCache::new(OPEN)),
            made: Mutex::new(Made { images: LruCache::unbounded(), bytes: 0, most: cache }),
            threads: Arc::new(Semaphore::new(threads)),
            next: AtomicU64::new(1),
        }
    }

    /// The pyramid that an identifier stands for, as it is in the store now.
    pub(super) async fn get(&self, store: &Store, identifier: &str) -> Result<Arc<Image>, Refused> {
        if let Some(image) = self.kept(identifier) {
            if image.was_checked() {
                return Ok(image);
            }
            if store.version(&image.key).await?.as_ref() == Some(&image.version) {
                image.check();
                return Ok(image);
            }
        }
        for ending in ENDINGS {
            let key = format!("{identifier}{ending}");
            if let Some(opened) = store.open(&key).await? {
                let image = self.read(key, opened).await?;
                self.keep(identifier, &image);
                return Ok(image);
            }
        }
        Err(Refused::not_there("such image"))
    }

    /// Made bytes of a request that was answered before.
    pub(super) fn made(&self, image: &Image, request: &str) -> Option<Bytes> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.images.get(&(image.number, request.to_owned())).cloned()
    }

    /// Draws what a request came to, when it is its turn, and keeps it under the words that it was asked for by.
    pub(super) async fn draw(
        &self,
        image: &Arc<Image>,
        resolved: Resolved,
        limits: &Limits,
        request: String,
    ) -> Result<Bytes, Refused> {
        let (drawn, limits) = (Arc::clone(image), limits.within(PATIENCE));
        let draw = move || drawn.pyramid.draw(&*drawn.source, &resolved, &limits);
        let bytes = Bytes::from(self.with_a_thread(draw).await?.bytes);
        self.made.lock().unwrap_or_else(PoisonError::into_inner).keep((image.number, request), &bytes);
        Ok(bytes)
    }

    async fn read(&self, key: String, Opened { source, version }: Opened) -> Result<Arc<Image>, Refused> {
        let file = Arc::clone(&source);
        let pyramid = self.with_a_thread(move || Pyramid::open(&*file)).await?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let checked = Mutex::new(Instant::now());
        Ok(Arc::new(Image { pyramid, source, version, key, number, checked }))
    }

    /// Runs what reads and computes in a thread of its own, few at a time.
    async fn with_a_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, imgmill_image::Error> + Send + 'static,
    ) -> Result<T, Refused> {
        let failed = || Refused::failed("the image engine failed; please report this image as a defect");
        let turn = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| failed())?;
        let working = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        working.await.map_err(|_| failed())?.map_err(|error| refused(&error))
    }

    fn kept(&self, identifier: &str) -> Option<Arc<Image>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).get(identifier).cloned()
    }

    fn keep(&self, identifier: &str, image: &Arc<Image>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.put(identifier.to_owned(), Arc::clone(image));
        let bytes = |open: &LruCache<String, Arc<Image>>| -> usize {
            open.iter().map(|(_, image)| image.pyramid.memory()).sum()
        };
        while open.len() > 1 && bytes(&open) > DIRECTORIES {
            open.pop_lru();
        }
    }
}

impl Image {
    pub(super) fn resolve(&self, request: &Request, limits: &Limits) -> Result<Resolved, Refused> {
        self.pyramid.resolve(request, limits).map_err(|error| refused(&error))
    }

    fn was_checked(&self) -> bool {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < FRESH
    }

    fn check(&self) {
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl Made {
    fn keep(&mut self, key: (u64, String), bytes: &Bytes) {
        // One that fills a quarter of the room would push out what is wanted again.
        if bytes.len() > self.most / 4 {
            return;
        }
        self.bytes += bytes.len();
        if let Some(before) = self.images.put(key, bytes.clone()) {
            self.bytes -= before.len();
        }
        while self.bytes > self.most
            && let Some((_, oldest)) = self.images.pop_lru()
        {
            self.bytes -= oldest.len();
        }
    }
}

/// What an error of the engine means to whoever asked.
fn refused(error: &imgmill_image::Error) -> Refused {
    let status = match error.kind() {
        ErrorKind::BadRequest | ErrorKind::TooManyPixels => StatusCode::BAD_REQUEST,
        ErrorKind::UnsupportedOutput | ErrorKind::UnsupportedFormat => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::Timeout => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Refused::new(status, error.to_string())
}
