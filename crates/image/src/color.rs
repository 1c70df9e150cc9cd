//! Colour management: what a profile or an ink model means, in sRGB.
//!
//! A profile that is damaged or of a kind not handled leaves the samples as they are: a picture with colours slightly
//! off is worth more than none, and every viewer does the same.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, RenderingIntent, TransformOptions};

use crate::error::Error;
use crate::pixels::{Channels, Depth, Pixels};

/// Converts pixels from `profile` to sRGB, in place.
pub(crate) fn to_srgb(pixels: &mut Pixels, profile: &[u8]) {
    if let Some(to_srgb) = ToSrgb::of(pixels.channels, Depth::Eight, profile) {
        to_srgb.convert(pixels);
    }
}

/// Converts RGB or RGBA pixels of the primaries and the transfer that ITU-T H.273 numbers to sRGB, in place.
///
/// The transfers of television (1, 6, 14, 15) are taken for sRGB's, as browsers take them; PQ and HLG are left as they
/// are, for want of a tone mapping.
#[cfg(feature = "avif")]
pub(crate) fn cicp_to_srgb(pixels: &mut Pixels, primaries: u8, transfer: u8) {
    use moxcms::{CicpColorPrimaries, CicpProfile, MatrixCoefficients, TransferCharacteristics};
    const BT709: u8 = 1;
    const UNSPECIFIED: u8 = 2;
    const SRGB: u8 = 13;
    let transfer = match transfer {
        16 | 18 => return,
        1 | 2 | 6 | 14 | 15 => SRGB,
        other => other,
    };
    if pixels.channels.is_gray() || (matches!(primaries, BT709 | UNSPECIFIED) && transfer == SRGB) {
        return;
    }
    let primaries = if primaries == UNSPECIFIED { BT709 } else { primaries };
    let (Ok(color_primaries), Ok(transfer_characteristics)) =
        (CicpColorPrimaries::try_from(primaries), TransferCharacteristics::try_from(transfer))
    else {
        return;
    };
    let matrix_coefficients = MatrixCoefficients::Identity;
    let cicp =
        CicpProfile { color_primaries, transfer_characteristics, matrix_coefficients, full_range: true };
    let conversion = Conversion::of(ColorProfile::new_from_cicp(cicp), pixels.channels);
    if let Some(to_srgb) = conversion.and_then(|conversion| conversion.transform()).map(ToSrgb::Eight) {
        to_srgb.convert(pixels);
    }
}

/// What a profile's colours are in sRGB.
pub(crate) enum ToSrgb {
    Eight(Arc<moxcms::Transform8BitExecutor>),
    Sixteen(Arc<moxcms::Transform16BitExecutor>),
}

impl ToSrgb {
    /// For pixels of these channels and this depth; `None` where they stay as they are.
    pub(crate) fn of(channels: Channels, depth: Depth, profile: &[u8]) -> Option<Self> {
        let conversion = Conversion::from(profile, channels)?;
        match depth {
            Depth::Eight => conversion.transform().map(Self::Eight),
            Depth::Sixteen => conversion.transform_16().map(Self::Sixteen),
        }
    }

    /// Converts pixels of the channels it was made for, in place.
    pub(crate) fn convert(&self, pixels: &mut Pixels) {
        let stride = pixels.stride();
        pixels.data.chunks_exact_mut(stride).for_each(|row| self.convert_row(row));
    }

    /// Converts a row of the channels and the depth it was made for, in place.
    pub(crate) fn convert_row(&self, row: &mut [u8]) {
        match self {
            Self::Eight(transform) => {
                let mut converted = vec![0; row.len()];
                if transform.transform(row, &mut converted).is_ok() {
                    row.copy_from_slice(&converted);
                }
            }
            Self::Sixteen(transform) => {
                let samples: Vec<u16> =
                    row.as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect();
                let mut converted = vec![0; samples.len()];
                if transform.transform(&samples, &mut converted).is_ok() {
                    let (row, _) = row.as_chunks_mut::<2>();
                    row.iter_mut().zip(converted).for_each(|(to, sample)| *to = sample.to_le_bytes());
                }
            }
        }
    }
}

