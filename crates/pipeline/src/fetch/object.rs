//! Sources that are objects of a store: `s3://bucket/key`, `gs://…`, `az://…`.

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore};
use tokio::sync::Mutex;
use url::Url;

use super::Fetched;
use crate::body::BodyPolicy;
use crate::error::{Error, Kind, Stage};
use crate::objects::{self, Bucket, ObjectOptions};
use crate::validators::Validators;

/// A client, or why there is none.
type Connected = Result<Arc<dyn ObjectStore>, Arc<Error>>;

/// One client a bucket, made when the first row names it.
#[derive(Debug)]
pub(super) struct ObjectTransport {
    options: ObjectOptions,
    buckets: Mutex<HashMap<String, Connected>>,
}

impl ObjectTransport {
    pub fn new(options: ObjectOptions) -> Self {
        ObjectTransport { options, buckets: Mutex::default() }
    }

    pub async fn get(
        &self,
        url: &Url,
        known: Option<&Validators>,
        bodies: &BodyPolicy,
    ) -> Result<Fetched, Error> {
        let bucket = self.bucket(url).await?;
        let key = Path::from_url_path(url.path()).map_err(|error| {
            Error::new(Stage::Fetch, Kind::InvalidUrl, format!("{} is not an object key", url.path()))
                .caused_by(error)
        })?;
        let options =
            GetOptions { if_none_match: known.and_then(|known| known.etag.clone()), ..GetOptions::default() };
        let found = match bucket.get_opts(&key, options).await {
            Ok(found) => found,
            Err(object_store::Error::NotModified { .. }) => return Ok(Fetched::Unchanged),
            Err(error) => return Err(objects::failure(Stage::Fetch, &format!("reading {url}"), error)),
        };
        let validators = Validators { etag: found.meta.e_tag.clone(), last_modified: None };
        if known.is_some_and(|known| known.same_version(&validators)) {
            // A server that ignores the condition but names the same version: its body is not wanted.
            return Ok(Fetched::Unchanged);
        }
        let announced = Some(found.meta.size);
        let stream = found.into_stream().map(|chunk| {
            chunk.map_err(|error| objects::failure(Stage::Fetch, "reading the object", error).transient(true))
        });
        Ok(Fetched::New(bodies.read(stream, announced).await?, validators))
    }

    async fn bucket(&self, url: &Url) -> Result<Arc<dyn ObjectStore>, Error> {
        let name = &url[..url::Position::AfterPort];
        let mut buckets = self.buckets.lock().await;
        if !buckets.contains_key(name) {
            // What failed is remembered too: a list of rows must not ask for missing credentials one by one.
            let connected = Bucket::connect(Stage::Fetch, name, &self.options).await;
            buckets.insert(name.to_owned(), connected.map(|bucket| bucket.store).map_err(Arc::new));
        }
        match buckets.get(name) {
            Some(Ok(bucket)) => Ok(Arc::clone(bucket)),
            Some(Err(error)) => Err(error.shared()),
            None => Err(Error::new(Stage::Fetch, Kind::Internal, "no bucket")),
        }
    }
}
