//! What derivatives are drawn from: the decoded source, or a larger derivative of the same region.

use super::Work;
use crate::decode::{self, Decoded, Need};
use crate::error::Error;
use crate::header::Header;
use crate::limits::Limits;
use crate::ops::{self, resize::Area};
use crate::pixels::{Channels, Pixels};
use crate::plan::{Part, Plan};
use crate::planes::{Chroma, Planes};

/// What is drawn from, and what drawing makes of it.
#[derive(Clone)]
pub(super) enum Picture {
    Pixels(Pixels),
    Planes(Planes),
}

impl Picture {
    fn size(&self) -> (u32, u32) {
        match self {
            Picture::Pixels(pixels) => (pixels.width, pixels.height),
            Picture::Planes(planes) => (planes.width, planes.height),
        }
    }

    pub(super) fn into_pixels(self) -> Pixels {
        match self {
            Picture::Pixels(pixels) => pixels,
            Picture::Planes(planes) => planes.into_rgb(),
        }
    }

    /// Draws an area; `chroma` matters to planes alone.
    fn draw(&self, area: Area, (width, height): (u32, u32), chroma: Chroma) -> Result<Picture, Error> {
        match self {
            Picture::Pixels(pixels) => ops::resize::resize(pixels, area, width, height).map(Picture::Pixels),
            Picture::Planes(planes) => planes.draw(area, width, height, chroma).map(Picture::Planes),
        }
    }
}

/// The decoded source, and the last thing drawn of it, which smaller derivatives of the same region are drawn from.
pub(super) struct Canvas {
    decoded: Picture,
    /// What a pixel of the full-size image is in `decoded`, across and down.
    scale: (f64, f64),
    last: Option<(Part, Picture)>,
}

impl Canvas {
    /// Decodes to planes if they serve, else to pixels, on which smart crops are placed. Says too whether the source
    /// ended before its image did.
    pub(super) fn decode(
        source: &[u8],
        header: &Header,
        need: Need,
        limits: &Limits,
        drawing: &mut [Work<'_>],
    ) -> Result<(Self, bool), Error> {
        if let Some(planes) = decode::planes(source, header, need, limits) {
            return Ok((Self { decoded: Picture::Planes(planes), scale: (1.0, 1.0), last: None }, false));
        }
        let decoded = decode::decode(source, header, need, limits)?;
        place_smart_crops(drawing, &decoded)?;
        let scale = decoded.scale;
        Ok((Self { decoded: Picture::Pixels(decoded.pixels), scale, last: None }, decoded.truncated))
    }

    /// Draws a plan's region at its size. What is `later` drawn says what has to be kept for it.
    pub(super) fn draw(&mut self, plan: &Plan, chroma: Chroma, later: &[Work<'_>]) -> Result<Picture, Error> {
        let drawn = match &self.last {
            Some((region, last)) if *region == plan.part() && serves(last.size(), plan.drawn) => {
                let (w, h) = last.size();
                let whole = Area { x: 0.0, y: 0.0, w: w.into(), h: h.into() };
                last.draw(whole, plan.drawn, chroma)?
            }
            _ if later.is_empty() && self.is_all_there_is(plan) => {
                let nothing = Picture::Pixels(Pixels::blank(0, 0, Channels::Gray));
                std::mem::replace(&mut self.decoded, nothing)
            }
            _ => self.decoded.draw(self.area(plan), plan.drawn, chroma)?,
        };
        let feeds = |work: &Work<'_>| work.plan.part() == plan.part() && serves(plan.drawn, work.plan.drawn);
        self.last = later.iter().any(feeds).then(|| (plan.part(), drawn.clone()));
        Ok(drawn)
    }

    /// Whether a plan is all decoded pixels as they are, so that they need not be copied.
    pub(super) fn is_all_there_is(&self, plan: &Plan) -> bool {
        let (w, h) = self.decoded.size();
        let whole = Area { x: 0.0, y: 0.0, w: w.into(), h: h.into() };
        matches!(self.decoded, Picture::Pixels(_)) && plan.drawn == (w, h) && self.area(plan) == whole
    }

    /// Whether what was decoded can be transparent.
    pub(super) fn has_alpha(&self) -> bool {
        match &self.decoded {
            Picture::Pixels(pixels) => pixels.channels.with_alpha() == pixels.channels,
            Picture::Planes(_) => false,
        }
    }

    /// Where a plan's region lies in what was decoded.
    fn area(&self, plan: &Plan) -> Area {
        let Plan { region, .. } = plan;
        let (width, height) = self.decoded.size();
        let (across, down) = plan.scaled(self.scale);
        let (x, y) = (f64::from(region.x) * across, f64::from(region.y) * down);
        let (w, h) = (f64::from(region.w) * across, f64::from(region.h) * down);
        Area { x, y, w: w.min(f64::from(width) - x), h: h.min(f64::from(height) - y) }
    }
}

/// Whether a derivative may be drawn from another one of the same region: twice the size is what Lanczos3 needs to
/// leave no trace of the detour.
fn serves(from: (u32, u32), to: (u32, u32)) -> bool {
    from.0 / 2 >= to.0 && from.1 / 2 >= to.1
}

/// Smart crops find their place once there are pixels to see.
fn place_smart_crops(drawing: &mut [Work<'_>], decoded: &Decoded) -> Result<(), Error> {
    for work in drawing {
        if let Some(smart) = &work.plan.smart {
            let found = ops::smart_crop::find(&decoded.pixels, smart.upright, smart.full, &smart.sizes)?;
            work.plan.place(found);
        }
    }
    Ok(())
}
