//! What the store holds, in the order of its keys' bytes.
//!
//! S3 and Google Cloud Storage list in that order, page by page, and from any key on. Folders, Azure and S3's directory
//! buckets do not: what they list is sorted on disk first. A store that promises the order and does not keep it ends the work
//! rather than being misread.

use std::path::Path;

use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use imgmill_pipeline::identity::RESERVED;
use imgmill_pipeline::objects::{Address, Bucket, failure};
use imgmill_pipeline::{Error, Kind, Stage};
use object_store::ObjectMeta;
use object_store::ObjectStore as _;

use super::expected::nanoseconds;
use super::sort::Sorter;

/// An object of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key below the store's prefix.
    pub key: String,
    /// Its length.
    pub size: u64,
    /// When it was put, in nanoseconds since 1970.
    pub changed: i64,
}

/// Objects in the order of their keys.
pub type Objects = BoxStream<'static, Result<Object, Error>>;

/// The objects of a store.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Where they are.
    pub bucket: Bucket,
    /// Whether listings come in order as they are.
    pub in_order: bool,
    /// What lies in the store and is none of its own: originals.
    pub without: Option<String>,
}

impl Listing {
    /// Of a bucket at this URL.
    pub fn of(url: &str, bucket: Bucket) -> Listing {
        let is_directory_bucket = url.split('/').nth(2).is_some_and(|name| name.ends_with("--x-s3"));
        let in_order = match bucket.address {
            Address::Local(_) => false,
            _ => (url.starts_with("s3://") && !is_directory_bucket) || url.starts_with("gs://"),
        };
        Listing { bucket, in_order, without: None }
    }

    /// All objects after this key, or all.
    ///
    /// # Errors
    /// What the store or the disk says.
    pub async fn after(&self, key: Option<&str>, folder: &Path) -> Result<Objects, Error> {
        let found = self.found(key);
        if self.in_order {
            return Ok(in_order(found).boxed());
        }
        let unsorted = |error: std::io::Error| {
            Error::new(Stage::Store, Kind::Io, format!("sorting the listing in {}", folder.display()))
                .caused_by(error)
        };
        let (mut found, mut sorter) = (found, Sorter::new(folder));
        while let Some(object) = found.try_next().await? {
            let mut value = object.size.to_le_bytes().to_vec();
            value.extend(object.changed.to_le_bytes());
            sorter.push(object.key.as_bytes(), &value).map_err(unsorted)?;
        }
        let sorted = sorter.sorted().map_err(unsorted)?;
        let objects = futures::stream::unfold(sorted, move |mut sorted| async move {
            let object = match sorted.next() {
                Ok(None) => return None,
                Ok(Some((key, value))) => read(key, &value),
                Err(error) => Err(unreadable(error)),
            };
            Some((object, sorted))
        });
        Ok(objects.boxed())
    }

    fn found(&self, after: Option<&str>) -> Objects {
        let Bucket { store, prefix, address, .. } = &self.bucket;
        let doing = format!("listing {address}");
        let (within, without) = (prefix.to_string(), self.without.clone());
        let prefix = Some(prefix).filter(|prefix| !prefix.as_ref().is_empty());
        let found = match after {
            Some(key) => {
                let whole = if within.is_empty() { key.to_owned() } else { format!("{within}/{key}") };
                let offset =
                    object_store::path::Path::parse(&whole).unwrap_or_else(|_| whole.as_str().into());
                store.list_with_offset(prefix, &offset)
            }
            None => store.list(prefix),
        };
        let own = move |found: ObjectMeta| {
            let key = found.location.as_ref();
            let key = match within.as_str() {
                "" => key,
                within => {
                    key.strip_prefix(within).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default()
                }
            };
            let is_ours = key.split('/').next() == Some(RESERVED);
            let is_original = without.as_ref().is_some_and(|without| key.starts_with(without.as_str()));
            if key.is_empty() || is_ours || is_original {
                return None;
            }
            Some(Object { key: key.to_owned(), size: found.size, changed: nanoseconds(found.last_modified) })
        };
        found
            .map_err(move |error| failure(Stage::Store, &doing, error))
            .try_filter_map(move |found| std::future::ready(Ok(own(found))))
            .boxed()
    }
}

