//! Sources that are files of this machine: a path or a `file://` URL.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio_util::io::ReaderStream;

use super::Fetched;
use crate::body::BodyPolicy;
use crate::error::{Error, Kind, Stage};
use crate::validators::Validators;

const CHUNK: usize = 256 << 10;

/// Reads the file at `path`, unless `known` says that it is the same as before.
pub(super) async fn get(
    path: &Path,
    known: Option<&Validators>,
    bodies: &BodyPolicy,
) -> Result<Fetched, Error> {
    // Asked before opening: opening a named pipe waits for its writer.
    let metadata = tokio::fs::metadata(path).await.map_err(|error| failed(path, error))?;
    if !metadata.is_file() {
        let message = format!("{} is not a regular file", path.display());
        return Err(Error::new(Stage::Fetch, Kind::InvalidUrl, message));
    }
    let validators = validators(&metadata);
    if known.is_some_and(|known| known.same_version(&validators)) {
        return Ok(Fetched::Unchanged);
    }
    let file = tokio::fs::File::open(path).await.map_err(|error| failed(path, error))?;
    let stream = futures::StreamExt::map(ReaderStream::with_capacity(file, CHUNK), |chunk| {
        chunk.map_err(|error| failed(path, error))
    });
    let body = bodies.read(stream, Some(metadata.len())).await.map_err(|error| error.transient(false))?;
    Ok(Fetched::New(body, validators))
}

/// Length and modification time in the place of an entity tag.
fn validators(metadata: &std::fs::Metadata) -> Validators {
    let etag = metadata.modified().ok().and_then(|modified| etag(metadata.len(), modified));
    Validators { etag, last_modified: None }
}

/// What stands for an entity tag of a file with this length, changed at that time.
pub fn etag(length: u64, modified: SystemTime) -> Option<String> {
    let time = modified.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("\"{length:x}-{:x}\"", time.as_nanos()))
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    let (kind, what) = match error.kind() {
        std::io::ErrorKind::NotFound => (Kind::NotFound, "there is no file"),
        std::io::ErrorKind::PermissionDenied => (Kind::Denied, "no permission to read"),
        _ => (Kind::Io, "could not read"),
    };
    Error::new(Stage::Fetch, kind, format!("{what} {}", path.display())).caused_by(error)
}
