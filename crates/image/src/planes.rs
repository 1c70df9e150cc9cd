//! A picture as JPEG keeps it: luma, and colour in two planes that may be coarser.
//!
//! Most derivatives are made of a JPEG, smaller, and become one. Drawn plane by plane such a picture never takes the
//! way to red, green and blue and back, and its colour is drawn at the resolution it is kept in: a fraction of the
//! work, and nothing lost to upsampling. Colour is sited as JFIF says: a coarser sample stands in the middle of those
//! it covers.

use crate::error::Error;
use crate::jpeg::{self, Scales};
use crate::limits::Limits;
use crate::ops::{resize, resize::Area};
use crate::pixels::{Channels, Pixels};

/// Y, Cb and Cr of ITU-R BT.601 in full range, as JFIF has them.
#[derive(Clone)]
pub(crate) struct Planes {
    /// In the unit that areas are given in: pixels of the full-size image, or of luma as it was drawn.
    pub width: u32,
    pub height: u32,
    planes: [Plane; 3],
}

/// One of the three. It may go on past the picture's edge.
#[derive(Clone)]
struct Plane {
    samples: Pixels,
    /// Samples for each unit, across and down.
    scale: (f64, f64),
}

/// What resolution colour is drawn in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chroma {
    /// Luma's.
    Full,
    /// Half of luma's each way (4:2:0), rounded up.
    Half,
}

impl Chroma {
    fn side(self, luma: u32) -> u32 {
        match self {
            Chroma::Full => luma,
            Chroma::Half => luma.div_ceil(2),
        }
    }

    fn scale(self) -> f64 {
        match self {
            Chroma::Full => 1.0,
            Chroma::Half => 0.5,
        }
    }
}

impl Planes {
    /// Reads a JPEG of these dimensions. `None` if it is none that is read as planes.
    pub(crate) fn read(
        source: &[u8],
        (width, height): (u32, u32),
        scales: Scales,
        limits: &Limits,
    ) -> Option<Self> {
        let planes = jpeg::planes(source, (width, height), scales, limits)?.map(|plane| {
            let jpeg::Plane { width, height, data, scale } = plane;
            Plane { samples: Pixels { width, height, channels: Channels::Gray, data }, scale }
        });
        Some(Self { width, height, planes })
    }

    /// Draws `area` at `width` × `height`.
    pub(crate) fn draw(&self, area: Area, width: u32, height: u32, chroma: Chroma) -> Result<Self, Error> {
        let [luma, blue, red] = &self.planes;
        let colour = |plane: &Plane| {
            let (across, down) = (chroma.side(width), chroma.side(height));
            // Of an odd side the last sample of colour reaches half a sample past the edge.
            let reach = |drawn: u32, of: u32| f64::from(drawn) / chroma.scale() / f64::from(of);
            let Area { x, y, w, h } = area;
            let area = Area { x, y, w: w * reach(across, width), h: h * reach(down, height) };
            let samples = plane.draw(area, across, down)?;
            Ok(Plane { samples, scale: (chroma.scale(), chroma.scale()) })
        };
        let luma = Plane { samples: luma.draw(area, width, height)?, scale: (1.0, 1.0) };
        Ok(Self { width, height, planes: [luma, colour(blue)?, colour(red)?] })
    }

    /// The samples of the three planes, rows without gaps.
    pub(crate) fn samples(&self) -> [&[u8]; 3] {
        self.planes.each_ref().map(|plane| plane.samples.data.as_slice())
    }

    /// The picture in red, green and blue. It was drawn with [`Chroma::Full`].
    pub(crate) fn into_rgb(self) -> Pixels {
        let [luma, blue, red] = &self.samples();
        debug_assert!(luma.len() == blue.len() && luma.len() == red.len());
        let mut data = vec![0; luma.len() * 3];
        let colours = luma.iter().zip(*blue).zip(*red);
        for (rgb, ((y, cb), cr)) in data.as_chunks_mut::<3>().0.iter_mut().zip(colours) {
            *rgb = rgb_of(*y, *cb, *cr);
        }
        Pixels { width: self.width, height: self.height, channels: Channels::Rgb, data }
    }
}

/// JFIF 1.02, “Colour space”, in 65536ths, rounded to the nearest.
#[inline(always)]
fn rgb_of(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let y = (i32::from(y) << 16) + 0x8000;
    let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
    let [red, green, blue] = [y + 91_881 * cr, y - 22_554 * cb - 46_802 * cr, y + 116_130 * cb];
    [red, green, blue].map(|sum| (sum >> 16).clamp(0, 255) as u8)
}

