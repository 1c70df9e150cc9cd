//! S3 Inventory: what a bucket held at some hour, as AWS writes it down for who has too many objects to list. A manifest
//! names CSV files, packed with gzip, whose keys are encoded as in URLs, or Parquet files, whose keys are not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use imgmill_pipeline::columns::Meaning;
use imgmill_pipeline::objects::ObjectOptions;
use imgmill_pipeline::source::list::{HeadlessReader, ListFormat, ListInput, Reader, Reading};
use imgmill_pipeline::{Error, Kind, Stage};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::originals::{Original, is_image};
use crate::batch::place::Place;
use crate::bucket::keys;

/// The manifest, as far as it matters.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    source_bucket: String,
    /// `arn:aws:s3:::bucket`
    destination_bucket: String,
    file_format: String,
    file_schema: String,
    /// Milliseconds since 1970, as text.
    creation_timestamp: String,
    files: Vec<File>,
}

#[derive(Debug, Clone, Deserialize)]
struct File {
    key: String,
    size: u64,
}

/// An inventory, of which the manifest was read.
#[derive(Debug)]
pub(super) struct Inventory {
    manifest: Manifest,
    as_of: DateTime<Utc>,
    place: Place,
    folder: PathBuf,
    objects: ObjectOptions,
}

fn wrong(what: String) -> Error {
    Error::new(Stage::Source, Kind::Corrupt, what)
}

impl Inventory {
    pub async fn open(place: &Place, folder: &Path, objects: &ObjectOptions) -> Result<Inventory, Error> {
        let path = place.fetch(folder, objects).await?;
        let text = tokio::fs::read_to_string(&path).await.map_err(|error| {
            Error::new(
                Stage::Source,
                Kind::NotFound,
                format!("{place}: {error}; expected an S3 Inventory's manifest.json"),
            )
        })?;
        let manifest: Manifest = serde_json::from_str(&text)
            .map_err(|error| wrong(format!("{place}: not an S3 Inventory's manifest: {error}")))?;
        if !matches!(manifest.file_format.as_str(), "CSV" | "Parquet") {
            let format = &manifest.file_format;
            return Err(wrong(format!(
                "{place}: the inventory is in {format}, and CSV and Parquet are read; configure one of those, or list the bucket itself"
            )));
        }
        let millis = manifest.creation_timestamp.parse().ok().and_then(DateTime::from_timestamp_millis);
        let as_of = millis.ok_or_else(|| wrong(format!("{place}: no creationTimestamp that is a time")))?;
        if manifest.files.is_empty() {
            return Err(wrong(format!("{place}: the inventory names no files")));
        }
        let (folder, objects) = (folder.to_owned(), objects.clone());
        Ok(Inventory { manifest, as_of, place: place.clone(), folder, objects })
    }

    /// What it says was so then.
    pub fn as_of(&self) -> DateTime<Utc> {
        self.as_of
    }

