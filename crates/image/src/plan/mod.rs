//! What a request comes to on an image of a given size: rectangles and dimensions, worked out before any pixel moves.
//!
//! Image API 3.0 §4.1 to §4.3 and §4.6. Everything here is arithmetic on whole pixels.

mod geometry;
mod resolve;
#[cfg(test)]
mod tests;

use crate::error::Error;
use crate::exif::Turn;
use crate::header::Header;
use crate::jpeg::Scales;
use crate::limits::Limits;
use crate::planes::Chroma;
use crate::recipe::{Derivative, Fit, GrayMethod, OutputFormat, Quality, Request, Rotation};
use crate::{decode, encode, exif};

pub(crate) use geometry::Rect;

/// How one derivative is made of the stored pixels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// Width and height of the stored image, which the region is a part of: the header's, or a drawing's at the
    /// derivative's own dots an inch.
    pub full: (u32, u32),
    /// How much larger that is than the header's, across and down.
    enlarged: (f64, f64),
    /// The region, in the stored (not yet upright) image at full size.
    pub region: Rect,
    /// Where the place of the region depends on what is to be seen: `region` is of its smallest size and anywhere,
    /// until [`place`](Self::place) is called.
    pub smart: Option<SmartCrop>,
    /// Width and height that the region is drawn at, still as stored.
    pub drawn: (u32, u32),
    /// What makes it upright and, where the rotation is in quarters, turned.
    pub turn: Turn,
    /// Degrees clockwise that are left, where the rotation is not in quarters.
    pub degrees: Option<f64>,
    /// Width and height of the result.
    pub output: (u32, u32),
}

/// What a plan draws of the source: its region, and the size of the image that it is a region of.
pub(crate) type Part = ((u32, u32), Rect);

/// A region whose place is not known before the pixels are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SmartCrop {
    /// What makes the stored image upright.
    pub upright: Turn,
    /// Width and height of the upright image.
    pub full: (u32, u32),
    /// Widths and heights that the region may have.
    pub sizes: Vec<(u32, u32)>,
}

impl Plan {
    /// Works out a derivative of the image with this header, refusing what makes no sense for it or is not built in.
    pub(crate) fn new(header: &Header, derivative: &Derivative, limits: &Limits) -> Result<Plan, Error> {
        refuse_what_is_not_built_in(derivative)?;
        let request = &derivative.request;
        let orientation = match request.rotation {
            Rotation::AsStored => exif::UPRIGHT,
            Rotation::Turn { .. } => header.orientation,
        };
        let upright = Turn::upright(orientation);
        let full = header.size_for(derivative.options.dpi);
        let (width, height) = geometry::swap_if(upright.swaps_sides(), full);
        let resolve::Part { region, counts_as: (w, h), sizes } =
            resolve::region(&request.region, width, height)?;
        let (w, h) = resolve::size(&request.size, w, h)?;
        limits.check("the derivative", w, h)?;
        let (turn, degrees) = resolve::rotation(&request.rotation, upright);
        let output = match degrees {
            Some(degrees) => geometry::turned_bounds(w, h, degrees),
            None => geometry::swap_if(turn.swaps_sides() != upright.swaps_sides(), (w, h)),
        };
        limits.check("the turned derivative", output.0, output.1)?;
        let smart = (!sizes.is_empty()).then_some(SmartCrop { upright, full: (width, height), sizes });
        let larger = |full: u32, header: u32| f64::from(full) / f64::from(header);
        Ok(Plan {
            full,
            enlarged: (larger(full.0, header.width), larger(full.1, header.height)),
            region: region.stored(upright, full),
            smart,
            drawn: geometry::swap_if(upright.swaps_sides(), (w, h)),
            turn,
            degrees,
            output,
        })
    }

    /// Settles where a smart crop lies: a rectangle of the upright image.
    pub(crate) fn place(&mut self, found: Rect) {
        if let Some(smart) = self.smart.take() {
            self.region = found.stored(smart.upright, self.full);
        }
    }

    /// What is drawn of the source.
    pub(crate) fn part(&self) -> Part {
        (self.full, self.region)
    }

    /// The scale of decoded pixels, which is told of the header's size, told of this plan's.
    pub(crate) fn scaled(&self, (across, down): (f64, f64)) -> (f64, f64) {
        (across / self.enlarged.0, down / self.enlarged.1)
    }

    /// Width and height of all of the stored image if it were drawn as large as this plan draws its region.
    fn whole(&self) -> (u32, u32) {
        let side = |full: u32, drawn: u32, region: u32| {
            let (full, drawn, region) = (u64::from(full), u64::from(drawn), u64::from(region.max(1)));
            u32::try_from((full * drawn + region / 2) / region).unwrap_or(u32::MAX).max(1)
        };
        (side(self.full.0, self.drawn.0, self.region.w), side(self.full.1, self.drawn.1, self.region.h))
    }

