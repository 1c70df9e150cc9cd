//! Grey without loss: a JPEG's luma, coefficient for coefficient, never decoded to pixels.
//!
//! What `jpegtran -copy none -grayscale -optimize` does. Since pixels cannot be turned here, an orientation is kept,
//! which makes it the one piece of metadata that goes with an image that is stripped of all other.

use crate::error::Error;
use crate::header::Header;
use crate::jpeg::{self, Copied};
use crate::limits::OnTruncated;

/// The grey JPEG with this EXIF block, or `None` if this source's luma is not the whole grey image after all.
pub(crate) fn gray(
    source: &[u8],
    header: &Header,
    exif: Option<&[u8]>,
    on_truncated: OnTruncated,
) -> Result<Option<Copied>, Error> {
    jpeg::luma_only(source, (header.width, header.height), exif, on_truncated)
}
