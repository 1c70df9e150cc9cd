//! Tiled, multi-resolution TIFF as image servers read it: a directory a level, the full size first, each of the others
//! marked as a reduced image.
//!
//! TIFF 6.0 (§15 tiles), supplement 2 (deflate), technical note 2 (JPEG), BigTIFF where four bytes do not count the
//! file. Tiles are written as they are made and the directories after them; the header, which says where the first
//! directory is, comes last.

mod directory;
mod packing;
mod planar;

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::bands::Take;
use super::{Band, Bands, Line, Tile, until_one_tile, with_line};
use crate::error::{Error, ErrorKind, shielded};
use crate::pixels::{Channels, Depth};
use crate::recipe::Compression;
use crate::sink::Output;
use directory::{Directory, Width, tag};
use packing::Packer;

pub(crate) use packing::{Packing, Samples};
pub(crate) use planar::write_planes;

/// How a pyramid is written.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Side of a tile in pixels, a multiple of 16.
    pub tile: u32,
    pub packing: Packing,
    /// Dots an inch of the full size.
    pub dpi: u16,
    /// Whether the smaller levels hang under the first directory instead of following it.
    pub subifd: bool,
    /// Texts of the first directory by their tags, without closing zeros.
    pub texts: Vec<(u16, Vec<u8>)>,
    /// The profile that says whose colours the samples are; of sRGB none is needed.
    pub profile: Option<Vec<u8>>,
}

/// A band in flight holds this much at least before anybody waits for it.
const IN_FLIGHT: usize = 4 << 20;

/// Writes the pyramid of an image of `size` to `out`. `rows` gives the image's rows, some at a time, to what it is
/// called with.
///
/// # Errors
/// Those of `rows`; [`Encode`](ErrorKind::Encode) if a tile cannot be packed, [`Sink`](ErrorKind::Sink) if `out` does
/// not take it.
pub(crate) fn write(
    size: (u32, u32),
    (channels, depth): (Channels, Depth),
    settings: &Settings,
    threads: NonZeroUsize,
    out: &mut dyn Output,
    rows: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error>,
) -> Result<(), Error> {
    let sizes = until_one_tile(size.0, size.1, settings.tile);
    let samples = Samples::Pixels(channels, depth);
    with_line(threads, packers(settings, samples), |line| {
        let mut bands = Bands::new(&sizes, channels, depth, settings.tile);
        let mut writer = Writer::new(line, out, sizes.len(), &[settings.tile])?;
        rows(&mut |some| bands.push(some, &mut writer))?;
        if !bands.is_complete() {
            return Err(Error::truncated("the image ended before its last row"));
        }
        writer.finish(&sizes, samples, settings)
    })
}

/// A tile: of one band, or of three that hold a plane each.
type Task = Vec<Tile>;
type Packed = Result<Vec<u8>, Error>;

fn packers(settings: &Settings, samples: Samples) -> impl Fn() -> Box<dyn FnMut(Task) -> Packed> + Sync {
    let (packing, tile) = (settings.packing, settings.tile);
    move || {
        let mut packer = Packer::new(packing, tile, samples);
        Box::new(move |task| match &mut packer {
            Ok(packer) => shielded(ErrorKind::Encode, || packer.pack(&task)),
            Err(error) => Err(Error::encode(error.to_string())),
        })
    }
}

/// Takes bands, has their tiles packed, and writes them one after another.
struct Writer<'a, 'l> {
    line: &'a mut Line<'l, Task, Packed>,
    out: &'a mut dyn Output,
    position: u64,
    levels: Vec<Tiles>,
    /// Bands whose tiles are not all written.
    in_flight: VecDeque<InFlight>,
    /// Side of a tile, in each of the bands that lie over each other.
    sides: Vec<u32>,
    /// The most bytes of bands in flight.
    room: usize,
}

/// Bands that lie over each other, and how many tiles of them are missing.
struct InFlight {
    bands: Vec<Arc<Band>>,
    missing: u32,
}

impl InFlight {
    fn bytes(&self) -> usize {
        self.bands.iter().map(|band| band.data.len()).sum()
    }
}

