//! What the samples of an image say of themselves, and how they become sRGB.

use std::borrow::Cow;
use std::sync::Arc;

use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, DataColorSpace, Layout,
    MatrixCoefficients, ToneReprCurve, TransferCharacteristics,
};

use super::options;
use crate::pixels::{Channels, Depth, Pixels};

/// Where samples stand, as a file tells it.
#[derive(Debug, Clone)]
pub(crate) enum Space<'a> {
    /// An ICC profile, whole.
    Icc(Cow<'a, [u8]>),
    /// The numbers of ITU-T H.273 for primaries and transfer.
    ///
    /// The transfers of television (1, 6, 14, 15) are taken for sRGB's, as browsers take them; PQ and HLG are left as
    /// they are, for want of a tone mapping.
    Cicp { primaries: u8, transfer: u8 },
    /// What PNG's cHRM and gAMA say: x and y of white, red, green and blue, and the power that light was raised to.
    Measured { white: (f32, f32), red: (f32, f32), green: (f32, f32), blue: (f32, f32), gamma: f32 },
}

impl Space<'_> {
    /// The profile that says the same; `None` of a damaged one, and of what stays as it is.
    fn profile(&self) -> Option<ColorProfile> {
        match self {
            Self::Icc(profile) => ColorProfile::new_from_slice(profile).ok(),
            Self::Cicp { primaries, transfer } => cicp(*primaries, *transfer),
            Self::Measured { white, red, green, blue, gamma } => {
                measured(*white, [*red, *green, *blue], *gamma)
            }
        }
    }
}

/// White, red, green and blue of sRGB (IEC 61966-2-1).
const SRGB_PLACES: [(f32, f32); 4] = [(0.3127, 0.3290), (0.64, 0.33), (0.30, 0.60), (0.15, 0.06)];
const SRGB_GAMMA: f32 = 1.0 / 2.2;

/// `None` of places that no colours have (a white or primaries that are none, or that span no triangle), and of sRGB's
/// with 2.2, which is how sRGB is told to readers that do not know its name (PNG third edition, 11.3.2.5).
fn measured(white: (f32, f32), [red, green, blue]: [(f32, f32); 3], gamma: f32) -> Option<ColorProfile> {
    let near = |a: f32, b: f32| (a - b).abs() < 1e-3;
    let mut places = [white, red, green, blue].into_iter().zip(SRGB_PLACES);
    if places.all(|(a, b)| near(a.0, b.0) && near(a.1, b.1)) && near(gamma, SRGB_GAMMA) {
        return None;
    }
    let (to_red, to_blue) = ((red.0 - green.0, red.1 - green.1), (blue.0 - green.0, blue.1 - green.1));
    let doubled_area = (to_red.0 * to_blue.1 - to_red.1 * to_blue.0).abs();
    if !(0.1..=10.0).contains(&gamma) || doubled_area < 0.01 {
        return None;
    }
    let at = |(x, y): (f32, f32)| (y > 0.0 && x >= 0.0 && x + y < 1.001).then_some(Chromaticity { x, y });
    let primaries = ColorPrimaries { red: at(red)?, green: at(green)?, blue: at(blue)? };
    let mut profile = ColorProfile::new_srgb();
    profile.update_rgb_colorimetry(at(white)?.to_xyyb(), primaries);
    let curve = Some(ToneReprCurve::Parametric(vec![1.0 / gamma]));
    (profile.red_trc, profile.green_trc, profile.blue_trc) = (curve.clone(), curve.clone(), curve);
    Some(profile)
}

fn cicp(primaries: u8, transfer: u8) -> Option<ColorProfile> {
    const BT709: u8 = 1;
    const UNSPECIFIED: u8 = 2;
    const SRGB: u8 = 13;
    let transfer = match transfer {
        16 | 18 => return None,
        1 | 2 | 6 | 14 | 15 => SRGB,
        other => other,
    };
    let primaries = if primaries == UNSPECIFIED { BT709 } else { primaries };
    Some(ColorProfile::new_from_cicp(CicpProfile {
        color_primaries: CicpColorPrimaries::try_from(primaries).ok()?,
        transfer_characteristics: TransferCharacteristics::try_from(transfer).ok()?,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    }))
}

/// What the colours of a space are in sRGB.
pub(crate) enum ToSrgb {
    Eight(Arc<moxcms::Transform8BitExecutor>),
    Sixteen(Arc<moxcms::Transform16BitExecutor>),
}

impl ToSrgb {
    /// For pixels of these channels and this depth; `None` where they stay as they are.
    pub(crate) fn of(channels: Channels, depth: Depth, space: &Space<'_>) -> Option<Self> {
        let conversion = Conversion::of(space.profile()?, channels)?;
        match depth {
            Depth::Eight => conversion.transform().map(Self::Eight),
            Depth::Sixteen => conversion.transform_16().map(Self::Sixteen),
        }
    }

    /// Whether pixels of these channels and this space stay as they are.
    pub(super) fn is_needless(channels: Channels, space: &Space<'_>) -> bool {
        space.profile().and_then(|profile| Conversion::of(profile, channels)).is_none()
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

/// What makes pixels of one profile sRGB.
struct Conversion {
    from: ColorProfile,
    to: ColorProfile,
    layout: Layout,
}

impl Conversion {
    /// `None` where there is nothing to convert: the profile is sRGB, or speaks of another colour model.
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

fn srgb_gray() -> ColorProfile {
    let mut profile = ColorProfile::new_srgb();
    profile.color_space = DataColorSpace::Gray;
    profile.gray_trc = profile.red_trc.clone();
    profile
}
