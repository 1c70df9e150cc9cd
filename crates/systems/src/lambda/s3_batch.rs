//! S3 Batch Operations: a task for each object of a manifest, and a result for each task. Schemas 1.0 and 2.0.

use imgmill_pipeline::Error;
use serde_json::{Value, json};

use super::rows::{self, Made, url_of};
use super::{Deadline, not_understood};
use crate::batch::Settings;
use crate::bucket::changes::decoded;

/// A result's text, in the report of the job.
const LONGEST: usize = 1000;

/// Makes the derivatives of all tasks' objects.
///
/// # Errors
/// An event of another kind; a store that cannot be reached: the job tries again.
pub async fn s3_batch(settings: &Settings, event: &Value, deadline: &Deadline) -> Result<Value, Error> {
    let version = event["invocationSchemaVersion"].as_str().unwrap_or_default();
    let tasks = event["tasks"].as_array().filter(|_| matches!(version, "1.0" | "2.0"));
    let tasks = tasks.ok_or_else(|| {
        not_understood("expected an invocation of S3 Batch Operations, invocationSchemaVersion 1.0 or 2.0")
    })?;
    let urls: Vec<Result<String, Error>> = tasks.iter().map(url).collect();
    let good = urls.iter().flatten().cloned().collect();
    let mut made = rows::make(settings, good, deadline).await?.into_iter();
    let results = tasks.iter().zip(urls).map(|(task, url)| {
        let (code, text) = match url.map(|_| made.next().unwrap_or(Made::Unfinished)) {
            Ok(made) => result(made),
            Err(error) => ("PermanentFailure", error.chain()),
        };
        json!({
            "taskId": task["taskId"],
            "resultCode": code,
            "resultString": text.chars().take(LONGEST).collect::<String>(),
        })
    });
    Ok(json!({
        "invocationSchemaVersion": version,
        "treatMissingKeysAs": "TemporaryFailure",
        "invocationId": event["invocationId"],
        "results": results.collect::<Vec<_>>(),
    }))
}

fn result(made: Made) -> (&'static str, String) {
    match made {
        Made::Stored(renditions) => {
            let urls: Vec<&str> =
                renditions.iter().filter_map(|rendition| rendition["url"].as_str()).collect();
            ("Succeeded", urls.join(" "))
        }
        Made::Failed { message, may_pass: true, .. } => ("TemporaryFailure", message),
        Made::Failed { message, .. } => ("PermanentFailure", message),
        Made::Unfinished => ("TemporaryFailure", "the function's time was over before".to_owned()),
    }
}

fn url(task: &Value) -> Result<String, Error> {
    let key = task["s3Key"].as_str().ok_or_else(|| not_understood("a task has no s3Key"))?;
    // 2.0 names the bucket, 1.0 its ARN: arn:aws:s3:::NAME.
    let arn = || task["s3BucketArn"].as_str().and_then(|arn| arn.rsplit(':').next());
    let bucket = task["s3Bucket"].as_str().or_else(arn).filter(|bucket| !bucket.is_empty());
    let bucket = bucket.ok_or_else(|| not_understood("a task has neither s3Bucket nor s3BucketArn"))?;
    Ok(url_of(bucket, &decoded(key)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_schemas_name_objects() {
        let old = json!({"taskId": "t", "s3Key": "a+b/%C3%BC.png", "s3BucketArn": "arn:aws:s3:::pix", "s3VersionId": null});
        assert_eq!(url(&old).unwrap(), "s3://pix/a%20b/%C3%BC.png");
        let new = json!({"taskId": "t", "s3Key": "a.png", "s3Bucket": "pix", "s3VersionId": "1"});
        assert_eq!(url(&new).unwrap(), "s3://pix/a.png");
        assert!(url(&json!({"s3Key": "a"})).is_err() && url(&json!({"s3Bucket": "b"})).is_err());
    }

    #[test]
    fn codes_are_what_may_be_done_about_it() {
        let failed = |may_pass| Made::Failed { problem: Value::Null, message: "why".into(), may_pass };
        assert_eq!(result(failed(true)), ("TemporaryFailure", "why".to_owned()));
        assert_eq!(result(failed(false)), ("PermanentFailure", "why".to_owned()));
        assert_eq!(result(Made::Unfinished).0, "TemporaryFailure");
        let stored = Made::Stored(vec![json!({"label": "a", "url": "x"}), json!({"label": "b", "url": "y"})]);
        assert_eq!(result(stored), ("Succeeded", "x y".to_owned()));
    }
}
