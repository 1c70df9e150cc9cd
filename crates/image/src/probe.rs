//! From bytes to a header: what format they are in, and then what that format's decoder reads of it.

use crate::decode;
use crate::error::{Error, ErrorKind, shielded};
use crate::header::Header;
use crate::sniff::sniff;

/// Reads the header of a source: cheap, whatever its size, and nothing is allocated for pixels.
///
/// # Errors
/// [`NotAnImage`](ErrorKind::NotAnImage) if its first bytes are no format known here,
/// [`UnsupportedFormat`](ErrorKind::UnsupportedFormat) if they are one that is not decoded,
/// [`Truncated`](ErrorKind::Truncated) or [`Corrupt`](ErrorKind::Corrupt) if the header is.
pub fn probe(source: &[u8]) -> Result<Header, Error> {
    probe_page(source, 1)
}

/// Reads the header of one page of a source, counted from 1: a page of a TIFF, a frame of a GIF or WebP.
///
/// # Errors
/// Those of [`probe`], and [`BadRequest`](ErrorKind::BadRequest) if there is no such page.
pub fn probe_page(source: &[u8], page: u32) -> Result<Header, Error> {
    let Some(format) = sniff(source) else {
        let message =
            if source.is_empty() { "the file is empty" } else { "this is no image in any known format" };
        return Err(Error::new(ErrorKind::NotAnImage, message));
    };
    if !format.is_decodable() {
        return Err(Error::unsupported(format.why_not_decodable()));
    }
    shielded(ErrorKind::Corrupt, || decode::header(format, source, page))
}
