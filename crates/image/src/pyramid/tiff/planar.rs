//! A pyramid of JPEG tiles made of a JPEG's own planes: luma and colour are halved level by level, each at the
//! resolution that it is kept in, and never become red, green and blue.

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use super::{Samples, Settings, Writer, packers};
use crate::error::Error;
use crate::jpeg::PlaneRows;
use crate::pixels::{Channels, Depth};
use crate::pyramid::bands::Take;
use crate::pyramid::{Band, Bands, until_one_tile, with_line};
use crate::sink::Output;

/// Writes the pyramid of an image of `size` to `out`. `rows` gives the rows of Y, Cb and Cr, some at a time, to what it is
/// called with; colour comes at half of each side where it is stored at that or, with `halve`, at all of it, to be
/// halved.
///
/// # Errors
/// As [`write`](super::write)'s.
pub(crate) fn write_planes(
    size: (u32, u32),
    settings: &Settings,
    halve: bool,
    threads: NonZeroUsize,
    out: &mut dyn Output,
    rows: impl FnOnce(&mut dyn FnMut([PlaneRows<'_>; 3]) -> Result<(), Error>) -> Result<(), Error>,
) -> Result<(), Error> {
    let sizes = until_one_tile(size.0, size.1, settings.tile);
    let finer = if settings.packing.is_subsampled() { 2 } else { 1 };
    let coarse: Vec<_> = sizes.iter().map(|(w, h)| (w.div_ceil(finer), h.div_ceil(finer))).collect();
    // As it comes, above the levels that are kept.
    let above: Vec<_> = if halve { vec![size] } else { Vec::new() };
    let coarse: Vec<_> = above.iter().chain(&coarse).copied().collect();
    let sides = [settings.tile, settings.tile / finer, settings.tile / finer];
    with_line(threads, packers(settings, Samples::Planes), |line| {
        let mut planes = [
            Plane::new(&sizes, 0, sides[0]),
            Plane::new(&coarse, above.len(), sides[1]),
            Plane::new(&coarse, above.len(), sides[2]),
        ];
        let mut writer = Writer::new(line, out, sizes.len(), &sides)?;
        rows(&mut |rows| {
            for (plane, rows) in planes.iter_mut().zip(rows) {
                rows.iter().try_for_each(|row| plane.bands.push_row(row, &mut plane.done))?;
            }
            hand_on(&mut planes, &mut writer)
        })?;
        if !planes.iter().all(|plane| plane.bands.is_complete()) {
            return Err(Error::truncated("the image ended before its last row"));
        }
        writer.finish(&sizes, Samples::Planes, settings)
    })
}

/// One plane's levels, and its bands that the other planes' may not have caught up with.
struct Plane {
    bands: Bands,
    done: Done,
}

struct Done {
    /// Levels that are finer than any that is kept.
    above: usize,
    bands: VecDeque<Band>,
    /// Memory that is free, by level.
    spare: Vec<Vec<u8>>,
}

impl Plane {
    fn new(sizes: &[(u32, u32)], above: usize, side: u32) -> Self {
        let bands = Bands::new(sizes, Channels::Gray, Depth::Eight, side);
        Plane { bands, done: Done { above, bands: VecDeque::new(), spare: vec![Vec::new(); sizes.len()] } }
    }
}

impl Take for Done {
    fn take(&mut self, band: Band) -> Result<Vec<u8>, Error> {
        let level = band.level;
        if level < self.above {
            return Ok(band.data);
        }
        self.bands.push_back(band);
        Ok(std::mem::take(&mut self.spare[level]))
    }
}

/// Gives what all planes have of a band to the writer. They are halved in step, so each has the same bands in the same
/// order.
fn hand_on(planes: &mut [Plane; 3], writer: &mut Writer<'_, '_>) -> Result<(), Error> {
    while planes.iter().all(|plane| !plane.done.bands.is_empty()) {
        let bands: Vec<_> = planes.iter_mut().filter_map(|plane| plane.done.bands.pop_front()).collect();
        let level = bands[0].level;
        writer.give(level, bands)?;
        let spare = std::mem::take(&mut writer.levels[level].spare);
        for (plane, spare) in planes.iter_mut().zip(spare) {
            let level = level + plane.done.above;
            plane.done.spare[level] = spare;
        }
    }
    Ok(())
}
