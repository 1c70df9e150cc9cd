//! What a Distributed Map leaves in a bucket, made into parts that can be merged: its batches' answers say what became of
//! which row.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use imgmill_pipeline::objects::{Bucket, ObjectOptions, failure};
use imgmill_pipeline::{Error, Kind, Stage};
use object_store::ObjectStoreExt as _;
use object_store::path::Path as Key;
use serde_json::Value;

/// What a row came to: its number, counted from 1, its URL, and the objects that are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    number: u64,
    url: String,
    /// Label and URL of each.
    renditions: Vec<(String, String)>,
}

/// Where the results of an execution are, as its output says: `ResultWriterDetails` with `Bucket` and `Key`.
pub fn manifest_of(output: &Value) -> Option<String> {
    let details = match output {
        Value::Object(fields) => match fields.get("ResultWriterDetails") {
            Some(details) => details,
            None => return fields.values().find_map(manifest_of),
        },
        Value::Array(values) => return values.iter().find_map(manifest_of),
        _ => return None,
    };
    Some(format!("s3://{}/{}", details["Bucket"].as_str()?, details["Key"].as_str()?))
}

/// Writes the results that `manifest` names as one part into `folder`.
///
/// # Errors
/// What cannot be read, or is no result of ours.
pub async fn part(manifest: &str, folder: &Path, objects: &ObjectOptions) -> Result<PathBuf, Error> {
    write_part(folder, &rows(manifest, objects).await?)
}

/// The same of a map over an inventory, which is no list that can be read here: the second file is the list of all objects that
/// the results tell of, in the inventory's order, and the number is how many they are.
///
/// # Errors
/// What cannot be read, or is no result of ours.
pub async fn part_and_list(
    manifest: &str,
    folder: &Path,
    objects: &ObjectOptions,
) -> Result<(PathBuf, PathBuf, u64), Error> {
    let mut rows = rows(manifest, objects).await?;
    let known = number_anew(&mut rows);
    let path = folder.join("list.csv");
    write_list(&path, &rows).map_err(|error| wrong(&path.display().to_string(), &error.to_string()))?;
    Ok((write_part(folder, &rows)?, path, known))
}

/// Rows counted without those that nobody tells of.
fn number_anew(rows: &mut [Row]) -> u64 {
    let (mut known, mut last) = (0, None);
    for row in rows {
        // A batch that was tried twice may tell of a row twice.
        if last != Some(row.number) {
            last = Some(row.number);
            known += 1;
        }
        row.number = known;
    }
    known
}

/// The rows of all results, by their numbers.
async fn rows(manifest: &str, objects: &ObjectOptions) -> Result<Vec<Row>, Error> {
    let text = read(manifest, objects).await?;
    let listed = json(manifest, &text)?;
    let bucket = listed["DestinationBucket"].as_str().ok_or_else(|| wrong(manifest, "it names no bucket"))?;
    let mut rows = Vec::new();
    // Batches that failed tell of no row: those are missing.
    for file in listed["ResultFiles"]["SUCCEEDED"].as_array().into_iter().flatten() {
        let key = file["Key"].as_str().ok_or_else(|| wrong(manifest, "a file has no key"))?;
        let url = format!("s3://{bucket}/{key}");
        let text = read(&url, objects).await?;
        rows.extend(rows_of(&json(&url, &text)?).map_err(|why| wrong(&url, &why))?);
    }
    rows.sort_by_key(|row| row.number);
    Ok(rows)
}

fn write_part(folder: &Path, rows: &[Row]) -> Result<PathBuf, Error> {
    let path = folder.join("results.csv");
    write(&path, rows).map_err(|error| wrong(&path.display().to_string(), &error.to_string()))?;
    Ok(path)
}

fn write_list(path: &Path, rows: &[Row]) -> std::io::Result<()> {
    let mut list = csv::Writer::from_writer(std::io::BufWriter::new(std::fs::File::create(path)?));
    list.write_record(["url"]).map_err(std::io::Error::other)?;
    let mut last = 0;
    for row in rows.iter() {
        if row.number != last {
            list.write_record([&row.url]).map_err(std::io::Error::other)?;
        }
        last = row.number;
    }
    list.into_inner().map_err(|error| std::io::Error::other(error.to_string()))?.flush()
}

/// The rows of one file of results: executions, each with the answer of our handler.
fn rows_of(executions: &Value) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for execution in executions.as_array().into_iter().flatten() {
        let output = match &execution["Output"] {
            Value::String(text) => {
                serde_json::from_str(text).map_err(|error| format!("an output is not JSON: {error}"))?
            }
            other => other.clone(),
        };
        let answered = output["rows"].as_array().ok_or("an output has no rows: is its handler imgmill's?")?;
        for row in answered {
            rows.push(row_of(row).ok_or("a row has no number or URL")?);
        }
    }
    Ok(rows)
}