    /// Whether the region is drawn pixel for pixel.
    pub(crate) fn is_unscaled(&self) -> bool {
        self.drawn == (self.region.w, self.region.h)
    }

    /// The smallest scale to decode at that keeps this derivative's quality, in eighths: 1, 2, 4 or 8.
    ///
    /// Scaling in the DCT drops high frequencies less cleanly than Lanczos3 does, so it must leave at least twice the
    /// wanted size for that to work on.
    pub(crate) fn eighths(&self) -> u8 {
        self.smallest_scale(self.drawn, 2.0)
    }

    /// The same for planes, whose scaling keeps all frequencies that it has room for: half as much again is enough for
    /// Lanczos3 there. `chroma` is the resolution that colour will be kept in. `None` where nothing is made smaller.
    fn plane_scales(&self, chroma: Chroma) -> Option<Scales> {
        const MARGIN: f64 = 1.5;
        let (w, h) = self.drawn;
        let coarse = match chroma {
            Chroma::Full => (w, h),
            Chroma::Half => (w.div_ceil(2), h.div_ceil(2)),
        };
        let luma = self.smallest_scale((w, h), MARGIN);
        let is_smaller = w < self.region.w && h < self.region.h;
        (is_smaller && self.smart.is_none())
            .then(|| Scales { luma, colour: self.smallest_scale(coarse, MARGIN).min(luma) })
    }

    /// The resolution of colour that the encoder takes planes with, where this derivative can stay planes all the way.
    pub(crate) fn stays_planes(&self, derivative: &Derivative) -> Option<Chroma> {
        let as_drawn = self.turn == Turn::upright(exif::UPRIGHT) && self.degrees.is_none();
        let in_colour = matches!(derivative.request.quality, Quality::Default | Quality::Color);
        (as_drawn && in_colour && derivative.request.format == OutputFormat::Jpg)
            .then(|| encode::chroma(&derivative.options))
    }

    /// The smallest of 1, 2 and 4 eighths that leaves `margin` times a drawn size, else 8.
    fn smallest_scale(&self, drawn: (u32, u32), margin: f64) -> u8 {
        let serves = |eighths: u8, drawn: u32, region: u32| {
            f64::from(region) * f64::from(eighths) >= f64::from(drawn) * margin * 8.0
        };
        let enough =
            |eighths: u8| serves(eighths, drawn.0, self.region.w) && serves(eighths, drawn.1, self.region.h);
        [1, 2, 4].into_iter().find(|eighths| enough(*eighths)).unwrap_or(8)
    }

    /// How a JPEG's coefficients can be copied for this derivative, where they can.
    ///
    /// Grey by luma always is where that is the grey of sRGB, unless it has to be turned beyond its orientation. All else, and any turn, is only where
    /// the recipe asks for it by `lossless`. Blocks that are not whole at an edge cannot be turned: then the
    /// orientation stays a tag, and any other turn takes pixels.
    pub(crate) fn lossless(&self, header: &Header, derivative: &Derivative) -> Option<Lossless> {
        let jpeg = header.jpeg.as_ref()?;
        let options = &derivative.options;
        let upright = match derivative.request.rotation {
            Rotation::AsStored => Turn::upright(exif::UPRIGHT),
            Rotation::Turn { .. } => Turn::upright(header.orientation),
        };
        let gray =
            derivative.request.quality == Quality::Gray && derivative.gray_method() == GrayMethod::Luma;
        let colour = matches!(derivative.request.quality, Quality::Default | Quality::Color);
        // Y of another space than sRGB is another grey: copied only where that was asked for.
        let luma_is_gray = jpeg.luma_stands_alone && (jpeg.is_srgb || options.lossless);
        let copies = (gray && luma_is_gray) || (colour && options.lossless && jpeg.colours_stand_alone);
        let whole = self.region == Rect { x: 0, y: 0, w: header.width, h: header.height };
        let as_it_is = whole
            && self.is_unscaled()
            && self.degrees.is_none()
            && derivative.request.format == OutputFormat::Jpg
            && options.q.is_none()
            && matches!(options.effort, None | Some(0))
            && options.dpi.is_none()
            && !options.progressive;
        if !copies || !as_it_is {
            return None;
        }
        let unit = if gray { (8, 8) } else { jpeg.unit };
        if self.is_turned() && options.lossless && turns_whole_blocks(self.turn, header, unit) {
            return Some(Lossless::Turned { gray });
        }
        (self.turn == upright).then_some(Lossless::Tagged { gray })
    }
}

