//! The one error of this crate: what kind it is, one sentence for people, and what caused it.

use std::error::Error as StdError;

/// Why a source could not be turned into what was asked.
///
/// Displays as one sentence. [`kind`](Self::kind) is for programs.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    derivative: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync + 'static>>,
}

/// What went wrong, for programs. None of these is cured by trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are no image format known here.
    NotAnImage,
    /// An image, but of a format, or a kind within its format, that this build does not decode.
    UnsupportedFormat,
    /// The source, or what was asked of it, has more pixels than [`Limits`](crate::Limits) allow.
    TooManyPixels,
    /// The source has more bytes than [`Limits`](crate::Limits) allow.
    TooManyBytes,
    /// The source is an animation of more frames than [`Limits`](crate::Limits) allow.
    TooManyFrames,
    /// The system has no memory for reading the source.
    Memory,
    /// The work was not done by the deadline that [`Limits`](crate::Limits) set.
    Timeout,
    /// The file ends before its image does.
    Truncated,
    /// The file breaks the rules of its format.
    Corrupt,
    /// The request makes no sense for this image: a region outside it, enlarging without `^`, no pixels left.
    BadRequest,
    /// The request asks for an output format or an operation that is not built in.
    UnsupportedOutput,
    /// The encoder refused the pixels.
    Encode,
    /// The sink did not take the rendition.
    Sink,
    /// The file that the source is read from piece by piece could not be read.
    Read,
}

impl ErrorKind {
    /// A stable word for logs, reports and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::NotAnImage => "not_an_image",
            ErrorKind::UnsupportedFormat => "unsupported_format",
            ErrorKind::TooManyPixels => "too_many_pixels",
            ErrorKind::TooManyBytes => "too_large",
            ErrorKind::TooManyFrames => "too_many_frames",
            ErrorKind::Memory => "memory",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Truncated => "truncated",
            ErrorKind::Corrupt => "corrupt",
            ErrorKind::BadRequest => "bad_request",
            ErrorKind::UnsupportedOutput => "unsupported_output",
            ErrorKind::Encode => "encode",
            ErrorKind::Sink => "sink",
            ErrorKind::Read => "read",
        }
    }
}

impl std::fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), derivative: None, source: None }
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync + 'static>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error, said of one derivative of a recipe.
    pub(crate) fn in_derivative(mut self, label: &str) -> Self {
        self.message = format!("derivative “{label}”: {}", self.message);
        self.derivative = Some(label.to_owned());
        self
    }

    pub(crate) fn timeout() -> Self {
        Self::new(ErrorKind::Timeout, "the image took longer than the time that it was given")
    }

    pub(crate) fn truncated(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Truncated, message)
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::UnsupportedFormat, message)
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadRequest, message)
    }

    pub(crate) fn encode(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Encode, message)
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The label of the derivative that it is about, if it is about one: the others might be made.
    pub fn derivative(&self) -> Option<&str> {
        self.derivative.as_deref()
    }
}

/// Runs a decoder or encoder that was not written for hostile bytes: a panic in it becomes an error of this kind.
pub(crate) fn shielded<T>(kind: ErrorKind, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    // Nothing that a panic could leave half-done outlives the closure: it owns or freshly made all it changes.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let who = if kind == ErrorKind::Encode { "encoder" } else { "decoder" };
        Err(Error::new(kind, format!("the {who} failed on this file")))
    })
}
