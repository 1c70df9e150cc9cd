//! The rows of a derivative, from top to bottom: as its source is read where that can be in order, by way of a scratch
//! file where it is to be turned, else of pixels that were decoded at once.

use imgmill_resize::Gradual;

use super::{Canvas, Work};
use crate::decode::{self, Sheet, Strips, Wish};
use crate::error::{Error, ErrorKind, shielded};
use crate::exif::Turn;
use crate::header::Header;
use crate::limits::Limits;
use crate::pixels::{Channels, Depth, Pixels};
use crate::plan::{self, Plan};
use crate::probe::probe;
use crate::recipe::Derivative;
use crate::scratch::Scratch;

/// Few enough to stay in a processor's cache.
const ROWS: u32 = 32;

pub(crate) struct Rows<'a> {
    size: (u32, u32),
    channels: Channels,
    depth: Depth,
    profile: Option<Vec<u8>>,
    truncated: bool,
    had_alpha: bool,
    own_colours: bool,
    from: From<'a>,
}

enum From<'a> {
    /// All of them.
    Whole(Option<Pixels>),
    /// As they come; the first are there already.
    Order { work: Work<'a>, strips: Box<Strips<'a>>, first: Option<Vec<u8>>, scaling: Option<Gradual> },
    /// Laid aside, to be turned.
    Turned { sheet: Sheet, turn: Turn, next: usize },
}

impl<'a> Rows<'a> {
    /// The rows of a source, made into a derivative.
    ///
    /// # Errors
    /// As [`derive`](crate::derive())'s before anything is encoded.
    pub(crate) fn of(
        source: &'a [u8],
        derivative: &'a Derivative,
        scratch: Scratch<'_>,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let header = probe(source)?;
        limits.check("the image", header.width, header.height)?;
        let work = Work { index: 0, derivative, plan: Plan::new(&header, derivative, limits)? };
        let in_order = || Rows::in_order(&work, source, &header, scratch, limits);
        if let Some(rows) = shielded(ErrorKind::Corrupt, in_order)? {
            return Ok(rows);
        }
        let need = plan::need(std::iter::once((&work.plan, derivative)));
        let mut works = [work];
        let decode = || Canvas::decode(source, &header, need, limits, &mut works);
        let (mut canvas, _) = shielded(ErrorKind::Corrupt, decode)?;
        let [work] = works;
        let pixels = work.finished_pixels(&mut canvas, &[], limits)?;
        Ok(Rows {
            size: (pixels.width, pixels.height),
            channels: pixels.channels,
            depth: Depth::Eight,
            profile: None,
            truncated: false,
            had_alpha: false,
            own_colours: false,
            from: From::Whole(Some(pixels)),
        })
    }

    /// The rows of a source that can be read in order; `None` of another, or where the derivative is not made row by row.
    pub(super) fn in_order(
        work: &Work<'a>,
        source: &'a [u8],
        header: &Header,
        scratch: Scratch<'_>,
        limits: &Limits,
    ) -> Result<Option<Self>, Error> {
        if !work.plan.goes_by_rows(header, work.derivative) {
            return Ok(None);
        }
        let luma_only = plan::need(std::iter::once((&work.plan, work.derivative))).luma_only;
        let mut wish = Wish::of(&work.derivative.options, luma_only);
        if !work.plan.is_unscaled() {
            wish = wish.to_be_scaled(work.plan.eighths());
        }
        let Some(mut strips) = decode::strips(source, header, wish, scratch, limits)? else {
            return Ok(None);
        };
        let (stored, depth) = (strips.channels(), strips.depth());
        let mut scaling = scaling(&work.plan, &strips, wish.eighths);
        let Some(first) = next_drawn(&mut strips, scaling.as_mut(), limits)? else { return Ok(None) };
        let (channels, first) = finished(work, first, (stored, depth), limits)?;
        let mut rows = Rows {
            size: work.plan.output,
            channels,
            depth,
            profile: strips.profile().map(<[u8]>::to_vec),
            truncated: false,
            had_alpha: stored.with_alpha() == stored,
            own_colours: wish.own_colours && strips.are_own_colours(),
            from: From::Order { work: work.clone(), strips: Box::new(strips), first: Some(first), scaling },
        };
        if work.plan.is_turned() {
            rows.lay_aside(work.plan.drawn, work.plan.turn, scratch, limits)?;
        }
        Ok(Some(rows))
    }

