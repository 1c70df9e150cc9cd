//! MongoDB's side: the documents of a collection in the order of their `_id`, as extended JSON, a cursor's batch in memory at a
//! time.
//!
//! Nothing here knows what a document is about.

use futures::TryStreamExt;
use imgmill_pipeline::{Error, Kind, Stage};
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::ErrorKind;
use mongodb::options::ClientOptions;
use mongodb::{Client, Cursor};
use serde_json::{Map, Value};

/// Which documents of which collection.
#[derive(Debug, Clone)]
pub struct Query {
    /// The database; without it the one that the URL names.
    pub database: Option<String>,
    /// The collection.
    pub collection: String,
    /// A query document as extended JSON.
    pub filter: Map<String, Value>,
    /// The fields that are wanted besides `_id`.
    pub fields: Vec<String>,
    /// Only documents with an `_id` after this one, as extended JSON.
    pub after: Option<Value>,
    /// Documents fetched at once.
    pub batch: u32,
}

/// The documents, from a cursor that stays open.
#[derive(Debug)]
pub struct Documents {
    cursor: Cursor<Document>,
}

impl Documents {
    /// Connects to the server that `url` names and asks for the documents.
    ///
    /// # Errors
    /// What to set or mend. The URL, which may hold a password, stays out of it.
    pub async fn find(url: &str, query: &Query) -> Result<Documents, Error> {
        let options =
            ClientOptions::parse(url).await.map_err(|error| failure("reading MONGO_URL", &error))?;
        let client = Client::with_options(options).map_err(|error| failure("reading MONGO_URL", &error))?;
        let database = match &query.database {
            Some(name) => client.database(name),
            None => client.default_database().ok_or_else(|| {
                let message = "MONGO_URL names no database; end it with /NAME, or give --database";
                Error::new(Stage::Source, Kind::InvalidUrl, message)
            })?,
        };
        let mut filter = document(&query.filter)?;
        if let Some(after) = &query.after {
            let after = Bson::try_from(after.clone()).map_err(|error| wrong(&error))?;
            filter = doc! { "$and": [filter, { "_id": { "$gt": after } }] };
        }
        let fields: Document = query.fields.iter().map(|name| (name.clone(), Bson::Int32(1))).collect();
        let collection = database.collection::<Document>(&query.collection);
        let found =
            collection.find(filter).sort(doc! { "_id": 1 }).projection(fields).batch_size(query.batch);
        let cursor = found.await.map_err(|error| failure("asking MongoDB", &error))?;
        Ok(Documents { cursor })
    }

    /// The next document.
    ///
    /// # Errors
    /// When the server cannot be read on.
    pub async fn next(&mut self) -> Result<Option<Map<String, Value>>, Error> {
        let next = self.cursor.try_next().await.map_err(|error| failure("reading from MongoDB", &error))?;
        Ok(next.map(|document| match Bson::Document(document).into_relaxed_extjson() {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }))
    }
}

fn document(json: &Map<String, Value>) -> Result<Document, Error> {
    Document::try_from(json.clone()).map_err(|error| wrong(&error))
}

fn wrong(error: &dyn std::fmt::Display) -> Error {
    Error::new(Stage::Source, Kind::BadRequest, format!("not extended JSON as MongoDB has it: {error}"))
}

fn failure(doing: &str, error: &mongodb::error::Error) -> Error {
    let (kind, advice) = match &*error.kind {
        ErrorKind::Authentication { .. } => (Kind::Denied, "the user or password is wrong"),
        ErrorKind::ServerSelection { .. } => (Kind::Connect, "no server answered; check MONGO_URL"),
        ErrorKind::InvalidArgument { .. } => (Kind::InvalidUrl, "check MONGO_URL"),
        _ => (Kind::Io, "the server refused"),
    };
    Error::new(Stage::Source, kind, format!("{doing} failed: {advice}")).caused_by(error.to_string())
}
