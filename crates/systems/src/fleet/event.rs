//! URIs as events of S3: what `-mode invoke` calls a function with, and what a function finds in one.

use imgmill_pipeline::Error;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::bucket::changes::created;

/// What S3 leaves unencoded in keys of its events; a space is a plus.
const KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/')
    .remove(b'*')
    .remove(b'!')
    .remove(b'(')
    .remove(b')')
    .remove(b'\'')
    .remove(b' ');

/// An event whose records carry URIs as keys.
pub fn of_uris<'a>(uris: impl IntoIterator<Item = &'a str>) -> Value {
    let records = uris.into_iter().map(|uri| {
        let key = utf8_percent_encode(uri, KEY).to_string().replace(' ', "+");
        json!({
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": { "bucket": { "name": "" }, "object": { "key": key } },
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// The keys of objects that an event tells of, in any envelope.
///
/// # Errors
/// What is no event of S3.
pub fn uris_of(event: &Value) -> Result<Vec<String>, Error> {
    Ok(created(event)?.into_iter().flatten().map(|object| object.key).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_come_through() {
        let uris = ["avocado.png", "a b/ü+1%.jpg", "idsecret:///a.jpg?id=1234&secret=s33kret&secret_o=x"];
        let event = of_uris(uris);
        assert_eq!(event["Records"][1]["s3"]["object"]["key"], "a+b/%C3%BC%2B1%25.jpg");
        assert_eq!(uris_of(&event).unwrap(), uris);
    }
}
