//! Strips and tiles put together to rows of an image: each unpacked, its samples made pixels and laid where they belong.

use std::borrow::Cow;
use std::io::Read;

use super::chroma;
use super::colour::Colours;
use super::directory::Directory;
use super::layout::{Kind, Layout, compression, tag};
use super::samples::Samples;
use super::unpack::{self, Unpacker};
use super::{predictor, unsupported};
use crate::error::Error;
use crate::limits::Limits;

/// Rows of finished samples, a row of strips or tiles at a time.
pub(super) struct Rows<'a> {
    directory: Directory<'a>,
    layout: Layout,
    old_stream: Option<Cow<'a, [u8]>>,
    places: Vec<(usize, usize)>,
    unpacker: Unpacker<'a>,
    samples: Samples,
    /// Bytes a finished pixel takes.
    made: usize,
    wide: bool,
    /// Which row of strips or tiles comes next.
    next: u32,
    /// Strips that are read in parts: those are the pieces then.
    parted: Option<Parted<'a>>,
}

/// A strip that is read in parts.
struct Parted<'a> {
    /// Rows of a strip.
    height: u32,
    /// What is left of the one that is read.
    stream: Option<Box<dyn Read + 'a>>,
}

impl<'a> Rows<'a> {
    /// Starts to read: in 8 bits a sample, or `wide` in 16.
    pub(super) fn open(
        directory: Directory<'a>,
        layout: &Layout,
        colours: &Colours,
        is_light: bool,
        wide: bool,
    ) -> Result<Self, Error> {
        let mut layout = layout.clone();
        let old_stream =
            if layout.compression == compression::OLD_JPEG { unpack::old_stream(&directory)? } else { None };
        let mut places = match old_stream {
            // One stream, whatever the strips say.
            Some(_) if layout.planar => return Err(unsupported("old-style JPEG compression of planes")),
            Some(_) => {
                layout.pieces.width = layout.width;
                layout.pieces.height = layout.height;
                (layout.pieces.across, layout.pieces.down) = (1, 1);
                Vec::new()
            }
            None => places(&directory, &layout)?,
        };
        part_plain_strips(&mut layout, &mut places);
        let parted = part_packed_strips(&mut layout);
        let unpacker = Unpacker::new(&directory, &layout)?;
        let samples = Samples::new(&layout, is_light);
        let made = colours.made * if wide { 2 } else { 1 };
        Ok(Self { directory, layout, old_stream, places, unpacker, samples, made, wide, next: 0, parted })
    }

    /// Rows that are still to come.
    fn left(&self) -> u32 {
        self.layout.height.saturating_sub(self.next.saturating_mul(self.layout.pieces.height))
    }

    /// Rows that come at a time; the last ones may be fewer.
    fn at_a_time(&self) -> u32 {
        self.layout.pieces.height.min(self.layout.height)
    }

    /// Adds the next rows to `data`; none after the last.
    pub(super) fn append(
        &mut self,
        colours: &Colours,
        data: &mut Vec<u8>,
        limits: &Limits,
    ) -> Result<u32, Error> {
        let rows = self.at_a_time().min(self.left());
        let start = data.len();
        data.resize(start + self.layout.width as usize * rows as usize * self.made, 0);
        let canvas = &mut data[start..];
        for column in 0..if rows == 0 { 0 } else { self.layout.pieces.across } {
            limits.check_time()?;
            let piece = self.piece(column, rows);
            let unpacked = match self.parted.is_some() {
                true => vec![self.next_part(rows, limits)?],
                false => self.unpacked(column, &piece, colours, limits)?,
            };
            self.lay(colours, &piece, &unpacked, canvas);
        }
        self.next += 1;
        Ok(rows)
    }

