//! Fetch: the bytes of a source image, from wherever its URL points, within limits.
//!
//! One file a transport ([`http`], [`file`], [`object`]); the shared body policy bounds memory for all of them,
//! [`host`] keeps one host from being overrun, [`retry`] says when to try again. What the bytes hold is
//! the derive stage's business, but for one thing: a body that does not begin like an image is refused
//! here, before the rest of it is paid for. [`guard`] says where requests for strangers may go.

mod file;
pub mod guard;
mod host;
mod http;
mod object;
pub mod retry;

pub use file::etag as file_etag;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::body::{self, Body, BodyPolicy};
use crate::error::{Error, Kind, Stage};
use crate::limits::Limits;
use crate::objects::ObjectOptions;
use crate::redact;
use crate::validators::Validators;
use guard::Network;

/// What a fetch brought.
#[derive(Debug)]
pub enum Fetched {
    /// The image, and what to ask by next time.
    New(Body, Validators),
    /// It is what it was when the validators were taken; no body was transferred.
    Unchanged,
}

/// A fetch that ended well, and what it took.
#[derive(Debug)]
pub struct Fetch {
    /// What came.
    pub fetched: Fetched,
    /// Attempts made, the successful one included.
    pub attempts: u32,
    /// Time under way, waits between attempts excluded.
    pub elapsed: Duration,
    /// A place among the jobs between download and upload, until dropped.
    pub place: OwnedSemaphorePermit,
}

/// The fetch stage: knows every transport and holds what they share.
#[derive(Debug)]
pub struct Fetcher {
    http: http::HttpTransport,
    network: Network,
    objects: object::ObjectTransport,
    bodies: BodyPolicy,
    places: Arc<Semaphore>,
    retries: u32,
    deadline: Duration,
}

fn interrupted() -> Error {
    Error::new(Stage::Fetch, Kind::Interrupted, "the run is to stop, and this download had not begun")
}

/// Where a row's URL points.
enum Location {
    Http(url::Url),
    File(std::path::PathBuf),
    Object(url::Url),
}

impl Fetcher {
    /// A fetcher with `limits`; large bodies spool to unnamed files in `spool_dir`.
    ///
    /// # Errors
    /// Only when the TLS set-up of the machine is unusable.
    pub fn new(
        limits: &Limits,
        spool_dir: std::path::PathBuf,
        objects: ObjectOptions,
    ) -> Result<Self, Error> {
        Self::within(Network::Open, limits, spool_dir, objects)
    }

    /// The same, going only where `network` lets it: for URLs that strangers chose. Where that is guarded, nothing but
    /// `http` and `https` is read.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn within(
        network: Network,
        limits: &Limits,
        spool_dir: std::path::PathBuf,
        objects: ObjectOptions,
    ) -> Result<Self, Error> {
        Ok(Fetcher {
            http: http::HttpTransport::new(limits, &network)?,
            network,
            // The attempts are counted here, not in the client as well.
            objects: object::ObjectTransport::new(ObjectOptions { retries: 0, ..objects }),
            bodies: BodyPolicy {
                max_bytes: limits.max_bytes,
                budget: Arc::new(Semaphore::new(body::units(limits.body_memory))),
                spool_dir,
                idle_timeout: limits.idle_timeout,
            },
            places: Arc::new(Semaphore::new(limits.concurrency.max(1))),
            retries: limits.retries,
            deadline: limits.fetch_timeout,
        })
    }

    /// Fetches `url`, trying again where a failure may pass. With `known`, asks only for a change. After
    /// `shutdown` no attempt begins; one under way goes on.
    ///
    /// # Errors
    /// The last attempt's, with the number of attempts; its stage is [`Stage::Fetch`].
    pub async fn fetch(
        &self,
        url: &str,
        known: Option<&Validators>,
        shutdown: &CancellationToken,
    ) -> Result<Fetch, Error> {
        let location = Location::parse(url)?;
        self.admit(url, &location)?;
        let mut elapsed = Duration::ZERO;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (turn, place) = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Err(interrupted()),
                admitted = self.admission(&location) => admitted?,
            };
            let started = Instant::now();
            tracing::debug!(attempt = attempts, "fetching");
            let attempt = tokio::time::timeout(self.deadline, self.attempt(&location, known)).await;
            elapsed += started.elapsed();
            let error = match attempt {
                Ok(Ok(fetched)) => return Ok(Fetch { fetched, attempts, elapsed, place }),
                Ok(Err(error)) => error,
                Err(_) => Error::new(
                    Stage::Fetch,
                    Kind::Timeout,
                    format!("the download was not complete after {} s", self.deadline.as_secs_f32()),
                )
                .transient(true),
            };
            let Some(wait) = retry::wait(&error, attempts, self.retries) else {
                return Err(error.after_attempts(attempts));
            };
            if let (Location::Http(url), Some(asked)) = (&location, error.wait_asked()) {
                self.http.pause(url, asked.min(retry::LONGEST_ASKED));
            }
            // Nobody waits for a row that sleeps.
            drop((turn, place));
            tracing::warn!(attempt = attempts, kind = %error.kind(), wait_ms = wait.as_millis() as u64,
                "fetch failed, will try again: {}", error.chain());
            tokio::select! {
                () = shutdown.cancelled() => return Err(interrupted()),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Whether the network's guard lets this be read at all.
    fn admit(&self, text: &str, location: &Location) -> Result<(), Error> {
        let refused = match (location, &self.network) {
            (_, Network::Open) => Ok(()),
            (Location::Http(url), network) => network.check(url).map_err(|refusal| refusal.to_string()),
            (Location::File(_) | Location::Object(_), _) => {
                Err(format!("{} is not an http or https URL", redact::url(text)))
            }
        };
        refused.map_err(|why| Error::new(Stage::Fetch, Kind::Forbidden, why))
    }

    /// The host's turn first: rows of a slow host must not hold the places of all others.
    async fn admission(
        &self,
        location: &Location,
    ) -> Result<(Option<host::Turn>, OwnedSemaphorePermit), Error> {
        let turn = match location {
            Location::Http(url) => Some(self.http.turn(url).await),
            Location::File(_) | Location::Object(_) => None,
        };
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|closed| {
            Error::new(Stage::Fetch, Kind::Internal, "the fetcher is closed").caused_by(closed)
        })?;
        Ok((turn, place))
    }

    async fn attempt(&self, location: &Location, known: Option<&Validators>) -> Result<Fetched, Error> {
        match location {
            Location::Http(url) => self.http.get(url, known, &self.bodies).await,
            Location::File(path) => file::get(path, known, &self.bodies).await,
            Location::Object(url) => self.objects.get(url, known, &self.bodies).await,
        }
    }
}

impl Location {
    fn parse(text: &str) -> Result<Location, Error> {
        let invalid = |why: String| Error::new(Stage::Fetch, Kind::InvalidUrl, why);
        if !text.contains("://") {
            return Ok(Location::File(text.into()));
        }
        let url = url::Url::parse(text)
            .map_err(|error| invalid(format!("{} is not a URL: {error}", redact::url(text))))?;
        match url.scheme() {
            "http" | "https" => Ok(Location::Http(url)),
            "file" => match url.to_file_path() {
                Ok(path) => Ok(Location::File(path)),
                Err(()) => Err(invalid(format!("{text} names no file on this machine; write file:///path"))),
            },
            "s3" | "gs" | "az" => Ok(Location::Object(url)),
            other => Err(invalid(format!(
                "the scheme {other}:// cannot be read; use http, https, file, s3, gs, az or a path"
            ))),
        }
    }
}
