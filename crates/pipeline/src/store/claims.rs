//! Whose a key is, when a template names keys.
//!
//! A content-addressed key can only ever hold one image. A template may send two different images to one
//! key; the first to claim it has it, the second is an error and nothing is overwritten. The claim is
//! `.imgmill/by-key/HH/HASH.json`, created conditionally: of two runs at once, one wins.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use object_store::{ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use serde::{Deserialize, Serialize};

use super::{Description, Put, Store};
use crate::error::{Error, Kind, Stage};
use crate::identity::text_hash;
use crate::objects::{Expected, Onto, Upload, failure};

/// A claim whose object never came is given up after this: its run was killed in between.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// Who wants a key, and for which rendition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// SHA-256 of the source's URL: two rows of one URL are one owner.
    pub url_hash: String,
    /// The rendition's identity: see [`crate::identity::rendition_hash`].
    pub hash: String,
}

/// What became of asking for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nobody had it, or whoever has it has put nothing there yet: whatever is there is not imgmill's.
    New,
    /// This source put an object there before, which it may replace.
    Own,
    /// Another URL has it for the very same rendition: to be shared, not replaced.
    Shared,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    owner: Owner,
    /// Seconds since 1970.
    claimed: u64,
    /// Whether an object was put there on this claim. Until then one that is found there is somebody else's.
    stored: bool,
}

impl Record {
    fn new(owner: &Owner, stored: bool) -> Self {
        Record { owner: owner.clone(), claimed: now(), stored }
    }
}

impl Store {
    /// Asks for `key` on behalf of `owner`.
    ///
    /// # Errors
    /// [`Kind::KeyConflict`] when the key belongs to a different image; else whatever the store answers.
    pub async fn claim(&self, key: &str, owner: &Owner) -> Result<Claim, Error> {
        let record = Record::new(owner, false);
        if self.write_claim(key, &record, PutMode::Create).await? {
            return Ok(Claim::New);
        }
        let Some(held) = self.read_claim(key).await? else {
            // Unreadable or gone since: whoever wrote it did not finish.
            self.write_claim(key, &record, PutMode::Overwrite).await?;
            return Ok(Claim::New);
        };
        if held.owner.url_hash == owner.url_hash {
            return Ok(if held.stored { Claim::Own } else { Claim::New });
        }
        if held.owner.hash == owner.hash {
            return Ok(Claim::Shared);
        }
        let abandoned = Duration::from_secs(now().saturating_sub(held.claimed)) > ABANDONED_AFTER;
        if abandoned && self.find(key).await?.is_none() {
            self.write_claim(key, &record, PutMode::Overwrite).await?;
            return Ok(Claim::New);
        }
        Err(conflict(key, "belongs to a different image; use a --key template that tells them apart"))
    }

    /// Gives up the claim on a key if it belongs to this source, by what [`Naming::owner`] answered of it. What lies there
    /// stays.
    ///
    /// [`Naming::owner`]: crate::naming::Naming::owner
    ///
    /// # Errors
    /// What the store answers.
    pub async fn disown(&self, key: &str, owner: &str) -> Result<(), Error> {
        let held = self.read_claim(key).await?;
        if held.is_none_or(|held| held.owner.url_hash != text_hash(owner)) {
            return Ok(());
        }
        let removed = self.bucket.store.delete(&self.claim_path(key)).await;
        removed.map_err(|error| failure(Stage::Store, &format!("giving up the claim of {key}"), error))
    }

