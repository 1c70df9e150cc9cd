//! Strips and tiles put together to an image: each unpacked, its samples made pixels and laid where they belong.

use super::chroma;
use super::colour::Colours;
use super::directory::Directory;
use super::layout::{Kind, Layout, compression, tag};
use super::samples::Samples;
use super::unpack::{self, Unpacker};
use super::{predictor, unsupported};
use crate::error::Error;
use crate::limits::Limits;

/// The finished samples of all pixels.
pub(super) fn read(
    directory: &Directory<'_>,
    layout: &Layout,
    colours: &Colours,
    is_light: bool,
    limits: &Limits,
) -> Result<Vec<u8>, Error> {
    let old_stream =
        if layout.compression == compression::OLD_JPEG { unpack::old_stream(directory)? } else { None };
    let mut layout = layout.clone();
    let places = match old_stream {
        // One stream, whatever the strips say.
        Some(_) if layout.planar => return Err(unsupported("old-style JPEG compression of planes")),
        Some(_) => {
            layout.pieces.width = layout.width;
            layout.pieces.height = layout.height;
            (layout.pieces.across, layout.pieces.down) = (1, 1);
            Vec::new()
        }
        None => places(directory, &layout)?,
    };
    let unpacker = Unpacker::new(directory, &layout)?;
    let samples = Samples::new(&layout, is_light);
    let mut canvas = Canvas {
        layout: &layout,
        colours,
        samples,
        data: vec![0; layout.width as usize * layout.height as usize * colours.made],
    };
    let (across, down) = (layout.pieces.across as usize, layout.pieces.down as usize);
    let planes: &[usize] = if layout.planar { &colours.wanted } else { &[0] };
    for number in 0..across * down {
        limits.check_time()?;
        let piece = canvas.piece(number as u32 % layout.pieces.across, number as u32 / layout.pieces.across);
        let mut unpacked = Vec::with_capacity(planes.len());
        for plane in planes {
            let stored = match old_stream.as_deref() {
                Some(stream) => stream,
                None => {
                    let place = places.get(plane * across * down + number);
                    let Some(&(start, end)) = place else {
                        return Err(Error::corrupt(
                            "the TIFF has fewer strips or tiles than its image needs",
                        ));
                    };
                    let cut = || Error::truncated("the TIFF ends before its image does");
                    directory.source().get(start..end).ok_or_else(cut)?
                }
            };
            let mut rows = unpacker.unpack(stored, piece.stored_width, piece.stored_rows, limits)?;
            if layout.is_subsampled() {
                rows = chroma::spread(&rows, layout.subsampling, piece.stored_width, piece.stored_rows);
            }
            predictor::undo(&mut rows, &layout, piece.stored_width)?;
            unpacked.push(rows);
        }
        canvas.lay(&piece, &unpacked);
    }
    Ok(canvas.data)
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
    top: usize,
    /// Pixels of it that are the image's.
    width: usize,
    rows: usize,
    /// Pixels that are stored: the last strip ends with the image, tiles do not.
    stored_width: u32,
    stored_rows: u32,
}

struct Canvas<'a> {
    layout: &'a Layout,
    colours: &'a Colours,
    samples: Samples,
    data: Vec<u8>,
}

impl Canvas<'_> {
    fn piece(&self, column: u32, row: u32) -> Piece {
        let Layout { width, height, pieces, .. } = self.layout;
        let (left, top) = (column * pieces.width, row * pieces.height);
        let (across, rows) = (pieces.width.min(width - left), pieces.height.min(height - top));
        Piece {
            left: left as usize,
            top: top as usize,
            width: across as usize,
            rows: rows as usize,
            stored_width: pieces.width,
            stored_rows: if pieces.tiled { pieces.height } else { rows },
        }
    }

    /// Makes pixels of a piece's rows: of one buffer, or of one for each sample that is wanted.
    fn lay(&mut self, piece: &Piece, unpacked: &[Vec<u8>]) {
        let made = self.colours.made;
        let stride = self.layout.width as usize * made;
        let stored_stride = self.layout.row_bytes(piece.stored_width);
        for y in 0..piece.rows {
            let start = (piece.top + y) * stride + piece.left * made;
            let end = start + piece.width * made;
            let row = |buffer: &'_ Vec<u8>| y * stored_stride..((y + 1) * stored_stride).min(buffer.len());
            if self.is_plain(unpacked.len()) {
                let from = &unpacked[0][row(&unpacked[0])];
                self.data[start..end].copy_from_slice(&from[..end - start]);
                continue;
            }
            let rows: Vec<&[u8]> = unpacked.iter().map(|buffer| &buffer[row(buffer)]).collect();
            self.lay_row(&rows, start, piece.width);
        }
    }

    /// Whether rows are finished pixels as they are.
    fn is_plain(&self, buffers: usize) -> bool {
        let Layout { bits, kind, .. } = *self.layout;
        let all = self.colours.wanted.len() == self.layout.samples;
        (bits, kind) == (8, Kind::Unsigned)
            && buffers == 1
            && !self.layout.planar
            && all
            && self.colours.are_plain()
    }

    fn lay_row(&mut self, rows: &[&[u8]], start: usize, width: usize) {
        let Self { layout, colours, samples, data } = self;
        let mut pixel = vec![0; colours.wanted.len()];
        let colour_count = pixel.len() - usize::from(colours.has_alpha);
        let to = &mut data[start..start + width * colours.made];
        for (x, made) in to.chunks_exact_mut(colours.made).enumerate() {
            for (place, sample) in pixel.iter_mut().enumerate() {
                let (row, index) = if layout.planar {
                    (rows[place], x)
                } else {
                    (rows[0], x * layout.samples + colours.wanted[place])
                };
                *sample = samples.at(row, index, place >= colour_count);
            }
            colours.finish(&pixel, made);
        }
    }
}
