//! From a source to the files of its tiles.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::layout::Plan;
use super::{Layout, TileSettings, TileSink, Tiled};
use crate::derive::Rows;
use crate::encode;
use crate::error::{Error, ErrorKind, shielded};
use crate::limits::Limits;
use crate::pixels::{Channels, Depth, Pixels};
use crate::pyramid::{Band, Bands, Line, Take, Tile, with_line};
use crate::recipe::{Derivative, EncoderOptions, OutputFormat, Request};

/// Cuts a source into the tiles of every level, and hands each file to `sink` as it is made.
///
/// Memory is bounded by the width of the image where its rows can be read in order, as [`derive`](crate::derive())'s is
/// for a pyramid. The file that describes the tiles comes last.
///
/// # Errors
/// Those of [`derive`](crate::derive()); [`Sink`](ErrorKind::Sink) if `sink` does not take a file.
pub fn tile(
    source: &[u8],
    settings: &TileSettings,
    sink: &dyn TileSink,
    limits: &Limits,
) -> Result<Tiled, Error> {
    let derivative = derivative(settings)?;
    let mut rows = Rows::of(source, &derivative, &mut |bytes| sink.scratch(bytes), limits)?;
    let (size, channels) = (rows.size(), rows.channels());
    let plan = Plan::new(settings, size);
    let files = AtomicU64::new(0);
    let keep = |path: &str, bytes: &[u8]| {
        files.fetch_add(1, Ordering::Relaxed);
        sink.put(path, bytes).map_err(|e| {
            Error::new(ErrorKind::Sink, format!("the tile {path} could not be written: {e}")).caused_by(e)
        })
    };
    let worker = || -> Box<dyn FnMut(Task) -> Result<(), Error> + '_> {
        Box::new(|task| {
            shielded(ErrorKind::Encode, || task.make(&plan, settings.format, &derivative.options, &keep))
        })
    };
    with_line(limits.threads, worker, |line| {
        let mut bands = Bands::new(&plan.sizes, channels, Depth::Eight, settings.tile);
        let mut cutting = Cutting { line, plan: &plan, side: settings.tile, wholes: Vec::new(), spare: None };
        while let Some(strip) = rows.next(limits)? {
            bands.push(&strip, &mut cutting)?;
        }
        if !bands.is_complete() {
            return Err(Error::truncated("the image ended before its last row"));
        }
        cutting.finish(channels)
    })?;
    let (path, description) = plan.description();
    keep(&path, description.as_bytes())?;
    let ((width, height), levels) = (size, plan.sizes.len());
    Ok(Tiled { width, height, levels, files: files.into_inner() })
}

/// What is asked of the source: all of it, upright, for this format.
fn derivative(settings: &TileSettings) -> Result<Derivative, Error> {
    let refuse = |message: &str| Err(Error::bad_request(message));
    if !matches!(settings.format, OutputFormat::Jpg | OutputFormat::Png | OutputFormat::Webp) {
        return refuse("tiles are made in jpg, png or webp");
    }
    if !(64..=4096).contains(&settings.tile) || !settings.tile.is_multiple_of(2) {
        return refuse("a tile has an even number of pixels a side, from 64 to 4096");
    }
    if let Some(factors) = &settings.factors
        && (factors.is_empty()
            || !factors.iter().all(|factor| factor.is_power_of_two() && *factor <= 1 << 16))
    {
        return refuse("scale factors are powers of two (1, 2, 4, 8 …), at least one, up to 65536");
    }
    if settings.factors.is_some() && settings.layout == Layout::Dzi {
        return refuse("Deep Zoom has all levels; scale factors are for IIIF");
    }
    let request = Request { format: settings.format, quality: settings.quality, ..Request::default() };
    // Huffman tables for each small file are not worth their time, unless somebody asks for effort.
    let effort = match settings.format {
        OutputFormat::Jpg => settings.options.effort.or(Some(0)),
        _ => settings.options.effort,
    };
    let options = EncoderOptions { effort, ..settings.options.clone() };
    Ok(Derivative { label: "tile".to_owned(), request, options })
}

/// A file to make.
enum Task {
    Tile(Tile),
    /// A level as one image, to be written under these paths.
    Whole(Pixels, Vec<String>),
}

type Keep<'a> = dyn Fn(&str, &[u8]) -> Result<(), Error> + 'a;

impl Task {
    fn make(
        self,
        plan: &Plan<'_>,
        format: OutputFormat,
        options: &EncoderOptions,
        keep: &Keep<'_>,
    ) -> Result<(), Error> {
        match self {
            Task::Tile(tile) => {
                let (width, height) = tile.inside();
                let mut data = Vec::new();
                tile.cut(&mut data);
                let pixels = Pixels::new(width, height, tile.channels(), data)?;
                let bytes = encode::encode(&pixels, format, options, None)?;
                let place = (tile.column, tile.band.number);
                keep(&plan.tile(tile.band.level, place, (width, height)), &bytes)
            }
            Task::Whole(pixels, paths) => {
                let bytes = encode::encode(&pixels, format, options, None)?;
                paths.iter().try_for_each(|path| keep(path, &bytes))
            }
        }
    }
}

/// Gives the tiles of bands to the line, and keeps small levels whole.
struct Cutting<'a, 'l, 'p> {
    line: &'a mut Line<'l, Task, Result<(), Error>>,
    plan: &'a Plan<'p>,
    side: u32,
    /// Small levels, by their numbers.
    wholes: Vec<(usize, Vec<u8>)>,
    /// A band at full size that is written.
    spare: Option<Arc<Band>>,
}

impl Take for Cutting<'_, '_, '_> {
    fn take(&mut self, band: Band) -> Result<Vec<u8>, Error> {
        if !self.plan.wholes(band.level).is_empty() {
            match self.wholes.iter_mut().find(|(level, _)| *level == band.level) {
                Some((_, data)) => data.extend_from_slice(&band.data),
                None => self.wholes.push((band.level, band.data.clone())),
            }
        }
        let band = Arc::new(band);
        let full_size = band.level == 0;
        // Before another band at full size comes, the one before it is written: no more than two are held.
        let before = if full_size { self.spare.replace(Arc::clone(&band)) } else { None };
        if full_size {
            while before.as_ref().is_some_and(|before| Arc::strong_count(before) > 1) {
                match self.line.next() {
                    Some(result) => result?,
                    None => break,
                }
            }
        }
        if self.plan.is_cut(band.level) {
            Tile::of(&band, self.side).for_each(|tile| self.line.give(Task::Tile(tile)));
        }
        while let Some(result) = self.line.ready() {
            result?;
        }
        Ok(before.and_then(Arc::into_inner).map(|band| band.data).unwrap_or_default())
    }
}

impl Cutting<'_, '_, '_> {
    /// Has the whole images made, and waits for everything.
    fn finish(mut self, channels: Channels) -> Result<(), Error> {
        for (level, data) in std::mem::take(&mut self.wholes) {
            let (width, height) = self.plan.sizes[level];
            let pixels = Pixels::new(width, height, channels, data)?;
            let mut paths = self.plan.wholes(level);
            if width <= self.side && height <= self.side && self.plan.is_cut(level) {
                // The only tile of its level is that file already.
                paths.remove(0);
            }
            if !paths.is_empty() {
                self.line.give(Task::Whole(pixels, paths));
            }
        }
        while let Some(result) = self.line.next() {
            result?;
        }
        Ok(())
    }
}