    /// Whose a key is, of these sources.
    ///
    /// # Errors
    /// What the store answers.
    pub async fn owner_among<'a>(
        &self,
        key: &str,
        owners: impl Iterator<Item = &'a str>,
    ) -> Result<Option<&'a str>, Error> {
        let held = self.read_claim(key).await?;
        let is_it = |owner: &&str| held.as_ref().is_some_and(|held| held.owner.url_hash == text_hash(owner));
        Ok({ owners }.find(is_it))
    }

    /// Puts a rendition at a key that was claimed for it.
    ///
    /// # Errors
    /// [`Kind::KeyConflict`] when something that imgmill did not put is there; else as [`Store::create`].
    pub async fn put_claimed(
        &self,
        key: &str,
        owner: &Owner,
        claim: Claim,
        bytes: Bytes,
        as_what: &Description,
    ) -> Result<Put, Error> {
        let put = self.create(key, bytes.clone(), as_what).await?;
        let put = match claim {
            // Whoever owns it keeps it whole; what is there is the same rendition.
            Claim::Shared => return Ok(put),
            Claim::New if put == Put::Created => put,
            // A run that was killed between putting and saying so.
            Claim::New if self.read(key).await? == bytes => Put::Present,
            Claim::New => return Err(conflict(key, "holds an object that imgmill did not put there")),
            Claim::Own if put == Put::Created => put,
            Claim::Own => {
                let found = self.find(key).await?;
                self.replace(key, bytes, as_what, found.as_ref()).await?;
                Put::Created
            }
        };
        self.write_claim(key, &Record::new(owner, true), PutMode::Overwrite).await?;
        Ok(put)
    }

    /// The same of a rendition that is on its way: it is there whole after this, or not at all.
    ///
    /// # Errors
    /// As [`put_claimed`](Self::put_claimed).
    pub async fn finish_claimed(
        &self,
        key: &str,
        owner: &Owner,
        claim: Claim,
        upload: Upload,
    ) -> Result<Put, Error> {
        let length = upload.length();
        let onto = if claim == Claim::Own { Onto::Anything } else { Onto::Nothing };
        let put = match upload.finish(onto).await? {
            true => Put::Created,
            false => match self.find(key).await? {
                // A run that was killed between putting and saying so: two of such a length are the same.
                Some(found) if found.length == length => Put::Present,
                Some(found) if claim == Claim::Shared => Put::Different { length: found.length },
                _ => return Err(conflict(key, "holds an object that imgmill did not put there")),
            },
        };
        if claim != Claim::Shared {
            self.write_claim(key, &Record::new(owner, true), PutMode::Overwrite).await?;
        }
        Ok(put)
    }

    /// Puts a rendition at a key that was claimed for it, over what was there when the work on it began, and over
    /// nothing newer.
    ///
    /// # Errors
    /// [`Kind::KeyConflict`], as one that may pass, when something else is there by now.
    pub async fn put_over(
        &self,
        key: &str,
        owner: &Owner,
        over: &Expected,
        bytes: Bytes,
        as_what: &Description,
    ) -> Result<(), Error> {
        let put = async || {
            let options = self.options(PutMode::Overwrite, as_what);
            self.bucket.put_if(&self.path(key), bytes.clone().into(), options, over).await
        };
        let doing = format!("storing {key}");
        let mut put_once = put().await.map_err(|error| failure(Stage::Store, &doing, error));
        // A put without an answer may have arrived, and is not repeated by the client.
        if put_once.as_ref().is_err_and(Error::is_transient) && self.seen(key).await?.same_as(over) {
            put_once = put().await.map_err(|error| failure(Stage::Store, &doing, error));
        }
        if put_once.as_ref().map_or_else(Error::is_transient, Option::is_none) {
            let arrived = self.find(key).await?.is_some_and(|found| found.length == bytes.len() as u64);
            if !arrived {
                put_once?;
                return Err(conflict(key, "was replaced while this was made").transient(true));
            }
        } else {
            put_once?;
        }
        self.write_claim(key, &Record::new(owner, true), PutMode::Overwrite).await.map(|_| ())
    }

    /// Writes a claim; `false` when it was to be created and one is there.
    async fn write_claim(&self, key: &str, record: &Record, mode: PutMode) -> Result<bool, Error> {
        let text = serde_json::to_vec(record).unwrap_or_default();
        let path = self.claim_path(key);
        let put = self.bucket.store.put_opts(&path, PutPayload::from(text), PutOptions::from(mode));
        match put.await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(false)
            }
            Err(error) => Err(failure(Stage::Store, &format!("claiming {key}"), error)),
        }
    }

    async fn read_claim(&self, key: &str) -> Result<Option<Record>, Error> {
        let doing = format!("reading the claim of {key}");
        match self.bucket.store.get(&self.claim_path(key)).await {
            Ok(found) => {
                let bytes = found.bytes().await.map_err(|error| failure(Stage::Store, &doing, error))?;
                Ok(serde_json::from_slice(&bytes).ok())
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failure(Stage::Store, &doing, error)),
        }
    }

    fn claim_path(&self, key: &str) -> object_store::path::Path {
        let hash = text_hash(key);
        self.inside(&format!("by-key/{}/{hash}.json", &hash[..2]))
    }
}

