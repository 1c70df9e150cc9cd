//! JPEG: 4:2:0 below quality 90, where nobody sees it, and full colour resolution from there on.

use crate::error::Error;
use crate::jpeg::{self, Encoding};
use crate::pixels::Pixels;
use crate::recipe::{EncoderOptions, OutputFormat};

/// From this effort on, mozjpeg searches for the smallest file.
const TRELLIS_EFFORT: u8 = 7;

pub(super) fn encode(
    pixels: &Pixels,
    options: &EncoderOptions,
    exif: Option<&[u8]>,
) -> Result<Vec<u8>, Error> {
    let quality = options.quality_for(OutputFormat::Jpg);
    let encoding = Encoding {
        quality,
        subsampled: quality < 90,
        progressive: options.progressive,
        optimised: options.effort != Some(0),
        trellis: options.effort.is_some_and(|effort| effort >= TRELLIS_EFFORT),
        dpi: options.dpi,
        exif,
    };
    jpeg::encode(pixels.width, pixels.height, pixels.channels.count(), &pixels.data, &encoding)
}
