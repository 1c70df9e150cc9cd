//! The rows of a derivative, from top to bottom: as its source is read where that can be in order, else of pixels that
//! were decoded at once.

use super::{Canvas, Work};
use crate::decode::{self, Strips};
use crate::error::{Error, ErrorKind, shielded};
use crate::header::Header;
use crate::limits::Limits;
use crate::pixels::{Channels, Pixels};
use crate::plan::{self, Plan};
use crate::probe::probe;
use crate::recipe::Derivative;

/// Few enough to stay in a processor's cache.
const ROWS: u32 = 32;

pub(crate) struct Rows<'a> {
    work: Work<'a>,
    size: (u32, u32),
    channels: Channels,
    /// What comes next.
    ahead: Option<Pixels>,
    /// What comes after that.
    strips: Option<Strips<'a>>,
}

impl<'a> Rows<'a> {
    /// The rows of a source, made into a derivative.
    ///
    /// # Errors
    /// As [`derive`](crate::derive())'s before anything is encoded.
    pub(crate) fn of(source: &'a [u8], derivative: &'a Derivative, limits: &Limits) -> Result<Self, Error> {
        let header = probe(source)?;
        limits.check("the image", header.width, header.height)?;
        let work = Work { index: 0, derivative, plan: Plan::new(&header, derivative, limits)? };
        if let Some(rows) = shielded(ErrorKind::Corrupt, || Rows::in_order(&work, source, &header, limits))? {
            return Ok(rows);
        }
        let need = plan::need(std::iter::once((&work.plan, derivative)));
        let mut works = [work];
        let decode = || Canvas::decode(source, &header, need, limits, &mut works);
        let (mut canvas, _) = shielded(ErrorKind::Corrupt, decode)?;
        let [work] = works;
        let pixels = work.finished_pixels(&mut canvas, &[], limits)?;
        Ok(Rows::ahead(work, pixels, None))
    }

    /// The rows of a source that can be read in order; `None` of another, or where that order is not the derivative's.
    pub(super) fn in_order(
        work: &Work<'a>,
        source: &'a [u8],
        header: &Header,
        limits: &Limits,
    ) -> Result<Option<Self>, Error> {
        if !work.plan.keeps_order(header, work.derivative) {
            return Ok(None);
        }
        let luma_only = plan::need(std::iter::once((&work.plan, work.derivative))).luma_only;
        let Some(mut strips) = decode::strips(source, header, luma_only, limits)? else { return Ok(None) };
        let first = strips.next(ROWS)?.map(|strip| work.with_quality(strip, limits)).transpose()?;
        Ok(first
            .map(|first| Rows { size: work.plan.output, ..Rows::ahead(work.clone(), first, Some(strips)) }))
    }

    fn ahead(work: Work<'a>, pixels: Pixels, strips: Option<Strips<'a>>) -> Self {
        let (size, channels) = ((pixels.width, pixels.height), pixels.channels);
        Rows { work, size, channels, ahead: Some(pixels), strips }
    }

    /// Width and height of all of them.
    pub(crate) fn size(&self) -> (u32, u32) {
        self.size
    }

    pub(crate) fn channels(&self) -> Channels {
        self.channels
    }

    /// The next rows, however many; `None` after the last.
    pub(crate) fn next(&mut self, limits: &Limits) -> Result<Option<Pixels>, Error> {
        let ahead = self.ahead.take();
        match &mut self.strips {
            _ if ahead.is_some() => Ok(ahead),
            Some(strips) => {
                let strip = shielded(ErrorKind::Corrupt, || strips.next(ROWS))?;
                limits.check_time()?;
                strip.map(|strip| self.work.with_quality(strip, limits)).transpose()
            }
            None => Ok(None),
        }
    }

    /// Whether the source ended before its image did, and the limits accept that.
    pub(crate) fn truncated(&self) -> bool {
        self.strips.as_ref().is_some_and(Strips::truncated)
    }
}
