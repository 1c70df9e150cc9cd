//! One level of a pyramid: where its tiles are, and small files that are made of some of them.

use std::ops::Range;

use libdeflater::Decompressor;

use super::directory::{Directory, Values};
use super::{ReadAt, joined, read};
use crate::decode::{self, Need};
use crate::error::{Error, ErrorKind};
use crate::limits::Limits;
use crate::pixels::{Channels, Pixels};
use crate::probe::probe_page;

mod tag {
    pub const NEW_SUBFILE_TYPE: u16 = 254;
    pub const WIDTH: u16 = 256;
    pub const HEIGHT: u16 = 257;
    pub const BITS: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const ORIENTATION: u16 = 274;
    pub const SAMPLES: u16 = 277;
    pub const PLANAR: u16 = 284;
    pub const PREDICTOR: u16 = 317;
    pub const TILE_WIDTH: u16 = 322;
    pub const TILE_LENGTH: u16 = 323;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_BYTES: u16 = 325;
    pub const JPEG_TABLES: u16 = 347;
    pub const PROFILE: u16 = 34675;

    /// What else the decoder has to know of samples, so that a file of some tiles says it too: FillOrder, ColorMap,
    /// ExtraSamples, SampleFormat, YCbCrCoefficients, YCbCrSubSampling, ReferenceBlackWhite.
    pub const OF_SAMPLES: [u16; 7] = [266, 320, 338, 339, 529, 530, 532];
}

const DEFLATE: [u64; 2] = [8, 32946];
const JPEG: u64 = 7;
const BLACK_IS_ZERO: u64 = 1;
const RGB: u64 = 2;
const YCBCR: u64 = 6;

/// Pixels of one tile at the most, and how many tiles there are at the most.
const MOST_IN_TILE: u64 = 1 << 24;
const MOST_TILES: u64 = 1 << 22;
/// Packed bytes that are read for one request at the most.
const MOST_PACKED: u64 = 1 << 30;

/// One size of the image.
#[derive(Debug)]
pub(super) struct Level {
    pub width: u32,
    pub height: u32,
    /// Width and height of a tile.
    pub tile: (u32, u32),
    pub orientation: u8,
    across: u32,
    offsets: Vec<u64>,
    lengths: Vec<u64>,
    is_reduced: bool,
    little: bool,
    compression: u64,
    photometric: u64,
    samples: u64,
    predictor: u64,
    is_eight_bits: bool,
    has_profile: bool,
    tables: Vec<u8>,
    /// Entries that a file of some of its tiles takes over, by their tags.
    kept: Vec<(u16, Values)>,
}

/// Some columns and rows of tiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub columns: Range<u32>,
    pub rows: Range<u32>,
}

