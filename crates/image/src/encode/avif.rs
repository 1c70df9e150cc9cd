//! AVIF by rav1e: colour at full resolution, ten bits a sample inside.
//!
//! One thread and one tile a picture, so that the bytes do not depend on the machine.

use ravif::{AlphaColorMode, BitDepth, Encoder, Img, RGBA8};

use super::failed;
use crate::error::Error;
use crate::pixels::{Channels, Pixels};
use crate::recipe::{EncoderOptions, OutputFormat};

/// What an effort comes to in rav1e's speeds, 10 (fast) to 1: without one, 7.
fn speed(effort: Option<u8>) -> u8 {
    10 - effort.unwrap_or(4).min(10) * 9 / 10
}

pub(super) fn encode(
    pixels: &Pixels,
    options: &EncoderOptions,
    exif: Option<&[u8]>,
) -> Result<Vec<u8>, Error> {
    let quality = f32::from(options.quality_for(OutputFormat::Avif).clamp(1, 100));
    let mut encoder = Encoder::new()
        .with_quality(quality)
        // Alpha is cheap, and what is wrong with it shows at every edge.
        .with_alpha_quality((quality + 10.0).min(100.0))
        .with_alpha_color_mode(AlphaColorMode::UnassociatedClean)
        .with_bit_depth(BitDepth::Ten)
        .with_speed(speed(options.effort))
        .with_num_threads(Some(1));
    if let Some(exif) = exif {
        encoder = encoder.with_exif(exif);
    }
    let (width, height) = (pixels.width as usize, pixels.height as usize);
    // Always with alpha, which ravif leaves out where it is opaque: its function for colours alone is an inline one,
    // which makes all of rav1e anew in this crate, for minutes.
    let colours = rgba(pixels);
    let encoded = encoder.encode_rgba(Img::new(&colours, width, height));
    encoded.map(|encoded| encoded.avif_file).map_err(|e| failed("AVIF", e))
}

fn rgba(pixels: &Pixels) -> Vec<RGBA8> {
    let data = &pixels.data;
    match pixels.channels {
        Channels::Gray => data.iter().map(|v| RGBA8::new(*v, *v, *v, 255)).collect(),
        Channels::GrayAlpha => data.as_chunks().0.iter().map(|[v, a]| RGBA8::new(*v, *v, *v, *a)).collect(),
        Channels::Rgb => data.as_chunks().0.iter().map(|[r, g, b]| RGBA8::new(*r, *g, *b, 255)).collect(),
        Channels::Rgba => data.as_chunks().0.iter().map(|[r, g, b, a]| RGBA8::new(*r, *g, *b, *a)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn efforts_are_speeds_backwards() {
        let speeds = [None, Some(0), Some(4), Some(5), Some(10)].map(speed);
        assert_eq!(speeds, [7, 10, 7, 6, 1]);
    }
}