    /// All originals in it; a file is copied here when its turn comes, and removed when it was read.
    pub fn originals(self, extensions: Vec<String>) -> BoxStream<'static, Result<Original, Error>> {
        let (sender, receiver) = mpsc::channel(1024);
        tokio::spawn(async move {
            if let Err(error) = self.send(Arc::new(extensions), &sender).await {
                let _ = sender.send(Err(error)).await;
            }
        });
        futures::stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) })
            .boxed()
    }

    async fn send(
        &self,
        extensions: Arc<Vec<String>>,
        to: &mpsc::Sender<Result<Original, Error>>,
    ) -> Result<(), Error> {
        let Manifest { source_bucket, file_schema, file_format, .. } = &self.manifest;
        let mut row = 0;
        for file in &self.manifest.files {
            let (path, name, is_copy) = self.file(file).await?;
            let length = std::fs::metadata(&path).map(|found| found.len()).unwrap_or_default();
            if length != file.size {
                return Err(wrong(format!("{name} has {length} bytes, and the manifest says {}", file.size)));
            }
            let (extensions, to, bucket) = (Arc::clone(&extensions), to.clone(), source_bucket.clone());
            let csv_schema = (file_format == "CSV").then(|| file_schema.clone());
            let input = ListInput::copy(path.clone(), name);
            let reading = tokio::task::spawn_blocking(move || {
                let mut rows = Rows::open(input, csv_schema, &bucket)?;
                while let Some(original) = rows.next(&extensions)? {
                    let Some(original) = original else { continue };
                    row += 1;
                    if to.blocking_send(Ok(Original { row, ..original })).is_err() {
                        break;
                    }
                }
                Ok::<u64, Error>(row)
            });
            row = reading.await.map_err(super::originals::stopped)??;
            if is_copy {
                let _ = tokio::fs::remove_file(&path).await;
            }
        }
        Ok(())
    }

    /// Where a file of the inventory is, here, and whether it was copied here.
    async fn file(&self, file: &File) -> Result<(PathBuf, String, bool), Error> {
        match &self.place {
            Place::Object(_) => {
                let bucket = self.manifest.destination_bucket.rsplit(':').next().unwrap_or_default();
                let url = keys::url(&format!("s3://{bucket}"), &file.key);
                let place = Place::Object(url.clone());
                Ok((place.fetch(&self.folder, &self.objects).await?, url, true))
            }
            Place::Here(manifest) => {
                let beside = manifest.parent().unwrap_or(Path::new("."));
                let name = Path::new(file.key.rsplit('/').next().unwrap_or_default());
                let places = [beside.join(&file.key), beside.join(name), beside.join("data").join(name)];
                let above = beside.parent().map(|above| above.join("data").join(name));
                let found = places.into_iter().chain(above).find(|path| path.is_file());
                found.map(|path| (path.clone(), path.display().to_string(), false)).ok_or_else(|| {
                    let message = format!(
                        "{} names {}, which is not beside it; copy the inventory's data folder there as well",
                        manifest.display(),
                        file.key
                    );
                    Error::new(Stage::Source, Kind::NotFound, message)
                })
            }
        }
    }
}

/// The rows of one of an inventory's files.
enum Rows {
    Csv(HeadlessReader, Schema),
    Parquet(Reader, Schema),
}

impl Rows {
    fn open(input: ListInput, csv_schema: Option<String>, bucket: &str) -> Result<Rows, Error> {
        let key = |name: &str| Meaning { url: Some(name.to_owned()), ..Meaning::default() };
        let Some(schema) = csv_schema else {
            let reading = Reading { format: Some(ListFormat::Parquet), meaning: key("key") };
            let reader = Reader::open(&input.read_as(reading))?;
            let names = reader.header().map_or_else(Vec::new, |header| header.names().to_vec());
            return Ok(Rows::Parquet(reader, Schema::of(&names, bucket, false).map_err(wrong)?));
        };
        let names: Vec<String> = schema.split(',').map(|name| name.trim().to_owned()).collect();
        let schema = Schema::of(&names, bucket, true).map_err(wrong)?;
        Ok(Rows::Csv(HeadlessReader::open(&input, names, &key("Key"))?, schema))
    }

    /// The next row: an original, or none that is wanted.
    fn next(&mut self, extensions: &[String]) -> Result<Option<Option<Original>>, Error> {
        let original = match self {
            Rows::Csv(reader, schema) => {
                let Some(columns) = reader.next()? else { return Ok(None) };
                schema.original(columns.values(), extensions)
            }
            Rows::Parquet(reader, schema) => {
                let Some(row) = reader.next()? else { return Ok(None) };
                schema.original(row.columns.as_ref().map_or(&[], |columns| columns.values()), extensions)
            }
        };
        original.map(Some).map_err(wrong)
    }
}

/// Which column says what.
#[derive(Debug, Clone)]
struct Schema {
    bucket: String,
    /// Keys are written as in URLs.
    is_encoded: bool,
    key: usize,
    changed: Option<usize>,
    etag: Option<usize>,
    is_latest: Option<usize>,
    is_delete_marker: Option<usize>,
}

