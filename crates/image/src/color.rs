//! Colour management: what a profile or an ink model means, in sRGB.
//!
//! A profile that is damaged or of a kind not handled leaves the samples as they are: a picture with colours slightly
//! off is worth more than none, and every viewer does the same.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, RenderingIntent, TransformOptions};

use crate::pixels::{Channels, Pixels};

/// Converts pixels from `profile` to sRGB, in place.
pub(crate) fn to_srgb(pixels: &mut Pixels, profile: &[u8]) {
    if let Some(to_srgb) = ToSrgb::of(pixels.channels, profile) {
        to_srgb.convert(pixels);
    }
}

/// What a profile's colours are in sRGB.
pub(crate) struct ToSrgb(Arc<moxcms::Transform8BitExecutor>);

impl ToSrgb {
    /// For pixels of these channels; `None` where they stay as they are.
    pub(crate) fn of(channels: Channels, profile: &[u8]) -> Option<Self> {
        let profile = ColorProfile::new_from_slice(profile).ok()?;
        let layout = match (channels, profile.color_space) {
            (Channels::Rgb, DataColorSpace::Rgb) => Layout::Rgb,
            (Channels::Rgba, DataColorSpace::Rgb) => Layout::Rgba,
            (Channels::Gray, DataColorSpace::Gray) => Layout::Gray,
            (Channels::GrayAlpha, DataColorSpace::Gray) => Layout::GrayAlpha,
            _ => return None,
        };
        if is_srgb(&profile) {
            return None;
        }
        // Grey stays grey: the same shade on a display's own curve.
        let srgb = if channels.is_gray() { srgb_gray() } else { ColorProfile::new_srgb() };
        profile.create_transform_8bit(layout, &srgb, layout, options()).ok().map(Self)
    }

    /// Converts pixels of the channels it was made for, in place.
    pub(crate) fn convert(&self, pixels: &mut Pixels) {
        let stride = pixels.stride();
        let mut converted = vec![0; stride];
        for row in pixels.data.chunks_exact_mut(stride) {
            if self.0.transform(row, &mut converted).is_ok() {
                row.copy_from_slice(&converted);
            }
        }
    }
}

/// Whether [`to_srgb`] would do nothing to RGB pixels with this profile.
pub(crate) fn leaves_rgb_as_it_is(profile: &[u8]) -> bool {
    ColorProfile::new_from_slice(profile)
        .map_or(true, |profile| profile.color_space != DataColorSpace::Rgb || is_srgb(&profile))
}

/// Red, green and blue for samples of cyan, magenta, yellow and black, of which 255 is full ink.
pub(crate) fn cmyk_to_srgb(cmyk: &[u8], profile: Option<&[u8]>) -> Vec<u8> {
    let profiled = profile.and_then(|profile| {
        let profile = ColorProfile::new_from_slice(profile).ok()?;
        (profile.color_space == DataColorSpace::Cmyk).then_some(())?;
        let srgb = ColorProfile::new_srgb();
        let transform = profile.create_transform_8bit(Layout::Rgba, &srgb, Layout::Rgb, options()).ok()?;
        let mut rgb = vec![0; cmyk.len() / 4 * 3];
        transform.transform(cmyk, &mut rgb).ok()?;
        Some(rgb)
    });
    profiled.unwrap_or_else(|| cmyk.as_chunks::<4>().0.iter().flat_map(|ink| plain_cmyk(*ink)).collect())
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

/// Whether a profile is sRGB, as most are: its primaries are sRGB's, within what profile writers round differently, and
/// so is its curve. Such pixels are left untouched, which is faster and exact.
fn is_srgb(profile: &ColorProfile) -> bool {
    if profile.color_space != DataColorSpace::Rgb {
        return false;
    }
    let srgb = ColorProfile::new_srgb();
    let close = |a: moxcms::Xyzd, b: moxcms::Xyzd| {
        (a.x - b.x).abs() < 2e-3 && (a.y - b.y).abs() < 2e-3 && (a.z - b.z).abs() < 2e-3
    };
    let same_primaries = close(profile.red_colorant, srgb.red_colorant)
        && close(profile.green_colorant, srgb.green_colorant)
        && close(profile.blue_colorant, srgb.blue_colorant);
    same_primaries && same_curve(profile, &srgb)
}

/// Compares by what the profiles do to greys: the same levels, within one.
fn same_curve(profile: &ColorProfile, srgb: &ColorProfile) -> bool {
    let Ok(transform) = profile.create_transform_8bit(Layout::Rgb, srgb, Layout::Rgb, options()) else {
        return false;
    };
    let ramp: Vec<u8> = (0..=255u8).flat_map(|level| [level; 3]).collect();
    let mut mapped = vec![0; ramp.len()];
    transform.transform(&ramp, &mut mapped).is_ok()
        && ramp.iter().zip(&mapped).all(|(before, after)| before.abs_diff(*after) <= 1)
}
