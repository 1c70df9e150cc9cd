//! Tiled, multi-resolution TIFF as image servers read it: a directory a level, the full size first, each of the others
//! marked as a reduced image.
//!
//! TIFF 6.0 (§15 tiles), supplement 2 (deflate), technical note 2 (JPEG), BigTIFF where four bytes do not count the
//! file. Tiles are written as they are made and the directories after them; the header, which says where the first
//! directory is, comes last.

mod directory;
mod packing;

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::bands::Take;
use super::{Band, Bands, Line, Tile, until_one_tile, with_line};
use crate::error::{Error, ErrorKind, shielded};
use crate::pixels::Channels;
use crate::recipe::Compression;
use crate::sink::Output;
use directory::{Directory, Width, tag};
use packing::Packer;

pub(crate) use packing::Packing;

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
    channels: Channels,
    settings: &Settings,
    threads: NonZeroUsize,
    out: &mut dyn Output,
    rows: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error>,
) -> Result<(), Error> {
    let sizes = until_one_tile(size.0, size.1, settings.tile);
    let worker = || -> Box<dyn FnMut(Tile) -> Packed> {
        let mut packer = Packer::new(settings.packing, settings.tile, channels);
        Box::new(move |tile| match &mut packer {
            Ok(packer) => shielded(ErrorKind::Encode, || packer.pack(&tile)),
            Err(error) => Err(Error::encode(error.to_string())),
        })
    };
    with_line(threads, worker, |line| {
        let mut bands = Bands::new(&sizes, channels, settings.tile);
        let mut writer = Writer::new(line, out, sizes.len(), settings.tile)?;
        rows(&mut |some| bands.push(some, &mut writer))?;
        if !bands.is_complete() {
            return Err(Error::truncated("the image ended before its last row"));
        }
        writer.finish(&sizes, channels, settings)
    })
}

type Packed = Result<Vec<u8>, Error>;

/// Takes bands, has their tiles packed, and writes them one after another.
struct Writer<'a, 'l> {
    line: &'a mut Line<'l, Tile, Packed>,
    out: &'a mut dyn Output,
    position: u64,
    levels: Vec<Tiles>,
    /// Bands whose tiles are not all written, with how many are missing.
    in_flight: VecDeque<(Arc<Band>, u32)>,
    side: u32,
    /// The most bytes of bands in flight.
    room: usize,
}

/// Where a level's tiles are.
#[derive(Debug, Clone, Default)]
struct Tiles {
    offsets: Vec<u64>,
    lengths: Vec<u32>,
    /// Memory of a band that is written.
    spare: Vec<u8>,
}

impl Take for Writer<'_, '_> {
    fn take(&mut self, band: Band) -> Result<Vec<u8>, Error> {
        let level = band.level;
        self.room = self.room.max(band.data.len());
        let band = Arc::new(band);
        let mut tiles = 0;
        for tile in Tile::of(&band, self.side) {
            self.line.give(tile);
            tiles += 1;
        }
        self.in_flight.push_back((band, tiles));
        while let Some(packed) = self.line.ready() {
            self.append(packed?)?;
        }
        while self.in_flight.iter().map(|(band, _)| band.data.len()).sum::<usize>() > self.room {
            self.append_next()?;
        }
        Ok(std::mem::take(&mut self.levels[level].spare))
    }
}

impl<'a, 'l> Writer<'a, 'l> {
    fn new(
        line: &'a mut Line<'l, Tile, Packed>,
        out: &'a mut dyn Output,
        levels: usize,
        side: u32,
    ) -> Result<Self, Error> {
        let header = [0; 16];
        out.add(&header).map_err(not_taken)?;
        Ok(Self {
            line,
            out,
            position: header.len() as u64,
            levels: vec![Tiles::default(); levels],
            in_flight: VecDeque::new(),
            side,
            room: IN_FLIGHT,
        })
    }

    /// Waits for the next tile and writes it; false if there is none.
    fn append_next(&mut self) -> Result<bool, Error> {
        match self.line.next() {
            Some(packed) => self.append(packed?).map(|()| true),
            None => Ok(false),
        }
    }

    fn append(&mut self, packed: Vec<u8>) -> Result<(), Error> {
        let Some((band, missing)) = self.in_flight.front_mut() else { return Ok(()) };
        let tiles = &mut self.levels[band.level];
        let length = u32::try_from(packed.len()).map_err(|_| Error::encode("a tile has more than 4 GB"))?;
        tiles.offsets.push(self.position);
        tiles.lengths.push(length);
        self.position += u64::from(length);
        *missing -= 1;
        if *missing == 0
            && let Some((band, _)) = self.in_flight.pop_front()
            && let Ok(band) = Arc::try_unwrap(band)
        {
            self.levels[band.level].spare = band.data;
        }
        self.out.add(&packed).map_err(not_taken)
    }

    /// Writes what is left, the directories and the header.
    fn finish(mut self, sizes: &[(u32, u32)], channels: Channels, settings: &Settings) -> Result<(), Error> {
        while self.append_next()? {}
        let mut directories = Vec::with_capacity(sizes.len());
        for (level, (size, tiles)) in sizes.iter().zip(&self.levels).enumerate() {
            directories.push(describe(level, *size, tiles, channels, settings)?);
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
    channels: Channels,
    settings: &Settings,
) -> Result<Directory, Error> {
    let packing = settings.packing;
    let stored = packing.stored(channels);
    let is_jpeg = packing.compression == Compression::Jpeg;
    let mut directory = Directory::default();
    directory.long(tag::NEW_SUBFILE_TYPE, &[u32::from(level > 0)]);
    directory.long(tag::IMAGE_WIDTH, &[width]);
    directory.long(tag::IMAGE_LENGTH, &[height]);
    directory.short(tag::BITS_PER_SAMPLE, &vec![8; stored.count()]);
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
        let tables = packing::jpeg_tables(packing, settings.tile, channels)?;
        directory.undefined(tag::JPEG_TABLES, &tables);
        if stored == Channels::Rgb {
            directory.short(tag::YCBCR_SUBSAMPLING, if packing.is_subsampled() { &[2, 2] } else { &[1, 1] });
            let full = [(0, 1), (255, 1), (128, 1), (255, 1), (128, 1), (255, 1)];
            directory.rational(tag::REFERENCE_BLACK_WHITE, &full);
        }
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
