//! How much work one source may make, checked before anything is allocated and while it is made, and what is taken of
//! a source that breaks off.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};

/// What one source may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of a source: 1 GiB unless set.
    pub max_bytes: u64,
    /// Most pixels of a source, and of each derivative: 100 million unless set.
    pub max_pixels: u64,
    /// Most scans of a progressive JPEG: 200 unless set. A few kilobytes can hold thousands, each a pass over all
    /// pixels; encoders write about ten.
    pub max_scans: u32,
    /// Most frames of an animation (GIF, WebP, animated PNG): 10,000 unless set. Only the first is ever decoded, but
    /// the others have to be stepped over to see that the file is whole.
    pub max_frames: u32,
    /// What becomes of a source that ends before its image does: an error unless set.
    pub on_truncated: OnTruncated,
    /// When the work must be done: never unless set, best by [`within`](Self::within). It is looked at between the
    /// steps of the work and within the long ones: in each pass over a JPEG and every few rows of it, in each row of a
    /// PNG and of the operations of imgmill's own. A decoder that cannot be interrupted (lossy WebP, BMP) ends first, so
    /// that work may go on for as long as [`max_pixels`](Self::max_pixels) lets one image take.
    pub deadline: Option<Instant>,
    /// Threads that one image's tiles are compressed on: one unless set. The bytes do not depend on it.
    pub threads: NonZeroUsize,
}

/// What becomes of a source that ends before its image does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnTruncated {
    /// It is an error: [`ErrorKind::Truncated`].
    #[default]
    Fail,
    /// The pixels that are there are taken, and [`Derived`](crate::Derived) says so: of JPEG, PNG and GIF. What is
    /// missing is grey, and transparent where the image has transparency. Only of a file cut after its headers, at
    /// least one row of pixels in: of all others, and of other formats, a cut file stays an error.
    Accept,
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Limits {
    /// What holds unless something else is said.
    pub const DEFAULT: Limits = Limits {
        max_bytes: 1 << 30,
        max_pixels: 100_000_000,
        max_scans: 200,
        max_frames: 10_000,
        on_truncated: OnTruncated::Fail,
        deadline: None,
        threads: NonZeroUsize::MIN,
    };

    /// The same limits, and a deadline that is `time` from now.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        // So far off that the clock cannot tell is as good as never.
        Self { deadline: Instant::now().checked_add(time), ..self }
    }

    /// Refuses an image of `width` × `height` pixels if that is too many; `what` is the subject of the sentence.
    pub(crate) fn check(&self, what: &str, width: u32, height: u32) -> Result<(), Error> {
        let pixels = u64::from(width) * u64::from(height);
        if pixels <= self.max_pixels {
            return Ok(());
        }
        let most = self.max_pixels;
        let message = format!("{what} has {width}×{height} pixels, {pixels} in all; the limit is {most}");
        Err(Error::new(ErrorKind::TooManyPixels, message))
    }

    /// Refuses a source of too many bytes.
    pub(crate) fn check_bytes(&self, source: &[u8]) -> Result<(), Error> {
        let (length, most) = (source.len() as u64, self.max_bytes);
        if length <= most {
            return Ok(());
        }
        let message = format!("the image has {length} bytes; the limit is {most}");
        Err(Error::new(ErrorKind::TooManyBytes, message))
    }

    /// Refuses an animation of too many frames.
    pub(crate) fn check_frames(&self, frames: u32) -> Result<(), Error> {
        let most = self.max_frames;
        if frames <= most {
            return Ok(());
        }
        let message = format!("the animation has more frames than the limit of {most}");
        Err(Error::new(ErrorKind::TooManyFrames, message))
    }

    /// An error once the deadline has passed.
    pub(crate) fn check_time(&self) -> Result<(), Error> {
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Error::timeout());
        }
        Ok(())
    }

    pub(crate) fn accepts_truncated(&self) -> bool {
        self.on_truncated == OnTruncated::Accept
    }
}
