//! Originals: what derivatives are to be there of. A list, all images below a prefix, or what an S3 Inventory says of a
//! bucket.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use imgmill_pipeline::columns::{Columns, Header};
use imgmill_pipeline::objects::{Address, Bucket, ObjectOptions, failure};
use imgmill_pipeline::source::list::{ListInput, Reader, Reading};
use imgmill_pipeline::{Error, Kind, Stage};
use object_store::ObjectStore as _;
use tokio::sync::mpsc;

use super::inventory::Inventory;
use super::listing::nested;
use crate::batch::list_input;
use crate::batch::place::Place;
use crate::bucket::keys;

/// What images are called, where nobody says otherwise: whatever is read, by itself or by a delegate.
pub const EXTENSIONS: [&str; 19] = [
    "jpg", "jpeg", "png", "gif", "webp", "tif", "tiff", "bmp", "avif", "jp2", "j2k", "jpx", "svg", "svgz",
    "pdf", "eps", "heic", "psd", "dng",
];

/// Where originals are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Originals {
    /// Rows of a list.
    List(Place, Reading),
    /// Objects below a URL, or files below a folder, as it was written.
    Prefix(String),
    /// What the manifest of an S3 Inventory names.
    Inventory(Place),
}

/// One original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// Its place among all, counted from 1.
    pub row: u64,
    /// Where it is.
    pub url: Arc<str>,
    /// What else its list says of it.
    pub columns: Option<Arc<Columns>>,
    /// When it last changed, where that is known without asking for each.
    pub changed: Option<DateTime<Utc>>,
    /// What the next fetch would remember of this version, likewise.
    pub etag: Option<String>,
}

/// Originals, one after another.
pub type Stream = BoxStream<'static, Result<Original, Error>>;

/// Originals, opened.
pub struct Opened {
    /// All of them, in any order.
    pub stream: Stream,
    /// What the list's columns are.
    pub header: Option<Arc<Header>>,
    /// Objects that changed later may have originals that are not among these.
    pub as_of: DateTime<Utc>,
    /// Where they lie in the store, if they do and that is one place: what its keys begin with.
    pub in_store: Option<String>,
}

impl Originals {
    /// Opens them.
    ///
    /// # Errors
    /// What is not as it must be, in one sentence.
    pub async fn open(
        &self,
        extensions: &[String],
        store: &Bucket,
        folder: &Path,
        objects: &ObjectOptions,
    ) -> Result<Opened, Error> {
        let as_of = Utc::now();
        match self {
            Originals::List(place, reading) => {
                let input = list_input(place, folder, objects).await?.read_as(reading.clone());
                let (stream, header) =
                    tokio::task::spawn_blocking(move || rows(&input)).await.map_err(stopped)??;
                Ok(Opened { stream, header, as_of, in_store: None })
            }
            Originals::Prefix(typed) => {
                let options = ObjectOptions { read_only: true, ..objects.clone() };
                let bucket = Bucket::connect(Stage::Source, &prefix_url(typed)?, &options).await?;
                if let Address::Local(folder) = &bucket.address
                    && !folder.is_dir()
                {
                    let message = format!("there is no folder {}", folder.display());
                    return Err(Error::new(Stage::Source, Kind::NotFound, message));
                }
                let in_store = nested(store, &bucket);
                if in_store.as_deref() == Some("") {
                    let message = "the originals and the store are one place, where derivatives would count as originals; \
                                   give each a prefix of its own";
                    return Err(Error::new(Stage::Source, Kind::BadRequest, message));
                }
                let stream = below(typed.clone(), &bucket, extensions.to_vec(), nested(&bucket, store));
                Ok(Opened { stream, header: None, as_of, in_store })
            }
            Originals::Inventory(place) => {
                let inventory = Inventory::open(place, folder, objects).await?;
                let as_of = inventory.as_of();
                let stream = inventory.originals(extensions.to_vec());
                Ok(Opened { stream, header: None, as_of, in_store: None })
            }
        }
    }
}

/// The URL of a prefix: of a folder that was written as a path, its own.
///
/// # Errors
/// When it is none.
pub fn prefix_url(typed: &str) -> Result<String, Error> {
    if typed.contains("://") {
        return Ok(typed.to_owned());
    }
    let wrong = || Error::new(Stage::Source, Kind::InvalidUrl, format!("{typed}: not a folder"));
    let folder = std::path::absolute(typed).map_err(|_| wrong())?;
    url::Url::from_directory_path(folder).map(String::from).map_err(|()| wrong())
}

