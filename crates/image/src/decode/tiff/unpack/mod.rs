//! From the bytes of a strip or tile to its rows as they were before compression: one kind of compression each.
//!
//! What comes out has exactly the length that the layout demands; nothing is unpacked past it.

mod fax;
mod jpeg;
mod stream;

use std::io::{Cursor, Read};

use self::fax::Coding;
use self::stream::{Lzw, PackBits};
use super::directory::Directory;
use super::layout::{Layout, compression, tag};
use super::unsupported;
use crate::error::Error;
use crate::limits::Limits;

pub(super) use jpeg::stream as old_stream;

/// What unpacking needs beside a piece's own bytes.
pub(super) struct Unpacker<'a> {
    layout: Layout,
    jpeg: jpeg::Tables<'a>,
    t4_options: u64,
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(directory: &Directory<'a>, layout: &Layout) -> Result<Self, Error> {
        let jpeg = jpeg::Tables::read(directory, layout)?;
        Ok(Self { layout: layout.clone(), jpeg, t4_options: directory.number(tag::T4_OPTIONS)?.unwrap_or(0) })
    }

    /// The rows of a piece, `width` × `rows` pixels, in the file's byte order and still as differences.
    pub(super) fn unpack(
        &self,
        data: &[u8],
        width: u32,
        rows: u32,
        limits: &Limits,
    ) -> Result<Vec<u8>, Error> {
        let layout = &self.layout;
        let length = if layout.is_subsampled() {
            super::chroma::stored_length(layout.subsampling, width, rows)
        } else {
            layout.row_bytes(width) * rows as usize
        };
        let reversed;
        let data = if layout.reversed && !layout.is_jpeg() {
            reversed = data.iter().map(|byte| byte.reverse_bits()).collect::<Vec<_>>();
            &reversed
        } else {
            data
        };
        let mut rows_of = match layout.compression {
            compression::NONE => data[..data.len().min(length)].to_vec(),
            compression::LZW => read(Lzw::new(data), length)?,
            compression::DEFLATE | compression::OLD_DEFLATE => {
                read(flate2::read::ZlibDecoder::new(data), length)?
            }
            compression::ZSTD => {
                let decoder = zstd::stream::read::Decoder::with_buffer(data).map_err(damaged)?;
                read(decoder, length)?
            }
            compression::PACKBITS => read(PackBits::new(data), length)?,
            compression::FAX_RLE => self.fax(data, width, rows, Coding::Runs { unit: 8 })?,
            compression::FAX_RLE_WORDS => self.fax(data, width, rows, Coding::Runs { unit: 16 })?,
            compression::FAX_3 => {
                let two_dimensional = self.t4_options & 1 != 0;
                self.fax(data, width, rows, Coding::Group3 { two_dimensional })?
            }
            compression::FAX_4 => self.fax(data, width, rows, Coding::Group4)?,
            compression::JPEG | compression::OLD_JPEG => {
                self.jpeg.unpack(data, layout, width, rows, limits)?
            }
            compression::WEBP => webp(data, layout, width, rows)?,
            other => return Err(unsupported(format!("compression {other}"))),
        };
        if rows_of.len() < length {
            return Err(cut());
        }
        rows_of.truncate(length);
        Ok(rows_of)
    }

    /// The same bytes one after another, where its compression allows without all of them being held.
    pub(super) fn stream(
        &self,
        data: &'a [u8],
        width: u32,
        rows: u32,
        limits: &Limits,
    ) -> Result<Box<dyn Read + 'a>, Error> {
        Ok(match self.layout.compression {
            _ if self.layout.reversed => Box::new(Cursor::new(self.unpack(data, width, rows, limits)?)),
            compression::LZW => Box::new(Lzw::new(data)),
            compression::DEFLATE | compression::OLD_DEFLATE => Box::new(flate2::read::ZlibDecoder::new(data)),
            compression::ZSTD => Box::new(zstd::stream::read::Decoder::with_buffer(data).map_err(damaged)?),
            compression::PACKBITS => Box::new(PackBits::new(data)),
            _ => Box::new(Cursor::new(self.unpack(data, width, rows, limits)?)),
        })
    }

    fn fax(&self, data: &[u8], width: u32, rows: u32, coding: Coding) -> Result<Vec<u8>, Error> {
        if self.layout.bits != 1 || self.layout.together() != 1 {
            return Err(Error::corrupt("the TIFF has fax compression, but more than a bit a pixel"));
        }
        fax::decode(data, width, rows as usize, coding)
    }
}

fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::corrupt(format!("a strip or tile of the TIFF is damaged: {error}")).caused_by(error)
}

/// The next rows of a stream, of `length` bytes.
pub(super) fn next_rows(stream: &mut dyn Read, length: usize) -> Result<Vec<u8>, Error> {
    let rows = read(stream, length)?;
    if rows.len() < length {
        return Err(cut());
    }
    Ok(rows)
}

fn cut() -> Error {
    Error::truncated("a strip or tile of the TIFF ends before its pixels do")
}

/// At most `length` bytes of a stream; what is wrong with it after that is of no concern.
fn read(stream: impl Read, length: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    match stream.take(length as u64).read_to_end(&mut bytes) {
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(bytes),
        Err(e) => Err(damaged(e)),
        Ok(_) => Ok(bytes),
    }
}

fn webp(data: &[u8], layout: &Layout, width: u32, rows: u32) -> Result<Vec<u8>, Error> {
    let failed = |e: image_webp::DecodingError| damaged(e);
    let mut decoder = image_webp::WebPDecoder::new(std::io::Cursor::new(data)).map_err(failed)?;
    let samples = if decoder.has_alpha() { 4 } else { 3 };
    if decoder.dimensions() != (width, rows) || layout.bits != 8 || !matches!(layout.together(), 3 | 4) {
        return Err(Error::corrupt("a WebP in the TIFF is of another size or depth than its tags say"));
    }
    let length = width as usize * rows as usize * samples;
    decoder.set_memory_limit(length.saturating_mul(8).saturating_add(1 << 20));
    let mut bytes = vec![0; length];
    decoder.read_image(&mut bytes).map_err(failed)?;
    Ok(match (samples, layout.together()) {
        (3, 4) => bytes.as_chunks::<3>().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]).collect(),
        (4, 3) => bytes.as_chunks::<4>().0.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect(),
        _ => bytes,
    })
}
