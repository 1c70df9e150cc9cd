//! What clients of AWS's services say, in this project's words.

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use imgmill_pipeline::{Error, Kind, Stage};

/// What a service calls things.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    /// For people.
    pub name: &'static str,
    /// Parts of error codes that say that something is not there.
    pub missing: &'static [&'static str],
    /// What to do then.
    pub advice: &'static str,
}

/// Codes that say that somebody may not do something.
const DENIED: [&str; 7] = [
    "AccessDenied",
    "InvalidClientTokenId",
    "Signature",
    "UnrecognizedClient",
    "ExpiredToken",
    "InvalidSecurity",
    "MissingAuthentication",
];
/// Codes that say that it may be done later.
const LATER: [&str; 6] = [
    "Throttl",
    "TooMany",
    "RequestLimitExceeded",
    "ServerException",
    "ServiceUnavailable",
    "InternalFailure",
];

/// Sorts an error of a client. `doing` and `what` make the sentence.
pub(crate) fn failure<E>(service: &Service, doing: &str, what: &str, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    SdkError<E>: std::error::Error,
{
    let answer = error.as_service_error();
    let code = answer.and_then(ProvideErrorMetadata::code).unwrap_or_default();
    let said = answer.and_then(ProvideErrorMetadata::message).unwrap_or_default();
    let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
    let name = service.name;
    let (kind, transient, advice) = match error {
        SdkError::TimeoutError(_) => (Kind::Timeout, true, format!("{name} did not answer in time")),
        SdkError::DispatchFailure(failed) if !failed.is_io() && !failed.is_timeout() => {
            (Kind::Denied, false, "the request could not be sent; are AWS credentials set?".to_owned())
        }
        SdkError::DispatchFailure(_) => (Kind::Connect, true, format!("{name} could not be reached")),
        SdkError::ServiceError(_) if has(service.missing) => {
            (Kind::NotFound, false, service.advice.to_owned())
        }
        SdkError::ServiceError(_) if has(&DENIED) => {
            (Kind::Denied, false, "the credentials may not do that; check them and their policy".to_owned())
        }
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            (Kind::Io, status >= 500 || status == 429 || has(&LATER), said.to_owned())
        }
        _ => (Kind::Io, true, format!("{name} answered with something else")),
    };
    let detail = match answer {
        Some(_) if said == advice => code.to_owned(),
        Some(_) => format!("{code} {said}"),
        None => chain(error),
    };
    let message = format!("{doing} {what} failed: {advice}");
    Error::new(Stage::Source, kind, message).transient(transient).caused_by(detail)
}

/// An error and its causes as one line. The client's own way to tell them adds all their insides.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line() {
        let inner = std::io::Error::other("no route");
        let error: SdkError<aws_sdk_sqs::operation::send_message::SendMessageError> =
            SdkError::construction_failure(inner);
        let sqs = Service { name: "SQS", missing: &[], advice: "" };
        let failure = failure(&sqs, "sending to", "Q", &error);
        assert!(
            failure
                .chain()
                .ends_with("SQS answered with something else: failed to construct request: no route"),
            "{}",
            failure.chain()
        );
    }
}