/// Whether pixels under this profile are sRGB as they are: [`to_srgb`] would leave them alone.
pub(crate) fn is_srgb(profile: &[u8], channels: Channels) -> bool {
    Conversion::from(profile, channels).is_none()
}

/// What makes pixels of one profile sRGB.
struct Conversion {
    from: ColorProfile,
    to: ColorProfile,
    layout: Layout,
}

impl Conversion {
    /// `None` where there is nothing to convert: the profile is sRGB, is damaged, or speaks of another colour model.
    fn from(profile: &[u8], channels: Channels) -> Option<Self> {
        Self::of(ColorProfile::new_from_slice(profile).ok()?, channels)
    }

    fn of(from: ColorProfile, channels: Channels) -> Option<Self> {
        let layout = match (channels, from.color_space) {
            (Channels::Rgb, DataColorSpace::Rgb) => Layout::Rgb,
            (Channels::Rgba, DataColorSpace::Rgb) => Layout::Rgba,
            (Channels::Gray, DataColorSpace::Gray) => Layout::Gray,
            (Channels::GrayAlpha, DataColorSpace::Gray) => Layout::GrayAlpha,
            _ => return None,
        };
        // Grey stays grey: the same shade on a display's own curve.
        let to = if channels.is_gray() { srgb_gray() } else { ColorProfile::new_srgb() };
        let conversion = Self { from, to, layout };
        (!conversion.changes_nothing()).then_some(conversion)
    }

    fn transform(&self) -> Option<Arc<moxcms::Transform8BitExecutor>> {
        self.from.create_transform_8bit(self.layout, &self.to, self.layout, options()).ok()
    }

    fn transform_16(&self) -> Option<Arc<moxcms::Transform16BitExecutor>> {
        self.from.create_transform_16bit(self.layout, &self.to, self.layout, options()).ok()
    }

    /// Whether a profile is sRGB, as most are: its primaries are sRGB's, within what profile writers round differently
    /// (0.002 of XYZ), and so is its curve (one level of 255). Such pixels are left untouched: faster, and exact.
    fn changes_nothing(&self) -> bool {
        let close = |a: moxcms::Xyzd, b: moxcms::Xyzd| {
            (a.x - b.x).abs() < 2e-3 && (a.y - b.y).abs() < 2e-3 && (a.z - b.z).abs() < 2e-3
        };
        let (from, to) = (&self.from, &self.to);
        let same_primaries = from.color_space == DataColorSpace::Gray
            || close(from.red_colorant, to.red_colorant)
                && close(from.green_colorant, to.green_colorant)
                && close(from.blue_colorant, to.blue_colorant);
        same_primaries && self.has_same_curve()
    }

    /// Compares by what becomes of greys: the same levels, within one.
    fn has_same_curve(&self) -> bool {
        let layout = if self.from.color_space == DataColorSpace::Gray { Layout::Gray } else { Layout::Rgb };
        let Ok(transform) = self.from.create_transform_8bit(layout, &self.to, layout, options()) else {
            return false;
        };
        let ramp: Vec<u8> =
            (0..=255u8).flat_map(|level| std::iter::repeat_n(level, layout.channels())).collect();
        let mut mapped = vec![0; ramp.len()];
        transform.transform(&ramp, &mut mapped).is_ok()
            && ramp.iter().zip(&mapped).all(|(before, after)| before.abs_diff(*after) <= 1)
    }
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

fn srgb_gray() -> ColorProfile {
    let mut profile = ColorProfile::new_srgb();
    profile.color_space = DataColorSpace::Gray;
    profile.gray_trc = profile.red_trc.clone();
    profile
}
