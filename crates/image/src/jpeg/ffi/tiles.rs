//! Writing tiles: abbreviated streams of one size that share their tables (T.81 Annex B.5, TIFF technical note 2).

use mozjpeg_sys as sys;

use super::fault::guarded;
use super::writer::{Encoding, Writer, configure};
use crate::error::Error;

/// A compressor for square tiles of one kind.
pub(crate) struct TileEncoder {
    writer: Writer,
    side: u32,
    channels: usize,
}

impl TileEncoder {
    /// For tiles of `side` pixels, of `channels` samples each: 1 is grey, 3 is red, green, blue.
    pub(crate) fn new(side: u32, channels: usize, quality: u8, subsampled: bool) -> Result<Self, Error> {
        if side == 0 || !matches!(channels, 1 | 3) {
            return Err(Error::encode("a JPEG tile is made of grey or RGB pixels, at least one"));
        }
        let encoding = Encoding {
            quality,
            subsampled,
            progressive: false,
            // One set of tables for all tiles cannot be made for each.
            optimised: false,
            trellis: false,
            dpi: None,
            exif: None,
        };
        let mut writer = Writer::new()?;
        let cinfo = writer.cinfo();
        guarded(move || {
            let space = if channels == 1 { sys::JCS_GRAYSCALE } else { sys::JCS_RGB };
            configure(cinfo, side, side, space, &encoding);
            cinfo.write_JFIF_header = 0;
            cinfo.write_Adobe_marker = 0;
        })?;
        Ok(Self { writer, side, channels })
    }

    /// The stream that holds the tables alone.
    pub(crate) fn tables(&mut self) -> Result<Vec<u8>, Error> {
        let cinfo = self.writer.cinfo();
        guarded(move || {
            // SAFETY: all parameters are set and compression has not started. Tables that were written before count as
            // sent until that is taken back.
            unsafe {
                sys::jpeg_suppress_tables(cinfo, 0);
                sys::jpeg_write_tables(cinfo);
            }
        })?;
        Ok(self.writer.take_bytes())
    }

    /// The stream that holds a tile without its tables. `data` is `side` rows of `side` pixels.
    pub(crate) fn encode(&mut self, data: &[u8]) -> Result<Vec<u8>, Error> {
        let stride = self.side as usize * self.channels;
        if data.len() != stride * self.side as usize {
            return Err(Error::encode("a JPEG tile has to be whole"));
        }
        let height = self.side;
        let cinfo = self.writer.cinfo();
        guarded(move || {
            // SAFETY: all parameters are set, and an image that was finished leaves the object ready for the next.
            unsafe {
                sys::jpeg_suppress_tables(cinfo, 1);
                sys::jpeg_start_compress(cinfo, 0);
            }
            let rows: Vec<*const u8> = data.chunks_exact(stride).map(<[u8]>::as_ptr).collect();
            while cinfo.next_scanline < height {
                let next = &rows[cinfo.next_scanline as usize..];
                // SAFETY: each pointer is the start of its own row of `image_width * input_components` bytes.
                unsafe { sys::jpeg_write_scanlines(cinfo, next.as_ptr(), next.len() as u32) };
            }
            // SAFETY: all rows were given.
            unsafe { sys::jpeg_finish_compress(cinfo) };
        })?;
        Ok(self.writer.take_bytes())
    }
}