impl Plane {
    /// Draws an area given in units.
    fn draw(&self, area: Area, width: u32, height: u32) -> Result<Pixels, Error> {
        let (across, down) = self.scale;
        let mut area = Area { x: area.x * across, y: area.y * down, w: area.w * across, h: area.h * down };
        let past = |end: f64, side: u32| (end - f64::from(side)).max(0.0).ceil() as u32;
        // What products round up by is no place to go.
        const NOTHING: f64 = 1e-6;
        let right = past(area.x + area.w - NOTHING, self.samples.width);
        let below = past(area.y + area.h - NOTHING, self.samples.height);
        let wider = (right > 0 || below > 0).then(|| extended(&self.samples, right, below));
        let samples = wider.as_ref().unwrap_or(&self.samples);
        area.w = area.w.min(f64::from(samples.width) - area.x);
        area.h = area.h.min(f64::from(samples.height) - area.y);
        resize::resize(samples, area, width, height)
    }
}

/// Repeats the last column and row.
fn extended(samples: &Pixels, right: u32, below: u32) -> Pixels {
    let mut data = Vec::new();
    for row in samples.rows() {
        data.extend_from_slice(row);
        data.extend(std::iter::repeat_n(row.last().copied().unwrap_or_default(), right as usize));
    }
    let (width, height) = (samples.width + right, samples.height + below);
    let last = data.len() - width as usize..;
    for _ in 0..below {
        data.extend_from_within(last.start..last.start + width as usize);
    }
    Pixels { width, height, channels: Channels::Gray, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: u32, height: u32, chroma: Chroma) -> Planes {
        let plane = |width: u32, height: u32, step: f64, scale: f64| {
            let data = (0..height)
                .flat_map(|_| (0..width).map(move |x| ((f64::from(x) + 0.5) * step).round() as u8))
                .collect();
            let samples = Pixels { width, height, channels: Channels::Gray, data };
            Plane { samples, scale: (scale, scale) }
        };
        let (across, down) = (chroma.side(width), chroma.side(height));
        let step = 1.0 / chroma.scale();
        let colour = || plane(across, down, step, chroma.scale());
        Planes { width, height, planes: [plane(width, height, 1.0, 1.0), colour(), colour()] }
    }

    #[test]
    fn colour_stays_where_luma_is() {
        // All three are the same gradient, so after any drawing they still have to be.
        for (source, drawn, width) in [
            (Chroma::Half, Chroma::Half, 50),
            (Chroma::Half, Chroma::Full, 50),
            (Chroma::Full, Chroma::Half, 51),
            (Chroma::Half, Chroma::Half, 33),
        ] {
            let area = Area { x: 13.0, y: 3.0, w: 160.0, h: 120.0 };
            let drawn_planes = gradient(200, 150, source).draw(area, width, 37, drawn).unwrap();
            let [luma, blue, _] = drawn_planes.samples();
            let across = drawn.side(width) as usize;
            for (x, blue) in blue[..across].iter().enumerate().take(across - 2).skip(2) {
                let covered = if drawn == Chroma::Half { 2 * x..2 * x + 2 } else { x..x + 1 };
                let count = covered.len() as f64;
                let mean: f64 = covered.map(|x| f64::from(luma[x])).sum::<f64>() / count;
                assert!((f64::from(*blue) - mean).abs() <= 1.0, "{source:?} {drawn:?} {width} at {x}");
            }
        }
    }

    #[test]
    fn colours_are_jfifs() {
        for (ycc, rgb) in [
            ([76, 85, 255], [254, 0, 0]),
            ([255, 128, 128], [255; 3]),
            ([0, 128, 128], [0; 3]),
            ([29, 255, 107], [0, 0, 254]),
            ([150, 44, 21], [0, 255, 1]),
        ] {
            assert_eq!(rgb_of(ycc[0], ycc[1], ycc[2]), rgb, "{ycc:?}");
        }
    }

    #[test]
    fn edges_are_repeated() {
        let samples = Pixels { width: 2, height: 2, channels: Channels::Gray, data: vec![1, 2, 3, 4] };
        assert_eq!(extended(&samples, 1, 2).data, [1, 2, 2, 3, 4, 4, 3, 4, 4, 3, 4, 4]);
    }
}
