//! Rerun: records for images that are in the bucket already, so that their pyramids are made again.

use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use imgmill_pipeline::objects::{Bucket, failure};
use imgmill_pipeline::store::Store;
use imgmill_pipeline::{Error, Stage};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore as _};

use super::changes::Change;
use super::keys;
use super::ledger::{Ledger, Written};
use super::record::Record;
use super::sequencer::Sequencer;

/// Requests at once, for records and for pyramids that may be missing.
const AT_ONCE: usize = 32;

/// Which images.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// What keys begin with; without any, all.
    pub prefixes: Vec<String>,
    /// Their extensions; without any, all that pyramids are made of.
    pub extensions: Vec<String>,
    /// Put at that time or later.
    pub since: Option<DateTime<Utc>>,
}

impl Selection {
    fn takes(&self, key: &str, object: &ObjectMeta) -> bool {
        let extension = keys::extension(key).unwrap_or_default();
        let is_wanted = |wanted: &String| wanted.eq_ignore_ascii_case(extension);
        keys::is_image(key).is_ok()
            && (self.prefixes.is_empty()
                || self.prefixes.iter().any(|prefix| key.starts_with(prefix.as_str())))
            && (self.extensions.is_empty() || self.extensions.iter().any(is_wanted))
            && self.since.is_none_or(|since| object.last_modified >= since)
    }

    /// The folders to list: what is before the last slash of each prefix, and none inside another.
    fn folders(&self) -> Vec<String> {
        let mut folders: Vec<_> = self
            .prefixes
            .iter()
            .map(|prefix| keys::folder(prefix).trim_end_matches('/').to_owned())
            .collect();
        if folders.is_empty() {
            folders.push(String::new());
        }
        folders.sort();
        let mut apart: Vec<String> = Vec::new();
        for folder in folders {
            let is_inside = |outer: &String| {
                outer.is_empty() || folder == *outer || folder.starts_with(&format!("{outer}/"))
            };
            if !apart.iter().any(is_inside) {
                apart.push(folder);
            }
        }
        apart
    }
}

/// What a count found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Objects looked at.
    pub objects: u64,
    /// Those that were selected.
    pub selected: u64,
    /// Bytes of those.
    pub bytes: u64,
}

/// What a rerun came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rerun {
    /// Records written, or that would be.
    pub recorded: u64,
    /// Images whose record waits already.
    pub known: u64,
    /// Images that have a pyramid, where only those without are wanted.
    pub present: u64,
}

/// Writes records for what is there.
#[derive(Debug)]
pub struct Rerunner {
    /// Where sources are.
    pub sources: Bucket,
    /// What that bucket is called in records.
    pub name: Option<String>,
    /// Where records go; nowhere in a dry run.
    pub ledger: Option<Ledger>,
    /// Where pyramids are, if only images without one are wanted.
    pub images: Option<Store>,
    /// Which images.
    pub selection: Selection,
    /// What the records say of the rights.
    pub copyright_status: Option<String>,
}

impl Rerunner {
    /// Counts what is selected, page by page. `step` hears of every thousand objects.
    ///
    /// # Errors
    /// What the bucket answers.
    pub async fn count(&self, mut step: impl FnMut(Count)) -> Result<Count, Error> {
        let mut count = Count::default();
        let mut objects = self.objects();
        while let Some(object) = objects.try_next().await? {
            count.objects += 1;
            if self.selection.takes(object.location.as_ref(), &object) {
                count.selected += 1;
                count.bytes += object.size;
            }
            if count.objects.is_multiple_of(1000) {
                step(count);
            }
        }
        Ok(count)
    }

    /// Writes a record for each image that is selected, unless its record waits. `step` hears of each.
    ///
    /// # Errors
    /// What the buckets answer.
    pub async fn run(&self, mut step: impl FnMut()) -> Result<Rerun, Error> {
        let selected = self
            .objects()
            .try_filter(|object| std::future::ready(self.selection.takes(object.location.as_ref(), object)));
        let written = selected.map_ok(|object| self.write(object)).try_buffer_unordered(AT_ONCE);
        let mut written = std::pin::pin!(written);
        let mut rerun = Rerun::default();
        while let Some(written) = written.try_next().await? {
            match written {
                Some(Written::New) => rerun.recorded += 1,
                Some(Written::Known) => rerun.known += 1,
                None => rerun.present += 1,
            }
            step();
        }
        Ok(rerun)
    }

    async fn write(&self, object: ObjectMeta) -> Result<Option<Written>, Error> {
        let key = object.location.to_string();
        if let Some(images) = &self.images
            && images.find(&keys::pyramid(&key)).await?.is_some()
        {
            return Ok(None);
        }
        let Some(ledger) = &self.ledger else { return Ok(Some(Written::New)) };
        let change = Change {
            bucket: self.name.clone(),
            key,
            e_tag: object.e_tag.map(|tag| tag.trim_matches('"').to_owned()),
            version_id: object.version,
            sequencer: Sequencer::of_time(object.last_modified),
            copyright_status: self.copyright_status.clone(),
        };
        ledger.write(&Record::of(&change), &change.sequencer).await.map(Some)
    }

    fn objects(&self) -> BoxStream<'static, Result<ObjectMeta, Error>> {
        let lists = self.selection.folders().into_iter().map(|folder| {
            let path = if folder.is_empty() { None } else { Path::parse(&folder).ok() };
            self.sources.store.list(path.as_ref())
        });
        let doing = format!("listing {}", self.sources.address);
        let lists: Vec<_> = lists.collect();
        let all = futures::stream::iter(lists).flatten();
        all.map_err(move |error| failure(Stage::Source, &doing, error)).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_listed_once() {
        let folders = |prefixes: &[&str]| {
            let prefixes = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
            Selection { prefixes, ..Selection::default() }.folders()
        };
        assert_eq!(folders(&[]), [""]);
        assert_eq!(folders(&["digital/", "collections/"]), ["collections", "digital"]);
        assert_eq!(folders(&["digital/a", "digital/", "digital/x/"]), ["digital"]);
        assert_eq!(folders(&["dig", "digital/x/"]), [""]);
        assert_eq!(folders(&["ab/", "a/"]), ["a", "ab"]);
    }

    #[test]
    fn what_is_selected() {
        let object = |time: &str| ObjectMeta {
            location: Path::from("x"),
            last_modified: time.parse().unwrap(),
            size: 1,
            e_tag: None,
            version: None,
        };
        let selection = Selection {
            prefixes: vec!["digital/".into(), "col".into()],
            extensions: vec!["PNG".into(), "tif".into()],
            since: Some("2026-01-02T00:00:00Z".parse().unwrap()),
        };
        let new = object("2026-01-02T00:00:00Z");
        assert!(selection.takes("digital/a.png", &new) && selection.takes("collections/b.TIF", &new));
        assert!(!selection.takes("digital/a.jpg", &new) && !selection.takes("other/a.png", &new));
        assert!(!selection.takes("digital/.a.png", &new));
        assert!(!selection.takes("digital/a.png", &object("2026-01-01T23:59:59Z")));
        assert!(Selection::default().takes("any/b.jpeg", &new) && !Selection::default().takes("b.txt", &new));
    }
}
