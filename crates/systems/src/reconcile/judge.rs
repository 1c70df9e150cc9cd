//! Two rows of keys side by side, what is to be there and what is there, and what is wrong with each.

use futures::TryStreamExt as _;
use imgmill_pipeline::{Error, Kind, Stage};
use serde::{Deserialize, Serialize};

use super::expected::{Expected, Noted};
use super::listing::{Object, Objects, moment};
use super::sort::Sorted;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is not there.
    Missing,
    /// It was made of another version of the original, or by another recipe.
    Stale,
    /// It is no image of its format, or not all of it.
    Unreadable,
    /// It could not be found out whether it is.
    Unverified,
    /// Another original has its key.
    Conflict,
    /// Its original can have no such name.
    Unnamed,
    /// No original has this key.
    Orphaned,
}

/// What was found out about one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong.
    pub status: Status,
    /// In words.
    pub reason: String,
    /// The key below the store's prefix; of an original whose keys are not known, empty.
    pub key: String,
    /// What is to be there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expected: Option<Expected>,
    /// What is there: length, and when it was put.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seen: Option<(u64, i64)>,
}

/// What is met at a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Met {
    /// What is to be there, and is.
    Both(String, Expected, Object),
    /// What is not there.
    Nothing(String, Expected),
    /// A key that an original before this one has: its row.
    Taken(String, Expected, u64),
    /// What nobody asked for.
    Unasked(Object),
}

impl Met {
    /// The key.
    pub fn key(&self) -> &str {
        match self {
            Met::Both(key, ..) | Met::Nothing(key, _) | Met::Taken(key, ..) => key,
            Met::Unasked(object) => &object.key,
        }
    }
}

/// Both sides, each at its next key.
pub struct Join {
    expected: Sorted,
    objects: Objects,
    /// Keys of bytes: originals that are alike share one.
    is_shared: bool,
    wanted: Option<(String, Expected)>,
    object: Option<Object>,
    /// The last key that was wanted, and by whom.
    last: Option<(String, Expected)>,
}

impl Join {
    /// Begins after a key, or with the first. `objects` begin there as well.
    ///
    /// # Errors
    /// What reading them says.
    pub async fn begin(
        expected: Sorted,
        objects: Objects,
        after: Option<&str>,
        is_shared: bool,
    ) -> Result<Join, Error> {
        let mut join = Join { expected, objects, is_shared, wanted: None, object: None, last: None };
        loop {
            join.wanted = join.read()?;
            match (&join.wanted, after) {
                (Some((key, _)), Some(after)) if key.as_str() <= after => {}
                _ => break,
            }
        }
        join.object = join.objects.try_next().await?;
        Ok(join)
    }

    fn read(&mut self) -> Result<Option<(String, Expected)>, Error> {
        let failed = |error: String| {
            Error::new(Stage::Source, Kind::Io, format!("the sorted keys cannot be read: {error}"))
        };
        let Some((key, value)) = self.expected.next().map_err(|error| failed(error.to_string()))? else {
            return Ok(None);
        };
        let key = String::from_utf8(key).map_err(|error| failed(error.to_string()))?;
        Ok(Some((key, serde_json::from_slice(&value).map_err(|error| failed(error.to_string()))?)))
    }

