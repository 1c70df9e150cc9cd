//! Sources on web servers.

use std::error::Error as _;
use std::time::SystemTime;

use futures::StreamExt;
use reqwest::header::{
    ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RETRY_AFTER,
};
use reqwest::{Client, Response, StatusCode};
use url::Url;

use super::guard::{self, Network};
use super::host::{Hosts, Turn};
use super::{Fetched, retry};
use crate::body::BodyPolicy;
use crate::error::{Error, Kind, Stage};
use crate::limits::Limits;
use crate::validators::Validators;

/// More hops than any honest site needs; browsers stop at 20, curl at 30 when told to follow.
const MAX_REDIRECTS: usize = 10;

#[derive(Debug)]
pub(super) struct HttpTransport {
    client: Client,
    hosts: Hosts,
}

impl HttpTransport {
    pub fn new(limits: &Limits, network: &Network) -> Result<Self, Error> {
        let client = network
            .set_up(Client::builder())
            .user_agent(concat!("imgmill/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect_timeout)
            .read_timeout(limits.idle_timeout)
            .pool_max_idle_per_host(limits.per_host)
            // A signed URL is not the next host's business.
            .referer(false)
            .redirect(network.redirects(MAX_REDIRECTS))
            .build()
            .map_err(|error| {
                Error::new(Stage::Fetch, Kind::Internal, "could not set up the HTTP client").caused_by(error)
            })?;
        Ok(HttpTransport { client, hosts: Hosts::new(limits.per_host) })
    }

    /// Waits until the URL's host may be asked.
    pub async fn turn(&self, url: &Url) -> Turn {
        self.hosts.turn(authority(url)).await
    }

    /// Leaves the URL's host alone for `wait`.
    pub fn pause(&self, url: &Url, wait: std::time::Duration) {
        self.hosts.pause(authority(url), wait);
    }

    pub async fn get(
        &self,
        url: &Url,
        known: Option<&Validators>,
        bodies: &BodyPolicy,
    ) -> Result<Fetched, Error> {
        let mut request = self.client.get(url.clone());
        if let Some(known) = known {
            if let Some(etag) = &known.etag {
                request = request.header(IF_NONE_MATCH, etag);
            }
            if let Some(date) = &known.last_modified {
                request = request.header(IF_MODIFIED_SINCE, date);
            }
        }
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED && known.is_some() {
            return Ok(Fetched::Unchanged);
        }
        if !status.is_success() {
            return Err(refused(&response));
        }
        if status != StatusCode::OK {
            // 204 and 206 promise no whole representation; nothing here asked for a part.
            let message = format!("the server answered {status}, which brings no whole image");
            return Err(Error::new(Stage::Fetch, Kind::HttpStatus, message));
        }
        let validators = validators(response.headers());
        if known.is_some_and(|known| known.same_version(&validators)) {
            // A server that ignores the condition but names the same version: its body is not wanted.
            return Ok(Fetched::Unchanged);
        }
        let announced = response.content_length();
        let stream = response.bytes_stream().map(|chunk| chunk.map_err(failed));
        Ok(Fetched::New(bodies.read(stream, announced).await?, validators))
    }
}

fn authority(url: &Url) -> &str {
    // The port belongs to the name: two servers of one machine are two servers.
    &url[url::Position::BeforeHost..url::Position::AfterPort]
}

fn validators(headers: &HeaderMap) -> Validators {
    let text = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.to_owned());
    Validators { etag: text(ETAG), last_modified: text(LAST_MODIFIED) }
}

fn refused(response: &Response) -> Error {
    let status = response.status();
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let transient = status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    Error::new(Stage::Fetch, Kind::HttpStatus, format!("the server answered {status}"))
        .transient(transient)
        .retry_after(asked.and_then(|value| retry::retry_after(value, SystemTime::now())))
}

/// Sorts a client error. The URL is taken out of it: the row names it, without its secrets.
fn failed(error: reqwest::Error) -> Error {
    let error = error.without_url();
    if let Some(refusal) = guard::refusal(&error) {
        return Error::new(Stage::Fetch, Kind::Forbidden, refusal.to_string());
    }
    let (kind, message, transient) = if error.is_timeout() {
        let message = if error.is_connect() { "no connection in time" } else { "no answer in time" };
        (Kind::Timeout, message, true)
    } else if error.is_redirect() {
        (Kind::RedirectLoop, "more redirects than 10, or in a circle", false)
    } else if error.is_builder() {
        (Kind::InvalidUrl, "the URL cannot be requested", false)
    } else if error.is_connect() {
        (Kind::Connect, "could not connect", true)
    } else if ended_early(&error) {
        (Kind::Truncated, "the body ended before its announced end", true)
    } else {
        (Kind::Reset, "the connection broke", true)
    };
    Error::new(Stage::Fetch, kind, message).transient(transient).caused_by(error)
}

fn ended_early(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::UnexpectedEof)
        {
            return true;
        }
        cause = inner.source();
    }
    false
}
