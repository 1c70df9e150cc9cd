//! The one error of a job: where it happened, what kind it was, a sentence for a person, and its cause.
//!
//! Retry, settlement, the failed list, exit codes and log lines all read this type and nothing else.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The stage of the flow in which a job failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Reading the list, queue or bucket that jobs come from.
    Source,
    /// Getting the source image's bytes.
    Fetch,
    /// Making the derivatives.
    Derive,
    /// Putting the renditions where they belong.
    Store,
    /// Telling about it.
    Report,
}

impl Stage {
    /// The word used in reports, logs and summaries.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Source => "source",
            Stage::Fetch => "fetch",
            Stage::Derive => "derive",
            Stage::Store => "store",
            Stage::Report => "report",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong, as a word that machines may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum Kind {
    /// The row is not a URL or path that can be read.
    InvalidUrl,
    /// No connection could be made (refused, no such host, TLS).
    Connect,
    /// A connect, idle or whole-download limit passed, or the time for making an image.
    Timeout,
    /// The connection broke.
    Reset,
    /// A status that is not a success.
    HttpStatus,
    /// Somewhere that a stranger's URL may not lead: see [`guard`](crate::fetch::guard).
    Forbidden,
    /// More redirects than anyone means.
    RedirectLoop,
    /// More bytes than `--max-bytes`, or more frames than are stepped over.
    TooLarge,
    /// More pixels than `--max-pixels`.
    TooManyPixels,
    /// Not an image by its first bytes.
    NotAnImage,
    /// An image that ends too early, or a body shorter than announced.
    Truncated,
    /// An image whose data makes no sense.
    Corrupt,
    /// A format that this build does not read or write.
    UnsupportedFormat,
    /// A derivative that this image cannot give (a region outside it, say).
    BadRequest,
    /// Two different images want the same object key.
    KeyConflict,
    /// There is no such file, object or bucket.
    NotFound,
    /// Credentials are missing, wrong or not enough.
    Denied,
    /// The disk is full.
    DiskFull,
    /// A file or store answered with something else.
    Io,
    /// The run is to stop, and this had not begun.
    Interrupted,
    /// More memory than it may have.
    Memory,
    /// Its decoder ended the process that it ran in.
    Crashed,
    /// A defect of this program.
    Internal,
}

impl Kind {
    /// The word used in reports, logs and summaries.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::InvalidUrl => "invalid_url",
            Kind::Connect => "connect",
            Kind::Timeout => "timeout",
            Kind::Reset => "reset",
            Kind::HttpStatus => "http_status",
            Kind::Forbidden => "forbidden",
            Kind::RedirectLoop => "redirect_loop",
            Kind::TooLarge => "too_large",
            Kind::TooManyPixels => "too_many_pixels",
            Kind::NotAnImage => "not_an_image",
            Kind::Truncated => "truncated",
            Kind::Corrupt => "corrupt",
            Kind::UnsupportedFormat => "unsupported_format",
            Kind::BadRequest => "bad_request",
            Kind::KeyConflict => "key_conflict",
            Kind::NotFound => "not_found",
            Kind::Denied => "denied",
            Kind::DiskFull => "disk_full",
            Kind::Io => "io",
            Kind::Interrupted => "interrupted",
            Kind::Memory => "memory",
            Kind::Crashed => "crashed",
            Kind::Internal => "internal",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A failure of one job, or of the run when it comes from opening a source or a store.
#[derive(Debug)]
pub struct Error {
    stage: Stage,
    kind: Kind,
    message: String,
    transient: bool,
    retry_after: Option<Duration>,
    attempts: u32,
    derivative: Option<String>,
    source: Option<Cause>,
}

impl Error {
    /// A lasting failure; see [`transient`](Self::transient).
    pub fn new(stage: Stage, kind: Kind, message: impl Into<String>) -> Self {
        Error {
            stage,
            kind,
            message: crate::redact::text(&message.into()),
            transient: false,
            retry_after: None,
            attempts: 1,
            derivative: None,
            source: None,
        }
    }

