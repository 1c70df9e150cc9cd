//! What TIFF's samples mean, in sRGB: one function a photometric interpretation.

use super::raw::{BLACK_IS_ZERO, CIE_LAB, CMYK, ICC_LAB, Layout, PALETTE, RGB, WHITE_IS_ZERO, YCBCR};
use super::{most, unsupported};
use crate::color;
use crate::error::Error;
use crate::pixels::{Channels, Pixels};

/// ExtraSamples, TIFF 6.0 page 31.
const ASSOCIATED_ALPHA: u16 = 1;
const STRAIGHT_ALPHA: u16 = 2;

/// Pixels of 8-bit samples that lie pixel after pixel.
pub(super) fn to_pixels(
    samples: Vec<u8>,
    layout: &Layout,
    palette: &[u8],
    profile: Option<&[u8]>,
) -> Result<Pixels, Error> {
    let (colours, channels) = match layout.photometric {
        WHITE_IS_ZERO | BLACK_IS_ZERO => (1, Channels::Gray),
        PALETTE => (1, Channels::Rgb),
        RGB | YCBCR | CIE_LAB | ICC_LAB => (3, Channels::Rgb),
        CMYK => (4, Channels::Rgb),
        other => return Err(unsupported(format!("photometric interpretation {other}"))),
    };
    let each = usize::from(layout.samples);
    if each < colours {
        return Err(Error::corrupt(format!("the TIFF has {each} samples a pixel, too few for its colours")));
    }
    let alpha = Alpha::of(layout, colours);
    let plain = if each == colours { None } else { Some(first(&samples, each, colours)) };
    let colour = plain.as_deref().unwrap_or(&samples);
    let converted = match layout.photometric {
        WHITE_IS_ZERO => grey(colour, layout).map(|v| 255 - v).collect(),
        BLACK_IS_ZERO => grey(colour, layout).collect(),
        PALETTE => looked_up(colour, palette),
        YCBCR => triples(colour, ycbcr),
        CIE_LAB => triples(colour, |[l, a, b]| lab(l, i16::from(a as i8), i16::from(b as i8))),
        ICC_LAB => triples(colour, |[l, a, b]| lab(l, i16::from(a) - 128, i16::from(b) - 128)),
        CMYK => color::cmyk_to_srgb(colour, profile),
        _ => colour.to_vec(),
    };
    let pixels = Pixels::new(layout.width, layout.height, channels, converted)?;
    Ok(alpha.map_or(pixels.clone(), |alpha| alpha.added(pixels, &samples, each)))
}

/// The first `count` of each `each` samples.
fn first(samples: &[u8], each: usize, count: usize) -> Vec<u8> {
    samples.chunks_exact(each).flat_map(|pixel| &pixel[..count]).copied().collect()
}

/// Greys of fewer than 8 bits, stretched to the full range.
fn grey<'a>(samples: &'a [u8], layout: &Layout) -> impl Iterator<Item = u8> + 'a {
    let most = most(layout);
    samples.iter().map(move |v| ((u32::from(*v) * 255 + most / 2) / most) as u8)
}

fn looked_up(indices: &[u8], palette: &[u8]) -> Vec<u8> {
    let length = palette.len() / 3;
    let colour = |index: &u8| {
        let shade = |plane: usize| palette.get(plane * length + usize::from(*index)).copied();
        let inside = usize::from(*index) < length;
        [0, 1, 2].map(|plane| if inside { shade(plane).unwrap_or(0) } else { 0 })
    };
    indices.iter().flat_map(colour).collect()
}

fn triples(samples: &[u8], convert: impl Fn([u8; 3]) -> [u8; 3]) -> Vec<u8> {
    samples.as_chunks::<3>().0.iter().flat_map(|triple| convert(*triple)).collect()
}

/// Full-range YCbCr by ITU-R BT.601, the default of TIFF 6.0 page 91 and what JPEG uses.
fn ycbcr([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
    let level = |value: f32| value.round().clamp(0.0, 255.0) as u8;
    [level(y + 1.402 * cr), level(y - 0.344_136 * cb - 0.714_136 * cr), level(y + 1.772 * cb)]
}

/// CIE L\*a\*b\* of the D50 white that printing uses, to sRGB.
fn lab(l: u8, a: i16, b: i16) -> [u8; 3] {
    let fy = (f32::from(l) / 255.0 * 100.0 + 16.0) / 116.0;
    let (fx, fz) = (fy + f32::from(a) / 500.0, fy - f32::from(b) / 200.0);
    let decode = |f: f32| {
        if f > 6.0 / 29.0 { f * f * f } else { (f - 4.0 / 29.0) * 3.0 * (6.0 / 29.0) * (6.0 / 29.0) }
    };
    let (x, y, z) = (0.9642 * decode(fx), decode(fy), 0.8249 * decode(fz));
    // XYZ under D50 to linear sRGB, Bradford-adapted to D65.
    let linear = [
        3.134_136 * x - 1.617_386 * y - 0.490_662 * z,
        -0.978_795 * x + 1.916_254 * y + 0.033_443 * z,
        0.071_955 * x - 0.228_977 * y + 1.405_386 * z,
    ];
    linear.map(|value| {
        let value = value.clamp(0.0, 1.0);
        let encoded =
            if value <= 0.003_130_8 { value * 12.92 } else { 1.055 * value.powf(1.0 / 2.4) - 0.055 };
        (encoded * 255.0).round() as u8
    })
}

/// Where a pixel's alpha is among its samples, and whether the colours are premultiplied by it.
struct Alpha {
    at: usize,
    associated: bool,
}

impl Alpha {
    fn of(layout: &Layout, colours: usize) -> Option<Self> {
        let marked =
            layout.extra.iter().position(|extra| matches!(*extra, ASSOCIATED_ALPHA | STRAIGHT_ALPHA));
        let at = match marked {
            Some(index) => colours + index,
            // An extra sample that nothing is said of: alpha by custom.
            None if layout.extra.is_empty() && usize::from(layout.samples) == colours + 1 => colours,
            None => return None,
        };
        let associated = marked.is_some_and(|index| layout.extra[index] == ASSOCIATED_ALPHA);
        (at < layout.samples.into()).then_some(Self { at, associated })
    }

    fn added(&self, pixels: Pixels, samples: &[u8], each: usize) -> Pixels {
        let colours = pixels.channels.count();
        let channels = pixels.channels.with_alpha();
        let mut data = Vec::with_capacity(pixels.data.len() / colours * channels.count());
        for (colour, sample) in pixels.data.chunks_exact(colours).zip(samples.chunks_exact(each)) {
            let alpha = sample[self.at];
            if self.associated {
                data.extend(colour.iter().map(|v| unmultiplied(*v, alpha)));
            } else {
                data.extend_from_slice(colour);
            }
            data.push(alpha);
        }
        Pixels { width: pixels.width, height: pixels.height, channels, data }
    }
}

fn unmultiplied(colour: u8, alpha: u8) -> u8 {
    let (colour, alpha) = (u32::from(colour), u32::from(alpha));
    (colour * 255 + alpha / 2).checked_div(alpha).map_or(0, |straight| straight.min(255) as u8)
}
