//! Whether an object is the image that it is to be: by its beginning and its end, or by decoding all of it. What the
//! engine reads for that, it reads in processes that are shut in, since nobody knows what lies in a store.

use std::sync::Arc;

use bytes::Bytes;
use imgmill_image::OutputFormat;
use imgmill_pipeline::derive::{Deriver, Isolation};
use imgmill_pipeline::fetch::{Fetched, Fetcher};
use imgmill_pipeline::objects::{ObjectOptions, failure};
use imgmill_pipeline::store::Store;
use imgmill_pipeline::{Error, Kind, Limits, Stage};
use object_store::ObjectStoreExt as _;
use tokio_util::sync::CancellationToken;

use super::judge::Status;
use super::structure::{self, Directory, HEAD, TAIL};
use crate::bucket::keys;

/// How closely objects are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// By what the listing says.
    #[default]
    Listing,
    /// By their beginning and their end, as ranges.
    Ends,
    /// By decoding them.
    Whole,
}

/// Looks at objects.
#[derive(Debug)]
pub struct Verifier {
    depth: Depth,
    store: Store,
    /// The store's URL.
    url: String,
    deriver: Deriver,
    fetcher: Fetcher,
}

impl Verifier {
    /// Everything that is wanted for looking closely; nothing where the listing will do.
    ///
    /// # Errors
    /// What keeps processes from being started.
    pub async fn new(
        depth: Depth,
        (store, url): (&Store, &str),
        isolation: &Isolation,
        limits: &Limits,
        work_dir: &std::path::Path,
        objects: &ObjectOptions,
    ) -> Result<Option<Verifier>, Error> {
        if depth == Depth::Listing {
            return Ok(None);
        }
        let isolation = Isolation { everywhere: true, program: isolation.program.clone() };
        let deriver = Deriver::new(limits, isolation)?.working_in(work_dir.to_owned());
        deriver.check().await?;
        // What is in the store was made here, however large.
        let limits = Limits { max_bytes: u64::MAX, ..limits.clone() };
        let fetcher = Fetcher::new(&limits, work_dir.to_owned(), objects.clone())?;
        Ok(Some(Verifier { depth, store: store.clone(), url: url.to_owned(), deriver, fetcher }))
    }

    /// What is wrong with an object of this format and length, if anything is.
    ///
    /// # Errors
    /// What keeps all objects from being looked at: the store.
    pub async fn look(
        &self,
        key: &str,
        size: u64,
        format: OutputFormat,
    ) -> Result<Option<(Status, String)>, Error> {
        let looked = match self.depth {
            Depth::Listing => Ok(()),
            Depth::Ends => self.ends(key, size, format).await,
            Depth::Whole => self.whole(key, size, format).await,
        };
        match looked {
            Ok(()) => Ok(None),
            Err(Looked::Bad(what)) => Ok(Some((Status::Unreadable, what))),
            Err(Looked::Failed(error)) => match error.kind() {
                Kind::NotAnImage
                | Kind::Truncated
                | Kind::Corrupt
                | Kind::UnsupportedFormat
                | Kind::BadRequest
                | Kind::Crashed => Ok(Some((Status::Unreadable, error.chain()))),
                Kind::NotFound => {
                    Ok(Some((Status::Missing, "it was there when the store was listed".to_owned())))
                }
                Kind::Denied | Kind::DiskFull | Kind::Interrupted => Err(error),
                _ => Ok(Some((Status::Unverified, error.chain()))),
            },
        }
    }

    async fn range(&self, key: &str, range: std::ops::Range<u64>) -> Result<Bytes, Looked> {
        let found = self.store.bucket().store.get_range(&self.store.path(key), range).await;
        found.map_err(|error| Looked::Failed(failure(Stage::Store, &format!("reading {key}"), error)))
    }

    async fn ends(&self, key: &str, size: u64, format: OutputFormat) -> Result<(), Looked> {
        let head = self.range(key, 0..size.min(HEAD)).await?;
        let is_whole = head.len() as u64 == size;
        let tail = match is_whole {
            true => head.slice(head.len().saturating_sub(TAIL as usize)..),
            false => self.range(key, size.saturating_sub(TAIL)..size).await?,
        };
        structure::check(format, &head, &tail, size).map_err(Looked::Bad)?;
        if let Some(directory) = structure::directory(&head) {
            let end = directory.offset.saturating_add(Directory::LENGTH).min(size);
            let bytes = self.range(key, directory.offset..end).await?;
            return directory.check(&bytes, size).map_err(Looked::Bad);
        }
        match self.deriver.header(head).await {
            // The rest was not read: that it ends is no news.
            Err(error) if !is_whole && error.kind() == Kind::Truncated => Ok(()),
            Err(error) => Err(Looked::Failed(error)),
            Ok(_) => Ok(()),
        }
    }

    async fn whole(&self, key: &str, size: u64, format: OutputFormat) -> Result<(), Looked> {
        let url = keys::url(&self.url, key);
        let fetched =
            self.fetcher.fetch(&url, None, &CancellationToken::new()).await.map_err(Looked::Failed)?;
        let Fetched::New(body, _) = fetched.fetched else { return Ok(()) };
        let bytes = Arc::new(body).shared();
        let tail = &bytes[bytes.len().saturating_sub(TAIL as usize)..];
        structure::check(format, &bytes, tail, size).map_err(Looked::Bad)?;
        self.deriver.entire(bytes.clone()).await.map(drop).map_err(Looked::Failed)
    }
}

/// Why an object is not known to be good.
enum Looked {
    Bad(String),
    Failed(Error),
}
