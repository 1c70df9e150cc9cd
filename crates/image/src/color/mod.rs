//! Colour management: what a profile or an ink model means, in sRGB.
//!
//! A profile that is damaged or of a kind not handled leaves the samples as they are: a picture with colours slightly
//! off is worth more than none, and every viewer does the same.

mod space;

pub(crate) use space::{Space, ToSrgb};

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, RenderingIntent, TransformOptions};

use crate::error::Error;
use crate::pixels::{Channels, Depth, Pixels};

/// Converts pixels from `profile` to sRGB, in place.
pub(crate) fn to_srgb(pixels: &mut Pixels, profile: &[u8]) {
    space_to_srgb(pixels, &Space::Icc(profile.into()));
}

/// Converts pixels from what they say they are to sRGB, in place.
pub(crate) fn space_to_srgb(pixels: &mut Pixels, space: &Space<'_>) {
    if let Some(to_srgb) = ToSrgb::of(pixels.channels, Depth::Eight, space) {
        to_srgb.convert(pixels);
    }
}

/// Whether pixels under this profile are sRGB as they are: [`to_srgb`] would leave them alone.
pub(crate) fn is_srgb(profile: &[u8], channels: Channels) -> bool {
    ToSrgb::is_needless(channels, &Space::Icc(profile.into()))
}

/// Red, green and blue for samples of cyan, magenta, yellow and black, of which 255 is full ink.
pub(crate) fn cmyk_to_srgb(cmyk: &[u8], profile: Option<&[u8]>) -> Vec<u8> {
    InkToSrgb::of(profile).convert(cmyk)
}

/// What ink looks like, by a profile or by a simple model.
pub(crate) struct InkToSrgb(Option<Arc<moxcms::Transform8BitExecutor>>);

impl InkToSrgb {
    pub(crate) fn of(profile: Option<&[u8]>) -> Self {
        Self(profile.and_then(|profile| {
            let profile = ColorProfile::new_from_slice(profile).ok()?;
            (profile.color_space == DataColorSpace::Cmyk).then_some(())?;
            let srgb = ColorProfile::new_srgb();
            profile.create_transform_8bit(Layout::Rgba, &srgb, Layout::Rgb, options()).ok()
        }))
    }

    /// Red, green and blue for samples of cyan, magenta, yellow and black, of which 255 is full ink.
    pub(crate) fn convert(&self, cmyk: &[u8]) -> Vec<u8> {
        if let Some(transform) = &self.0 {
            let mut rgb = vec![0; cmyk.len() / 4 * 3];
            if transform.transform(cmyk, &mut rgb).is_ok() {
                return rgb;
            }
        }
        cmyk.as_chunks::<4>().0.iter().flat_map(|ink| plain_cmyk(*ink)).collect()
    }
}

/// Pixels of ink, alpha behind it where there is one, as pixels of light.
pub(crate) fn cmyk_pixels(
    width: u32,
    height: u32,
    inks: Vec<u8>,
    has_alpha: bool,
    to_srgb: &InkToSrgb,
) -> Result<Pixels, Error> {
    if !has_alpha {
        return Pixels::new(width, height, Channels::Rgb, to_srgb.convert(&inks));
    }
    let (pixels, _) = inks.as_chunks::<5>();
    let plain: Vec<u8> = pixels.iter().flat_map(|[c, m, y, k, _]| [*c, *m, *y, *k]).collect();
    let rgb = to_srgb.convert(&plain);
    let colours = rgb.as_chunks::<3>().0.iter().zip(pixels);
    let data = colours.flat_map(|([r, g, b], [.., alpha])| [*r, *g, *b, *alpha]).collect();
    Pixels::new(width, height, Channels::Rgba, data)
}

/// CIE L\*a\*b\* of the D50 white that printing uses, to sRGB.
pub(crate) fn lab_to_srgb(l: f32, a: f32, b: f32) -> [u8; 3] {
    let fy = (l + 16.0) / 116.0;
    let (fx, fz) = (fy + a / 500.0, fy - b / 200.0);
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
    linear.map(|light| (encode_srgb(light.clamp(0.0, 1.0)) * 255.0).round() as u8)
}

/// Light of 0.0 to 1.0 as sRGB encodes it: IEC 61966-2-1.
pub(crate) fn encode_srgb(light: f32) -> f32 {
    if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

/// What inks come to without a profile: each takes its share of the light.
fn plain_cmyk([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    let light = |ink: u8| {
        let product = u32::from(255 - ink) * u32::from(255 - k);
        ((product + 127) / 255) as u8
    };
    [light(c), light(m), light(y)]
}

fn options() -> TransformOptions {
    TransformOptions { rendering_intent: RenderingIntent::RelativeColorimetric, ..Default::default() }
}