    /// Takes all rows as they come, so that they can be had in another order.
    fn lay_aside(
        &mut self,
        drawn: (u32, u32),
        turn: Turn,
        scratch: Scratch<'_>,
        limits: &Limits,
    ) -> Result<(), Error> {
        let pixel = self.channels.count() * self.depth.bytes();
        let mut sheet = Sheet::blank(drawn, pixel, scratch)?;
        let mut row = 0;
        while let Some(rows) = self.next(limits)? {
            sheet.write(row, &rows)?;
            row += rows.len() / (drawn.0 as usize * pixel);
        }
        self.truncated = self.truncated();
        self.from = From::Turned { sheet, turn, next: 0 };
        Ok(())
    }

    /// Width and height of all of them.
    pub(crate) fn size(&self) -> (u32, u32) {
        self.size
    }

    pub(crate) fn channels(&self) -> Channels {
        self.channels
    }

    pub(crate) fn depth(&self) -> Depth {
        self.depth
    }

    /// Whose colours the samples are, where that is not sRGB.
    pub(crate) fn profile(&self) -> Option<&[u8]> {
        self.profile.as_deref()
    }

    /// Whether pixels of the source could be transparent.
    pub(super) fn had_alpha(&self) -> bool {
        self.had_alpha
    }

    /// Whether the samples are those of the source.
    pub(super) fn has_own_colours(&self) -> bool {
        self.own_colours
    }

    /// The next rows, however many, without gaps; `None` after the last.
    pub(crate) fn next(&mut self, limits: &Limits) -> Result<Option<Vec<u8>>, Error> {
        match &mut self.from {
            From::Whole(pixels) => Ok(pixels.take().map(|pixels| pixels.data)),
            From::Order { first, .. } if first.is_some() => Ok(first.take()),
            From::Order { work, strips, scaling, .. } => {
                let drawn = next_drawn(strips, scaling.as_mut(), limits)?;
                let kind = (strips.channels(), self.depth);
                drawn.map(|drawn| finished(work, drawn, kind, limits).map(|(_, rows)| rows)).transpose()
            }
            From::Turned { sheet, turn, next } => {
                limits.check_time()?;
                let rows = sheet.turned(*turn, *next)?;
                *next += rows.len() / (self.size.0 as usize * self.channels.count() * self.depth.bytes());
                Ok(Some(rows).filter(|rows| !rows.is_empty()))
            }
        }
    }

    /// Whether the source ended before its image did, and the limits accept that.
    pub(crate) fn truncated(&self) -> bool {
        match &self.from {
            From::Order { strips, .. } => strips.truncated(),
            _ => self.truncated,
        }
    }
}

/// What makes rows as they are read those of a plan's size, where that is another.
fn scaling(plan: &Plan, strips: &Strips<'_>, eighths: u8) -> Option<Gradual> {
    if plan.is_unscaled() {
        return None;
    }
    let (width, height) = strips.size();
    // A side that is no multiple of 8 ends within a pixel of the smaller image.
    let counts = |full: u32, read: u32| match read == full {
        true => f64::from(full),
        false => f64::from(full) * f64::from(eighths) / 8.0,
    };
    let counts = (counts(plan.full.0, width), counts(plan.full.1, height));
    Some(Gradual::new((width, height), strips.channels().count(), counts, plan.drawn))
}

/// The next rows at the size they are drawn at; `None` after the last.
fn next_drawn(
    strips: &mut Strips<'_>,
    mut scaling: Option<&mut Gradual>,
    limits: &Limits,
) -> Result<Option<Drawn>, Error> {
    loop {
        if let Some(scaling) = &mut scaling
            && let Some(data) = scaling.draw().map_err(|e| Error::encode(e.to_string()))?
        {
            return Ok(Some(Drawn { width: scaling.width(), data }));
        }
        limits.check_time()?;
        let Some(strip) = shielded(ErrorKind::Corrupt, || strips.next(ROWS))? else { return Ok(None) };
        match &mut scaling {
            Some(scaling) => scaling.push(&strip),
            None => return Ok(Some(Drawn { width: strips.size().0, data: strip })),
        }
    }
}

/// Some rows at the size they are drawn at, without gaps.
struct Drawn {
    width: u32,
    data: Vec<u8>,
}

/// Rows of a derivative: of 8 bits in its quality; of 16 as they are.
fn finished(
    work: &Work<'_>,
    Drawn { width, data }: Drawn,
    (channels, depth): (Channels, Depth),
    limits: &Limits,
) -> Result<(Channels, Vec<u8>), Error> {
    if depth == Depth::Sixteen {
        return Ok((channels, data));
    }
    let height = data.len() / (width as usize * channels.count());
    let pixels = Pixels::new(width, height as u32, channels, data)?;
    let pixels = work.with_quality(pixels, limits)?;
    Ok((pixels.channels, pixels.data))
}