    /// Marks the failure as one that may pass by itself, so that it is worth another attempt.
    #[must_use]
    pub fn transient(mut self, transient: bool) -> Self {
        self.transient = transient;
        self
    }

    /// What the other side asked to be left alone for.
    #[must_use]
    pub fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// How many attempts were made in all.
    #[must_use]
    pub fn after_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Says that it is about one derivative alone.
    #[must_use]
    pub fn of_derivative(mut self, label: Option<&str>) -> Self {
        self.derivative = label.map(str::to_owned);
        self
    }

    /// The error beneath this one.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Cause>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// This error once more, for another job that it ends as well.
    #[must_use]
    pub fn shared(self: &Arc<Self>) -> Error {
        Error {
            stage: self.stage,
            kind: self.kind,
            message: self.message.clone(),
            transient: self.transient,
            retry_after: self.retry_after,
            attempts: self.attempts,
            derivative: self.derivative.clone(),
            source: Some(Box::new(Arc::clone(self))),
        }
    }

    /// Where it happened.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// What it was.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// One sentence for a person, credentials in URLs masked.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether another attempt may succeed.
    pub fn is_transient(&self) -> bool {
        self.transient
    }

    /// What the other side asked to be left alone for, if it did.
    pub fn wait_asked(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Attempts made before this was final.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The label of the derivative that cannot be made of this image, where others may be.
    pub fn unmakable(&self) -> Option<&str> {
        let lies_in_it = matches!(
            self.kind,
            Kind::BadRequest | Kind::TooManyPixels | Kind::UnsupportedFormat | Kind::Internal
        );
        self.derivative.as_deref().filter(|_| self.stage == Stage::Derive && lies_in_it)
    }

    /// The message and those of its causes, outermost first, without repeating what a message already says.
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            // Some libraries' messages are lists; a log line is a line.
            let part =
                crate::redact::text(&error.to_string()).split_whitespace().collect::<Vec<_>>().join(" ");
            if !text.contains(&part) {
                text.push_str(": ");
                text.push_str(&part);
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

impl From<imgmill_image::Error> for Error {
    fn from(error: imgmill_image::Error) -> Self {
        use imgmill_image::ErrorKind as Image;
        let io = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
        if let Some(own) = io.and_then(own_error) {
            return own;
        }
        let disk_full = io.is_some_and(is_disk_full);
        let kind = match error.kind() {
            Image::Sink if disk_full => Kind::DiskFull,
            Image::Sink => Kind::Io,
            Image::NotAnImage => Kind::NotAnImage,
            Image::UnsupportedFormat | Image::UnsupportedOutput => Kind::UnsupportedFormat,
            Image::TooManyPixels => Kind::TooManyPixels,
            Image::TooManyBytes | Image::TooManyFrames => Kind::TooLarge,
            Image::Memory => Kind::Memory,
            Image::Timeout => Kind::Timeout,
            Image::Truncated => Kind::Truncated,
            Image::Corrupt => Kind::Corrupt,
            Image::BadRequest => Kind::BadRequest,
            _ => Kind::Internal,
        };
        let derivative = error.derivative().map(str::to_owned);
        let told = Error::new(Stage::Derive, kind, error.to_string());
        told.of_derivative(derivative.as_deref()).caused_by(error)
    }
}

/// The error that a store had to tell which took a rendition while it was made.
pub(crate) fn own_error(error: &std::io::Error) -> Option<Error> {
    let own = error.get_ref()?.downcast_ref::<Error>()?;
    Some(Error::new(own.stage, own.kind, own.chain()).transient(own.transient))
}

/// Whether an I/O error says that the disk or the quota is used up.
pub fn is_disk_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_names_each_cause_once() {
        let io = std::io::Error::other("connection refused");
        let error = Error::new(Stage::Fetch, Kind::Connect, "could not connect").caused_by(io);
        assert_eq!(error.chain(), "could not connect: connection refused");
        let twice = Error::new(Stage::Fetch, Kind::Io, "it said: no room")
            .caused_by(std::io::Error::other("no room"));
        assert_eq!(twice.chain(), "it said: no room");
    }
}
