//! What TIFF's samples mean, in 8-bit sRGB or ink: one arm a photometric interpretation, a pixel at a time.

use super::chroma::Matrix;
use super::directory::Directory;
use super::layout::{BLACK_IS_ZERO, CIE_LAB, CMYK, ICC_LAB, Layout, PALETTE, RGB, WHITE_IS_ZERO, YCBCR, tag};
use super::unsupported;
use crate::color;
use crate::decode::narrow;
use crate::error::Error;
use crate::pixels::Channels;

/// ExtraSamples, TIFF 6.0 page 31.
const ASSOCIATED_ALPHA: u64 = 1;
const STRAIGHT_ALPHA: u64 = 2;

/// How stored samples become colours.
pub(super) struct Colours {
    model: Model,
    /// Which of a pixel's samples are read: its colours, then its alpha if it has one.
    pub wanted: Vec<usize>,
    pub has_alpha: bool,
    /// The colours are multiplied by the alpha.
    is_associated: bool,
    /// Samples of a finished pixel, alpha among them.
    pub made: usize,
}

enum Model {
    Grey {
        inverted: bool,
    },
    Rgb,
    Palette(Vec<u8>),
    YCbCr(Matrix),
    CieLab,
    IccLab,
    /// Stays ink.
    Cmyk,
}

impl Colours {
    pub(super) fn new(directory: &Directory<'_>, layout: &Layout) -> Result<Self, Error> {
        let model = match layout.photometric {
            WHITE_IS_ZERO => Model::Grey { inverted: true },
            BLACK_IS_ZERO => Model::Grey { inverted: false },
            RGB => Model::Rgb,
            PALETTE => Model::Palette(palette(directory)?),
            // JPEG's decoder gives red, green and blue.
            YCBCR if layout.is_jpeg() && layout.together() == 3 => Model::Rgb,
            YCBCR if layout.samples == 1 => Model::Grey { inverted: false },
            YCBCR => Model::YCbCr(Matrix::read(directory)?),
            CIE_LAB if layout.samples == 1 => Model::Grey { inverted: false },
            CIE_LAB => Model::CieLab,
            ICC_LAB => Model::IccLab,
            CMYK => Model::Cmyk,
            other => return Err(unsupported(format!("photometric interpretation {other}"))),
        };
        let (stored, made) = match model {
            Model::Grey { .. } => (1, 1),
            Model::Palette(_) => (1, 3),
            Model::Cmyk => (4, 4),
            _ => (3, 3),
        };
        let each = layout.samples;
        if each < stored {
            let message = format!("the TIFF has {each} samples a pixel, too few for its colours");
            return Err(Error::corrupt(message));
        }
        let alpha = alpha(layout, stored);
        let wanted = (0..stored).chain(alpha).collect();
        let is_associated = alpha.is_some_and(|at| layout.extra.get(at - stored) == Some(&ASSOCIATED_ALPHA));
        let has_alpha = alpha.is_some();
        Ok(Self { model, wanted, has_alpha, is_associated, made: made + usize::from(has_alpha) })
    }

    /// What the finished pixels are made of, if they are no ink.
    pub(super) fn channels(&self) -> Channels {
        let plain = if matches!(self.model, Model::Grey { .. }) { Channels::Gray } else { Channels::Rgb };
        if self.has_alpha { plain.with_alpha() } else { plain }
    }

    pub(super) fn is_ink(&self) -> bool {
        matches!(self.model, Model::Cmyk)
    }

    /// Whether an ICC profile of the file speaks of the finished pixels.
    pub(super) fn is_profiled(&self) -> bool {
        matches!(self.model, Model::Grey { .. } | Model::Rgb | Model::Palette(_) | Model::YCbCr(_))
    }

    /// Whether samples as stored, 8 bits each, are finished pixels.
    pub(super) fn are_plain(&self) -> bool {
        matches!(self.model, Model::Grey { inverted: false } | Model::Rgb | Model::Cmyk)
            && !self.is_associated
    }

    /// Whether floats without a profile are measures of light, as libvips and most writers of such files have it.
    pub(super) fn are_light(&self) -> bool {
        matches!(self.model, Model::Rgb)
    }