/// Whether a key is an original's, by its extension; hidden ones and our own are none.
pub(super) fn is_image(key: &str, extensions: &[String]) -> bool {
    let hidden = |part: &str| part.starts_with('.');
    let has = |extension: &str| match extensions {
        [] => EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension)),
        wanted => wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(extension)),
    };
    !key.split('/').any(hidden) && keys::extension(key).is_some_and(has)
}

/// All rows of a list, and its columns.
fn rows(input: &ListInput) -> Result<(Stream, Option<Arc<Header>>), Error> {
    let mut reader = Reader::open(input)?;
    let header = reader.header().cloned();
    let (sender, receiver) = mpsc::channel(1024);
    std::thread::spawn(move || {
        for row in 1.. {
            let item = match reader.next() {
                Ok(None) => return,
                Ok(Some(found)) => {
                    let (changed, etag) = file_facts(&found.url);
                    Ok(Original { row, url: found.url, columns: found.columns, changed, etag })
                }
                Err(error) => Err(error),
            };
            if sender.blocking_send(item).is_err() {
                return;
            }
        }
    });
    let stream =
        futures::stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    Ok((stream.boxed(), header))
}

/// Of a file of this machine, its time and what a fetch would remember of it.
fn file_facts(url: &str) -> (Option<DateTime<Utc>>, Option<String>) {
    let path = match url.split_once("://") {
        None => Some(PathBuf::from(url)),
        Some(("file", _)) => url::Url::parse(url).ok().and_then(|url| url.to_file_path().ok()),
        Some(_) => None,
    };
    let Some(metadata) = path.and_then(|path| path.metadata().ok()) else { return (None, None) };
    let modified = metadata.modified().ok();
    (
        modified.map(Into::into),
        modified.and_then(|time| imgmill_pipeline::fetch::file_etag(metadata.len(), time)),
    )
}

/// All images below a prefix.
fn below(typed: String, bucket: &Bucket, extensions: Vec<String>, without: Option<String>) -> Stream {
    let doing = format!("listing the originals in {}", bucket.address);
    let is_local = matches!(bucket.address, Address::Local(_));
    let prefix = bucket.prefix.clone();
    let mut row = 0;
    let found = bucket.store.list(Some(&bucket.prefix).filter(|prefix| !prefix.as_ref().is_empty()));
    let originals =
        found.map_err(move |error| failure(Stage::Source, &doing, error)).try_filter_map(move |object| {
            let key = object.location.as_ref();
            let below = match prefix.as_ref() {
                "" => key,
                prefix => key.strip_prefix(prefix).map_or(key, |rest| rest.trim_start_matches('/')),
            };
            let is_derivative = without.as_ref().is_some_and(|without| below.starts_with(without.as_str()));
            let original = (is_image(below, &extensions) && !is_derivative).then(|| {
                row += 1;
                let etag = match is_local {
                    true => imgmill_pipeline::fetch::file_etag(object.size, object.last_modified.into()),
                    false => object.e_tag.clone(),
                };
                let url = match is_local && !typed.contains("://") {
                    true => format!("{}/{below}", typed.trim_end_matches('/')),
                    false => keys::url(&typed, below),
                };
                Original { row, url: url.into(), columns: None, changed: Some(object.last_modified), etag }
            });
            std::future::ready(Ok(original))
        });
    originals.boxed()
}

pub(super) fn stopped(join: tokio::task::JoinError) -> Error {
    Error::new(Stage::Source, Kind::Internal, "reading the originals failed").caused_by(join)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn originals_are_told_by_their_extension() {
        for key in ["a.JPG", "a/b.tiff", "a b/ü.Pdf"] {
            assert!(is_image(key, &[]), "{key}");
        }
        for key in ["a.txt", "a", ".a.jpg", ".thumbs/a.jpg", "jpg", ".jpg"] {
            assert!(!is_image(key, &[]), "{key}");
        }
        assert!(is_image("a.cr2", &["CR2".into()]) && !is_image("a.jpg", &["CR2".into()]));
    }
}