impl Level {
    /// What a directory says of a level; `None` if it is none: in strips, or a plane for each sample.
    pub(super) fn read(source: &dyn ReadAt, directory: &Directory) -> Result<Option<Self>, Error> {
        let number = |tag| directory.number(source, tag);
        let or = |tag, default| Ok::<_, Error>(number(tag)?.unwrap_or(default));
        let side = |tag| Ok::<_, Error>(number(tag)?.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0));
        let (Some(width), Some(height)) = (side(tag::WIDTH)?, side(tag::HEIGHT)?) else {
            return Err(Error::corrupt("the TIFF does not say how wide and high its image is"));
        };
        let (Some(tile_width), Some(tile_height)) = (side(tag::TILE_WIDTH)?, side(tag::TILE_LENGTH)?) else {
            return Ok(None);
        };
        let samples = or(tag::SAMPLES, 1)?;
        if or(tag::PLANAR, 1)? != 1 && samples > 1 {
            return Ok(None);
        }
        let (across, down) = (width.div_ceil(tile_width), height.div_ceil(tile_height));
        let tiles = u64::from(across) * u64::from(down);
        if u64::from(tile_width) * u64::from(tile_height) > MOST_IN_TILE || tiles > MOST_TILES {
            let message = format!("the TIFF has {tiles} tiles of {tile_width}×{tile_height} pixels");
            return Err(Error::new(ErrorKind::TooManyPixels, message));
        }
        let offsets = directory.numbers(source, tag::TILE_OFFSETS)?;
        let lengths = directory.numbers(source, tag::TILE_BYTES)?;
        if (offsets.len() as u64) < tiles || (lengths.len() as u64) < tiles {
            return Err(Error::corrupt("the TIFF has fewer tiles than its image needs"));
        }
        let values = |tag| directory.values(source, tag);
        let bits = directory.numbers(source, tag::BITS)?;
        let is_eight_bits = !bits.is_empty() && bits.iter().all(|bits| *bits == 8);
        let mut kept = Vec::new();
        let own = [tag::BITS, tag::COMPRESSION, tag::PHOTOMETRIC, tag::SAMPLES, tag::PREDICTOR];
        let tiles = [tag::TILE_WIDTH, tag::TILE_LENGTH, tag::JPEG_TABLES, tag::PROFILE];
        for tag in own.into_iter().chain(tiles).chain(tag::OF_SAMPLES) {
            kept.extend(values(tag)?.map(|values| (tag, values)));
        }
        let bytes = |tag| kept.iter().find(|(other, _)| *other == tag).map(|(_, values)| &values.bytes);
        Ok(Some(Self {
            width,
            height,
            tile: (tile_width, tile_height),
            orientation: or(tag::ORIENTATION, 1)?
                .try_into()
                .ok()
                .filter(|o| (1..=8).contains(o))
                .unwrap_or(1),
            across,
            offsets,
            lengths,
            is_reduced: or(tag::NEW_SUBFILE_TYPE, 0)? & 1 == 1,
            little: directory.format.little,
            compression: or(tag::COMPRESSION, 1)?,
            photometric: or(tag::PHOTOMETRIC, u64::MAX)?,
            samples,
            predictor: or(tag::PREDICTOR, 1)?,
            is_eight_bits,
            has_profile: bytes(tag::PROFILE).is_some_and(|profile| !profile.is_empty()),
            tables: bytes(tag::JPEG_TABLES).cloned().unwrap_or_default(),
            kept,
        }))
    }

    pub(super) fn memory(&self) -> usize {
        let kept: usize = self.kept.iter().map(|(_, values)| values.bytes.len()).sum();
        8 * (self.offsets.len() + self.lengths.len()) + kept + self.tables.len()
    }

    /// Whether it shows the same as the full size: some writers do not mark the smaller ones.
    pub(super) fn is_smaller_of(&self, full: &Level) -> bool {
        let (w, h) = (u64::from(self.width), u64::from(self.height));
        let (full_w, full_h) = (u64::from(full.width), u64::from(full.height));
        let apart = (w * full_h).abs_diff(h * full_w);
        w < full_w && h <= full_h && (self.is_reduced || apart <= 2 * full_w.max(full_h))
    }

    /// The tiles that hold a rectangle of its pixels.
    pub(super) fn block(&self, x: Range<u32>, y: Range<u32>) -> Block {
        let along = |range: Range<u32>, tile: u32| range.start / tile..range.end.div_ceil(tile);
        Block { columns: along(x, self.tile.0), rows: along(y, self.tile.1) }
    }

    /// Pixels of a block of tiles, none of which lie beyond the image.
    fn size_of(&self, block: &Block) -> (u32, u32) {
        let along =
            |range: &Range<u32>, tile: u32, side: u32| (range.end * tile).min(side) - range.start * tile;
        (along(&block.columns, self.tile.0, self.width), along(&block.rows, self.tile.1, self.height))
    }

    /// How many pixels have to be decoded for a block of tiles.
    pub(super) fn pixels_in(&self, block: &Block) -> u64 {
        let tile = u64::from(self.tile.0) * u64::from(self.tile.1);
        tile * (block.columns.len() as u64) * (block.rows.len() as u64)
    }

    /// A tile as a JPEG file, where it is stored as one whose colours any reader takes for what they are.
    pub(super) fn as_jpeg(
        &self,
        source: &dyn ReadAt,
        column: u32,
        row: u32,
    ) -> Result<Option<Vec<u8>>, Error> {
        let plain = matches!((self.photometric, self.samples), (YCBCR, 3) | (BLACK_IS_ZERO, 1));
        if self.compression != JPEG || !plain || !self.is_eight_bits || self.has_profile {
            return Ok(None);
        }
        let stored = self.stored(source, column, row)?;
        Ok(joined::joined(&self.tables, &stored, self.tile))
    }

    /// The finished pixels of a block of tiles.
    pub(super) fn pixels(
        &self,
        source: &dyn ReadAt,
        block: &Block,
        limits: &Limits,
    ) -> Result<Pixels, Error> {
        if block.columns.len() == 1
            && block.rows.len() == 1
            && let Some(pixels) = self.inflated(source, block)?
        {
            return Ok(pixels);
        }
        let file = self.file_of(source, block)?;
        let header = probe_page(&file, 1)?;
        let whole = (header.width, header.height);
        let need = Need { eighths: 8, whole, luma_only: false, planes: None, page: 1 };
        Ok(decode::decode(&file, &header, need, limits)?.pixels)
    }

    /// A tile of the plainest kind, unpacked at once: what nearly all lossless pyramids are made of. `None` where it is of
    /// another kind, or damaged, which the decoder then has words for.
    fn inflated(&self, source: &dyn ReadAt, block: &Block) -> Result<Option<Pixels>, Error> {
        let channels = match (self.photometric, self.samples) {
            (BLACK_IS_ZERO, 1) => Channels::Gray,
            (RGB, 3) => Channels::Rgb,
            _ => return Ok(None),
        };
        let plain = self.is_eight_bits && !self.has_profile && matches!(self.predictor, 1 | 2);
        let is_reversed = self.kept.iter().any(|(tag, _)| *tag == tag::OF_SAMPLES[0]);
        if !DEFLATE.contains(&self.compression) || !plain || is_reversed {
            return Ok(None);
        }
        let stored = self.stored(source, block.columns.start, block.rows.start)?;
        let stride = self.tile.0 as usize * channels.count();
        let mut data = vec![0; stride * self.tile.1 as usize];
        match Decompressor::new().zlib_decompress(&stored, &mut data) {
            Ok(length) if length == data.len() => {}
            _ => return Ok(None),
        }
        if self.predictor == 2 {
            data.chunks_exact_mut(stride).for_each(|row| match channels {
                Channels::Gray => summed::<1>(row),
                _ => summed::<3>(row),
            });
        }
        let (width, height) = self.size_of(block);
        let row = width as usize * channels.count();
        if row < stride {
            for y in 0..height as usize {
                data.copy_within(y * stride..y * stride + row, y * row);
            }
        }
        data.truncate(row * height as usize);
        Pixels::new(width, height, channels, data).map(Some)
    }

    /// The bytes of a tile as they are in the file.
    fn stored(&self, source: &dyn ReadAt, column: u32, row: u32) -> Result<Vec<u8>, Error> {
        let number = row as usize * self.across as usize + column as usize;
        match (self.offsets.get(number), self.lengths.get(number)) {
            (Some(start), Some(length)) if (1..=MOST_PACKED).contains(length) => {
                read(source, *start, *length as usize)
            }
            _ => Err(Error::corrupt(format!(
                "the tile in column {column} and row {row} of the TIFF is missing"
            ))),
        }
    }

    /// A TIFF of a block of tiles, as they are packed.
    fn file_of(&self, source: &dyn ReadAt, block: &Block) -> Result<Vec<u8>, Error> {
        let numbers = || {
            let of_row = |row: u32| block.columns.clone().map(move |column| (column, row));
            block.rows.clone().flat_map(of_row)
        };
        let at = |(column, row)| row as usize * self.across as usize + column as usize;
        let packed = numbers().filter_map(|place| self.lengths.get(at(place)));
        if packed.fold(0u64, |sum, length| sum.saturating_add(*length)) > MOST_PACKED {
            return Err(Error::new(ErrorKind::TooManyBytes, "the tiles that this takes have too many bytes"));
        }
        let mut file = SmallTiff::new(self.little);
        let (mut offsets, mut lengths) = (Vec::new(), Vec::new());
        for (column, row) in numbers() {
            let stored = self.stored(source, column, row)?;
            offsets.push(file.bytes.len() as u32);
            lengths.push(stored.len() as u32);
            file.bytes.extend(stored);
        }
        let (width, height) = self.size_of(block);
        let longs = [(tag::WIDTH, vec![width]), (tag::HEIGHT, vec![height])];
        let places = [(tag::TILE_OFFSETS, offsets), (tag::TILE_BYTES, lengths)];
        let longs = longs.into_iter().chain(places).map(|(tag, values)| (tag, file.longs(&values)));
        let entries = longs.chain(self.kept.iter().cloned()).collect();
        Ok(file.finish(entries))
    }
}

