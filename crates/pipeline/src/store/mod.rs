//! Store: renditions put where they belong, and the proof that they are there.
//!
//! The object itself is the proof that a derivative is made. [`pointers`] are an aid: what a URL led to
//! last time. [`claims`] say whose a key is when a template names keys. All three live in the same store,
//! so that any machine may go on where another stopped.

mod claims;
mod pointers;

use std::borrow::Cow;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, TagSet,
    UpdateVersion,
};

pub use claims::{Claim, Owner};
pub use pointers::{KnownRendition, Pointer};

use crate::error::{Error, Kind, Stage};
use crate::identity::RESERVED;
use crate::objects::{Address, Bucket, Expected, ObjectOptions, Upload, failure};

/// What is said of every rendition that is put.
#[derive(Debug, Clone, Default)]
pub struct PutSettings {
    /// `Cache-Control` of the objects.
    pub cache_control: Option<String>,
    /// Storage class, in the provider's own words (`STANDARD_IA`, …).
    pub storage_class: Option<String>,
    /// Object tags.
    pub tags: Vec<(String, String)>,
    /// Whether rows have something to say of their objects.
    pub of_rows: bool,
}

/// What is said of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its media type.
    pub media_type: &'static str,
    /// Metadata of its own, by names in lower case.
    pub metadata: Vec<(Cow<'static, str>, String)>,
}

impl From<&'static str> for Description {
    fn from(media_type: &'static str) -> Self {
        Description { media_type, metadata: Vec::new() }
    }
}

/// How a put ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The object was not there and is now.
    Created,
    /// An object of this length was there.
    Present,
    /// An object of another length is there, and was left alone.
    Different {
        /// Its length.
        length: u64,
    },
}

/// What is known of an object without reading it.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its length.
    pub length: u64,
    version: UpdateVersion,
}

/// The store of a run.
#[derive(Debug, Clone)]
pub struct Store {
    bucket: Bucket,
    put: PutSettings,
}

impl Store {
    /// Connects to the store that `url` names; see [`Bucket::connect`].
    ///
    /// # Errors
    /// As [`Bucket::connect`].
    pub async fn open(url: &str, options: &ObjectOptions, put: PutSettings) -> Result<Store, Error> {
        let bucket = Bucket::connect(Stage::Store, url, options).await?;
        let is_local = matches!(bucket.address, Address::Local(_));
        let wants_attributes =
            put.cache_control.is_some() || put.storage_class.is_some() || !put.tags.is_empty() || put.of_rows;
        if is_local && (wants_attributes || options.encryption.is_some()) {
            tracing::warn!(
                "a local folder keeps no metadata, cache control, storage class, encryption or tags"
            );
        }
        Ok(Store { bucket, put })
    }