    /// The next key, or nothing more.
    ///
    /// # Errors
    /// What reading either side says.
    pub async fn next(&mut self) -> Result<Option<Met>, Error> {
        loop {
            let order = match (&self.wanted, &self.object) {
                (None, None) => return Ok(None),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some((key, _)), Some(object)) => key.as_str().cmp(&object.key),
            };
            if order.is_gt() {
                let object = self.object.take();
                self.object = self.objects.try_next().await?;
                // Whoever wanted it is past, and was told.
                match object.filter(|object| self.last.as_ref().is_none_or(|(key, _)| *key != object.key)) {
                    Some(object) => return Ok(Some(Met::Unasked(object))),
                    None => continue,
                }
            }
            let Some((key, expected)) = self.wanted.take() else { continue };
            self.wanted = self.read()?;
            match &self.last {
                Some((last, by))
                    if *last == key && (by.url == expected.url && by.label == expected.label) =>
                {
                    continue;
                }
                Some((last, by)) if *last == key && !self.is_shared => {
                    let row = by.row;
                    return Ok(Some(Met::Taken(key, expected, row)));
                }
                _ => self.last = Some((key.clone(), expected.clone())),
            }
            return Ok(Some(match &self.object {
                Some(object) if order.is_eq() => Met::Both(key, expected, object.clone()),
                _ => Met::Nothing(key, expected),
            }));
        }
    }
}

/// What is wrong with what is met, as far as that is known without reading it. `named` says that keys follow from names.
pub fn judged(met: &Met, named: bool) -> Option<Finding> {
    let finding =
        |status, reason: String, key: &str, expected: Option<&Expected>, seen: Option<&Object>| Finding {
            status,
            reason,
            key: key.to_owned(),
            expected: expected.cloned(),
            seen: seen.map(|object| (object.size, object.changed)),
        };
    match met {
        Met::Nothing(key, expected) => {
            Some(finding(Status::Missing, "it is not there".to_owned(), key, Some(expected), None))
        }
        Met::Taken(key, expected, row) => {
            let reason = format!("row {row} has this key: two originals want it");
            Some(finding(Status::Conflict, reason, key, Some(expected), None))
        }
        Met::Unasked(object) => Some(finding(
            Status::Orphaned,
            "no original has this key".to_owned(),
            &object.key,
            None,
            Some(object),
        )),
        Met::Both(key, expected, object) => {
            let (status, reason) = wrong(expected, object, named)?;
            Some(finding(status, reason, key, Some(expected), Some(object)))
        }
    }
}

