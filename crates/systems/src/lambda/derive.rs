//! Objects that were put into a bucket become derivatives at once, where they fit into a function.

use imgmill_pipeline::{Error, Kind, Stage};
use serde_json::{Value, json};

use super::rows::{self, Made, url_of};
use super::{Deadline, failures, messages};
use crate::batch::Settings;
use crate::bucket::changes::{Created, created};
use crate::fleet::uris::is_image_name;

/// Makes derivatives of every image that an event tells of. Of messages of SQS, those with an image that failed come again.
///
/// # Errors
/// Of other events, when an image failed: Lambda tries again, and then hands the event to the function's destination for
/// failures. What was stored is found then, not made again.
pub async fn derive(settings: &Settings, event: &Value, deadline: &Deadline) -> Result<Value, Error> {
    let mut answer = Answer::default();
    let mut asked = Vec::new();
    let envelopes = messages(event);
    match &envelopes {
        None => asked = answer.asked(settings, "", event)?,
        Some(messages) => {
            for (id, message) in messages {
                match answer.asked(settings, id, message) {
                    Ok(more) => asked.extend(more),
                    Err(error) => {
                        tracing::error!(message = id, "{}", error.chain());
                        answer.again.push((*id).to_owned());
                    }
                }
            }
        }
    }
    if !asked.is_empty() {
        let urls = asked.iter().map(|asked| asked.url.clone()).collect();
        for (asked, made) in asked.iter().zip(rows::make(settings, urls, deadline).await?) {
            answer.tell(asked, made);
        }
    }
    answer.give(envelopes.is_some())
}

/// An image to be made, and the message that told of it.
struct Asked {
    message: String,
    url: String,
}

#[derive(Default)]
struct Answer {
    images: Vec<Value>,
    skipped: u64,
    failed: Vec<String>,
    may_pass: bool,
    again: Vec<String>,
}

impl Answer {
    fn asked(&mut self, settings: &Settings, message: &str, event: &Value) -> Result<Vec<Asked>, Error> {
        let mut asked = Vec::new();
        for told in created(event)? {
            match told {
                Ok(object) if is_image_name(&object.key) => {
                    let url = url(settings, &object)?;
                    let largest = settings.limits.max_bytes;
                    match object.size {
                        Some(size) if size > largest => {
                            let why = format!(
                                "it has {size} bytes, and --max-bytes is {largest}: raise it in IMGMILL_ARGUMENTS, \
                                 with memory for it, or make it in a task (IMGMILL_HANDLER=ecs)"
                            );
                            let problem = json!({ "stage": "fetch", "kind": "too_large", "message": why });
                            let made = Made::Failed { problem, message: why, may_pass: false };
                            self.tell(&Asked { message: message.to_owned(), url }, made);
                        }
                        _ => asked.push(Asked { message: message.to_owned(), url }),
                    }
                }
                _ => self.skipped += 1,
            }
        }
        Ok(asked)
    }

    fn tell(&mut self, asked: &Asked, made: Made) {
        let url = &asked.url;
        let mut fail = |message: &str, may_pass: bool| {
            self.failed.push(format!("{url}: {message}"));
            self.may_pass |= may_pass;
            self.again.push(asked.message.clone());
        };
        self.images.push(match made {
            Made::Stored(renditions) => json!({ "source": url, "renditions": renditions }),
            Made::Failed { problem, message, may_pass } => {
                fail(&message, may_pass);
                json!({ "source": url, "error": problem })
            }
            Made::Unfinished => {
                fail("the function's time was over before it was made; raise its timeout", true);
                json!({ "source": url, "error": { "stage": "derive", "kind": "timeout" } })
            }
        });
    }

    fn give(mut self, of_messages: bool) -> Result<Value, Error> {
        let mut answer = json!({ "images": self.images, "skipped": self.skipped });
        if of_messages {
            self.again.dedup();
            answer["batchItemFailures"] = failures(self.again.iter().map(String::as_str)).into();
            return Ok(answer);
        }
        match self.failed.first() {
            None => Ok(answer),
            Some(first) => {
                let (failed, all) = (self.failed.len(), self.images.len());
                let message = format!("{failed} of {all} images failed, the first: {first}");
                Err(Error::new(Stage::Derive, Kind::Io, message).transient(self.may_pass))
            }
        }
    }
}

/// The object's URL, unless its derivatives would be put to where they bring the next event.
fn url(settings: &Settings, object: &Created) -> Result<String, Error> {
    let Some(bucket) = &object.bucket else {
        return Err(super::not_understood("it does not name the bucket"));
    };
    let rest = settings.store.strip_prefix("s3://").unwrap_or_default();
    let (store, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/');
    let inside = prefix.is_empty() || object.key.starts_with(&format!("{prefix}/"));
    if store == bucket && inside {
        let message = format!(
            "{bucket} is where derivatives are stored, and each would bring the next event; let --store be another \
             bucket, or a prefix that no event tells of"
        );
        return Err(Error::new(Stage::Source, Kind::BadRequest, message));
    }
    Ok(url_of(bucket, &object.key))
}
