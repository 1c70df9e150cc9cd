//! Lambda, as somebody who calls functions.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use imgmill_pipeline::Error;
use serde_json::Value;

use super::{Account, Answer};
use crate::failure::{self, Service};

const LAMBDA: Service = Service {
    name: "Lambda",
    missing: &["ResourceNotFound"],
    advice: "there is no such function; check its name and the region",
};

/// Functions of an account.
#[derive(Debug, Clone)]
pub struct Functions {
    client: Client,
}

impl Functions {
    /// Of this account.
    pub fn of(account: &Account) -> Functions {
        Functions { client: Client::new(&account.config) }
    }

    /// Calls one with an event. `kind` is `RequestResponse`, `Event` or `DryRun`.
    ///
    /// # Errors
    /// What Lambda answers.
    pub async fn invoke(&self, function: &str, kind: &str, event: &Value) -> Result<Answer, Error> {
        let call = self.client.invoke().function_name(function).invocation_type(InvocationType::from(kind));
        let answer = call.payload(Blob::new(event.to_string())).send().await;
        let answer = answer.map_err(|error| failure::failure(&LAMBDA, "calling", function, &error))?;
        let text = answer.payload().map(|payload| String::from_utf8_lossy(payload.as_ref()).into_owned());
        let text = text.unwrap_or_default();
        Ok(Answer {
            status: answer.status_code(),
            failed: answer.function_error().map(str::to_owned),
            said: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        })
    }
}