fn conflict(key: &str, why: &str) -> Error {
    Error::new(Stage::Store, Kind::KeyConflict, format!("the key {key} {why}"))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::ObjectOptions;
    use crate::store::PutSettings;

    fn owner(url: &str, hash: &str) -> Owner {
        Owner { url_hash: text_hash(url), hash: hash.into() }
    }

    #[tokio::test]
    async fn one_image_has_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let url = url::Url::from_file_path(folder.path()).unwrap();
        let store =
            Store::open(url.as_str(), &ObjectOptions::default(), PutSettings::default()).await.unwrap();
        let (a, b) = (owner("http://a", "1"), owner("http://b", "2"));
        assert_eq!(store.claim("k", &a).await.unwrap(), Claim::New);
        assert_eq!(store.claim("k", &b).await.unwrap_err().kind(), Kind::KeyConflict);
        assert_eq!(store.claim("k", &owner("http://b", "1")).await.unwrap(), Claim::Shared);
        assert_eq!(
            store.claim("k", &owner("http://a", "3")).await.unwrap(),
            Claim::New,
            "nothing was put yet"
        );

        let put = async |claim, bytes: &'static [u8]| {
            store.put_claimed("k", &a, claim, Bytes::from_static(bytes), &"image/jpeg".into()).await
        };
        assert_eq!(put(Claim::New, b"one").await.unwrap(), Put::Created);
        assert_eq!(put(Claim::New, b"one").await.unwrap(), Put::Present);
        assert_eq!(put(Claim::New, b"two").await.unwrap_err().kind(), Kind::KeyConflict);
        assert_eq!(store.claim("k", &owner("http://a", "3")).await.unwrap(), Claim::Own);
        assert_eq!(put(Claim::Shared, b"not mine").await.unwrap(), Put::Different { length: 3 });
        assert_eq!(put(Claim::Own, b"two").await.unwrap(), Put::Created);
        assert_eq!(store.read("k").await.unwrap(), &b"two"[..]);
    }

    #[tokio::test]
    async fn late_work_never_replaces_newer_work() {
        let folder = tempfile::tempdir().unwrap();
        let url = url::Url::from_file_path(folder.path()).unwrap();
        let store =
            Store::open(url.as_str(), &ObjectOptions::default(), PutSettings::default()).await.unwrap();
        let a = owner("http://a", "1");
        let put = async |over: &Expected, text: &'static str| {
            store.put_over("k", &a, over, text.into(), &"image/tiff".into()).await
        };
        let nothing = store.seen("k").await.unwrap();
        put(&nothing, "newer").await.unwrap();
        let error = put(&nothing, "late").await.unwrap_err();
        assert_eq!((error.kind(), error.is_transient()), (Kind::KeyConflict, true));
        put(&nothing, "agree").await.expect("the same once more is no conflict");
        let newer = store.seen("k").await.unwrap();
        put(&newer, "newest").await.unwrap();
        assert!(put(&newer, "late").await.is_err());
        assert_eq!(store.read("k").await.unwrap(), &b"newest"[..]);
        assert_eq!(store.claim("k", &a).await.unwrap(), Claim::Own);
    }

    #[tokio::test]
    async fn an_abandoned_claim_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let url = url::Url::from_file_path(folder.path()).unwrap();
        let store =
            Store::open(url.as_str(), &ObjectOptions::default(), PutSettings::default()).await.unwrap();
        let old = Record { owner: owner("http://a", "1"), claimed: now() - 2 * 3600, stored: false };
        assert!(store.write_claim("k", &old, PutMode::Create).await.unwrap());
        assert_eq!(store.claim("k", &owner("http://b", "2")).await.unwrap(), Claim::New);
        let young = Record { owner: owner("http://a", "1"), claimed: now() - 60, stored: false };
        assert!(store.write_claim("l", &young, PutMode::Create).await.unwrap());
        assert_eq!(store.claim("l", &owner("http://b", "2")).await.unwrap_err().kind(), Kind::KeyConflict);
    }
}
