//! What SQS's client says, in this project's words.

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use imgmill_pipeline::{Error, Kind, Stage};

/// Sorts an error of the client. `doing` and `what` make the sentence.
pub(super) fn failure<E>(doing: &str, what: &str, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    SdkError<E>: std::error::Error,
{
    let service = error.as_service_error();
    let code = service.and_then(ProvideErrorMetadata::code).unwrap_or_default();
    let said = service.and_then(ProvideErrorMetadata::message).unwrap_or_default();
    let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
    let (kind, transient, advice) = match error {
        SdkError::TimeoutError(_) => (Kind::Timeout, true, "SQS did not answer in time"),
        SdkError::DispatchFailure(failed) if !failed.is_io() && !failed.is_timeout() => {
            (Kind::Denied, false, "the request could not be sent; are AWS credentials set?")
        }
        SdkError::DispatchFailure(_) => (Kind::Connect, true, "SQS could not be reached"),
        SdkError::ServiceError(_) if has(&["NonExistentQueue", "QueueDoesNotExist"]) => {
            (Kind::NotFound, false, "there is no such queue; check QUEUE_URL and the region in it")
        }
        SdkError::ServiceError(_)
            if has(&[
                "AccessDenied",
                "InvalidClientTokenId",
                "Signature",
                "UnrecognizedClient",
                "ExpiredToken",
                "InvalidSecurity",
                "MissingAuthentication",
            ]) =>
        {
            (Kind::Denied, false, "the credentials may not do that; check them and their policy")
        }
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            (Kind::Io, status >= 500 || status == 429 || has(&["Throttl", "TooMany"]), said)
        }
        _ => (Kind::Io, true, "SQS answered with something else"),
    };
    let detail = match service {
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
        let failure = failure("sending to", "Q", &error);
        assert!(
            failure
                .chain()
                .ends_with("SQS answered with something else: failed to construct request: no route"),
            "{}",
            failure.chain()
        );
    }
}
