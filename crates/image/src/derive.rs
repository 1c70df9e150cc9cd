//! The whole flow on one screen: header, limits, plans, one decode, each derivative drawn, encoded and handed on.
//! Before that come those that need no decoded pixels: what is copied, and pyramids of sources read in order.

mod canvas;
mod notes;
mod planar;
mod rows;

use crate::decode;
use crate::encode::ptif;
use crate::error::{Error, ErrorKind, shielded};
use crate::finished::{Finished, InOrder, Target};
use crate::header::Header;
use crate::limits::Limits;
use crate::ops;
use crate::pixels::{Depth, Pixels};
use crate::plan::{self, Lossless, Plan};
use crate::planes::Chroma;
use crate::probe::probe_page;
use crate::recipe::{Derivative, OutputFormat, Quality, Recipe, Rotation};
use crate::scratch::Scratch;
use crate::services::{Findings, Services};
use crate::sink::{Rendition, Sink};
use crate::{encode, exif, lossless, metadata};

use canvas::{Canvas, Picture};

pub(crate) use rows::Rows;

/// What was derived from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Derived {
    /// The source's header.
    pub header: Header,
    /// The source ended before its image did, which [`OnTruncated::Accept`](crate::OnTruncated::Accept) let pass: what
    /// was missing is grey or transparent in every derivative.
    pub truncated: bool,
    /// What somebody may not expect of the renditions, a sentence each.
    pub notes: Vec<String>,
    /// What the recipe's services found out.
    pub findings: Findings,
}

/// Makes every derivative of a recipe from one source and gives each to the sink, in the recipe's order.
///
/// The source is decoded at most once, and never to more pixels than its largest derivative needs. The limits are
/// checked before anything is allocated. Nothing is given to the sink unless all derivatives make sense for this
/// image.
///
/// # Errors
/// Those of [`probe`]; [`TooManyBytes`](ErrorKind::TooManyBytes), [`TooManyPixels`](ErrorKind::TooManyPixels) and
/// [`TooManyFrames`](ErrorKind::TooManyFrames) over the limits, [`Timeout`](ErrorKind::Timeout) past the deadline;
/// [`BadRequest`](ErrorKind::BadRequest) and [`UnsupportedOutput`](ErrorKind::UnsupportedOutput) for a derivative that
/// makes no sense for this image or is not built in; [`Truncated`](ErrorKind::Truncated) and
/// [`Corrupt`](ErrorKind::Corrupt) for a file that breaks off or breaks its format's rules;
/// [`Encode`](ErrorKind::Encode) if an encoder refuses; [`Sink`](ErrorKind::Sink) if the sink does.
pub fn derive(
    source: &[u8],
    recipe: &Recipe,
    sink: &mut dyn Sink,
    limits: &Limits,
) -> Result<Derived, Error> {
    limits.check_bytes(source)?;
    let header = probe_page(source, recipe.page())?;
    // A drawing has no pixels before it is drawn, and what is drawn of it is checked as each derivative is.
    if header.vector.is_none() {
        limits.check("the image", header.width, header.height)?;
    }
    let works = plan_all(&header, recipe, limits)?;
    let view = recipe.view().map(|view| Work::new(VIEW, view, &header, limits)).transpose()?;
    let finished = InOrder::new(sink, works.len());
    let (truncated, notes, findings) = (false, Vec::new(), Findings::default());
    let mut making = Making { source, header: &header, limits, finished, truncated, notes, findings };
    let mut drawing = Vec::new();
    for work in works {
        if !making.without_drawing(&work)? {
            drawing.push(work);
        }
    }
    drawing.extend(view);
    if !drawing.is_empty() {
        making.draw(drawing, recipe.services())?;
    }
    let Making { truncated, notes, mut findings, .. } = making;
    findings.sha1 = recipe.services().fingerprint(source);
    Ok(Derived { header, truncated, notes, findings })
}

/// The place in a recipe of what services look at: in none, for it is no rendition.
const VIEW: usize = usize::MAX;

/// A source that derivatives are made of, and what came of it so far.
struct Making<'a> {
    source: &'a [u8],
    header: &'a Header,
    limits: &'a Limits,
    finished: InOrder<'a>,
    truncated: bool,
    notes: Vec<String>,
    findings: Findings,
}