/// Differences to the pixel on the left, summed up.
fn summed<const N: usize>(row: &mut [u8]) {
    let (pixels, _) = row.as_chunks_mut::<N>();
    let mut left = [0u8; N];
    for pixel in pixels {
        for (sample, left) in pixel.iter_mut().zip(&mut left) {
            *sample = sample.wrapping_add(*left);
            *left = *sample;
        }
    }
}

/// A TIFF of one directory that comes last, in the byte order that its values are in.
struct SmallTiff {
    bytes: Vec<u8>,
    little: bool,
}

impl SmallTiff {
    fn new(little: bool) -> Self {
        let start: &[u8] = if little { b"II*\0\0\0\0\0" } else { b"MM\0*\0\0\0\0" };
        Self { bytes: start.to_vec(), little }
    }

    fn short(&self, value: u16) -> [u8; 2] {
        if self.little { value.to_le_bytes() } else { value.to_be_bytes() }
    }

    fn long(&self, value: u32) -> [u8; 4] {
        if self.little { value.to_le_bytes() } else { value.to_be_bytes() }
    }

    fn longs(&self, values: &[u32]) -> Values {
        Values { kind: 4, bytes: values.iter().flat_map(|value| self.long(*value)).collect() }
    }

    fn finish(mut self, mut entries: Vec<(u16, Values)>) -> Vec<u8> {
        entries.sort_by_key(|(tag, _)| *tag);
        let mut directory = self.short(entries.len() as u16).to_vec();
        for (tag, Values { kind, bytes }) in &entries {
            let each = match kind {
                3 | 8 => 2,
                4 | 9 | 11 | 13 => 4,
                5 | 10 | 12 | 16..=18 => 8,
                _ => 1,
            };
            directory.extend([self.short(*tag), self.short(*kind)].concat());
            directory.extend(self.long((bytes.len() / each) as u32));
            if bytes.len() <= 4 {
                let mut room = [0; 4];
                room[..bytes.len()].copy_from_slice(bytes);
                directory.extend(room);
            } else {
                self.bytes.resize(self.bytes.len().next_multiple_of(2), 0);
                directory.extend(self.long(self.bytes.len() as u32));
                self.bytes.extend(bytes);
            }
        }
        directory.extend([0; 4]);
        self.bytes.resize(self.bytes.len().next_multiple_of(2), 0);
        let place = self.long(self.bytes.len() as u32);
        self.bytes[4..8].copy_from_slice(&place);
        self.bytes.extend(directory);
        self.bytes
    }
}
