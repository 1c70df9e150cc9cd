//! The process bucket: records that wait, what is written beside them, and those that were given up.
//!
//! ```text
//! rbsc/v2/{sha256(key)}/{sequencer}.json            a change that waits; never changed, only removed
//! rbsc/v2/{sha256(key)}/{sequencer}.json.attempts   how often it failed, and of what
//! rbsc/NAME.json                                    the same as other programs write it
//! claims/{sha256(key)}.json                         who works on that key: see `claims`
//! failed/{sha256(key)}.json                         the last record of that key that was given up
//! rights/{sha256(key)}.json                         the copyright status that a record of that key told
//! ```
//!
//! All records of a key are one image: the newest stands for them, and who makes it removes those it knew of.

mod waiting;

use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use imgmill_pipeline::identity::text_hash;
use imgmill_pipeline::objects::{Bucket, Expected, ObjectOptions, failure};
use imgmill_pipeline::{Error, Kind, Stage};
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutOptions, UpdateVersion};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::waiting::{Entry, Waiting};
use self::waiting::{grouped, listed};
use super::record::{Attempts, Failed, Record};
use super::sequencer::Sequencer;

const RECORDS: &str = "rbsc";

/// The process bucket, or a folder that plays one.
#[derive(Debug, Clone)]
pub struct Ledger {
    bucket: Bucket,
}

/// What came of writing a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It waits now.
    New,
    /// It was there: the same event came twice.
    Known,
}

/// The name of a key in the ledger.
pub fn name_of(key: &str) -> String {
    text_hash(key)
}

impl Ledger {
    /// Connects to the bucket or folder.
    ///
    /// # Errors
    /// As [`Bucket::connect`].
    pub async fn open(url: &str, options: &ObjectOptions) -> Result<Ledger, Error> {
        Ok(Ledger { bucket: Bucket::connect(Stage::Source, url, options).await? })
    }

    /// Finds out that the bucket can be read.
    ///
    /// # Errors
    /// One sentence that says what to set.
    pub async fn check(&self) -> Result<(), Error> {
        let doing = format!("reading PROCESS_BUCKET, {}", self.bucket.address);
        let first = self.bucket.store.list(Some(&self.path(RECORDS))).next().await;
        first.transpose().map(|_| ()).map_err(|error| failure(Stage::Source, &doing, error))
    }

    /// Writes a record, unless it is there.
    ///
    /// # Errors
    /// What the bucket answers.
    pub async fn write(&self, record: &Record, sequencer: &Sequencer) -> Result<Written, Error> {
        let folder = format!("{RECORDS}/v2/{}", name_of(&record.key));
        let path = self.path(&format!("{folder}/{sequencer}.json"));
        if self.create(&path, record).await?.is_some() {
            return Ok(Written::New);
        }
        let found = self.read::<Record>(&path).await?;
        if found.is_none_or(|(found, _)| found.is_ok_and(|found| found.e_tag == record.e_tag)) {
            return Ok(Written::Known);
        }
        // Not S3's doing: some servers that speak its language number events badly, or not at all.
        let tag = &text_hash(record.e_tag.as_deref().unwrap_or_default())[..8];
        let path = self.path(&format!("{folder}/{sequencer}-{tag}.json"));
        Ok(if self.create(&path, record).await?.is_some() { Written::New } else { Written::Known })
    }