    /// The bytes of a piece, of one buffer or of one for each sample that is wanted.
    fn unpacked(
        &self,
        column: u32,
        piece: &Piece,
        colours: &Colours,
        limits: &Limits,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let Self { layout, .. } = self;
        let (across, down) = (layout.pieces.across as usize, layout.pieces.down as usize);
        let number = self.next as usize * across + column as usize;
        let planes: &[usize] = if layout.planar { &colours.wanted } else { &[0] };
        let mut unpacked = Vec::with_capacity(planes.len());
        for plane in planes {
            let stored = match self.old_stream.as_deref() {
                Some(stream) => stream,
                None => self.stored(plane * across * down + number)?,
            };
            let mut rows = self.unpacker.unpack(stored, piece.stored_width, piece.stored_rows, limits)?;
            if layout.is_subsampled() {
                rows = chroma::spread(&rows, layout.subsampling, piece.stored_width, piece.stored_rows);
            }
            predictor::undo(&mut rows, layout, piece.stored_width)?;
            unpacked.push(rows);
        }
        Ok(unpacked)
    }

    /// The bytes of a strip or tile as they are in the file.
    fn stored(&self, number: usize) -> Result<&'a [u8], Error> {
        let Some(&(start, end)) = self.places.get(number) else {
            return Err(Error::corrupt("the TIFF has fewer strips or tiles than its image needs"));
        };
        let cut = || Error::truncated("the TIFF ends before its image does");
        self.directory.source().get(start..end).ok_or_else(cut)
    }

    /// The next rows of a strip that is read in parts.
    fn next_part(&mut self, rows: u32, limits: &Limits) -> Result<Vec<u8>, Error> {
        let Some(Parted { height, stream }) = self.parted.take() else { return Ok(Vec::new()) };
        let (width, first) = (self.layout.width, self.next * self.layout.pieces.height);
        let mut stream = match stream.filter(|_| !first.is_multiple_of(height)) {
            Some(stream) => stream,
            None => {
                let stored = self.stored((first / height) as usize)?;
                self.unpacker.stream(stored, width, height.min(self.layout.height - first), limits)?
            }
        };
        let mut part = unpack::next_rows(&mut stream, self.layout.row_bytes(width) * rows as usize)?;
        self.parted = Some(Parted { height, stream: Some(stream) });
        predictor::undo(&mut part, &self.layout, width)?;
        Ok(part)
    }

    fn piece(&self, column: u32, rows: u32) -> Piece {
        let Layout { width, pieces, .. } = &self.layout;
        let left = column * pieces.width;
        Piece {
            left: left as usize,
            width: pieces.width.min(width - left) as usize,
            rows: rows as usize,
            stored_width: pieces.width,
            stored_rows: if pieces.tiled { pieces.height } else { rows },
        }
    }

    /// Makes pixels of a piece's rows: of one buffer, or of one for each sample that is wanted.
    fn lay(&self, colours: &Colours, piece: &Piece, unpacked: &[Vec<u8>], canvas: &mut [u8]) {
        let stride = self.layout.width as usize * self.made;
        let stored_stride = self.layout.row_bytes(piece.stored_width);
        for y in 0..piece.rows {
            let start = y * stride + piece.left * self.made;
            let to = &mut canvas[start..start + piece.width * self.made];
            let row = |buffer: &'_ Vec<u8>| y * stored_stride..((y + 1) * stored_stride).min(buffer.len());
            if self.is_plain(colours, unpacked.len()) {
                let from = &unpacked[0][row(&unpacked[0])];
                to.copy_from_slice(&from[..to.len()]);
                continue;
            }
            let rows: Vec<&[u8]> = unpacked.iter().map(|buffer| &buffer[row(buffer)]).collect();
            self.lay_row(colours, &rows, to);
        }
    }

    /// Whether rows are finished pixels as they are.
    fn is_plain(&self, colours: &Colours, buffers: usize) -> bool {
        let Layout { bits, kind, .. } = self.layout;
        let all = colours.wanted.len() == self.layout.samples;
        (bits, kind) == (8, Kind::Unsigned)
            && !self.wide
            && buffers == 1
            && !self.layout.planar
            && all
            && colours.are_plain()
    }

    fn lay_row(&self, colours: &Colours, rows: &[&[u8]], to: &mut [u8]) {
        let Self { layout, samples, .. } = self;
        let mut pixel = vec![0; colours.wanted.len()];
        let colour_count = pixel.len() - usize::from(colours.has_alpha);
        for (x, made) in to.chunks_exact_mut(self.made).enumerate() {
            for (place, sample) in pixel.iter_mut().enumerate() {
                let (row, index) = if layout.planar {
                    (rows[place], x)
                } else {
                    (rows[0], x * layout.samples + colours.wanted[place])
                };
                *sample = samples.at(row, index, place >= colour_count);
            }
            if self.wide {
                colours.finish_wide(&pixel, made);
            } else {
                colours.finish(&pixel, made);
            }
        }
    }
}

