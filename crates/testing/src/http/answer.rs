//! An honest answer: status, headers, body, and whether it was asked for only if changed. The
//! dishonest ones are made from it, by [`Behaviour`](super::Behaviour).

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Request;

/// How the end of a body is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// `Content-Length`, true.
    Length,
    /// `Content-Length` as given, whatever is sent.
    ClaimedLength(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// Nothing: the connection closes.
    UntilClose,
}

/// What a well-meaning server would say.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Arc<[u8]>,
    pub(super) framing: Framing,
    etag: Option<String>,
    last_modified: Option<SystemTime>,
    heeds_conditions: bool,
}

impl Answer {
    /// 200 with a body. Without [`content_type`](Self::content_type) it says nothing of what it is.
    pub fn ok(body: impl AsRef<[u8]>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: body.as_ref().into(),
            framing: Framing::Length,
            etag: None,
            last_modified: None,
            heeds_conditions: true,
        }
    }

    /// A status and no body.
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::ok([]) }
    }

    /// 200 with a page: what a login wall sends for an image.
    pub fn html(page: &str) -> Self {
        Self::ok(page).content_type("text/html; charset=utf-8")
    }

    /// 302 to a path or a whole URL.
    pub fn redirect(location: &str) -> Self {
        Self::status(302).header("Location", location)
    }

    /// Adds `Retry-After` in whole seconds.
    pub fn retry_after(self, wait: Duration) -> Self {
        self.header("Retry-After", &wait.as_secs().to_string())
    }

    /// Adds `Retry-After` as an HTTP date.
    pub fn retry_at(self, when: SystemTime) -> Self {
        self.header("Retry-After", &httpdate::fmt_http_date(when))
    }

    /// Adds a header, whatever it is.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Says what the body is, truly or not.
    pub fn content_type(self, content_type: &str) -> Self {
        self.header("Content-Type", content_type)
    }

    /// Sends an `ETag` (give the quotes too) and answers a matching `If-None-Match` with 304.
    pub fn etag(mut self, etag: &str) -> Self {
        self.etag = Some(etag.to_owned());
        self.header("ETag", etag)
    }

    /// Sends an `ETag` made from the bytes, so the same body has the same one in every run.
    pub fn etag_of_body(self) -> Self {
        let mut hasher = DefaultHasher::new();
        self.body.hash(&mut hasher);
        self.etag(&format!("\"{:016x}\"", hasher.finish()))
    }

    /// Sends `Last-Modified` and answers an `If-Modified-Since` at or after it with 304.
    pub fn last_modified(mut self, when: SystemTime) -> Self {
        self.last_modified = Some(when);
        self.header("Last-Modified", &httpdate::fmt_http_date(when))
    }

    /// Sends its validators but never a 304: 200 and the whole body each time, as many servers do.
    pub fn ignoring_conditions(mut self) -> Self {
        self.heeds_conditions = false;
        self
    }

    /// Sends the body chunked, without `Content-Length`.
    pub fn chunked(mut self) -> Self {
        self.framing = Framing::Chunked;
        self
    }

    /// Sends neither length nor chunks: the body ends when the connection does.
    pub fn until_close(mut self) -> Self {
        self.framing = Framing::UntilClose;
        self
    }

    /// Claims a `Content-Length`, true or not. What is missing is never sent; the connection closes.
    pub fn claiming_length(mut self, length: u64) -> Self {
        self.framing = Framing::ClaimedLength(length);
        self
    }

    /// Whether the client already has this, by what it says in its conditional headers.
    pub(super) fn is_known_to(&self, request: &Request) -> bool {
        if !self.heeds_conditions || !(200..300).contains(&self.status) {
            return false;
        }
        // RFC 9110: If-Modified-Since counts only where If-None-Match is absent.
        match (request.header("if-none-match"), request.header("if-modified-since")) {
            (Some(known), _) => self.etag.as_deref().is_some_and(|etag| lists_etag(known, etag)),
            (None, Some(since)) => self.last_modified.is_some_and(|modified| {
                httpdate::parse_http_date(since)
                    .is_ok_and(|since| whole_seconds(modified) <= whole_seconds(since))
            }),
            (None, None) => false,
        }
    }

    /// The 304 that stands for this answer: its headers, no body.
    pub(super) fn not_modified(&self) -> Self {
        Self { status: 304, body: Arc::from([]), framing: Framing::Length, ..self.clone() }
    }
}

/// Weak comparison, as RFC 9110 asks for `If-None-Match`.
fn lists_etag(list: &str, etag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    list.trim() == "*" || list.split(',').any(|known| bare(known) == bare(etag))
}

fn whole_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
