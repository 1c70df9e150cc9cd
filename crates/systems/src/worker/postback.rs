//! The postback: a message sent to the URL that it names, so that its receiver can tell where it comes from.
//!
//! That URL is a stranger's as the images' are, so it passes the same guard. Redirects are not followed: whoever may
//! answer one could send the secret on.

use std::fmt;
use std::time::{Duration, SystemTime};

use imgmill_pipeline::fetch::guard::{self, Network};
use imgmill_pipeline::fetch::retry;
use imgmill_pipeline::{Error, Kind, Stage};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use tokio::time::Instant;
use url::Url;

use super::message::Message;
use super::signature;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How postbacks are made.
#[derive(Debug, Clone)]
pub struct PostbackSettings {
    /// `postback_secret_key` in the body; without it there is no such field.
    pub secret: Option<Secret>,
    /// What bodies are signed with; without it there is no signature.
    pub signing_key: Option<Secret>,
    /// Attempts after the first.
    pub retries: u32,
    /// For one attempt.
    pub timeout: Duration,
    /// For all of them together.
    pub deadline: Duration,
}

impl PostbackSettings {
    /// Whether bodies have the secret that both sides know.
    pub fn has_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// Whether bodies are signed.
    pub fn is_signed(&self) -> bool {
        self.signing_key.is_some()
    }
}

/// Posts messages back.
#[derive(Debug)]
pub struct Postback {
    client: Client,
    network: Network,
    settings: PostbackSettings,
}

impl Postback {
    /// Sets up the client.
    ///
    /// # Errors
    /// Only when the TLS set-up of the machine is unusable.
    pub fn new(network: Network, settings: PostbackSettings) -> Result<Self, Error> {
        let client = network
            .set_up(Client::builder())
            .user_agent(concat!("imgmill/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .timeout(settings.timeout)
            .build()
            .map_err(|error| failed("could not set up the HTTP client", Kind::Internal).caused_by(error))?;
        Ok(Postback { client, network, settings })
    }

    /// Posts the message to `url`, trying again where a failure may pass, until the deadline.
    ///
    /// # Errors
    /// The last attempt's; its stage is [`Stage::Report`].
    pub async fn post(&self, url: &str, message: &Message) -> Result<(), Error> {
        let body = message
            .for_postback(self.settings.secret.as_ref().map(|secret| secret.0.as_str()))
            .map_err(|error| failed("the message could not be written", Kind::Internal).caused_by(error))?;
        let url = Url::parse(url)
            .map_err(|error| failed(&format!("postback_url is not a URL: {error}"), Kind::InvalidUrl))?;
        self.network
            .check(&url)
            .map_err(|refusal| failed(&format!("postback_url: {refusal}"), Kind::Forbidden))?;
        let until = Instant::now() + self.settings.deadline;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let Err(error) = self.attempt(&url, &body).await else { return Ok(()) };
            let wait = retry::wait(&error, attempts, self.settings.retries);
            let Some(wait) = wait.filter(|wait| Instant::now() + *wait < until) else {
                return Err(error.after_attempts(attempts));
            };
            tracing::warn!(attempt = attempts, "postback failed, will try again: {}", error.chain());
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self, url: &Url, body: &str) -> Result<(), Error> {
        let mut request = self.client.post(url.clone()).header(CONTENT_TYPE, "application/json");
        if let Some(Secret(key)) = &self.settings.signing_key {
            // Signed anew each time: receivers may refuse what is minutes old.
            request =
                request.header(signature::HEADER, signature::sign(key.as_bytes(), SystemTime::now(), body));
        }
        let response = request.body(body.to_owned()).send().await.map_err(sorted)?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let asked = asked.and_then(|value| retry::retry_after(value, SystemTime::now()));
        let may_pass = status.is_server_error()
            || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        let what = if status.is_redirection() { ", and redirects are not followed" } else { "" };
        let message = format!("the postback was answered {status}{what}");
        Err(failed(&message, Kind::HttpStatus).transient(may_pass).retry_after(asked))
    }
}

fn failed(message: &str, kind: Kind) -> Error {
    Error::new(Stage::Report, kind, message)
}

/// Sorts a client error. The URL, which may hold a password, stays out of it.
fn sorted(error: reqwest::Error) -> Error {
    let error = error.without_url();
    if let Some(refusal) = guard::refusal(&error) {
        return failed(&format!("postback_url: {refusal}"), Kind::Forbidden);
    }
    let (kind, message) = if error.is_timeout() {
        (Kind::Timeout, "the postback was not answered in time")
    } else if error.is_connect() {
        (Kind::Connect, "the postback's receiver could not be reached")
    } else {
        (Kind::Reset, "the postback's connection broke")
    };
    failed(message, kind).transient(true).caused_by(error)
}
