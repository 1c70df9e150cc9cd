//! The collector: documents that have an image and nothing made of it yet, as messages to a worker's queue.
//!
//! The documents come from MongoDB, one cursor's batch at a time; a state file says how far a run came that was cut short.

mod documents;

use std::path::PathBuf;

use imgmill_pipeline::{Error, Kind, Stage};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::worker::QueueSettings;
use crate::worker::message::ImageField;
use crate::worker::send::{self, Names};
use documents::Documents;
pub use documents::Query;

/// What is collected, and where it goes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `mongodb://…` or `mongodb+srv://…`. It may hold a password.
    pub url: MongoUrl,
    /// Which documents.
    pub query: Query,
    /// The queue; it is not opened in a dry run.
    pub queue: Option<QueueSettings>,
    /// What every message has besides its document's fields: `redirect_queue`, `postback_url`, `bucket_name`.
    pub added: Map<String, Value>,
    /// Messages at most.
    pub limit: Option<u64>,
    /// Where the `_id` is kept up to which all was sent, for as long as the run goes.
    pub state: Option<PathBuf>,
}

/// A URL that is not shown.
#[derive(Clone)]
pub struct MongoUrl(pub String);

impl std::fmt::Debug for MongoUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// What came of it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Collected {
    /// Messages sent, or in a dry run that would be.
    pub messages: u64,
    /// Documents with nothing to send.
    pub passed_over: u64,
    /// It was stopped before the last document.
    pub interrupted: bool,
}

/// What is asked of a collection where nobody says otherwise: an image, and no `…_info` of it.
pub fn wanted() -> Map<String, Value> {
    let lacks = ImageField::ALL
        .map(|field| json!({ field.name(): { "$type": "string", "$ne": "" }, field.info_name(): null }));
    Map::from_iter([("$or".to_owned(), json!(lacks))])
}

/// Collects. `show` sees every message of a dry run.
///
/// # Errors
/// When the database or the queue cannot be reached, or the state file not be written.
pub async fn collect(
    settings: &Settings,
    shutdown: &CancellationToken,
    mut show: impl FnMut(&str),
) -> Result<Collected, Error> {
    let mut query = settings.query.clone();
    if let Some(after) = read_state(settings)? {
        tracing::info!(%after, "going on where the last run stopped");
        query.after = Some(after);
    }
    query.fields.extend(
        ImageField::ALL.iter().flat_map(|field| [field.name().to_owned(), field.info_name().to_owned()]),
    );
    let queue = match &settings.queue {
        Some(queue) => Some(queue.open().await?.queue),
        None => None,
    };
    let mut documents = Documents::find(&settings.url.0, &query).await?;
    let mut collected = Collected::default();
    let mut batch = Vec::new();
    let mut last = None;
    loop {
        collected.interrupted = shutdown.is_cancelled();
        let is_full = settings.limit.is_some_and(|limit| collected.messages >= limit);
        let document = if is_full || collected.interrupted { None } else { documents.next().await? };
        let is_last = document.is_none();
        if let Some(document) = document {
            last = document.get("_id").cloned();
            match message(document, &settings.added).map(|text| send::outgoing(&text, &Names::default())) {
                Some(Ok(message)) => {
                    collected.messages += 1;
                    batch.push(message);
                }
                Some(Err(why)) => {
                    tracing::warn!(id = last.as_ref().map(|id| id.to_string()), "passed over: {why}");
                    collected.passed_over += 1;
                }
                None => collected.passed_over += 1,
            }
        }
        if batch.len() >= query.batch as usize || is_last {
            match &queue {
                Some(queue) => {
                    send::send(&**queue, &batch).await?;
                    write_state(settings, last.as_ref())?;
                }
                None => batch.iter().for_each(|message| show(&message.body)),
            }
            batch.clear();
        }
        if is_last {
            break;
        }
    }
    if !collected.interrupted && settings.limit.is_none_or(|limit| collected.messages < limit) {
        remove_state(settings)?;
    }
    Ok(collected)
}

/// The message about a document: its fields without what was made before, and what every message has.
fn message(mut document: Map<String, Value>, added: &Map<String, Value>) -> Option<String> {
    for field in ImageField::ALL {
        // An image that was made before, of a document whose other one was not.
        if document.remove(field.info_name()).is_some_and(|info| !info.is_null()) {
            document.remove(field.name());
        }
    }
    let has_image = |field: &ImageField| {
        document.get(field.name()).and_then(Value::as_str).is_some_and(|url| !url.is_empty())
    };
    if !ImageField::ALL.iter().any(has_image) {
        return None;
    }
    document.extend(added.clone());
    Some(Value::Object(document).to_string())
}

fn read_state(settings: &Settings) -> Result<Option<Value>, Error> {
    let Some(path) = &settings.state else { return Ok(None) };
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let id = serde_json::from_str(&text).map_err(|error| unusable(settings, &error))?;
            Ok(Some(id))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(settings, &error)),
    }
}

fn write_state(settings: &Settings, last: Option<&Value>) -> Result<(), Error> {
    let (Some(path), Some(last)) = (&settings.state, last) else { return Ok(()) };
    std::fs::write(path, format!("{last}\n")).map_err(|error| unusable(settings, &error))
}

fn remove_state(settings: &Settings) -> Result<(), Error> {
    let Some(path) = &settings.state else { return Ok(()) };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(unusable(settings, &error)),
        _ => Ok(()),
    }
}

fn unusable(settings: &Settings, error: &dyn std::fmt::Display) -> Error {
    let path = settings.state.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    Error::new(Stage::Source, Kind::Io, format!("the state file {path} cannot be used: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_document_becomes_a_message() {
        let added = object(json!({"redirect_queue": "ChannelImages"}));
        let said = |document: Value| {
            message(object(document), &added).map(|text| serde_json::from_str::<Value>(&text).unwrap())
        };
        assert_eq!(
            said(json!({"_id": {"$oid": "5f"}, "image_url": "http://i", "itunes_image": null, "title": "t"})),
            Some(json!({"_id": {"$oid": "5f"}, "image_url": "http://i", "itunes_image": null, "title": "t",
                "redirect_queue": "ChannelImages"}))
        );
        assert_eq!(
            said(
                json!({"_id": 1, "image_url": "http://i", "image_url_info": {"50x50": {}}, "itunes_image": "http://t"})
            ),
            Some(json!({"_id": 1, "itunes_image": "http://t", "redirect_queue": "ChannelImages"}))
        );
        assert_eq!(said(json!({"_id": 1, "image_url": "", "title": "t"})), None);
        assert_eq!(said(json!({"_id": 1, "image_url": "http://i", "image_url_info": {}})), None);
    }
}