    /// Finds out, before anything is downloaded, that the store can be read and written.
    ///
    /// # Errors
    /// One sentence that says what to set: a missing or closed bucket, wrong credentials, another region.
    pub async fn check(&self, may_write: bool) -> Result<(), Error> {
        let doing = format!("checking {}", self.bucket.address);
        let marker = self.inside("store.json");
        if may_write {
            let text = format!("{{\"made_by\":\"imgmill\",\"version\":\"{}\"}}\n", env!("CARGO_PKG_VERSION"));
            let put = self.bucket.store.put(&marker, PutPayload::from(text)).await;
            put.map_err(|error| failure(Stage::Store, &doing, error))?;
        }
        // One that is there, if it may be, and one that is not: without s3:ListBucket, S3 refuses to say that
        // an object is missing, and every row would find that out for itself.
        for name in [marker, self.inside("no-such-object")] {
            match self.bucket.store.get(&name).await {
                Ok(_) => {}
                Err(error) => {
                    let missing = matches!(error, object_store::Error::NotFound { .. });
                    let error = failure(Stage::Store, &doing, error);
                    // A bucket that is there and empty is what a first run looks like.
                    if !missing || error.message().contains("NoSuchBucket") {
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts an object unless one is there.
    ///
    /// # Errors
    /// Whatever the store answers, translated; transient ones were tried again.
    pub async fn create(&self, key: &str, bytes: Bytes, as_what: &Description) -> Result<Put, Error> {
        let path = self.path(key);
        let length = bytes.len() as u64;
        let put =
            self.bucket.store.put_opts(&path, bytes.clone().into(), self.options(PutMode::Create, as_what));
        let error = match put.await {
            Ok(_) => return Ok(Put::Created),
            Err(error) => error,
        };
        let there = matches!(
            error,
            object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }
        );
        let error = failure(Stage::Store, &format!("storing {key}"), error);
        if !there && !error.is_transient() {
            return Err(error);
        }
        // A conditional put is not repeated by the client after a time-out, since it may have arrived:
        // look, and put once more only where nothing is.
        match self.find(key).await? {
            Some(found) if found.length == length => Ok(Put::Present),
            Some(found) => Ok(Put::Different { length: found.length }),
            None if there => self.replace(key, bytes, as_what, None).await.map(|()| Put::Created),
            None => {
                let again = self.options(PutMode::Create, as_what);
                match self.bucket.store.put_opts(&path, bytes.into(), again).await {
                    Ok(_) => Ok(Put::Created),
                    Err(object_store::Error::AlreadyExists { .. }) => Ok(Put::Present),
                    Err(_) => Err(error),
                }
            }
        }
    }

    /// Begins to put an object of about `most` bytes at the most; nothing is at its key before
    /// [`Upload::finish`]. `copy` is a folder for a copy that can be read afterwards.
    ///
    /// # Errors
    /// Where no file can be made for it.
    pub fn begin(
        &self,
        key: &str,
        as_what: &Description,
        most: u64,
        copy: Option<&std::path::Path>,
        runtime: &tokio::runtime::Handle,
    ) -> std::io::Result<Upload> {
        Upload::begin(&self.bucket, self.path(key), self.described(as_what), most, copy, runtime)
    }

    /// Puts an object in the place of the one `found` there, if it is still that one; without `found`,
    /// whatever is there. A local folder cannot compare, and replaces.
    ///
    /// # Errors
    /// Whatever the store answers, translated; an object changed meanwhile is [`Kind::KeyConflict`].
    pub async fn replace(
        &self,
        key: &str,
        bytes: Bytes,
        as_what: &Description,
        found: Option<&Found>,
    ) -> Result<(), Error> {
        let mode = match found {
            Some(found) if !self.is_local() => PutMode::Update(found.version.clone()),
            _ => PutMode::Overwrite,
        };
        let put =
            self.bucket.store.put_opts(&self.path(key), bytes.into(), self.options(mode, as_what)).await;
        match put {
            Ok(_) => Ok(()),
            Err(object_store::Error::Precondition { .. }) => Err(Error::new(
                Stage::Store,
                Kind::KeyConflict,
                format!("{key} was changed by somebody else at the same time"),
            )),
            Err(error) => Err(failure(Stage::Store, &format!("replacing {key}"), error)),
        }
    }

    /// What is known of the object at `key`, if there is one.
    ///
    /// # Errors
    /// Whatever the store answers but "not found", translated.
    pub async fn find(&self, key: &str) -> Result<Option<Found>, Error> {
        match self.bucket.store.head(&self.path(key)).await {
            Ok(meta) => Ok(Some(Found {
                length: meta.size,
                version: UpdateVersion { e_tag: meta.e_tag, version: meta.version },
            })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failure(Stage::Store, &format!("looking for {key}"), error)),
        }
    }

    /// What is at `key` now, to put something over that and over nothing else: see [`put_over`](Self::put_over).
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub async fn seen(&self, key: &str) -> Result<Expected, Error> {
        Ok(self.find(key).await?.map_or(Expected::Nothing, |found| Expected::This(found.version)))
    }

    /// The object at `key`, whole.
    ///
    /// # Errors
    /// Whatever the store answers, translated.
    pub async fn read(&self, key: &str) -> Result<Bytes, Error> {
        let doing = format!("reading {key}");
        let found = self.bucket.store.get(&self.path(key)).await;
        let found = found.map_err(|error| failure(Stage::Store, &doing, error))?;
        found.bytes().await.map_err(|error| failure(Stage::Store, &doing, error))
    }

    /// Where the object at `key` is served.
    pub fn url(&self, key: &str) -> String {
        self.bucket.url(&self.path(key))
    }

    /// `key` with the store's prefix before it: what the object is called in its bucket.
    pub fn full_key(&self, key: &str) -> String {
        self.path(key).to_string()
    }

    /// The bucket that it is in.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// What the store is, for people.
    pub fn address(&self) -> &Address {
        &self.bucket.address
    }

    fn is_local(&self) -> bool {
        matches!(self.bucket.address, Address::Local(_))
    }

    /// Where the object at `key` is in the [`bucket`](Self::bucket).
    pub fn path(&self, key: &str) -> Path {
        let prefix = self.bucket.prefix.as_ref();
        let whole = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}/{key}") };
        // As it is: joining parts would encode what S3 and file systems take literally. A key was cleaned of
        // everything that cannot be parsed when it was made.
        Path::parse(&whole).unwrap_or_else(|_| Path::from(whole))
    }

    /// A path in the folder that holds what imgmill itself needs to know.
    fn inside(&self, key: &str) -> Path {
        self.path(&format!("{RESERVED}/{key}"))
    }

    fn options(&self, mode: PutMode, as_what: &Description) -> PutOptions {
        let (attributes, tags) = self.described(as_what);
        PutOptions { mode, tags, attributes, ..PutOptions::default() }
    }

    /// What is said of an object: of one in a folder nothing, since there is no place for it.
    fn described(&self, as_what: &Description) -> (Attributes, TagSet) {
        let (mut attributes, mut tags) = (Attributes::new(), TagSet::default());
        if self.is_local() {
            return (attributes, tags);
        }
        attributes.insert(Attribute::ContentType, as_what.media_type.into());
        for (name, value) in &as_what.metadata {
            attributes.insert(Attribute::Metadata(name.clone()), value.clone().into());
        }
        if let Some(value) = &self.put.cache_control {
            attributes.insert(Attribute::CacheControl, value.clone().into());
        }
        if let Some(value) = &self.put.storage_class {
            attributes.insert(Attribute::StorageClass, value.clone().into());
        }
        for (name, value) in &self.put.tags {
            tags.push(name, value);
        }
        (attributes, tags)
    }
}
