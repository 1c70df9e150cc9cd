//! What a request asks of a pyramid: which level, which tiles, and what is done to their pixels.

use std::ops::Range;

use super::level::Level;
use super::{Pyramid, ReadAt};
use crate::derive;
use crate::encode;
use crate::error::{Error, ErrorKind, shielded};
use crate::header::{Header, RowOrder};
use crate::limits::Limits;
use crate::ops::resize::{self, Area};
use crate::pixels::Pixels;
use crate::plan::{self, Plan, Rect};
use crate::recipe::{
    Derivative, EncoderOptions, Fit, OutputFormat, Quality, Region, Request, Rotation, Size,
};
use crate::sink::Rendition;
use crate::sniff::SourceFormat;

/// So many times more pixels may be decoded than a request may have: the level above the wanted size has four times as
/// many at the most, and tiles reach beyond the region.
const DECODED_MOST: u64 = 6;
/// Pixels around an area that Lanczos3 looks at, for each pixel that one is drawn of.
const REACH: f64 = 3.0;
/// How much smaller than the wanted size a level may be and still serve: levels are rounded up, requests are not.
const NEARLY: f64 = 0.985;

/// What a request comes to on a pyramid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resolved {
    /// `x`, `y`, `w`, `h` of the region in the upright image.
    pub region: (u32, u32, u32, u32),
    /// Width and height that the region is drawn at, before it is turned.
    pub size: (u32, u32),
    /// What was asked for, with the numbers that it comes to.
    request: Request,
}

/// The part of a level that a plan takes.
struct Part<'a> {
    level: &'a Level,
    area: Area,
    /// Whether it is drawn pixel for pixel.
    is_exact: bool,
}

impl Pyramid {
    /// Works out a request. `max` is as large as the limits let it be.
    ///
    /// # Errors
    /// [`BadRequest`](ErrorKind::BadRequest) for a region outside the image or a size that makes no sense for it,
    /// [`TooManyPixels`](ErrorKind::TooManyPixels) for one over the limits.
    pub fn resolve(&self, request: &Request, limits: &Limits) -> Result<Resolved, Error> {
        let size = self.size();
        let (Rect { x, y, w, h }, drawn) =
            plan::upright(request, size, |region| largest(region, request.size.upscale, limits.max_pixels))?;
        limits.check("the size that is asked for", drawn.0, drawn.1)?;
        let region = Region::Pixels { x, y, w, h };
        let fit = Size { fit: Fit::Exact(drawn.0, drawn.1), upscale: true };
        let request = Request { region, size: fit, ..*request };
        Ok(Resolved { region: (x, y, w, h), size: drawn, request })
    }

    /// Draws what a request came to.
    ///
    /// A JPEG tile that is asked for as it is stored is handed out as it is stored.
    ///
    /// # Errors
    /// As [`derive`](crate::derive()), and [`Read`](ErrorKind::Read) if the file cannot be read.
    pub fn draw(
        &self,
        source: &dyn ReadAt,
        resolved: &Resolved,
        limits: &Limits,
    ) -> Result<Rendition, Error> {
        let request = resolved.request;
        let effort = (request.format == OutputFormat::Jpg).then_some(0);
        let options = EncoderOptions { effort, ..EncoderOptions::default() };
        let derivative = Derivative { label: "view".to_owned(), request, options };
        let plan = Plan::new(&self.header(), &derivative, limits)?;
        shielded(ErrorKind::Corrupt, || {
            let part = self.part(&plan, limits)?;
            if let Some(bytes) = part.as_stored(source, &request, self.is_upright())? {
                let (width, height) = plan.output;
                return Ok(Rendition {
                    label: derivative.label.clone(),
                    format: request.format,
                    width,
                    height,
                    bytes,
                });
            }
            let pixels = part.draw(source, plan.drawn, limits)?;
            let pixels = derive::finish(&derivative, &plan, pixels, limits)?;
            let bytes = encode::encode(&pixels, request.format, &derivative.options, None)?;
            let (width, height) = (pixels.width, pixels.height);
            Ok(Rendition { label: derivative.label.clone(), format: request.format, width, height, bytes })
        })
    }

    /// The header that an image of the full size has.
    fn header(&self) -> Header {
        let full = &self.levels[0];
        Header {
            format: SourceFormat::Tiff,
            width: full.width,
            height: full.height,
            orientation: self.orientation,
            channels: 3,
            bits: 8,
            rows: RowOrder::TopDown,
            jpeg: None,
            vector: None,
        }
    }

    /// The smallest level that has the pixels that are wanted, unless too many would have to be decoded.
    fn part(&self, plan: &Plan, limits: &Limits) -> Result<Part<'_>, Error> {
        let full = (self.levels[0].width, self.levels[0].height);
        if let Some(part) = self.levels.iter().find_map(|level| exact(level, full, plan)) {
            return Ok(part);
        }
        let parts = self.levels.iter().map(|level| scaled(level, full, plan.region));
        let most = limits.max_pixels.saturating_mul(DECODED_MOST);
        let can_be: Vec<_> = parts.filter(|part| part.pixels(plan.drawn) <= most).collect();
        let is_enough = |part: &Part<'_>| {
            part.area.w >= NEARLY * f64::from(plan.drawn.0) && part.area.h >= NEARLY * f64::from(plan.drawn.1)
        };
        // From the smallest up; where none is large enough, the largest that can be had.
        let enough = can_be.iter().rposition(is_enough).unwrap_or(0);
        can_be.into_iter().nth(enough).ok_or_else(|| {
            let message = "the pyramid has no level small enough to draw this of; ask for a smaller region";
            Error::new(ErrorKind::TooManyPixels, message)
        })
    }
}