fn row_of(row: &Value) -> Option<Row> {
    let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned);
    let renditions = row["renditions"].as_array().into_iter().flatten();
    Some(Row {
        // Step Functions counts from 0.
        number: row["row"].as_u64()? + 1,
        url: text(row, "url")?,
        renditions: renditions
            .map(|one| Some((text(one, "label")?, text(one, "url")?)))
            .collect::<Option<_>>()?,
    })
}

fn write(path: &Path, rows: &[Row]) -> std::io::Result<()> {
    let several = rows.iter().any(|row| row.renditions.len() > 1);
    let mut list = csv::Writer::from_writer(std::io::BufWriter::new(std::fs::File::create(path)?));
    let mut record = |fields: [&str; 5], label: &str| {
        let label = several.then_some(label);
        list.write_record(fields.into_iter().chain(label)).map_err(std::io::Error::other)
    };
    record(["row", "url", "input", "output", "s3url"], "derivative")?;
    for row in rows {
        let number = row.number.to_string();
        if row.renditions.is_empty() {
            record([&number, &row.url, "", "", ""], "")?;
        }
        for (label, stored) in &row.renditions {
            record([&number, &row.url, "", "", stored], label)?;
        }
    }
    list.into_inner().map_err(|error| std::io::Error::other(error.to_string()))?.flush()
}

async fn read(url: &str, objects: &ObjectOptions) -> Result<Vec<u8>, Error> {
    let bucket = Bucket::connect(Stage::Source, url, objects).await?;
    let key: Key = bucket.prefix.clone();
    let failed = |error| failure(Stage::Source, &format!("reading {url}"), error);
    let found = bucket.store.get(&key).await.map_err(failed)?;
    found.bytes().await.map(|bytes| bytes.to_vec()).map_err(failed)
}

fn json(url: &str, text: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(text).map_err(|error| wrong(url, &format!("not JSON: {error}")))
}

fn wrong(url: &str, why: &str) -> Error {
    Error::new(Stage::Source, Kind::Corrupt, format!("{url}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_output_says_where_the_results_are() {
        let details = json!({"MapRunArn": "arn", "ResultWriterDetails": {"Bucket": "b", "Key": "runs/1/manifest.json"}});
        assert_eq!(manifest_of(&details).as_deref(), Some("s3://b/runs/1/manifest.json"));
        assert_eq!(manifest_of(&json!({"map": details})).as_deref(), Some("s3://b/runs/1/manifest.json"));
        assert_eq!(manifest_of(&json!({"stored": 1})), None);
    }

    #[test]
    fn what_an_inventory_came_to_is_a_list_of_its_own() {
        let row = |number, url: &str| Row { number, url: url.to_owned(), renditions: Vec::new() };
        let mut rows =
            vec![row(3, "s3://b/c"), row(3, "s3://b/c"), row(9, "s3://b/a,b"), row(12, "s3://b/z")];
        assert_eq!(number_anew(&mut rows), 3);
        assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 1, 2, 3]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.csv");
        write_list(&path, &rows).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "url\ns3://b/c\n\"s3://b/a,b\"\ns3://b/z\n");
    }

    #[test]
    fn results_become_a_part() {
        let folder = tempfile::tempdir().unwrap();
        let answer = |rows: Value| json!({"Output": json!({"stored": 1, "rows": rows}).to_string(), "Status": "SUCCEEDED"});
        let results = json!([
            answer(
                json!([{"row": 2, "url": "c", "status": "stored", "renditions": [{"label": "t", "url": "S3"}]}])
            ),
            answer(json!([
                {"row": 0, "url": "a", "status": "stored", "renditions": [{"label": "t", "url": "S1"}]},
                {"row": 1, "url": "b,c", "status": "failed", "stage": "fetch", "kind": "http_status", "message": "404"}
            ])),
        ]);
        let rows = rows_of(&results).unwrap();
        assert_eq!((rows.len(), rows[0].number, rows[2].url.as_str()), (3, 3, "b,c"));
        let path = folder.path().join("results.csv");
        let mut sorted = rows;
        sorted.sort_by_key(|row| row.number);
        write(&path, &sorted).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "row,url,input,output,s3url\n1,a,,,S1\n2,\"b,c\",,,\n3,c,,,S3\n"
        );
        assert!(rows_of(&json!([{"Output": "{}"}])).unwrap_err().contains("no rows"));
    }
}
