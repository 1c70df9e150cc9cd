//! What there is to see: manifests, originals with what was made of them, pyramids, sets of tiles, other images.
//!
//! A run leaves pointers in its store, which say what was made of which URL; so derivatives stand beside their original
//! without anything being told here. Files that belong to a set of tiles are not listed one by one.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use hyper::Request;
use hyper::body::Incoming;
use imgmill_pipeline::store::Pointer;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use tokio::sync::Mutex;

use super::answer::{Answer, Refused, with_type};
use super::key;
use super::store::Store;

/// How long a list is good for.
const FRESH: Duration = Duration::from_secs(5);
/// Entries of one answer at the most.
const PAGE: usize = 500;
/// Pointers and manifests that are looked into at the most.
const MOST_READ: usize = 20_000;
const AT_ONCE: usize = 32;
/// Bytes of one of them at the most.
const MOST_BYTES: u64 = 1 << 20;

/// The list that was made last.
#[derive(Default)]
pub(super) struct Listing {
    made: Mutex<Option<(Instant, Arc<Vec<Entry>>)>>,
}

/// Something to see, in the order that they are listed in.
#[derive(Debug, Clone, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Entry {
    Collection {
        key: String,
    },
    Manifest {
        key: String,
    },
    /// A source and what was made of it.
    Set {
        key: String,
        /// Where a browser gets the source, if it can.
        original: Option<String>,
        width: u32,
        height: u32,
        bytes: u64,
        renditions: Vec<Rendition>,
    },
    Pyramid {
        key: String,
    },
    /// A folder of tiles that `info.json` describes.
    Tiles {
        key: String,
    },
    /// Deep Zoom.
    Zoom {
        key: String,
    },
    Image {
        key: String,
    },
}

#[derive(Debug, Clone, Serialize, PartialEq, Eq, PartialOrd, Ord)]
struct Rendition {
    key: String,
    width: u32,
    height: u32,
    bytes: u64,
    is_pyramid: bool,
}

#[derive(Serialize)]
struct Page<'a> {
    total: usize,
    from: usize,
    entries: Vec<&'a Entry>,
}

impl Entry {
    fn key(&self) -> &str {
        match self {
            Entry::Collection { key }
            | Entry::Manifest { key }
            | Entry::Set { key, .. }
            | Entry::Pyramid { key }
            | Entry::Tiles { key }
            | Entry::Zoom { key }
            | Entry::Image { key } => key,
        }
    }

    fn holds(&self, search: &str) -> bool {
        let holds = |text: &str| text.to_lowercase().contains(search);
        match self {
            Entry::Set { key, renditions, .. } => {
                holds(key) || renditions.iter().any(|rendition| holds(&rendition.key))
            }
            other => holds(other.key()),
        }
    }
}

impl Listing {
    /// A part of the list: `from`, `count`, and what is looked for in keys by `search`.
    pub(super) async fn answer(
        &self,
        store: &Store,
        originals: Option<&Store>,
        request: &Request<Incoming>,
    ) -> Result<Answer, Refused> {
        let query = request.uri().query().unwrap_or_default();
        let value = |name: &str| {
            url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value)
        };
        let number = |name: &str, default: usize| match value(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| Refused::bad(format!("{name} is a number"))),
        };
        let (from, count) = (number("from", 0)?, number("count", 100)?.min(PAGE));
        let search = value("search").unwrap_or_default().to_lowercase();
        let entries = self.entries(store, originals).await?;
        let found: Vec<&Entry> =
            entries.iter().filter(|entry| search.is_empty() || entry.holds(&search)).collect();
        let page =
            Page { total: found.len(), from, entries: found.into_iter().skip(from).take(count).collect() };
        let text = serde_json::to_vec(&page).map_err(|error| Refused::failed(error.to_string()))?;
        Ok(with_type("application/json", text))
    }

    async fn entries(&self, store: &Store, originals: Option<&Store>) -> Result<Arc<Vec<Entry>>, Refused> {
        // Whoever comes meanwhile waits for the same list.
        let mut made = self.made.lock().await;
        if let Some((when, entries)) = &*made
            && when.elapsed() < FRESH
        {
            return Ok(Arc::clone(entries));
        }
        let entries = Arc::new(list(store, originals).await?);
        *made = Some((Instant::now(), Arc::clone(&entries)));
        Ok(entries)
    }
}

