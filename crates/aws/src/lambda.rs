//! Lambda's runtime: it brings events one after another, and takes an answer for each. What an event means is not known
//! here.

use std::sync::Arc;

use async_trait::async_trait;
use imgmill_pipeline::Error;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;

/// One invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// What Lambda knows it by.
    pub id: String,
    /// When it ends, in milliseconds after 1970; emulators may say 0.
    pub deadline: u64,
}

/// Why an invocation failed: what retries, destinations and Step Functions go by.
#[derive(Debug)]
pub struct Failed {
    /// A word: Step Functions' `ErrorEquals`.
    pub kind: String,
    /// Why.
    pub error: Error,
}

/// What becomes of events.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Answers one.
    async fn handle(&self, event: Value, invocation: Invocation) -> Result<Value, Failed>;
}

impl From<Failed> for Diagnostic {
    fn from(failed: Failed) -> Diagnostic {
        Diagnostic { error_type: failed.kind, error_message: failed.error.chain() }
    }
}

/// Whether this process was started by Lambda, or by something that plays it.
pub fn is_here() -> bool {
    std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
}

/// Answers events for as long as Lambda brings some.
///
/// # Errors
/// Where the runtime's interface cannot be reached.
pub async fn serve(handler: Arc<dyn Handler>) -> Result<(), String> {
    let service = service_fn(move |event: LambdaEvent<Value>| {
        let handler = Arc::clone(&handler);
        async move {
            let invocation =
                Invocation { id: event.context.request_id.clone(), deadline: event.context.deadline };
            handler.handle(event.payload, invocation).await
        }
    });
    lambda_runtime::run(service).await.map_err(|error| format!("Lambda's runtime interface failed: {error}"))
}
