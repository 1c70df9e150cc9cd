//! What is to be in the store: a key for each derivative of each original.
//!
//! With a template that names keys by their sources, a key follows from the original's name. With `{hash}` it follows from
//! the original's bytes, which only the store's own notes (`.imgmill/by-url`) tell without reading them. Those are an aid and
//! never proof: an original without a note may be missing or not, and an object that no note names is no orphan for that.

use imgmill_image::{Derivative, Recipe};
use imgmill_pipeline::Error;
use imgmill_pipeline::identity::{SourceHash, rendition_hash};
use imgmill_pipeline::naming::{KeyTemplate, Named, Naming as _};
use imgmill_pipeline::store::Pointer;
use serde::{Deserialize, Serialize};

use super::originals::Original;

/// A derivative that is to be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Its original's place among all.
    pub row: u64,
    /// Its original.
    pub url: String,
    /// Which of the recipe's derivatives it is.
    pub label: usize,
    /// All that the list says of the original.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub columns: Option<Vec<String>>,
    /// When the original last changed, in nanoseconds since 1970; nothing where its version is known to be the one that
    /// the derivative was made of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub changed: Option<i64>,
    /// What the store's note of the original says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<Noted>,
}

/// What a note says of a derivative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Noted {
    /// It was stored as it is to be now, with this length.
    Same(u64),
    /// The original was another version then.
    OtherSource,
    /// It was made by another recipe.
    OtherRecipe,
    /// Of this version of the original, it was not made.
    Nothing,
}

/// How keys and notes lead to what is expected.
#[derive(Debug, Clone)]
pub struct Names {
    /// What is made of each original.
    pub recipe: Recipe,
    /// How it is named.
    pub keys: KeyTemplate,
}

impl Names {
    /// What is expected of an original, by key; the store's note of it where there is one and it was looked for; and, where
    /// its origin was asked, whether it changed since that note. Without a note, names that follow from the bytes are not
    /// known: then there is nothing.
    ///
    /// # Errors
    /// An original that can have no such name.
    pub fn of(
        &self,
        original: &Original,
        note: Option<&Pointer>,
        changed_since: Option<bool>,
    ) -> Result<Option<Vec<(String, Expected)>>, Error> {
        let source = note.and_then(|note| SourceHash::from_hex(&note.sha256));
        if source.is_none() && !self.keys.follows_from_name() {
            return Ok(None);
        }
        let known = note.zip(source);
        let mut expected = Vec::with_capacity(self.recipe.derivatives().len());
        for (label, derivative) in self.recipe.derivatives().iter().enumerate() {
            let (key, mut note) = self.key(original, derivative, known)?;
            if changed_since == Some(true) {
                note = Some(Noted::OtherSource);
            }
            let Original { row, url, columns, changed, etag } = original;
            let columns = columns.as_ref().map(|columns| columns.values().to_vec());
            let has_tags = etag.is_some() && known.is_some_and(|(note, _)| note.validators.etag.is_some());
            let is_vouched_for =
                (has_tags || changed_since == Some(false)) && note != Some(Noted::OtherSource);
            let changed = changed.filter(|_| !is_vouched_for).map(nanoseconds);
            expected.push((key, Expected { row: *row, url: url.to_string(), label, columns, changed, note }));
        }
        Ok(Some(expected))
    }

