//! What of a source's metadata travels on: nothing, who made it and may use it, or its EXIF.
//!
//! - `strip`: nothing.
//! - `copyright`: EXIF's Artist (0x013B) and Copyright (0x8298), in a block that holds nothing else.
//! - `keep`: the EXIF block as it is, so that maker notes keep their places, but for four things that would no longer
//!   be true: the orientation becomes the rendition's, the colour space sRGB, and the thumbnail is wiped and its
//!   directory unlinked. Of a TIFF, whose directories describe the file itself, the texts of the first one are kept.
//!
//! XMP, IPTC and comments are never kept, nor are ICC profiles: renditions are sRGB.

use std::borrow::Cow;

use crate::decode;
use crate::error::Error;
use crate::exif::{self, Texts};
use crate::header::Header;
use crate::recipe::Metadata;
use crate::sniff::SourceFormat;

/// The EXIF block (a TIFF structure) for a rendition of this source, whose pixels are to be shown under `orientation`;
/// `None` where there is nothing to say.
pub(crate) fn block(
    source: &[u8],
    header: &Header,
    metadata: Metadata,
    orientation: u8,
) -> Result<Option<Vec<u8>>, Error> {
    let turned = (orientation != exif::UPRIGHT).then_some(orientation);
    let found = if metadata == Metadata::Strip { None } else { decode::exif(source, header.format)? };
    let Some(found) = found else { return Ok(exif::only(turned)) };
    let found: Cow<'_, [u8]> = found;
    Ok(match metadata {
        Metadata::Keep if header.format != SourceFormat::Tiff => exif::kept(&found, orientation),
        Metadata::Keep => exif::texts(&found, Texts::All, turned),
        _ => exif::texts(&found, Texts::Rights, turned),
    })
}