/// Where a level's tiles are.
#[derive(Debug, Clone, Default)]
struct Tiles {
    offsets: Vec<u64>,
    lengths: Vec<u32>,
    /// Memory of bands that are written, those that lay over each other in their order.
    spare: Vec<Vec<u8>>,
}

impl Take for Writer<'_, '_> {
    fn take(&mut self, band: Band) -> Result<Vec<u8>, Error> {
        let level = band.level;
        self.give(level, vec![band])?;
        Ok(self.levels[level].spare.pop().unwrap_or_default())
    }
}

impl<'a, 'l> Writer<'a, 'l> {
    fn new(
        line: &'a mut Line<'l, Task, Packed>,
        out: &'a mut dyn Output,
        levels: usize,
        sides: &[u32],
    ) -> Result<Self, Error> {
        let header = [0; 16];
        out.add(&header).map_err(not_taken)?;
        Ok(Self {
            line,
            out,
            position: header.len() as u64,
            levels: vec![Tiles::default(); levels],
            in_flight: VecDeque::new(),
            sides: sides.to_vec(),
            room: IN_FLIGHT,
        })
    }

    /// Has the tiles of bands packed that lie over each other; waits while too many are in flight.
    fn give(&mut self, level: usize, bands: Vec<Band>) -> Result<(), Error> {
        let bands: Vec<_> = bands.into_iter().map(|band| Arc::new(Band { level, ..band })).collect();
        let mut columns: Vec<_> =
            bands.iter().zip(&self.sides).map(|(band, side)| Tile::of(band, *side)).collect();
        let mut missing = 0;
        loop {
            let tiles: Vec<_> = columns.iter_mut().filter_map(Iterator::next).collect();
            if tiles.len() < bands.len() {
                break;
            }
            self.line.give(tiles);
            missing += 1;
        }
        let in_flight = InFlight { bands, missing };
        self.room = self.room.max(in_flight.bytes());
        self.in_flight.push_back(in_flight);
        while let Some(packed) = self.line.ready() {
            self.append(packed?)?;
        }
        while self.in_flight.iter().map(InFlight::bytes).sum::<usize>() > self.room {
            self.append_next()?;
        }
        Ok(())
    }

    /// Waits for the next tile and writes it; false if there is none.
    fn append_next(&mut self) -> Result<bool, Error> {
        match self.line.next() {
            Some(packed) => self.append(packed?).map(|()| true),
            None => Ok(false),
        }
    }

    fn append(&mut self, packed: Vec<u8>) -> Result<(), Error> {
        let Some(InFlight { bands, missing }) = self.in_flight.front_mut() else { return Ok(()) };
        let level = bands.first().map_or(0, |band| band.level);
        let tiles = &mut self.levels[level];
        let length = u32::try_from(packed.len()).map_err(|_| Error::encode("a tile has more than 4 GB"))?;
        tiles.offsets.push(self.position);
        tiles.lengths.push(length);
        self.position += u64::from(length);
        *missing -= 1;
        if *missing == 0
            && let Some(written) = self.in_flight.pop_front()
            && level == 0
        {
            tiles.spare =
                written.bands.into_iter().filter_map(Arc::into_inner).map(|band| band.data).collect();
        }
        self.out.add(&packed).map_err(not_taken)
    }

    /// Writes what is left, the directories and the header.
    fn finish(mut self, sizes: &[(u32, u32)], samples: Samples, settings: &Settings) -> Result<(), Error> {
        while self.append_next()? {}
        let mut directories = Vec::with_capacity(sizes.len());
        for (level, (size, tiles)) in sizes.iter().zip(&self.levels).enumerate() {
            directories.push(describe(level, *size, tiles, samples, settings)?);
        }
        let below = directories.len() - 1;
        if settings.subifd && below > 0 {
            // Their number says how long the directory is; where they are is known after that.
            directories[0].directories(tag::SUB_IFDS, &vec![0; below]);
        }
        let start = self.position.next_multiple_of(8);
        let end = |width| start + directories.iter().map(|directory| directory.length(width)).sum::<u64>();
        let width = if end(Width::Classic) <= u32::MAX.into() { Width::Classic } else { Width::Big };
        let mut places = Vec::with_capacity(directories.len());
        let mut place = start;
        for directory in &directories {
            places.push(place);
            place += directory.length(width);
        }
        if settings.subifd && below > 0 {
            directories[0].replace_directories(tag::SUB_IFDS, &places[1..]);
        }
        let mut tail = vec![0; (start - self.position) as usize];
        for (number, directory) in directories.iter().enumerate() {
            let next = if settings.subifd { None } else { places.get(number + 1) };
            tail.extend(directory.encode(width, places[number], next.copied().unwrap_or(0)));
        }
        self.out.add(&tail).map_err(not_taken)?;
        self.out.begin_with(&width.header(start)).map_err(not_taken)
    }
}