fn wrong(expected: &Expected, object: &Object, named: bool) -> Option<(Status, String)> {
    let stale = |reason: &str| Some((Status::Stale, reason.to_owned()));
    match expected.note {
        _ if object.size == 0 => return Some((Status::Unreadable, "it is empty".to_owned())),
        Some(Noted::OtherSource) => return stale("the original is another version than it was made of"),
        Some(Noted::OtherRecipe) => return stale("it was made by another recipe"),
        Some(Noted::Nothing) if named => {
            return stale("of this version of the original, the store notes none of this recipe");
        }
        Some(Noted::Same(bytes)) if bytes != object.size => {
            let reason = format!("it has {} bytes, and {bytes} were stored", object.size);
            return Some((Status::Unreadable, reason));
        }
        _ => {}
    }
    let changed = expected.changed.filter(|changed| *changed > object.changed)?;
    let (original, derivative) = (moment(changed), moment(object.changed));
    Some((Status::Stale, format!("the original changed {original}, after it was put {derivative}")))
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;

    use super::super::sort::Sorter;
    use super::*;

    fn expected(row: u64) -> Expected {
        Expected { row, url: format!("u{row}"), label: 0, columns: None, changed: Some(100), note: None }
    }

    fn object(key: &str) -> Object {
        Object { key: key.into(), size: 9, changed: 100 }
    }

    async fn met(
        wanted: &[(&str, u64)],
        there: &[&str],
        after: Option<&str>,
        is_shared: bool,
    ) -> Vec<String> {
        let mut sorter = Sorter::new(&std::env::temp_dir());
        for (key, row) in wanted {
            sorter.push(key.as_bytes(), &serde_json::to_vec(&expected(*row)).unwrap()).unwrap();
        }
        let objects: Vec<_> = there.iter().map(|key| Ok(object(key))).collect();
        let objects = futures::stream::iter(objects).boxed();
        let mut join = Join::begin(sorter.sorted().unwrap(), objects, after, is_shared).await.unwrap();
        let mut all = Vec::new();
        while let Some(met) = join.next().await.unwrap() {
            all.push(match met {
                Met::Both(key, expected, _) => format!("{key}={}", expected.row),
                Met::Nothing(key, expected) => format!("{key}-{}", expected.row),
                Met::Taken(key, expected, by) => format!("{key}!{}<{by}", expected.row),
                Met::Unasked(object) => format!("{}+", object.key),
            });
        }
        all
    }

    #[tokio::test]
    async fn both_sides_are_walked_together() {
        let wanted = [("d", 4), ("b", 2), ("a", 1), ("b", 3), ("e", 5), ("e", 5)];
        assert_eq!(
            met(&wanted, &["0", "b", "c", "e", "f"], None, false).await,
            ["0+", "a-1", "b=2", "b!3<2", "c+", "d-4", "e=5", "f+"]
        );
        assert_eq!(met(&wanted, &["c", "e", "f"], Some("b"), false).await, ["c+", "d-4", "e=5", "f+"]);
        assert_eq!(met(&[("b", 2), ("b", 3)], &["b"], None, true).await, ["b=2", "b=3"], "alike");
        assert_eq!(met(&[("b", 2), ("b", 3)], &[], None, false).await, ["b-2", "b!3<2"]);
    }

    #[test]
    fn what_is_stale_and_what_is_not() {
        let status = |change: &dyn Fn(&mut Expected, &mut Object), named| {
            let (mut expected, mut object) = (expected(1), object("k"));
            change(&mut expected, &mut object);
            judged(&Met::Both("k".into(), expected, object), named).map(|finding| finding.status)
        };
        assert_eq!(status(&|_, _| (), true), None, "of the same moment");
        assert_eq!(status(&|expected, _| expected.changed = Some(101), true), Some(Status::Stale));
        assert_eq!(status(&|expected, _| expected.changed = None, true), None);
        assert_eq!(status(&|_, object| object.size = 0, true), Some(Status::Unreadable));
        let noted = |note, named| status(&|expected, _| expected.note = Some(note), named);
        assert_eq!(noted(Noted::Same(9), true), None);
        assert_eq!(noted(Noted::Same(10), true), Some(Status::Unreadable));
        assert_eq!(noted(Noted::OtherRecipe, true), Some(Status::Stale));
        assert_eq!(noted(Noted::OtherSource, true), Some(Status::Stale));
        assert_eq!((noted(Noted::Nothing, true), noted(Noted::Nothing, false)), (Some(Status::Stale), None));
    }

    proptest::proptest! {
        #[test]
        fn every_key_is_told_once(
            wanted in proptest::collection::btree_set("[a-c/-]{1,4}", 0..40),
            there in proptest::collection::btree_set("[a-c/-]{1,4}", 0..40),
            after in proptest::option::of("[a-c/-]{1,4}"),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let rows: Vec<(&str, u64)> = wanted.iter().map(String::as_str).zip(1..).collect();
            let is_later = |key: &&str| after.as_deref().is_none_or(|after| *key > after);
            let objects: Vec<&str> = there.iter().map(String::as_str).filter(is_later).collect();
            let told = runtime.block_on(met(&rows, &objects, after.as_deref(), false));
            let mut expected: Vec<String> = wanted.union(&there).map(String::as_str).filter(is_later).map(|key| {
                match (rows.iter().find(|(wanted, _)| *wanted == key), there.contains(key)) {
                    (Some((_, row)), true) => format!("{key}={row}"),
                    (Some((_, row)), false) => format!("{key}-{row}"),
                    (None, _) => format!("{key}+"),
                }
            }).collect();
            expected.sort_by(|one, other| {
                let key = |text: &str| text.trim_end_matches(|c: char| c.is_ascii_digit())[..].to_owned();
                let bare = |text: &str| { let text = key(text); text[..text.len() - 1].to_owned() };
                bare(one).cmp(&bare(other))
            });
            proptest::prop_assert_eq!(told, expected);
        }
    }
}