    /// Finishes one pixel.
    pub(super) fn finish(&self, stored: &[u16], made: &mut [u8]) {
        let (stored, alpha) =
            if self.has_alpha { stored.split_at(stored.len() - 1) } else { (stored, &[][..]) };
        let eighths = |sample: u16| f32::from(sample) / 257.0;
        let straight = |sample: u16| if self.is_associated { unmultiplied(sample, alpha[0]) } else { sample };
        match (&self.model, stored) {
            (Model::Grey { inverted }, [v]) => {
                let v = straight(*v);
                made[0] = narrow(if *inverted { u16::MAX - v } else { v });
            }
            (Model::Palette(colours), [index]) => {
                let length = colours.len() / 3;
                let shade = |plane: usize| {
                    let inside = usize::from(*index) < length;
                    if inside { colours[plane * length + usize::from(*index)] } else { 0 }
                };
                made[..3].copy_from_slice(&[shade(0), shade(1), shade(2)]);
            }
            (Model::YCbCr(matrix), [y, cb, cr]) => {
                let rgb = matrix.rgb([eighths(*y), eighths(*cb), eighths(*cr)]);
                made[..3].copy_from_slice(&rgb.map(|v| v.round().clamp(0.0, 255.0) as u8));
            }
            (Model::CieLab, [l, a, b]) => {
                let signed = |sample: u16| f32::from(sample as i16) / 256.0;
                made[..3].copy_from_slice(&color::lab_to_srgb(lightness(*l), signed(*a), signed(*b)));
            }
            (Model::IccLab, [l, a, b]) => {
                let shifted = |sample: u16| f32::from(sample) / 256.0 - 128.0;
                made[..3].copy_from_slice(&color::lab_to_srgb(lightness(*l), shifted(*a), shifted(*b)));
            }
            (_, stored) => {
                for (made, sample) in made.iter_mut().zip(stored) {
                    *made = narrow(straight(*sample));
                }
            }
        }
        if let ([alpha], Some(made)) = (alpha, made.last_mut()) {
            *made = narrow(*alpha);
        }
    }
}

impl Colours {
    /// Whether the samples themselves are grey or RGB, so that nothing is lost by keeping all of their bits.
    pub(super) fn can_be_wide(&self) -> bool {
        matches!(self.model, Model::Grey { .. } | Model::Rgb)
    }

    /// Finishes one pixel of such samples in 16 bits, the lower byte first.
    pub(super) fn finish_wide(&self, stored: &[u16], made: &mut [u8]) {
        let (made, _) = made.as_chunks_mut::<2>();
        let alpha = if self.has_alpha { stored.last() } else { None };
        for (index, (made, sample)) in made.iter_mut().zip(stored).enumerate() {
            let is_alpha = alpha.is_some() && index + 1 == stored.len();
            let straight = match alpha {
                Some(alpha) if self.is_associated && !is_alpha => unmultiplied(*sample, *alpha),
                _ => *sample,
            };
            let inverted = matches!(self.model, Model::Grey { inverted: true }) && !is_alpha;
            *made = if inverted { u16::MAX - straight } else { straight }.to_le_bytes();
        }
    }
}

/// L\* of 0 to 100, of bits that stand at the top of 16: full scale is 255 of 8 bits and 65535 of 16.
fn lightness(l: u16) -> f32 {
    let l = if l & 0xFF == 0 { u32::from(l >> 8) * 257 } else { u32::from(l) };
    l as f32 / 65535.0 * 100.0
}

/// Which sample is alpha, if one is.
fn alpha(layout: &Layout, colours: usize) -> Option<usize> {
    let extra = &layout.extra;
    let marked = extra.iter().position(|extra| matches!(*extra, ASSOCIATED_ALPHA | STRAIGHT_ALPHA));
    let at = match marked {
        Some(index) => colours + index,
        // An extra sample that nothing is said of: alpha by custom.
        None if extra.is_empty() && layout.samples == colours + 1 => colours,
        None => return None,
    };
    (at < layout.samples).then_some(at)
}

/// The colours of a palette: all reds, all greens, all blues, narrowed to 8 bits.
fn palette(directory: &Directory<'_>) -> Result<Vec<u8>, Error> {
    let map = directory.numbers(tag::PALETTE)?;
    if map.is_empty() {
        return Err(Error::corrupt("the TIFF has no colours in its palette"));
    }
    // Some writers put 8-bit values there.
    let is_wide = map.iter().any(|value| *value > 255);
    Ok(map.into_iter().map(|v| if is_wide { narrow(v as u16) } else { v as u8 }).collect())
}

fn unmultiplied(colour: u16, alpha: u16) -> u16 {
    let (colour, alpha) = (u32::from(colour), u32::from(alpha));
    let straight = (colour * 65535 + alpha / 2).checked_div(alpha);
    straight.map_or(0, |straight| straight.min(65535) as u16)
}
