//! A JPEG made of another's coefficients, never decoded to pixels: its luma alone, all of it, or either turned.
//!
//! What `jpegtran -copy none -optimize` does, with `-grayscale` and `-perfect -rotate` and the like. Where it is not
//! turned, the orientation is kept, which makes it the one piece of metadata that goes with an image that is stripped
//! of all other. With colours goes the profile that they mean something by.
//!
//! Grey is copied only where the luma is the grey of sRGB: no profile, or one as good as sRGB's. Under any other profile
//! the colours are converted and grey is made of those, unless `lossless` was asked for.

use crate::error::Error;
use crate::exif::{self, Turn};
use crate::header::Header;
use crate::jpeg::{self, Copied, Turning};
use crate::limits::Limits;
use crate::plan::Lossless;

/// The JPEG with this EXIF block, its Huffman tables made for it or the standard's, or `None` if this source's coefficients do not lend themselves to it after all.
pub(crate) fn copy(
    source: &[u8],
    header: &Header,
    lossless: Lossless,
    turn: Turn,
    exif: Option<&[u8]>,
    optimised: bool,
    limits: &Limits,
) -> Result<Option<Copied>, Error> {
    let size = (header.width, header.height);
    let (turn, gray) = match lossless {
        Lossless::Tagged { gray: true } => return jpeg::luma_only(source, size, exif, optimised, limits),
        Lossless::Tagged { gray } => (Turn::upright(exif::UPRIGHT), gray),
        Lossless::Turned { gray } => (turn, gray),
    };
    let icc = if gray { None } else { jpeg::walk(source)?.icc_profile() };
    jpeg::turned(source, size, &Turning { turn, gray, icc: icc.as_deref(), exif, optimised }, limits)
}