fn not_taken(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Sink, format!("the pyramid could not be written: {error}")).caused_by(error)
}

fn describe(
    level: usize,
    (width, height): (u32, u32),
    tiles: &Tiles,
    samples: Samples,
    settings: &Settings,
) -> Result<Directory, Error> {
    let packing = settings.packing;
    let stored = packing.stored(samples.channels());
    let bits = 8 * samples.depth().bytes() as u16;
    let is_jpeg = packing.compression == Compression::Jpeg;
    let mut directory = Directory::default();
    directory.long(tag::NEW_SUBFILE_TYPE, &[u32::from(level > 0)]);
    directory.long(tag::IMAGE_WIDTH, &[width]);
    directory.long(tag::IMAGE_LENGTH, &[height]);
    directory.short(tag::BITS_PER_SAMPLE, &vec![bits; stored.count()]);
    directory.short(tag::COMPRESSION, &[packing.number()]);
    directory.short(tag::PHOTOMETRIC, &[photometric(stored, is_jpeg)]);
    directory.short(tag::ORIENTATION, &[1]);
    directory.short(tag::SAMPLES_PER_PIXEL, &[stored.count() as u16]);
    // The same paper has half the dots.
    let resolution = (u32::from(settings.dpi), 1 << level);
    directory.rational(tag::X_RESOLUTION, &[resolution]);
    directory.rational(tag::Y_RESOLUTION, &[resolution]);
    directory.short(tag::PLANAR_CONFIGURATION, &[1]);
    directory.short(tag::RESOLUTION_UNIT, &[2]);
    if packing.has_predictor() {
        directory.short(tag::PREDICTOR, &[2]);
    }
    directory.long(tag::TILE_WIDTH, &[settings.tile]);
    directory.long(tag::TILE_LENGTH, &[settings.tile]);
    directory.offsets(tag::TILE_OFFSETS, &tiles.offsets);
    directory.long(tag::TILE_BYTE_COUNTS, &tiles.lengths);
    if matches!(stored, Channels::GrayAlpha | Channels::Rgba) {
        // Unassociated alpha: colours are not multiplied by it.
        directory.short(tag::EXTRA_SAMPLES, &[2]);
    }
    if is_jpeg {
        let tables = packing::jpeg_tables(packing, settings.tile, samples)?;
        directory.undefined(tag::JPEG_TABLES, &tables);
        if stored == Channels::Rgb {
            directory.short(tag::YCBCR_SUBSAMPLING, if packing.is_subsampled() { &[2, 2] } else { &[1, 1] });
            let full = [(0, 1), (255, 1), (128, 1), (255, 1), (128, 1), (255, 1)];
            directory.rational(tag::REFERENCE_BLACK_WHITE, &full);
        }
    }
    if let Some(profile) = &settings.profile {
        // Whoever opens a level alone has to know it too.
        directory.undefined(tag::PROFILE, profile);
    }
    if level == 0 {
        settings.texts.iter().for_each(|(tag, text)| directory.text(*tag, text));
    }
    Ok(directory)
}

fn photometric(channels: Channels, is_jpeg: bool) -> u16 {
    const BLACK_IS_ZERO: u16 = 1;
    const RGB: u16 = 2;
    const YCBCR: u16 = 6;
    match channels {
        Channels::Gray | Channels::GrayAlpha => BLACK_IS_ZERO,
        Channels::Rgb if is_jpeg => YCBCR,
        Channels::Rgb | Channels::Rgba => RGB,
    }
}
