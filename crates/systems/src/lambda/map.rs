//! The items of a Distributed Map of Step Functions become derivatives, with an answer for each.
//!
//! An item is a row of a list (`row`, `url`) or an object of an inventory or a listing (`Bucket`, `Key`). A row that failed
//! is part of the answer; the invocation itself fails, to be tried again, when rows are not finished.

use imgmill_pipeline::{Error, Kind, Stage};
use serde_json::{Map, Value, json};

use super::rows::{self, Made, url_of};
use super::{Deadline, not_understood};
use crate::batch::Settings;
use crate::bucket::changes::decoded;

/// What Step Functions knows an error by after which the batch is to be tried again.
pub const UNFINISHED: &str = "RowsUnfinished";

/// The arguments of `imgmill run` that the map gave to all of its batches.
///
/// # Errors
/// Where they are no list of words.
pub fn arguments(event: &Value) -> Result<Vec<String>, Error> {
    match &event["BatchInput"]["arguments"] {
        Value::Null => Ok(Vec::new()),
        Value::Array(words) => {
            let words = words.iter().map(|word| word.as_str().map(str::to_owned));
            words
                .collect::<Option<_>>()
                .ok_or_else(|| not_understood("BatchInput.arguments holds more than words"))
        }
        _ => Err(not_understood("BatchInput.arguments is no list of words")),
    }
}

/// Makes the derivatives of all items.
///
/// # Errors
/// [`Error::is_transient`] where rows are not finished; else an event of another kind.
pub async fn map(settings: &Settings, event: &Value, deadline: &Deadline) -> Result<Value, Error> {
    let items = match &event["Items"] {
        Value::Array(items) => items.iter().collect(),
        // A map without batches gives each item by itself.
        _ if event.get("url").is_some() || event.get("Key").is_some() => vec![event],
        _ => return Err(not_understood("it has no Items; expected the items of a Distributed Map")),
    };
    let bucket = event["BatchInput"]["bucket"].as_str();
    let urls: Vec<String> = items.iter().map(|item| url(item, bucket)).collect::<Result<_, _>>()?;
    let made = rows::make(settings, urls.clone(), deadline).await?;
    let unfinished = made.iter().filter(|made| **made == Made::Unfinished).count();
    if unfinished > 0 {
        let message = format!(
            "{unfinished} of {} rows were not finished in the function's time; the next try goes on, and smaller \
             batches or more memory help",
            made.len()
        );
        return Err(Error::new(Stage::Derive, Kind::Timeout, message).transient(true));
    }
    let failed = made.iter().filter(|made| matches!(made, Made::Failed { .. })).count();
    let rows: Vec<Value> =
        items.iter().zip(urls).zip(made).map(|((item, url), made)| row(item, &url, made)).collect();
    Ok(json!({ "stored": rows.len() - failed, "failed": failed, "rows": rows }))
}

fn row(item: &Value, url: &str, made: Made) -> Value {
    let mut row = Map::new();
    if let Some(number) = item.get("row") {
        row.insert("row".to_owned(), number.clone());
    }
    row.insert("url".to_owned(), url.into());
    match made {
        Made::Stored(renditions) => {
            row.insert("status".to_owned(), "stored".into());
            row.insert("renditions".to_owned(), renditions.into());
        }
        Made::Failed { problem, may_pass, .. } => {
            row.insert("status".to_owned(), "failed".into());
            row.insert("may_pass".to_owned(), may_pass.into());
            if let Value::Object(problem) = problem {
                row.extend(problem);
            }
        }
        Made::Unfinished => {}
    }
    Value::Object(row)
}

fn url(item: &Value, bucket: Option<&str>) -> Result<String, Error> {
    if let Some(url) = item["url"].as_str().or_else(|| item.as_str()) {
        return Ok(url.trim().to_owned());
    }
    let bucket = item["Bucket"].as_str().or(bucket);
    match (bucket, item["Key"].as_str()) {
        // Inventories encode keys, listings do not; a key of an inventory names its bucket.
        (Some(bucket), Some(key)) if item.get("Bucket").is_some() => Ok(url_of(bucket, &decoded(key)?)),
        (Some(bucket), Some(key)) => Ok(url_of(bucket, key)),
        (None, Some(_)) => {
            Err(not_understood("an item has a Key and no Bucket, and BatchInput.bucket is not there"))
        }
        _ => Err(not_understood("an item has neither url nor Key")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_rows_or_objects() {
        let found = |item: Value| url(&item, Some("given")).map_err(|error| error.message().to_owned());
        assert_eq!(found(json!({"row": 0, "url": " http://a/b.jpg "})).unwrap(), "http://a/b.jpg");
        assert_eq!(found(json!("http://a/b.jpg")).unwrap(), "http://a/b.jpg");
        assert_eq!(
            found(json!({"Bucket": "b", "Key": "x+y%2B.jpg", "Size": 4})).unwrap(),
            "s3://b/x%20y%2B.jpg",
            "an inventory's keys are encoded"
        );
        assert_eq!(found(json!({"Key": "x+y.jpg", "Etag": "e"})).unwrap(), "s3://given/x%2By.jpg");
        assert!(found(json!({"name": 1})).unwrap_err().contains("neither url nor Key"));
        assert!(url(&json!({"Key": "a"}), None).unwrap_err().message().contains("BatchInput.bucket"));
    }

    #[test]
    fn arguments_are_words() {
        let found = |value: Value| arguments(&json!({"BatchInput": {"arguments": value}}));
        assert_eq!(found(json!(["--derive", "a=full/max/0/gray.jpg"])).unwrap().len(), 2);
        assert!(found(Value::Null).unwrap().is_empty());
        assert!(found(json!("--x")).is_err() && found(json!([1])).is_err());
    }

    #[test]
    fn a_row_says_what_became_of_it() {
        let made = Made::Stored(vec![json!({"label": "gray", "url": "s"})]);
        let told = row(&json!({"row": 7, "url": "u"}), "u", made);
        assert_eq!(
            told,
            json!({"row": 7, "url": "u", "status": "stored", "renditions": [{"label": "gray", "url": "s"}]})
        );
        let problem = json!({"stage": "fetch", "kind": "http_status", "message": "404", "attempts": 1});
        let told =
            row(&json!({"url": "u"}), "u", Made::Failed { problem, message: "404".into(), may_pass: false });
        assert_eq!(
            (&told["status"], &told["kind"], &told["may_pass"]),
            (&"failed".into(), &"http_status".into(), &false.into())
        );
    }
}
