//! EXIF: how an image is turned, and what of its block goes with a rendition.
//!
//! The block is a TIFF structure (EXIF 2.32 §4.5.2); JPEG wraps it in an APP1 segment, PNG in an `eXIf` chunk, WebP in
//! an `EXIF` chunk. [`tags`] finds things in one, [`write`] makes the ones that renditions get.

mod tags;
mod write;

pub(crate) use write::{Texts, kept, listed, only, texts};

use tags::Structure;

/// Upright, as the EXIF tag 0x0112 numbers it.
pub(crate) const UPRIGHT: u8 = 1;

const ORIENTATION: u16 = 0x0112;

/// The orientation, 1 to 8, in a TIFF structure; `None` where it has none or makes no sense.
pub(crate) fn orientation(block: &[u8]) -> Option<u8> {
    let tiff = Structure::open(unwrapped(block))?;
    let value = tiff.short(tiff.find(tiff.first()?, ORIENTATION)?)?;
    u8::try_from(value).ok().filter(|value| (1..=8).contains(value))
}

/// A block without JPEG's wrapping, which WebP and PNG writers exist that keep.
fn unwrapped(block: &[u8]) -> &[u8] {
    block.strip_prefix(b"Exif\0\0").unwrap_or(block)
}

/// How pixels stored under an orientation become upright: mirrored left to right first, then turned clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    pub mirror: bool,
    pub quarters: u8,
}

impl Turn {
    /// What makes pixels stored under this orientation upright.
    pub(crate) fn upright(orientation: u8) -> Self {
        let (mirror, quarters) = match orientation {
            2 => (true, 0),
            3 => (false, 2),
            4 => (true, 2),
            5 => (true, 3),
            6 => (false, 1),
            7 => (true, 1),
            8 => (false, 3),
            _ => (false, 0),
        };
        Self { mirror, quarters }
    }

    /// Whether width and height change places.
    pub(crate) fn swaps_sides(self) -> bool {
        self.quarters % 2 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for value in 1..=8 {
            assert_eq!(only(Some(value)).and_then(|block| orientation(&block)), Some(value));
        }
        assert_eq!(only(Some(9)).and_then(|block| orientation(&block)), None);
        assert_eq!(only(None), None);
    }

    #[test]
    fn reads_little_endian_behind_the_wrapping() {
        let block = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        assert_eq!(orientation(block), Some(6));
    }

    #[test]
    fn nonsense_is_no_orientation() {
        for bytes in [&b""[..], b"II*\0", b"II*\0\xFF\xFF\xFF\xFF", b"MM\0*\0\0\0\x08\xFF\xFF", b"Exif\0\0"] {
            assert_eq!(orientation(bytes), None);
        }
    }
}