async fn list(store: &Store, originals: Option<&Store>) -> Result<Vec<Entry>, Refused> {
    let keys = store.keys().await?;
    let pointers = keys.iter().filter(|key| key.starts_with(".imgmill/by-url/")).cloned().collect();
    let sets = read(store, pointers, |_, bytes| serde_json::from_slice::<Pointer>(&bytes).ok()).await;
    let there: HashSet<&str> = keys.iter().map(String::as_str).collect();
    let sets: Vec<Entry> = sets.into_iter().filter_map(|pointer| set(&pointer, &there, originals)).collect();
    let in_sets: HashSet<&str> = sets
        .iter()
        .flat_map(|set| match set {
            Entry::Set { renditions, .. } => renditions.as_slice(),
            _ => &[],
        })
        .map(|rendition| rendition.key.as_str())
        .collect();
    let shown: Vec<&String> =
        keys.iter().filter(|key| !key.split('/').any(|part| part.starts_with('.'))).collect();
    let tiles = folders_of_tiles(&shown);
    let outside: Vec<&String> = shown.into_iter().filter(|key| !is_within(key, &tiles)).collect();
    let json = outside.iter().filter(|key| key.ends_with(".json")).map(|key| String::clone(key)).collect();
    let mut entries = read(store, json, described).await;
    entries.extend(tiles.iter().map(|folder| match folder.strip_suffix("_files") {
        Some(name) if there.contains(format!("{name}.dzi").as_str()) => {
            Entry::Zoom { key: format!("{name}.dzi") }
        }
        _ => Entry::Tiles { key: folder.clone() },
    }));
    let alone = outside.into_iter().filter(|key| !in_sets.contains(key.as_str()));
    entries.extend(alone.filter_map(|key| by_its_name(key)));
    entries.extend(sets);
    entries.sort_unstable();
    Ok(entries)
}

/// Looks into files, several at a time; what cannot be read or understood is left out.
async fn read<T>(
    store: &Store,
    keys: Vec<String>,
    understood: impl Fn(&str, bytes::Bytes) -> Option<T>,
) -> Vec<T> {
    let reading = keys.into_iter().take(MOST_READ).map(|key| async move {
        let bytes = store.small(&key, MOST_BYTES).await.ok().flatten()?;
        Some((key, bytes))
    });
    let read: Vec<_> = futures::stream::iter(reading).buffer_unordered(AT_ONCE).collect().await;
    read.into_iter().flatten().filter_map(|(key, bytes)| understood(&key, bytes)).collect()
}

/// A manifest or a collection, if a file is one.
fn described(key: &str, bytes: bytes::Bytes) -> Option<Entry> {
    let described: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    let kind = described.get("type").or_else(|| described.get("@type"))?.as_str()?;
    match kind.trim_start_matches("sc:") {
        "Manifest" => Some(Entry::Manifest { key: key.to_owned() }),
        "Collection" => Some(Entry::Collection { key: key.to_owned() }),
        _ => None,
    }
}

/// What a pointer says of a source, as far as it is still there.
fn set(pointer: &Pointer, there: &HashSet<&str>, originals: Option<&Store>) -> Option<Entry> {
    let renditions: Vec<_> = pointer
        .renditions
        .iter()
        .filter(|(key, _)| there.contains(key.as_str()))
        .map(|(key, known)| Rendition {
            key: key.clone(),
            width: known.width,
            height: known.height,
            bytes: known.bytes,
            is_pyramid: matches!(by_its_name(key), Some(Entry::Pyramid { .. })),
        })
        .collect();
    let original = original(pointer.url(), there, originals);
    (!renditions.is_empty()).then(|| Entry::Set {
        key: pointer.url().to_owned(),
        original,
        width: pointer.width,
        height: pointer.height,
        bytes: pointer.bytes,
        renditions,
    })
}

