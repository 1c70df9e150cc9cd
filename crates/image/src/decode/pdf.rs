//! PDF: the first page, drawn at the size that is wanted on white paper.
//!
//! A page is as large as its crop box, at 72 dots an inch unless a derivative's `dpi` says otherwise. Fonts that are not
//! in the file are replaced by hayro's own; nothing of the machine is looked at.

use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::{LoadPdfError, Pdf};
use hayro::kurbo::Affine;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::vello_cpu::{Pixmap, RasterizerSettings, RenderContext, Resources, TargetInit};
use hayro::{RenderCache, RenderSettings, hayro_interpret::util::TransformExt, render_into};

use super::vector::{self, Canvas};
use crate::error::Error;
use crate::header::{Header, VectorTraits};
use crate::pixels::{Channels, Pixels};
use crate::sniff::SourceFormat;

/// PDF's own unit, the point.
const DPI: u16 = 72;
/// Canvases that a page's groups and masks may take beside it, for counting memory.
const LAYERS: u64 = 4;

pub(super) fn header(source: &[u8]) -> Result<Header, Error> {
    let (width, height) = vector::with_room(|| {
        let pdf = open(source)?;
        let page = pdf.pages().first().ok_or_else(|| no_page(source))?;
        Ok(page.render_dimensions())
    })?;
    let drawing = VectorTraits::new(width.into(), height.into(), DPI, LAYERS)?;
    Ok(drawing.header(SourceFormat::Pdf, 3))
}

pub(super) fn decode(source: &[u8], canvas: Canvas) -> Result<Pixels, Error> {
    check_complete(source)?;
    vector::with_room(|| {
        let pdf = open(source)?;
        let page = pdf.pages().first().ok_or_else(|| no_page(source))?;
        let too_large = |_| Error::corrupt("the PDF's page is too large to be drawn");
        let width = u16::try_from(canvas.width).map_err(too_large)?;
        let height = u16::try_from(canvas.height).map_err(too_large)?;
        let (page_width, page_height) = page.render_dimensions();
        let scale = Affine::scale_non_uniform(
            f64::from(width) / f64::from(page_width),
            f64::from(height) / f64::from(page_height),
        );
        let mut context = RenderContext::new(width, height);
        render_into(
            page,
            &RenderCache::new(),
            &InterpreterSettings::default(),
            &RenderSettings::default(),
            &mut context,
            scale * page.initial_transform(true).to_kurbo(),
        );
        context.flush();
        let mut pixmap = Pixmap::new(width, height);
        let settings = RasterizerSettings { target_init: TargetInit::Clear(WHITE), ..Default::default() };
        context.render_with(&mut pixmap, &mut Resources::default(), settings);
        // On white nothing is transparent.
        let rgba = pixmap.data_as_u8_slice().as_chunks::<4>().0;
        let rgb = rgba.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect();
        Pixels::new(canvas.width, canvas.height, Channels::Rgb, rgb)
    })
}

fn open(source: &[u8]) -> Result<Pdf, Error> {
    // hayro wants to own what it reads.
    Pdf::new(source.to_vec()).map_err(|e| match e {
        LoadPdfError::Decryption(_) => {
            Error::unsupported("the PDF is encrypted; a copy without a password can be read")
        }
        LoadPdfError::Invalid => cut_or(source, "the PDF is damaged"),
    })
}

fn no_page(source: &[u8]) -> Error {
    cut_or(source, "the PDF has no page")
}

/// The file's last line is `%%EOF` (ISO 32000-1 §7.5.5), within the last 1,024 bytes as readers take it. hayro repairs
/// what ends earlier, and pages go missing.
fn check_complete(source: &[u8]) -> Result<(), Error> {
    let tail = &source[source.len().saturating_sub(1024)..];
    if tail.windows(5).any(|window| window == b"%%EOF") {
        return Ok(());
    }
    Err(Error::truncated("the PDF ends before its last line"))
}

fn cut_or(source: &[u8], message: &str) -> Error {
    check_complete(source).err().unwrap_or_else(|| Error::corrupt(message))
}