impl Making<'_> {
    /// Makes a derivative that is copied, or written as the source's rows come, if it is one of those.
    fn without_drawing(&mut self, work: &Work<'_>) -> Result<bool, Error> {
        let Making { source, header, limits, finished, .. } = self;
        let early = match work.plan.lossless(header, work.derivative) {
            Some(lossless) => work.copy(source, header, lossless, limits)?,
            None if work.streams(header) => {
                let target = finished.target(work.derivative, work.plan.output)?;
                let scratch = &mut |bytes| finished.scratch(bytes);
                let notes = &mut self.notes;
                shielded(ErrorKind::Corrupt, || work.stream(source, header, scratch, limits, target, notes))
                    .map_err(|e| e.in_derivative(&work.derivative.label))?
            }
            None => None,
        };
        let Some((rendition, ended_early)) = early else { return Ok(false) };
        self.truncated |= ended_early;
        self.finished.put(work.index, rendition)?;
        Ok(true)
    }

    /// Decodes the source once, and draws everything else of it.
    fn draw(&mut self, mut drawing: Vec<Work<'_>>, services: &Services) -> Result<(), Error> {
        let need = plan::need(drawing.iter().map(|work| (&work.plan, work.derivative)));
        let decode = || Canvas::decode(self.source, self.header, need, self.limits, &mut drawing);
        let (mut canvas, ended_early) = shielded(ErrorKind::Corrupt, decode)?;
        self.truncated |= ended_early;
        // From large to small, so that a small derivative can be drawn from a larger one; last what takes all pixels as
        // they are, which then need not be copied.
        drawing.sort_by_key(|work| (canvas.is_all_there_is(&work.plan), std::cmp::Reverse(work.plan.drawn)));
        for (done, work) in drawing.iter().enumerate() {
            self.limits.check_time()?;
            let later = &drawing[done + 1..];
            if work.index == VIEW {
                let full = self.header.upright();
                let look = || services.look(work.finished_pixels(&mut canvas, later, self.limits)?, full);
                self.findings = shielded(ErrorKind::Encode, look)?;
                continue;
            }
            let rendition = self.rendition(work, &mut canvas, later);
            let rendition = rendition.map_err(|e| e.in_derivative(&work.derivative.label))?;
            self.finished.put(work.index, rendition)?;
        }
        Ok(())
    }

    fn rendition(
        &mut self,
        work: &Work<'_>,
        canvas: &mut Canvas,
        later: &[Work<'_>],
    ) -> Result<Finished, Error> {
        let Making { source, header, limits, .. } = *self;
        let kept = work.derivative.options.metadata;
        let exif = shielded(ErrorKind::Corrupt, || metadata::block(source, header, kept, exif::UPRIGHT))?;
        let exif = exif.as_deref();
        match work.derivative.request.format {
            OutputFormat::Ptif => {
                let target = self.finished.target(work.derivative, work.plan.output)?;
                self.notes.extend(work.notes(canvas.has_alpha(), false, false, header));
                shielded(ErrorKind::Encode, || work.pyramid(canvas, later, exif, limits, target))
            }
            _ => shielded(ErrorKind::Encode, || work.render(canvas, later, exif, limits)),
        }
    }
}

/// What is done to pixels that a plan's region was drawn as: turned, given its quality, laid on its background.
pub(crate) fn finish(
    derivative: &Derivative,
    plan: &Plan,
    pixels: Pixels,
    limits: &Limits,
) -> Result<Pixels, Error> {
    Work { index: 0, derivative, plan: plan.clone() }.finish(pixels, limits)
}

/// One derivative to make: which of the recipe's, and how.
#[derive(Clone)]
struct Work<'a> {
    index: usize,
    derivative: &'a Derivative,
    plan: Plan,
}

fn plan_all<'a>(header: &Header, recipe: &'a Recipe, limits: &Limits) -> Result<Vec<Work<'a>>, Error> {
    let plan = |(index, derivative)| Work::new(index, derivative, header, limits);
    recipe.derivatives().iter().enumerate().map(plan).collect()
}

impl<'a> Work<'a> {
    fn new(
        index: usize,
        derivative: &'a Derivative,
        header: &Header,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let plan = Plan::new(header, derivative, limits).map_err(|e| e.in_derivative(&derivative.label))?;
        Ok(Work { index, derivative, plan })
    }
}

