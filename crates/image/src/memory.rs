//! How much memory a source and a recipe will take, from the header alone.

use imgmill_resize::Gradual;

use crate::decode::Canvas;
use crate::encode::ptif;
use crate::finished::at_most;
use crate::header::{Header, RowOrder};
use crate::jpeg::coded_bytes_most;
use crate::limits::Limits;
use crate::ops::smart_crop::LONGEST;
use crate::plan::{self, Lossless, Plan};
use crate::recipe::{Derivative, OutputFormat, Quality, Recipe};
use crate::scratch::SMALL;
use crate::sniff::SourceFormat;

/// Elements, fonts and paths of a drawing, which the header knows nothing of.
const VECTOR_FIXED: u64 = 32 << 20;

/// What deriving takes, by the header alone: upper estimates, for admitting work to bounded memory and disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Peak bytes that are allocated, the source's own not counted.
    pub memory: u64,
    /// Bytes of [scratch files](crate::Sink::scratch), all derivatives' together.
    pub scratch: u64,
    /// Bytes of renditions that are written to what the sink [opens](crate::Sink::open).
    pub written: u64,
}

/// Peak bytes that [`derive`](crate::derive) allocates for this source and recipe, the source's own bytes not counted,
/// with a sink that takes everything from memory. With one that opens outputs and gives scratch files it is
/// [less](needs).
pub fn memory_need(header: &Header, recipe: &Recipe) -> u64 {
    let Needs { memory, scratch, .. } = needs(header, recipe);
    let streamed = planned(header, recipe).into_iter().filter(|work| streams(header, work));
    memory + scratch + streamed.map(|(plan, _)| encoded_bytes(&plan)).sum::<u64>()
}

/// What [`derive`](crate::derive) takes for this source and recipe, with a sink that opens outputs and gives scratch
/// files.
///
/// Decoded pixels at the scale that will be chosen, what the decoder holds beside them, and for the most demanding
/// derivative its intermediates and its encoder; of a pyramid that is made of rows as they come, its bands.
pub fn needs(header: &Header, recipe: &Recipe) -> Needs {
    /// Codec state, tables, small buffers.
    const FIXED: u64 = 2 << 20;
    let (copied, others): (Vec<_>, Vec<_>) = planned(header, recipe)
        .into_iter()
        .partition(|(plan, derivative)| plan.lossless(header, derivative).is_some());
    let (streamed, drawn): (Vec<_>, Vec<_>) = others.into_iter().partition(|work| streams(header, work));
    let streaming: Vec<_> =
        streamed.iter().map(|(plan, derivative)| stream_needs(header, plan, derivative)).collect();

    let copying = copied.iter().filter_map(|(plan, derivative)| plan.lossless(header, derivative));
    let copying = copying.map(|lossless| copy_bytes(header, lossless)).max().unwrap_or(0);
    let drawing =
        if drawn.is_empty() { 0 } else { decode_bytes(header, &drawn) + render_bytes(header, &drawn) };
    let kept: u64 = copied.iter().chain(&drawn).map(|(plan, _)| encoded_bytes(plan)).sum();
    let most = streaming.iter().map(|needs| needs.memory).max().unwrap_or(0);
    Needs {
        memory: FIXED + copying.max(most).max(drawing) + kept,
        scratch: streaming.iter().map(|needs| needs.scratch).sum(),
        written: streaming.iter().map(|needs| needs.written).sum(),
    }
}

type Planned<'a> = (Plan, &'a Derivative);

/// The derivatives that can be made; one that cannot costs nothing.
fn planned<'a>(header: &Header, recipe: &'a Recipe) -> Vec<Planned<'a>> {
    let no_limits = Limits { max_pixels: u64::MAX, ..Limits::default() };
    let plan = |derivative| Some((Plan::new(header, derivative, &no_limits).ok()?, derivative));
    recipe.derivatives().iter().chain(recipe.view()).filter_map(plan).collect()
}

/// Whether it is a pyramid of rows as they come, or of what is laid aside.
fn streams(header: &Header, (plan, derivative): &Planned<'_>) -> bool {
    derivative.request.format == OutputFormat::Ptif
        && header.rows != RowOrder::AtOnce
        && plan.goes_by_rows(header, derivative)
}

fn stream_needs(header: &Header, plan: &Plan, derivative: &Derivative) -> Needs {
    let wide = derivative.options.bits == Some(16);
    let mut needs = Needs {
        memory: band_bytes(plan, derivative),
        scratch: 0,
        written: at_most(plan.output.0, plan.output.1, wide),
    };
    let mut lay = |bytes| if bytes > SMALL { needs.scratch += bytes } else { needs.memory += bytes };
    if let RowOrder::Aside { bytes, .. } = header.rows {
        lay(bytes);
    }
    let channels = u64::from(header.channels.clamp(3, 4));
    if plan.is_turned() {
        let pixel = channels * if wide { 2 } else { 1 };
        lay(u64::from(plan.drawn.0) * u64::from(plan.drawn.1) * pixel);
    }
    if !plan.is_unscaled() {
        needs.memory += Gradual::memory((header.width, header.height), channels as usize, plan.drawn);
    }
    needs.memory += match header.rows {
        RowOrder::Aside { beside, .. } => beside,
        _ if header.format == SourceFormat::Tiff => piece_bytes(header),
        _ => 0,
    };
    needs
}