/// Sees that objects are in order. What consoles put for a folder, an empty object whose key ends with a slash, comes without
/// that slash, and is left out where it can be told.
fn in_order(found: Objects) -> impl futures::Stream<Item = Result<Object, Error>> + Send {
    let stream = found.peekable();
    futures::stream::try_unfold((Box::pin(stream), String::new()), |(mut found, before)| async move {
        while let Some(object) = found.try_next().await? {
            let is_folder = object.size == 0 && {
                let next = found.as_mut().peek().await;
                let inside = format!("{}/", object.key);
                matches!(next, Some(Ok(next)) if next.key.starts_with(&inside)) || object.key <= before
            };
            if is_folder {
                continue;
            }
            if !before.is_empty() && object.key <= before {
                let message = format!(
                    "the store's listing is out of order: {:?} comes behind {before:?}; give --sort-listing, which sorts it here",
                    object.key
                );
                return Err(Error::new(Stage::Store, Kind::Corrupt, message));
            }
            let before = object.key.clone();
            return Ok(Some((object, (found, before))));
        }
        Ok(None)
    })
}

fn read(key: Vec<u8>, value: &[u8]) -> Result<Object, Error> {
    let number = |at: usize| value.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    match (String::from_utf8(key), number(0), number(8)) {
        (Ok(key), Some(size), Some(changed)) => {
            Ok(Object { key, size: u64::from_le_bytes(size), changed: i64::from_le_bytes(changed) })
        }
        _ => Err(unreadable(std::io::ErrorKind::InvalidData.into())),
    }
}

fn unreadable(error: std::io::Error) -> Error {
    Error::new(Stage::Store, Kind::Io, "the sorted listing cannot be read").caused_by(error)
}

/// When a time is, for a message.
pub(super) fn moment(nanoseconds: i64) -> String {
    DateTime::<Utc>::from_timestamp_nanos(nanoseconds).to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// What `inner` is called below `outer`, with a slash at its end, if it lies there; empty if they are one place.
pub fn nested(outer: &Bucket, inner: &Bucket) -> Option<String> {
    let (outer, inner) = match (&outer.address, &inner.address) {
        (Address::Local(outer), Address::Local(inner)) => {
            (outer.display().to_string(), inner.display().to_string())
        }
        (one, other) if one == other => (outer.prefix.to_string(), inner.prefix.to_string()),
        _ => return None,
    };
    if outer == inner {
        return Some(String::new());
    }
    let rest =
        if outer.is_empty() { Some(inner.as_str()) } else { inner.strip_prefix(&outer)?.strip_prefix('/') };
    rest.map(|rest| format!("{rest}/"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use imgmill_pipeline::objects::UrlStyle;
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;

    fn object(key: &str, size: u64) -> Object {
        Object { key: key.into(), size, changed: 0 }
    }

    async fn ordered(keys: &[(&str, u64)]) -> Result<Vec<String>, Error> {
        let objects: Vec<_> = keys.iter().map(|(key, size)| Ok(object(key, *size))).collect();
        in_order(futures::stream::iter(objects).boxed()).map_ok(|object| object.key).try_collect().await
    }

    #[tokio::test]
    async fn order_is_seen_to_and_folders_are_left_out() {
        assert_eq!(ordered(&[("a", 1), ("a-b", 1), ("a/b", 0)]).await.unwrap(), ["a", "a-b", "a/b"]);
        assert_eq!(ordered(&[("a", 0), ("a/b", 1), ("c", 0)]).await.unwrap(), ["a/b", "c"]);
        assert_eq!(ordered(&[("a-b", 1), ("a", 0), ("a/b", 1)]).await.unwrap(), ["a-b", "a/b"]);
        let error = ordered(&[("b", 1), ("a", 1)]).await.unwrap_err();
        assert!(error.message().contains("out of order"), "{error}");
    }

    #[tokio::test]
    async fn any_store_is_listed_by_the_bytes_of_keys() {
        let store = Arc::new(InMemory::new());
        for key in ["p/a/b", "p/a-b", "p/Z", "p/.imgmill/x", "p/o/x", "p/a!", "q"] {
            store.put(&key.into(), "x".into()).await.unwrap();
        }
        let bucket = Bucket {
            store,
            prefix: "p".into(),
            address: Address::Local("/p".into()),
            urls: UrlStyle::default(),
        };
        let mut listing = Listing { bucket, in_order: false, without: Some("o/".into()) };
        let folder = tempfile::tempdir().unwrap();
        for in_order in [false, true] {
            listing.in_order = in_order;
            let keys = async |after| {
                let objects = listing.after(after, folder.path()).await.unwrap();
                objects.map_ok(|object| object.key).try_collect::<Vec<_>>().await.unwrap()
            };
            assert_eq!(keys(None).await, ["Z", "a!", "a-b", "a/b"]);
            assert_eq!(keys(Some("a!")).await, ["a-b", "a/b"]);
        }
    }
}
