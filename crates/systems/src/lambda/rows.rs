//! Rows: a few URLs in, what became of each out, within the time that there is.

use std::sync::Arc;

use async_trait::async_trait;
use imgmill_pipeline::report::Reporter;
use imgmill_pipeline::{End, Error, Kind, Outcome, Stage, redact};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::Deadline;
use crate::batch::{self, Settings};

/// What stands for itself in a URL's path; slashes stay what they are.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// What became of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Made {
    /// Its renditions are stored: an entry of each.
    Stored(Vec<Value>),
    /// It failed, in a way that may pass or not.
    Failed {
        /// Where, what and why.
        problem: Value,
        /// Why, as a sentence.
        message: String,
        /// Trying again may help.
        may_pass: bool,
    },
    /// The time was over before.
    Unfinished,
}

/// Makes the images of `urls`; answers in their order.
///
/// # Errors
/// What makes work on any row pointless: no store, no credentials.
pub async fn make(settings: &Settings, urls: Vec<String>, deadline: &Deadline) -> Result<Vec<Made>, Error> {
    let mut rows = vec![Made::Unfinished; urls.len()];
    let mut settings = settings.clone();
    settings.limits.grace = deadline.grace;
    let stop = deadline.token();
    let gather = Box::new(Gather { rows: &mut rows });
    let end = batch::some(&settings, urls.into_iter().map(Arc::from), gather, stop.clone()).await;
    stop.cancel();
    match end? {
        End::SourceFailed(error) => Err(error),
        End::FailedTooOften(why) => {
            Err(Error::new(Stage::Source, Kind::Io, format!("stopped: {why}")).transient(true))
        }
        End::Exhausted | End::Interrupted => Ok(rows),
    }
}

/// An object of S3 as a row's URL.
pub fn url_of(bucket: &str, key: &str) -> String {
    format!("s3://{bucket}/{}", utf8_percent_encode(key, PATH))
}

struct Gather<'a> {
    rows: &'a mut Vec<Made>,
}

#[async_trait]
impl Reporter for Gather<'_> {
    async fn report(&mut self, outcome: &Outcome) -> Result<(), Error> {
        let made = match &outcome.result {
            Ok(derived) => Made::Stored(
                derived
                    .renditions
                    .iter()
                    .map(|rendition| json!({ "label": rendition.label, "url": rendition.url }))
                    .collect(),
            ),
            Err(error) => {
                let url = redact::url(&outcome.job.url);
                tracing::error!(url = %url, stage = %error.stage(), kind = %error.kind(), "{}", error.chain());
                failed(error)
            }
        };
        let index = usize::try_from(outcome.job.row.saturating_sub(1)).unwrap_or(usize::MAX);
        if let Some(row) = self.rows.get_mut(index) {
            *row = made;
        }
        Ok(())
    }
}

fn failed(error: &Error) -> Made {
    let too_large = matches!(error.kind(), Kind::TooLarge | Kind::TooManyPixels | Kind::Memory);
    let advice = if too_large {
        "; it is too large for this function: give the function more memory, raise --max-bytes or --max-pixels, or \
         make it in a task (IMGMILL_HANDLER=ecs)"
    } else {
        ""
    };
    let message = format!("{}{advice}", error.chain());
    Made::Failed {
        problem: json!({
            "stage": error.stage().as_str(),
            "kind": error.kind().as_str(),
            "message": message,
            "attempts": error.attempts(),
        }),
        message,
        may_pass: error.is_transient(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded() {
        assert_eq!(url_of("b", "a b/ü+1%.jpg"), "s3://b/a%20b/%C3%BC%2B1%25.jpg");
    }

    #[test]
    fn what_is_too_large_is_told_what_to_do() {
        let large = Error::new(Stage::Derive, Kind::TooLarge, "the image has 200 million pixels");
        let Made::Failed { message, may_pass, .. } = failed(&large) else { panic!() };
        assert!(message.contains("give the function more memory") && !may_pass, "{message}");
        let Made::Failed { message, .. } = failed(&Error::new(Stage::Fetch, Kind::Timeout, "x")) else {
            panic!()
        };
        assert_eq!(message, "x");
    }
}