/// How a JPEG is made of another's coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lossless {
    /// They stay where they are, and a tag says how they are shown upright.
    Tagged { gray: bool },
    /// They are turned.
    Turned { gray: bool },
}

/// Whether the blocks that a turn moves away from an edge are all whole: a block that is partly beyond the right or the
/// lower edge may only stay there.
fn turns_whole_blocks(turn: Turn, header: &Header, unit: (u32, u32)) -> bool {
    let (across, down) = (header.width.is_multiple_of(unit.0), header.height.is_multiple_of(unit.1));
    match (turn.mirror, turn.quarters % 4) {
        (false, 0) | (true, 3) => true,
        (true, 0) | (false, 3) => across,
        (true, 2) | (false, 1) => down,
        _ => across && down,
    }
}

impl Plan {
    /// Whether this can be made of rows as they come: the whole image, turned or not, at its size or a smaller one, and
    /// a pixel of the one it is drawn as needs no other.
    pub(crate) fn goes_by_rows(&self, header: &Header, derivative: &Derivative) -> bool {
        let whole = self.region == Rect { x: 0, y: 0, w: header.width, h: header.height };
        whole
            && self.drawn.0 <= self.region.w
            && self.drawn.1 <= self.region.h
            && self.smart.is_none()
            && self.degrees.is_none()
            && !matches!(derivative.request.quality, Quality::Crisp { .. } | Quality::Dither)
    }

    /// The same of the image as it is: at its size and not turned.
    pub(crate) fn keeps_order(&self, header: &Header, derivative: &Derivative) -> bool {
        self.goes_by_rows(header, derivative) && self.is_unscaled() && !self.is_turned()
    }

    /// Whether rows are drawn in another order than the source has them.
    pub(crate) fn is_turned(&self) -> bool {
        self.turn != Turn::upright(exif::UPRIGHT)
    }
}

/// A pair with its halves exchanged, or not.
pub(crate) fn swapped(swap: bool, pair: (u32, u32)) -> (u32, u32) {
    geometry::swap_if(swap, pair)
}

/// A request's region in an upright image of this size, and the width and height that it is drawn at; `max` says those
/// of a region for which no more is said.
pub(crate) fn upright(
    request: &Request,
    (width, height): (u32, u32),
    max: impl Fn((u32, u32)) -> (u32, u32),
) -> Result<(Rect, (u32, u32)), Error> {
    let part = resolve::region(&request.region, width, height)?;
    let (w, h) = part.counts_as;
    let size = match request.size.fit {
        Fit::Max => max((w, h)),
        _ => resolve::size(&request.size, w, h)?,
    };
    Ok((part.region, size))
}

/// What the plans of a recipe together need of the decoder.
pub(crate) fn need<'a>(plans: impl Iterator<Item = (&'a Plan, &'a Derivative)>) -> decode::Need {
    let least = Scales { luma: 1, colour: 1 };
    let mut need = decode::Need { eighths: 1, luma_only: true, planes: Some(least), page: 1, whole: (1, 1) };
    for (plan, derivative) in plans {
        need.eighths = need.eighths.max(plan.eighths());
        let whole = plan.whole();
        need.whole = (need.whole.0.max(whole.0), need.whole.1.max(whole.1));
        // All of a recipe ask for the same one.
        need.page = derivative.options.page.unwrap_or(1);
        // WebP has half the resolution for colour too, unless it is lossless.
        let webp = derivative.request.format == OutputFormat::Webp && !derivative.options.lossless;
        let kept = if webp { Chroma::Half } else { Chroma::Full };
        let chroma = plan.stays_planes(derivative).unwrap_or(kept);
        need.planes = need.planes.zip(plan.plane_scales(chroma)).map(|(most, wanted)| Scales {
            luma: most.luma.max(wanted.luma),
            colour: most.colour.max(wanted.colour),
        });
        let luma = derivative.uses_gray_method() && derivative.gray_method() == GrayMethod::Luma;
        // What is interesting must not depend on what else is made of the source.
        need.luma_only &= luma && plan.smart.is_none();
    }
    need.planes = need.planes.filter(|_| !need.luma_only);
    need
}

fn refuse_what_is_not_built_in(derivative: &Derivative) -> Result<(), Error> {
    use crate::error::ErrorKind::UnsupportedOutput;
    let format = derivative.request.format;
    if format.is_built_in() { Ok(()) } else { Err(Error::new(UnsupportedOutput, format.why_not_built_in())) }
}
