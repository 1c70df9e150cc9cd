//! GIF: one frame of at most 256 colours. Greys are kept exactly; colours beyond 256 are quantised (NeuQuant).

use gif::{Encoder, Frame};

use super::failed;
use crate::error::Error;
use crate::pixels::{Channels, Pixels};

/// 1 is slow and fine, 30 fast and coarse; the crate calls 10 a good compromise.
const SPEED: i32 = 10;

pub(super) fn encode(pixels: &Pixels) -> Result<Vec<u8>, Error> {
    let side = |length: u32| {
        u16::try_from(length)
            .map_err(|_| Error::encode(format!("a GIF has at most 65535 pixels a side, not {length}")))
    };
    let (width, height) = (side(pixels.width)?, side(pixels.height)?);
    let frame = match pixels.channels {
        Channels::Gray => {
            let palette: Vec<u8> = (0..=255).flat_map(|shade| [shade; 3]).collect();
            Frame::from_palette_pixels(width, height, pixels.data.as_slice(), palette, None)
        }
        Channels::GrayAlpha => frame(width, height, pixels.map(Channels::Rgba, |[v, a]| [v, v, v, hard(a)])),
        Channels::Rgb => frame(width, height, pixels.map(Channels::Rgba, |[r, g, b]| [r, g, b, 255])),
        Channels::Rgba => frame(width, height, pixels.map(Channels::Rgba, |[r, g, b, a]| [r, g, b, hard(a)])),
    };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, width, height, &[]).map_err(|e| failed("GIF", e))?;
    encoder.write_frame(&frame).map_err(|e| failed("GIF", e))?;
    drop(encoder);
    Ok(bytes)
}

fn frame(width: u16, height: u16, mut rgba: Pixels) -> Frame<'static> {
    Frame::from_rgba_speed(width, height, &mut rgba.data, SPEED)
}

/// A pixel of a GIF is there or it is not.
fn hard(alpha: u8) -> u8 {
    if alpha >= 128 { 255 } else { 0 }
}
