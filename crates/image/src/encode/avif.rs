//! AVIF by rav1e: colour at full resolution, ten bits a sample inside.
//!
//! One thread and one tile a picture, so that the bytes do not depend on the machine.

use ravif::{AlphaColorMode, BitDepth, Encoder, Img, RGB8, RGBA8};

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
    let gray = |v: u8| RGB8 { r: v, g: v, b: v };
    let encoded = match pixels.channels {
        Channels::Gray | Channels::Rgb => {
            let colours: Vec<RGB8> = if pixels.channels == Channels::Gray {
                pixels.data.iter().map(|v| gray(*v)).collect()
            } else {
                pixels.data.as_chunks::<3>().0.iter().map(|[r, g, b]| RGB8 { r: *r, g: *g, b: *b }).collect()
            };
            encoder.encode_rgb(Img::new(&colours, width, height))
        }
        Channels::GrayAlpha | Channels::Rgba => {
            let colours: Vec<RGBA8> = if pixels.channels == Channels::GrayAlpha {
                pixels
                    .data
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .map(|[v, a]| RGBA8 { r: *v, g: *v, b: *v, a: *a })
                    .collect()
            } else {
                let rgba = |[r, g, b, a]: &[u8; 4]| RGBA8 { r: *r, g: *g, b: *b, a: *a };
                pixels.data.as_chunks::<4>().0.iter().map(rgba).collect()
            };
            encoder.encode_rgba(Img::new(&colours, width, height))
        }
    };
    encoded.map(|encoded| encoded.avif_file).map_err(|e| failed("AVIF", e))
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
