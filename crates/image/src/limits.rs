//! How much work one source may make, checked from the header before anything is allocated, and what is taken of a
//! source that breaks off.

use crate::error::{Error, ErrorKind};

/// What one source may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels of a source, and of each derivative: 100 million unless set.
    pub max_pixels: u64,
    /// Most scans of a progressive JPEG: 200 unless set. A few kilobytes can hold thousands, each a pass over all
    /// pixels; encoders write about ten.
    pub max_scans: u32,
    /// What becomes of a source that ends before its image does: an error unless set.
    pub on_truncated: OnTruncated,
}

/// What becomes of a source that ends before its image does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnTruncated {
    /// It is an error: [`ErrorKind::Truncated`].
    #[default]
    Fail,
    /// A JPEG gives the pixels that are there, the rest grey, and [`Derived`](crate::Derived) says so. Only a JPEG cut
    /// after its headers: of all others, and of other formats, a cut file stays an error.
    Accept,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_pixels: 100_000_000, max_scans: 200, on_truncated: OnTruncated::Fail }
    }
}

impl Limits {
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
}