impl Work<'_> {
    fn streams(&self, header: &Header) -> bool {
        self.derivative.request.format == OutputFormat::Ptif
            && self.plan.goes_by_rows(header, self.derivative)
    }

    /// The rendition, and whether the source ended before its image did.
    fn copy(
        &self,
        source: &[u8],
        header: &Header,
        lossless: Lossless,
        limits: &Limits,
    ) -> Result<Option<(Finished, bool)>, Error> {
        decode::check_scans(source, header, limits)?;
        // Coefficients that stay as they are stored need a tag to say how they are turned.
        let ((width, height), orientation) = match (lossless, &self.derivative.request.rotation) {
            (Lossless::Turned { .. }, _) => (self.plan.output, exif::UPRIGHT),
            (_, Rotation::AsStored) => ((header.width, header.height), exif::UPRIGHT),
            (_, Rotation::Turn { .. }) => ((header.width, header.height), header.orientation),
        };
        let exif = metadata::block(source, header, self.derivative.options.metadata, orientation)?;
        let (turn, exif) = (self.plan.turn, exif.as_deref());
        let optimised = self.derivative.options.optimises_huffman_tables();
        let copied = lossless::copy(source, header, lossless, turn, exif, optimised, limits)?;
        Ok(copied.map(|copied| (self.rendition(width, height, copied.bytes), copied.truncated)))
    }

    /// A pyramid, from the source's rows as they are read, and whether the source ended before its image did; `None`
    /// if it cannot be read in order after all.
    fn stream(
        &self,
        source: &[u8],
        header: &Header,
        scratch: Scratch<'_>,
        limits: &Limits,
        mut target: Target,
        notes: &mut Vec<String>,
    ) -> Result<Option<(Finished, bool)>, Error> {
        let Self { plan, derivative, .. } = self;
        let exif = metadata::block(source, header, derivative.options.metadata, exif::UPRIGHT)?;
        if let Some(truncated) =
            planar::write(self, source, header, exif.as_deref(), scratch, limits, &mut target)?
        {
            return Ok(Some((target.into_rendition(), truncated)));
        }
        let Some(mut rows) = Rows::in_order(self, source, header, scratch, limits)? else { return Ok(None) };
        let is_deep = rows.depth() == Depth::Sixteen;
        notes.extend(self.notes(rows.had_alpha(), rows.has_own_colours(), is_deep, header));
        let samples = ptif::Samples {
            channels: rows.channels(),
            depth: rows.depth(),
            profile: rows.profile().map(<[u8]>::to_vec),
        };
        ptif::write(
            plan.output,
            samples,
            &derivative.options,
            exif.as_deref(),
            limits,
            &mut target,
            |push| {
                while let Some(some) = rows.next(limits)? {
                    push(&some)?;
                }
                Ok(())
            },
        )?;
        Ok(Some((target.into_rendition(), rows.truncated())))
    }

    /// A pyramid of decoded pixels.
    fn pyramid(
        &self,
        canvas: &mut Canvas,
        later: &[Work<'_>],
        exif: Option<&[u8]>,
        limits: &Limits,
        mut target: Target,
    ) -> Result<Finished, Error> {
        let pixels = self.finished_pixels(canvas, later, limits)?;
        encode::ptif::write_pixels(&pixels, &self.derivative.options, exif, limits, &mut target)?;
        Ok(target.into_rendition())
    }

    fn render(
        &self,
        canvas: &mut Canvas,
        later: &[Work<'_>],
        exif: Option<&[u8]>,
        limits: &Limits,
    ) -> Result<Finished, Error> {
        let (format, options) = (self.derivative.request.format, &self.derivative.options);
        let chroma = self.plan.stays_planes(self.derivative);
        let picture = canvas.draw(&self.plan, chroma.unwrap_or(Chroma::Full), later)?;
        if let (Picture::Planes(planes), Some(_)) = (&picture, chroma) {
            let bytes = encode::encode_planes(planes, options, exif)?;
            return Ok(self.rendition(planes.width, planes.height, bytes));
        }
        let pixels = self.finish(picture.into_pixels(), limits)?;
        limits.check_time()?;
        let bytes = encode::encode(&pixels, format, options, exif)?;
        Ok(self.rendition(pixels.width, pixels.height, bytes))
    }

    /// Resize, rotate, quality, flatten.
    fn finished_pixels(
        &self,
        canvas: &mut Canvas,
        later: &[Work<'_>],
        limits: &Limits,
    ) -> Result<Pixels, Error> {
        let picture = canvas.draw(&self.plan, Chroma::Full, later)?;
        self.finish(picture.into_pixels(), limits)
    }

    /// What comes after resizing: rotate, quality, flatten.
    fn finish(&self, pixels: Pixels, limits: &Limits) -> Result<Pixels, Error> {
        let plan = &self.plan;
        limits.check_time()?;
        let pixels = ops::turn::turn(pixels, plan.turn);
        let pixels = match plan.degrees {
            Some(degrees) => ops::rotate::rotate(&pixels, degrees, plan.output, limits)?,
            None => pixels,
        };
        self.with_quality(pixels, limits)
    }

    fn with_quality(&self, pixels: Pixels, limits: &Limits) -> Result<Pixels, Error> {
        let method = self.derivative.gray_method();
        let quality = self.derivative.request.quality;
        // Diffusing error needs every pixel seen, so a dithered one has no alpha in any format.
        let flatten = !self.derivative.keeps_alpha() || quality == Quality::Dither;
        let mut background = self.derivative.options.background.unwrap_or_default();
        let mut pixels = pixels;
        if self.derivative.uses_gray_method() {
            pixels = ops::gray::gray(pixels, method);
            background = ops::flatten::without_colour(background, method);
        }
        if let Quality::Crisp { radius, amount, median } = quality {
            let (radius, amount, median) = (radius.to_f64(), amount.to_f64(), median.to_f64());
            pixels = ops::crisp::crisp(pixels, radius, amount, median, limits)?;
        }
        if flatten {
            pixels = ops::flatten::flatten(pixels, background);
        }
        Ok(match quality {
            Quality::Bitonal => ops::bitonal::bitonal(pixels),
            Quality::Dither => ops::dither::dither(pixels),
            _ => pixels,
        })
    }

    fn rendition(&self, width: u32, height: u32, bytes: Vec<u8>) -> Finished {
        let label = self.derivative.label.clone();
        let format = self.derivative.request.format;
        Finished::Bytes(Rendition { label, format, width, height, bytes })
    }
}