    fn key(
        &self,
        original: &Original,
        derivative: &Derivative,
        known: Option<(&Pointer, SourceHash)>,
    ) -> Result<(String, Option<Noted>), Error> {
        let id = original.columns.as_ref().and_then(|columns| columns.id());
        let named = |source: SourceHash, hash: &str| {
            self.keys.key(&Named { hash, source, url: &original.url, row: original.row, id, derivative })
        };
        let Some((note, source)) = known else {
            return Ok((named(SourceHash([0; 32]), "")?, None));
        };
        let whole = rendition_hash(source, derivative, false);
        let key = named(source, &whole)?;
        let cut = rendition_hash(source, derivative, true);
        let cut_key = named(source, &cut)?;
        let is_other = match (&note.validators.etag, &original.etag) {
            (Some(noted), Some(now)) => !same_tag(noted, now),
            _ => false,
        };
        let (key, noted) = match (note.renditions.get(&key), note.renditions.get(&cut_key)) {
            (Some(known), _) if known.hash == whole => (key, Noted::Same(known.bytes)),
            (_, Some(known)) if known.hash == cut => (cut_key, Noted::Same(known.bytes)),
            (Some(_), _) => (key, Noted::OtherRecipe),
            (None, _) => (key, Noted::Nothing),
        };
        Ok((key, Some(if is_other { Noted::OtherSource } else { noted })))
    }
}

/// A time as a number, in nanoseconds since 1970.
pub(super) fn nanoseconds(time: chrono::DateTime<chrono::Utc>) -> i64 {
    time.timestamp_nanos_opt().unwrap_or(i64::MAX)
}

/// Entity tags as they come: with quotes from servers, without from inventories.
fn same_tag(one: &str, other: &str) -> bool {
    let bare = |tag: &str| tag.trim_start_matches("W/").trim_matches('"').to_owned();
    bare(one) == bare(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use imgmill_pipeline::store::KnownRendition;
    use imgmill_pipeline::validators::Validators;

    fn original(etag: &str) -> Original {
        Original {
            row: 3,
            url: "s3://b/a/x.png".into(),
            columns: None,
            changed: None,
            etag: Some(etag.into()),
        }
    }

    fn names(keys: &str) -> Names {
        let recipe = Recipe::new(vec!["t=full/50,/0/default.jpg".parse().unwrap()]).unwrap();
        Names { recipe, keys: keys.parse().unwrap() }
    }

    fn note(names: &Names, key: &str, hash: Option<String>) -> Pointer {
        let validators = Validators { etag: Some("\"1\"".into()), last_modified: None };
        let mut note = Pointer::new("s3://b/a/x.png", validators, "07".repeat(32), 9, (1, 1));
        let hash = hash
            .unwrap_or_else(|| rendition_hash(SourceHash([7; 32]), &names.recipe.derivatives()[0], false));
        note.renditions.insert(key.into(), KnownRendition { hash, bytes: 5, width: 1, height: 1 });
        note
    }

    #[test]
    fn keys_follow_from_names_and_notes_say_what_they_were() {
        let names = names("{path}/{stem}_{label}.{ext}");
        let of = |etag: &str, note: Option<&Pointer>| {
            names.of(&original(etag), note, None).unwrap().unwrap().remove(0)
        };
        let (key, expected) = of("1", None);
        assert_eq!((&*key, expected.note, expected.row), ("a/x_t.jpg", None, 3));
        let good = note(&names, &key, None);
        assert_eq!(of("1", Some(&good)).1.note, Some(Noted::Same(5)));
        assert_eq!(of("2", Some(&good)).1.note, Some(Noted::OtherSource));
        let asked = names.of(&original("1"), Some(&good), Some(true)).unwrap().unwrap().remove(0);
        assert_eq!(asked.1.note, Some(Noted::OtherSource));
        assert_eq!(of("1", Some(&note(&names, &key, Some("ab".into())))).1.note, Some(Noted::OtherRecipe));
        assert_eq!(of("1", Some(&note(&names, "else.jpg", None))).1.note, Some(Noted::Nothing));
    }

    #[test]
    fn keys_of_bytes_follow_from_notes_alone() {
        let names = names("{hash}.{ext}");
        assert_eq!(names.of(&original("1"), None, None).unwrap(), None);
        let hash = rendition_hash(SourceHash([7; 32]), &names.recipe.derivatives()[0], false);
        let note = note(&names, &format!("{hash}.jpg"), None);
        let (key, expected) = names.of(&original("1"), Some(&note), None).unwrap().unwrap().remove(0);
        assert_eq!((key, expected.note), (format!("{hash}.jpg"), Some(Noted::Same(5))));
    }
}