/// Rows of a strip that is not packed are as good as strips of their own: so that one strip that holds a whole image is
/// not read at once.
fn part_plain_strips(layout: &mut Layout, places: &mut Vec<(usize, usize)>) {
    /// Rows of such a part.
    const ROWS: u32 = 16;
    let height = layout.pieces.height.min(layout.height);
    let plain = layout.compression == compression::NONE && !layout.pieces.tiled && !layout.is_subsampled();
    if !plain || layout.planar || height <= ROWS || !height.is_multiple_of(ROWS) && layout.pieces.down > 1 {
        return;
    }
    let row = layout.row_bytes(layout.width);
    let part = |&(start, end): &(usize, usize)| {
        (0..height.div_ceil(ROWS) as usize).map(move |number| {
            let first = start.saturating_add(number * ROWS as usize * row).min(end);
            (first, first.saturating_add(ROWS as usize * row).min(end))
        })
    };
    *places = places.iter().flat_map(part).collect();
    layout.pieces.height = ROWS;
    layout.pieces.down = layout.height.div_ceil(ROWS);
}

/// The same of packed strips that are high, which have to be unpacked from their beginnings on. Answers the height of a
/// strip.
fn part_packed_strips<'a>(layout: &mut Layout) -> Option<Parted<'a>> {
    /// Rows of a part at the most.
    const ROWS: u32 = 16;
    if !layout.comes_in_parts() {
        return None;
    }
    let height = layout.pieces.height.min(layout.height);
    // A part is of one strip.
    let rows = match layout.pieces.down {
        0 | 1 => ROWS,
        _ => (1..=ROWS).rev().find(|rows| height.is_multiple_of(*rows)).unwrap_or(1),
    };
    layout.pieces.height = rows;
    layout.pieces.down = layout.height.div_ceil(rows);
    Some(Parted { height, stream: None })
}

/// Where each strip or tile starts and ends in the file.
fn places(directory: &Directory<'_>, layout: &Layout) -> Result<Vec<(usize, usize)>, Error> {
    let (starts, lengths) = if layout.pieces.tiled {
        (tag::TILE_OFFSETS, tag::TILE_BYTES)
    } else {
        (tag::STRIP_OFFSETS, tag::STRIP_BYTES)
    };
    let mut starts_at = directory.numbers(starts)?;
    let mut lengths = directory.numbers(lengths)?;
    if starts_at.is_empty() {
        // Tiles whose places stand in the strips' tags occur.
        starts_at = directory.numbers(tag::STRIP_OFFSETS)?;
        lengths = directory.numbers(tag::STRIP_BYTES)?;
    }
    let end_of_file = directory.source().len();
    let place = |(index, start): (usize, &u64)| {
        let start = usize::try_from(*start).unwrap_or(usize::MAX);
        let end = match lengths.get(index) {
            Some(length) if *length > 0 => {
                start.saturating_add(usize::try_from(*length).unwrap_or(usize::MAX))
            }
            // Some writers leave the lengths out; what is unpacked ends by itself.
            _ => end_of_file.max(start.min(end_of_file)),
        };
        (start, end)
    };
    Ok(starts_at.iter().enumerate().map(place).collect())
}

/// One strip or tile.
struct Piece {
    left: usize,
    /// Pixels of it that are the image's.
    width: usize,
    rows: usize,
    /// Pixels that are stored: the last strip ends with the image, tiles do not.
    stored_width: u32,
    stored_rows: u32,
}
