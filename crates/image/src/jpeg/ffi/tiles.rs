//! Writing tiles: abbreviated streams of one size that share their tables (T.81 Annex B.5, TIFF technical note 2).

use mozjpeg_sys as sys;

use super::fault::guarded;
use super::writer::{Encoding, Writer, configure};
use crate::error::Error;

/// A compressor for square tiles of one kind.
pub(crate) struct TileEncoder {
    writer: Writer,
    side: u32,
    kind: Kind,
}

/// What tiles are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Rows of pixels of so many samples: 1 is grey, 3 is red, green, blue.
    Pixels(usize),
    /// Three planes, of which the latter two have so many times smaller sides.
    Planes(u32),
}

impl TileEncoder {
    /// For tiles of `side` pixels, of `channels` samples each: 1 is grey, 3 is red, green, blue.
    pub(crate) fn new(side: u32, channels: usize, quality: u8, subsampled: bool) -> Result<Self, Error> {
        if !matches!(channels, 1 | 3) {
            return Err(Error::encode("a JPEG tile is made of grey or RGB pixels, at least one"));
        }
        let space = if channels == 1 { sys::JCS_GRAYSCALE } else { sys::JCS_RGB };
        Self::of(side, Kind::Pixels(channels), space, quality, subsampled)
    }

    /// For tiles of `side` pixels whose Y, Cb and Cr come apart, the latter two at half of each side if subsampled.
    pub(crate) fn of_planes(side: u32, quality: u8, subsampled: bool) -> Result<Self, Error> {
        let finer = if subsampled { 2 } else { 1 };
        if !side.is_multiple_of(8 * finer) {
            return Err(Error::encode("a JPEG tile of planes is made of whole blocks"));
        }
        Self::of(side, Kind::Planes(finer), sys::JCS_YCbCr, quality, subsampled)
    }

    fn of(
        side: u32,
        kind: Kind,
        space: sys::J_COLOR_SPACE,
        quality: u8,
        subsampled: bool,
    ) -> Result<Self, Error> {
        if side == 0 {
            return Err(Error::encode("a JPEG tile has one pixel at least"));
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
            configure(cinfo, side, side, space, &encoding);
            cinfo.raw_data_in = matches!(kind, Kind::Planes(_)).into();
            cinfo.write_JFIF_header = 0;
            cinfo.write_Adobe_marker = 0;
        })?;
        Ok(Self { writer, side, kind })
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

    /// The stream that holds a tile without its tables: `side` rows of `side` pixels, or those of three planes.
    pub(crate) fn encode(&mut self, planes: &[Vec<&[u8]>]) -> Result<Vec<u8>, Error> {
        let (side, kind) = (self.side as usize, self.kind);
        let sides: &[(usize, usize)] = match kind {
            Kind::Pixels(channels) => &[(side, side * channels)],
            Kind::Planes(finer) => {
                let coarse = side / finer as usize;
                &[(side, side), (coarse, coarse), (coarse, coarse)]
            }
        };
        let whole = |(rows, (count, length)): (&Vec<&[u8]>, &(usize, usize))| {
            rows.len() == *count && rows.iter().all(|row| row.len() == *length)
        };
        if planes.len() != sides.len() || !planes.iter().zip(sides).all(whole) {
            return Err(Error::encode("a JPEG tile has to be whole"));
        }
        let rows: Vec<Vec<*const u8>> =
            planes.iter().map(|rows| rows.iter().map(|row| row.as_ptr()).collect()).collect();
        let cinfo = self.writer.cinfo();
        guarded(move || {
            // SAFETY: all parameters are set, and an image that was finished leaves the object ready for the next.
            unsafe {
                sys::jpeg_suppress_tables(cinfo, 1);
                sys::jpeg_start_compress(cinfo, 0);
            }
            while cinfo.next_scanline < cinfo.image_height {
                let next = cinfo.next_scanline as usize;
                match kind {
                    Kind::Pixels(_) => {
                        let next = &rows[0][next..];
                        // SAFETY: each pointer is the start of its own row of `image_width * input_components` bytes,
                        // which live as long as `planes`.
                        unsafe { sys::jpeg_write_scanlines(cinfo, next.as_ptr(), next.len() as u32) };
                    }
                    Kind::Planes(finer) => {
                        let coarse = next / finer as usize;
                        let image = [
                            rows[0][next..].as_ptr(),
                            rows[1][coarse..].as_ptr(),
                            rows[2][coarse..].as_ptr(),
                        ];
                        // SAFETY: the tile is made of whole MCUs, so `image` holds for each component pointers to the
                        // rows of one row of them, each as long as whole MCUs are.
                        unsafe { sys::jpeg_write_raw_data(cinfo, image.as_ptr(), finer * 8) };
                    }
                }
            }
            // SAFETY: all rows were given.
            unsafe { sys::jpeg_finish_compress(cinfo) };
        })?;
        Ok(self.writer.take_bytes())
    }
}