impl Schema {
    /// Of the names that CSV's schema has, or Parquet's columns: `LastModifiedDate`, `last_modified_date`.
    fn of(names: &[String], bucket: &str, is_encoded: bool) -> Result<Schema, String> {
        let bare = |name: &str| name.replace('_', "").to_ascii_lowercase();
        let place = |wanted: &str| names.iter().position(|name| bare(name) == wanted);
        Ok(Schema {
            bucket: format!("s3://{bucket}"),
            is_encoded,
            key: place("key").ok_or("the inventory's schema has no Key")?,
            changed: place("lastmodifieddate"),
            etag: place("etag"),
            is_latest: place("islatest"),
            is_delete_marker: place("isdeletemarker"),
        })
    }

    /// The original that a row is of: of the newest version alone, and of none that was deleted.
    fn original(&self, values: &[String], extensions: &[String]) -> Result<Option<Original>, String> {
        let value = |place: Option<usize>| place.and_then(|place| values.get(place)).map(String::as_str);
        let says = |place: Option<usize>, word: &str| {
            value(place).is_some_and(|value| value.eq_ignore_ascii_case(word))
        };
        if says(self.is_latest, "false") || says(self.is_delete_marker, "true") {
            return Ok(None);
        }
        let written = value(Some(self.key)).unwrap_or_default();
        let spaced = written.replace('+', " ");
        let key = match self.is_encoded {
            true => percent_decode_str(&spaced).decode_utf8(),
            false => Ok(written.into()),
        };
        let key = key.map_err(|_| format!("the inventory's key {written:?} is not UTF-8"))?;
        Ok(is_image(&key, extensions).then(|| Original {
            row: 0,
            url: keys::url(&self.bucket, &key).into(),
            columns: None,
            changed: value(self.changed).and_then(time),
            etag: value(self.etag).filter(|tag| !tag.is_empty()).map(str::to_owned),
        }))
    }
}

/// A time as CSV has it, or as Parquet's columns are written out: `2026-11-01 10:00:00.000 +00:00`.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let written_out = || text.replacen(' ', "T", 1).replace(' ', "");
    text.parse().ok().or_else(|| written_out().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_newest_versions_of_images() {
        let names =
            ["Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size", "LastModifiedDate", "ETag"];
        let schema = Schema::of(&names.map(str::to_owned), "src", true).unwrap();
        let row = |key: &str, latest: &str, deleted: &str| {
            let row = ["src", key, "v", latest, deleted, "7", "2026-11-01T10:00:00.000Z", "abc"];
            schema.original(&row.map(str::to_owned), &[]).unwrap()
        };
        let found = row("a%20b/%C3%BC%2B1.jpg", "true", "false").unwrap();
        assert_eq!(&*found.url, "s3://src/a%20b/%C3%BC%2B1.jpg");
        assert_eq!(found.changed.unwrap().to_rfc3339(), "2026-11-01T10:00:00+00:00");
        assert_eq!(found.etag.as_deref(), Some("abc"));
        assert_eq!(&*row("a+b.jpg", "true", "false").unwrap().url, "s3://src/a%20b.jpg");
        assert!(row("a.jpg", "false", "false").is_none() && row("a.jpg", "true", "true").is_none());
        assert!(row("a.txt", "true", "false").is_none());
        assert!(Schema::of(&["Bucket".to_owned()], "src", true).is_err());
        // Parquet's spelling, and its keys as they are.
        let names = ["bucket", "key", "is_latest", "last_modified_date"];
        let schema = Schema::of(&names.map(str::to_owned), "src", false).unwrap();
        let row = ["src", "a+b%20.jpg", "true", "2026-11-01 10:00:00.000 +00:00"];
        let found = schema.original(&row.map(str::to_owned), &[]).unwrap().unwrap();
        assert_eq!(&*found.url, "s3://src/a%2Bb%2520.jpg");
        assert_eq!(found.changed.unwrap().to_rfc3339(), "2026-11-01T10:00:00+00:00");
    }
}