/// What `max` comes to of a region: all of it, or the largest of its shape that the limits allow.
fn largest((w, h): (u32, u32), upscale: bool, most: u64) -> (u32, u32) {
    let pixels = f64::from(w) * f64::from(h);
    if !upscale && pixels <= most as f64 {
        return (w, h);
    }
    let scale = (most as f64 / pixels).sqrt();
    let side = |side: u32| ((f64::from(side) * scale).floor() as u32).max(1);
    let other = |side: u32| u32::try_from(most / u64::from(side)).unwrap_or(u32::MAX);
    let (w, h) = (side(w), side(h));
    // A side that cannot be less than a pixel leaves less for the other.
    (w.min(other(h)), h.min(other(w)))
}

/// The part of a level that is a region in pixels of whole numbers, if it is drawn one for one: what viewers ask for.
fn exact<'a>(level: &'a Level, (full_w, full_h): (u32, u32), plan: &Plan) -> Option<Part<'a>> {
    let Rect { x, y, w, h } = plan.region;
    let factor = (full_w.div_ceil(level.width)).checked_next_power_of_two()?;
    let halved = |side: u32| side.div_ceil(factor);
    let is_level = (level.width, level.height) == (halved(full_w), halved(full_h));
    let starts = x.is_multiple_of(factor) && y.is_multiple_of(factor);
    let ends = |start: u32, length: u32, side: u32| length.is_multiple_of(factor) || start + length == side;
    let is_exact = is_level
        && starts
        && ends(x, w, full_w)
        && ends(y, h, full_h)
        && plan.drawn == (halved(w), halved(h));
    let [x, y, w, h] = [x / factor, y / factor, halved(w), halved(h)].map(f64::from);
    is_exact.then_some(Part { level, area: Area { x, y, w, h }, is_exact })
}

/// The part of a level that a region is, its edges between pixels.
fn scaled(level: &Level, (full_w, full_h): (u32, u32), Rect { x, y, w, h }: Rect) -> Part<'_> {
    let across = f64::from(level.width) / f64::from(full_w);
    let down = f64::from(level.height) / f64::from(full_h);
    let (x, y) = (f64::from(x) * across, f64::from(y) * down);
    let (w, h) = (f64::from(w) * across, f64::from(h) * down);
    let area = Area { x, y, w: w.min(f64::from(level.width) - x), h: h.min(f64::from(level.height) - y) };
    Part { level, area, is_exact: false }
}

impl Part<'_> {
    /// Columns and rows of pixels that are looked at for a drawing of this size.
    fn looked_at(&self, drawn: (u32, u32)) -> (Range<u32>, Range<u32>) {
        let along = |start: f64, length: f64, drawn: u32, side: u32| {
            let reach = match self.is_exact {
                true => 0.0,
                false => REACH * (length / f64::from(drawn)).max(1.0),
            };
            let first = (start - reach).floor().max(0.0) as u32;
            let end = ((start + length + reach).ceil() as u32).min(side);
            first.min(side - 1)..end.max(first + 1).min(side)
        };
        let Area { x, y, w, h } = self.area;
        (along(x, w, drawn.0, self.level.width), along(y, h, drawn.1, self.level.height))
    }

    /// How many pixels have to be decoded for it.
    fn pixels(&self, drawn: (u32, u32)) -> u64 {
        let (x, y) = self.looked_at(drawn);
        self.level.pixels_in(&self.level.block(x, y))
    }

    /// The bytes of one whole JPEG tile, if nothing else is asked for.
    fn as_stored(
        &self,
        source: &dyn ReadAt,
        request: &Request,
        is_upright: bool,
    ) -> Result<Option<Vec<u8>>, Error> {
        let (tile_w, tile_h) = self.level.tile;
        let Area { x, y, w, h } = self.area;
        let is_tile = self.is_exact
            && (w, h) == (f64::from(tile_w), f64::from(tile_h))
            && x % f64::from(tile_w) == 0.0
            && y % f64::from(tile_h) == 0.0;
        let as_it_is = is_upright
            && request.rotation == Rotation::NONE
            && matches!(request.quality, Quality::Default | Quality::Color)
            && request.format == OutputFormat::Jpg;
        if !is_tile || !as_it_is {
            return Ok(None);
        }
        self.level.as_jpeg(source, x as u32 / tile_w, y as u32 / tile_h)
    }

    /// Its pixels, drawn at a size.
    fn draw(&self, source: &dyn ReadAt, drawn: (u32, u32), limits: &Limits) -> Result<Pixels, Error> {
        let (x, y) = self.looked_at(drawn);
        let block = self.level.block(x, y);
        let (left, top) = (block.columns.start * self.level.tile.0, block.rows.start * self.level.tile.1);
        let pixels = self.level.pixels(source, &block, limits)?;
        let (x, y) = (self.area.x - f64::from(left), self.area.y - f64::from(top));
        let Area { w, h, .. } = self.area;
        let w = w.min(f64::from(pixels.width) - x);
        let h = h.min(f64::from(pixels.height) - y);
        if self.is_exact && drawn == (pixels.width, pixels.height) {
            return Ok(pixels);
        }
        resize::resize(&pixels, Area { x, y, w, h }, drawn.0, drawn.1)
    }
}
