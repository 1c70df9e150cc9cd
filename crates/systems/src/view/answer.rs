//! Answers by HTTP: bytes, files, and what is wrong in a sentence.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

/// The body of any answer.
pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// Any answer.
pub(super) type Answer = Response<Body>;

/// Why a request is not answered with what it asks for.
#[derive(Debug)]
pub(crate) struct Refused {
    pub status: StatusCode,
    pub message: String,
}

impl Refused {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn not_there(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {what}"))
    }

    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    pub(super) fn into_answer(self) -> Answer {
        let mut answer = with_type("text/plain; charset=utf-8", Bytes::from(self.message + "\n"));
        *answer.status_mut() = self.status;
        answer
    }
}

/// Bytes of a media type.
pub(super) fn with_type(media_type: &'static str, bytes: impl Into<Bytes>) -> Answer {
    let body = Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync();
    let mut answer = Response::new(body);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

/// Adds a header; one whose value cannot be one is left out.
pub(super) fn add(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut answer =
        Response::new(Full::default().map_err(|never: Infallible| match never {}).boxed_unsync());
    *answer.status_mut() = status;
    answer
}
