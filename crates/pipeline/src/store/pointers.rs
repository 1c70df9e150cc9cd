//! What a URL led to last time: an aid to a later run, never proof.
//!
//! A pointer is `.imgmill/by-url/HH/HASH.json`, HASH being SHA-256 of the URL (of a
//! file, its absolute path). It says which version of the
//! source was seen and which objects were made of it, with their lengths; the objects are then looked at.
//! Pointers are overwritten freely: losing one costs a download, nothing else.

use std::collections::BTreeMap;

use object_store::{ObjectStoreExt as _, PutPayload};
use serde::{Deserialize, Serialize};

use super::Store;
use crate::error::{Error, Stage};
use crate::identity::{source_name, text_hash};
use crate::objects::failure;
use crate::redact;
use crate::validators::Validators;

const VERSION: u32 = 1;

/// What a URL led to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pointer {
    version: u32,
    /// The URL, its secrets masked: for people who look into the store.
    url: String,
    /// What the origin said of the version that was seen.
    #[serde(flatten)]
    pub validators: Validators,
    /// SHA-256 of the source's bytes.
    pub sha256: String,
    /// The source's length.
    pub bytes: u64,
    /// The source's pixels across.
    pub width: u32,
    /// The source's pixels down.
    pub height: u32,
    /// What was made of it: object key (without the store's prefix) → what to expect there.
    pub renditions: BTreeMap<String, KnownRendition>,
}

/// What to expect of a rendition in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRendition {
    /// Its identity: see [`crate::identity::rendition_hash`].
    pub hash: String,
    /// Its length.
    pub bytes: u64,
    /// Its pixels across.
    pub width: u32,
    /// Its pixels down.
    pub height: u32,
}

impl Pointer {
    /// A pointer for `url`, whose secrets it masks.
    pub fn new(url: &str, validators: Validators, sha256: String, bytes: u64, size: (u32, u32)) -> Self {
        Pointer {
            version: VERSION,
            url: redact::url(url).into_owned(),
            validators,
            sha256,
            bytes,
            width: size.0,
            height: size.1,
            renditions: BTreeMap::new(),
        }
    }
}

impl Pointer {
    /// The URL, its secrets masked.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Store {
    /// What `url` led to last time, if anything usable is known of it.
    ///
    /// # Errors
    /// Whatever the store answers but "not found", translated.
    pub async fn pointer(&self, url: &str) -> Result<Option<Pointer>, Error> {
        let doing = "reading a pointer";
        let found = match self.bucket.store.get(&self.pointer_path(url)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failure(Stage::Store, doing, error)),
        };
        let bytes = found.bytes().await.map_err(|error| failure(Stage::Store, doing, error))?;
        // One that cannot be read, or is of another version, is as good as none.
        let pointer: Option<Pointer> = serde_json::from_slice(&bytes).ok();
        Ok(pointer.filter(|pointer| pointer.version == VERSION))
    }

    /// Remembers what `url` led to.
    ///
    /// # Errors
    /// Whatever the store answers, translated.
    pub async fn set_pointer(&self, url: &str, pointer: &Pointer) -> Result<(), Error> {
        let text = serde_json::to_vec(pointer).unwrap_or_default();
        let put = self.bucket.store.put(&self.pointer_path(url), PutPayload::from(text)).await;
        put.map(drop).map_err(|error| failure(Stage::Store, "writing a pointer", error))
    }

    fn pointer_path(&self, url: &str) -> object_store::path::Path {
        let hash = text_hash(&source_name(url));
        self.inside(&format!("by-url/{}/{hash}.json", &hash[..2]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::ObjectOptions;
    use crate::store::PutSettings;

    #[tokio::test]
    async fn pointers_come_back_and_damaged_ones_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let url = url::Url::from_file_path(folder.path()).unwrap();
        let store =
            Store::open(url.as_str(), &ObjectOptions::default(), PutSettings::default()).await.unwrap();
        let source = "https://me:pass@h/a.jpg?token=abc";
        assert_eq!(store.pointer(source).await.unwrap(), None);
        let validators = Validators { etag: Some("\"1\"".into()), last_modified: None };
        let mut pointer = Pointer::new(source, validators, "00".into(), 7, (2, 3));
        let known = KnownRendition { hash: "h".into(), bytes: 5, width: 2, height: 3 };
        pointer.renditions.insert("a/b.jpg".into(), known);
        store.set_pointer(source, &pointer).await.unwrap();
        assert_eq!(store.pointer(source).await.unwrap(), Some(pointer));

        let file = folder.path().join(store.pointer_path(source).as_ref());
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("pass") && !text.contains("abc"), "{text}");
        std::fs::write(&file, &text[..text.len() / 2]).unwrap();
        assert_eq!(store.pointer(source).await.unwrap(), None);
    }
}