    /// All records that wait, those of a key together, as the bucket lists them: page by page.
    pub fn waiting(&self) -> BoxStream<'static, Result<Waiting, Error>> {
        let doing = format!("listing the records of {}", self.bucket.address);
        let list = self.bucket.store.list(Some(&self.path(RECORDS)));
        let prefix = self.path(RECORDS).to_string() + "/";
        let listed = list
            .map_err(move |error| failure(Stage::Source, &doing, error))
            .map_ok(move |object| listed(&prefix, object));
        grouped(listed).boxed()
    }

    /// The records given up, by name.
    pub fn failed(&self) -> BoxStream<'static, Result<Path, Error>> {
        self.list("failed")
    }

    /// The claims, by name.
    pub fn claims(&self) -> BoxStream<'static, Result<Path, Error>> {
        self.list("claims")
    }

    fn list(&self, folder: &'static str) -> BoxStream<'static, Result<Path, Error>> {
        let list = self.bucket.store.list(Some(&self.path(folder)));
        let list = list.map_err(move |error| failure(Stage::Source, &format!("listing {folder}"), error));
        list.map_ok(|object| object.location)
            .try_filter(|path| std::future::ready(path.as_ref().ends_with(".json")))
            .boxed()
    }

    /// What is written at `path`, with what tells this version of it from others; an inner error where it is not what
    /// it should be.
    ///
    /// # Errors
    /// What the bucket answers, but that nothing is there.
    pub async fn read<T: DeserializeOwned>(
        &self,
        path: &Path,
    ) -> Result<Option<(Result<T, serde_json::Error>, UpdateVersion)>, Error> {
        let doing = format!("reading {path}");
        let failed = |error| failure(Stage::Source, &doing, error);
        let found = match self.bucket.store.get(path).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(failed)?,
        };
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let bytes = found.bytes().await.map_err(failed)?;
        Ok(Some((serde_json::from_slice(&bytes), version)))
    }

    /// Writes what failed beside a record.
    ///
    /// # Errors
    /// What the bucket answers.
    pub async fn put_note(&self, path: &Path, attempts: &Attempts) -> Result<(), Error> {
        self.put(path, attempts).await
    }

    /// Moves a record to those that were given up: writes it there, and then removes it with all it stands for.
    ///
    /// # Errors
    /// What the bucket answers.
    pub async fn give_up(&self, name: &str, failed: &Failed, waiting: &Waiting) -> Result<(), Error> {
        self.put(&self.failed_path(name), failed).await?;
        self.remove(waiting.paths()).await
    }

    /// Removes records whose pyramid is stored, and what was said of failures of their key.
    ///
    /// # Errors
    /// What the bucket answers.
    pub async fn done(&self, name: &str, waiting: &Waiting) -> Result<(), Error> {
        let mut paths = waiting.paths();
        paths.push(self.failed_path(name));
        self.remove(paths).await
    }

    /// The copyright status that an earlier record of the key told. Events tell none, and a new version of an image
    /// must not show what the one before did not.
    ///
    /// # Errors
    /// What the bucket answers.
    pub async fn rights(&self, name: &str) -> Result<Option<String>, Error> {
        let found = self.read::<Record>(&self.rights_path(name)).await?;
        Ok(found.and_then(|(record, _)| record.ok()).and_then(|record| record.copyright_status))
    }

    /// Remembers a key's copyright status.
    ///
    /// # Errors
    /// What the bucket answers.
    pub async fn set_rights(&self, name: &str, key: &str, status: &str) -> Result<(), Error> {
        let rights = serde_json::json!({"key": key, "copyrightStatus": status});
        self.put(&self.rights_path(name), &rights).await
    }

    /// Removes objects; those that are gone are no failure.
    ///
    /// # Errors
    /// What the bucket answers.
    pub async fn remove(&self, paths: Vec<Path>) -> Result<(), Error> {
        let mut removing = self.bucket.store.delete_stream(stream::iter(paths.into_iter().map(Ok)).boxed());
        let mut first = Ok(());
        // One that is gone, or will not go, must not keep the others.
        while let Some(removed) = removing.next().await {
            match removed {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => first = first.and(Err(failure(Stage::Report, "removing records", error))),
            }
        }
        first
    }

    pub(super) fn claim_path(&self, name: &str) -> Path {
        self.path(&format!("claims/{name}.json"))
    }

    fn failed_path(&self, name: &str) -> Path {
        self.path(&format!("failed/{name}.json"))
    }

    fn rights_path(&self, name: &str) -> Path {
        self.path(&format!("rights/{name}.json"))
    }

    async fn create<T: Serialize>(&self, path: &Path, what: &T) -> Result<Option<UpdateVersion>, Error> {
        self.put_if(path, what, &Expected::Nothing).await
    }

    pub(super) async fn put_if<T: Serialize>(
        &self,
        path: &Path,
        what: &T,
        expected: &Expected,
    ) -> Result<Option<UpdateVersion>, Error> {
        let put = self.bucket.put_if(path, json(what)?.into(), PutOptions::default(), expected).await;
        put.map_err(|error| failure(Stage::Source, &format!("writing {path}"), error))
    }

    async fn put<T: Serialize>(&self, path: &Path, what: &T) -> Result<(), Error> {
        let put = self.bucket.store.put(path, json(what)?.into()).await;
        put.map(|_| ()).map_err(|error| failure(Stage::Report, &format!("writing {path}"), error))
    }

    fn path(&self, text: &str) -> Path {
        let prefix = self.bucket.prefix.as_ref();
        let whole = if prefix.is_empty() { text.to_owned() } else { format!("{prefix}/{text}") };
        Path::parse(&whole).unwrap_or_else(|_| Path::from(whole))
    }
}

fn json<T: Serialize>(what: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(what)
        .map_err(|error| Error::new(Stage::Source, Kind::Internal, "writing a record").caused_by(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn records_are_never_written_twice() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", folder.path().display());
        let ledger = Ledger::open(&url, &ObjectOptions::default()).await.unwrap();
        let record = |tag: &str| -> Record {
            serde_json::from_value(serde_json::json!({"key": "a/x.png", "eTag": tag})).unwrap()
        };
        let (first, second) = ("01".parse().unwrap(), "02".parse().unwrap());
        assert_eq!(ledger.write(&record("a"), &second).await.unwrap(), Written::New);
        assert_eq!(ledger.write(&record("a"), &second).await.unwrap(), Written::Known);
        assert_eq!(
            ledger.write(&record("a"), &first).await.unwrap(),
            Written::New,
            "later, of an earlier event"
        );
        assert_eq!(ledger.write(&record("b"), &second).await.unwrap(), Written::New, "badly numbered");
        assert_eq!(ledger.write(&record("b"), &second).await.unwrap(), Written::Known);
        let waiting: Vec<_> = ledger.waiting().try_collect().await.unwrap();
        assert_eq!((waiting.len(), waiting[0].records.len()), (1, 3));
        assert!(waiting[0].newest().unwrap().path.as_ref().contains("/02"));
        ledger.done(&name_of("a/x.png"), &waiting[0]).await.unwrap();
        assert_eq!(ledger.waiting().count().await, 0);
    }
}