/// The bands of a pyramid: one being filled and one in flight at full size, and less than as much of all other levels.
fn band_bytes(plan: &Plan, derivative: &Derivative) -> u64 {
    let rows = derivative.options.tile.unwrap_or(ptif::TILE).min(plan.output.1.next_multiple_of(16));
    let deep = if derivative.options.bits == Some(16) { 2 } else { 1 };
    u64::from(plan.output.0) * u64::from(rows) * 3 * 4 * deep
}

/// A TIFF's strips and tiles, of a height that headers do not tell.
fn piece_bytes(header: &Header) -> u64 {
    const ROWS: u64 = 512;
    let row = u64::from(header.width) * u64::from(header.channels) * u64::from(header.bits).div_ceil(8);
    row * ROWS * 2
}

/// All coefficients, and those of the turned image beside them.
fn copy_bytes(header: &Header, lossless: Lossless) -> u64 {
    let coefficients = header.jpeg.as_ref().map_or(0, |jpeg| jpeg.coefficient_bytes);
    match lossless {
        Lossless::Tagged { .. } => coefficients,
        Lossless::Turned { .. } => 2 * coefficients,
    }
}

/// The decoded pixels and what is needed beside them while decoding.
fn decode_bytes(header: &Header, drawn: &[(Plan, &Derivative)]) -> u64 {
    let need = plan::need(drawn.iter().map(|(plan, derivative)| (plan, *derivative)));
    let pixels = u64::from(header.width) * u64::from(header.height);
    if let Some(vector) = &header.vector {
        // Four channels on each canvas.
        let most = Limits { max_pixels: u64::MAX, ..Limits::default() };
        return Canvas::new(&need, &most).pixels() * 4 * vector.layers + VECTOR_FIXED;
    }
    if header.format == SourceFormat::Jpeg2000 {
        // A sample is a float, once as a coefficient and once as decoded, and then bytes.
        let scaled = pixels * u64::from(need.eighths).pow(2) / 64;
        return scaled * u64::from(header.channels) * 11;
    }
    match &header.jpeg {
        Some(jpeg) => {
            let scaled = |side: u32| (u64::from(side) * u64::from(need.eighths)).div_ceil(8);
            let luma = need.luma_only && jpeg.is_srgb;
            let gray = jpeg.luma_stands_alone && (luma || header.channels == 1);
            // CMYK and the RGB made of it exist side by side.
            let channels = if gray { 1 } else { [3, 7][usize::from(header.channels == 4)] };
            let beside = match jpeg.several_scans {
                true => jpeg.coefficient_bytes,
                false => coded_bytes_most(header.width, header.height),
            };
            scaled(header.width) * scaled(header.height) * channels + beside
        }
        None => {
            let stored = pixels * u64::from(header.channels) * u64::from(header.bits).div_ceil(8);
            // As stored, as converted, and a canvas that frames or alpha are laid on.
            stored + pixels * 4 * 2
        }
    }
}

/// The most that one derivative takes from drawing to encoding.
fn render_bytes(header: &Header, drawn: &[(Plan, &Derivative)]) -> u64 {
    let pixels = |(w, h): (u32, u32)| u64::from(w) * u64::from(h);
    let one = |(plan, derivative): &(Plan, &Derivative)| {
        let gray = derivative.uses_gray_method() || header.channels == 1;
        let alpha = u64::from(header.jpeg.is_none());
        let channels = if gray { 1 + alpha } else { 3 + alpha };
        // Drawn; what an operation makes of it; a copy that smaller derivatives are drawn from.
        let copies = 2 + u64::from(drawn.len() > 1);
        // Between its two passes the resizer holds the region's rows at their new width.
        let between =
            if plan.is_unscaled() { 0 } else { u64::from(plan.drawn.0) * u64::from(rows(header, plan)) };
        // While it is blurred, a sample is held as four bytes twice.
        let crisp =
            if matches!(derivative.request.quality, Quality::Crisp { .. }) { 8 * channels } else { 0 };
        let finishing = pixels(plan.output) * crisp.max(encoder_bytes(derivative, channels));
        // A smart crop looks at a small copy first, whose rows are all held at its width.
        let looking =
            if plan.smart.is_some() { u64::from(LONGEST) * u64::from(header.height) * 4 } else { 0 };
        ((pixels(plan.drawn) * copies + between) * channels + finishing).max(looking)
    };
    drawn.iter().map(one).max().unwrap_or(0)
}

/// Rows of a plan's region as they are decoded: of a drawing, about as many as are wanted.
fn rows(header: &Header, plan: &Plan) -> u32 {
    if header.vector.is_some() { plan.drawn.1.saturating_mul(2) } else { plan.region.h }
}

/// Bytes a pixel that an encoder holds beside the pixels, its output not counted.
fn encoder_bytes(derivative: &Derivative, channels: u64) -> u64 {
    match derivative.request.format {
        // Coefficients of two bytes, kept until the Huffman tables are made.
        OutputFormat::Jpg if channels <= 2 => 2,
        OutputFormat::Jpg if derivative.options.quality_for(OutputFormat::Jpg) < 90 => 3,
        OutputFormat::Jpg => 6,
        // The picture in its own colours, tokens, and for lossless the hash chains.
        OutputFormat::Webp => 8,
        // Four channels for the quantiser and the indices it gives.
        OutputFormat::Gif => 5,
        // Frames of two bytes a sample in and out, and what the encoder notes of every block.
        OutputFormat::Avif => 48,
        _ => channels,
    }
}

/// A finished file that may wait for its turn.
fn encoded_bytes(plan: &Plan) -> u64 {
    u64::from(plan.output.0) * u64::from(plan.output.1)
}
