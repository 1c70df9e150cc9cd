//! JPEG: 4:2:0 below quality 90, where nobody sees it, and full colour resolution from there on.

use crate::error::Error;
use crate::jpeg::{self, Encoding};
use crate::pixels::Pixels;
use crate::planes::{Chroma, Planes};
use crate::recipe::{EncoderOptions, OutputFormat};

/// From this effort on, mozjpeg searches for the smallest file.
const TRELLIS_EFFORT: u8 = 7;

pub(super) fn encode(
    pixels: &Pixels,
    options: &EncoderOptions,
    exif: Option<&[u8]>,
) -> Result<Vec<u8>, Error> {
    let encoding = encoding(options, exif);
    jpeg::encode(pixels.width, pixels.height, pixels.channels.count(), &pixels.data, &encoding)
}

/// Encodes planes, which were drawn with the [`chroma`] of these options.
pub(crate) fn encode_planes(
    planes: &Planes,
    options: &EncoderOptions,
    exif: Option<&[u8]>,
) -> Result<Vec<u8>, Error> {
    jpeg::encode_planes(planes.width, planes.height, planes.samples(), &encoding(options, exif))
}

/// The resolution that colour is kept in.
pub(crate) fn chroma(options: &EncoderOptions) -> Chroma {
    if encoding(options, None).subsampled { Chroma::Half } else { Chroma::Full }
}

fn encoding<'a>(options: &EncoderOptions, exif: Option<&'a [u8]>) -> Encoding<'a> {
    let quality = options.quality_for(OutputFormat::Jpg);
    Encoding {
        quality,
        subsampled: quality < 90,
        progressive: options.progressive,
        optimised: options.optimises_huffman_tables(),
        trellis: options.effort.is_some_and(|effort| effort >= TRELLIS_EFFORT),
        dpi: options.dpi,
        exif,
    }
}