/// Where a browser gets a source: from the web, or from the folder of originals. What a pointer says is no reason to
/// give out any other file of this machine.
fn original(url: &str, there: &HashSet<&str>, originals: Option<&Store>) -> Option<String> {
    if url.starts_with("http://") || url.starts_with("https://") {
        return Some(url.to_owned());
    }
    let path = url.strip_prefix("file://").map_or_else(
        || Some(url.to_owned()),
        |path| percent_decode_str(path).decode_utf8().ok().map(String::from),
    )?;
    if let Some(Store::Folder(folder)) = originals {
        let below = std::path::Path::new(&path).strip_prefix(folder).ok().and_then(|path| path.to_str());
        let key = below.unwrap_or(&path);
        return key::of_segments(key::as_path(key).split('/'))
            .map(|key| format!("/originals/{}", key::as_path(&key)));
    }
    there.contains(path.as_str()).then(|| format!("/files/{}", key::as_path(&path)))
}

/// Folders that hold sets of tiles: those with a description, and those that belong to a Deep Zoom file.
fn folders_of_tiles(keys: &[&String]) -> BTreeSet<String> {
    let folder = |key: &&String| match key.strip_suffix("/info.json") {
        Some(folder) => Some(folder.to_owned()),
        None => key.strip_suffix(".dzi").map(|name| format!("{name}_files")),
    };
    keys.iter().filter_map(folder).collect()
}

fn is_within(key: &str, folders: &BTreeSet<String>) -> bool {
    key.match_indices('/').any(|(end, _)| folders.contains(&key[..end])) || key.ends_with(".dzi")
}

fn by_its_name(key: &str) -> Option<Entry> {
    let (_, extension) = key.rsplit_once('.')?;
    let key = key.to_owned();
    match extension.to_ascii_lowercase().as_str() {
        "tif" | "tiff" | "ptif" => Some(Entry::Pyramid { key }),
        "jpg" | "jpeg" | "png" | "webp" | "gif" | "avif" | "svg" => Some(Entry::Image { key }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_one_entry() {
        let keys: Vec<String> =
            ["t/page/info.json", "t/page/0,0,9,9/9,9/0/default.jpg", "a.dzi", "a_files/0/0_0.jpg", "b.jpg"]
                .map(String::from)
                .to_vec();
        let folders = folders_of_tiles(&keys.iter().collect::<Vec<_>>());
        assert_eq!(folders, BTreeSet::from(["a_files".into(), "t/page".into()]));
        let left: Vec<_> = keys.iter().filter(|key| !is_within(key, &folders)).collect();
        assert_eq!(left, ["b.jpg"]);
    }

    #[test]
    fn a_pointer_opens_no_file_of_this_machine() {
        let there = HashSet::from(["scans/a.jpg"]);
        let folder = Store::Folder("/srv/scans".into());
        let found = |url, originals| original(url, &there, originals);
        assert_eq!(found("https://example.org/a.jpg", None).as_deref(), Some("https://example.org/a.jpg"));
        assert_eq!(found("/etc/passwd", None), None);
        assert_eq!(found("scans/a.jpg", None).as_deref(), Some("/files/scans/a.jpg"));
        assert_eq!(
            found("file:///srv/scans/b%20c.jpg", Some(&folder)).as_deref(),
            Some("/originals/b%20c.jpg")
        );
        for url in ["/etc/passwd", "file:///srv/scans/../x", "../x", "javascript:alert(1)//"] {
            let found = found(url, Some(&folder));
            assert!(found.as_deref().is_none_or(|found| found.starts_with("/originals/")), "{found:?}");
        }
        assert_eq!(found("/etc/passwd", Some(&folder)), None);
    }
}
