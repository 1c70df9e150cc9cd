//! Reading some rows at a time: for images of which nobody wants all pixels at once.

use mozjpeg_sys as sys;

use super::fault::guarded;
use super::reader::{Colour, Reader, start};
use crate::error::Error;
use crate::limits::Limits;
use crate::scratch::Scratch;

/// A JPEG that is read from top to bottom.
pub(crate) struct Strips<'a> {
    reader: Reader<'a>,
    width: u32,
    height: u32,
    channels: usize,
}

impl<'a> Strips<'a> {
    /// Starts to read, at `eighths`/8 of full size (1 to 8; each side rounded up). `size` is what the limits were checked
    /// with.
    pub(crate) fn open(
        source: &'a [u8],
        size: (u32, u32),
        eighths: u8,
        colour: Colour,
        scratch: Scratch<'_>,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let mut reader = Reader::open(source, size, limits)?;
        reader.lay_coefficients(scratch)?;
        let cinfo = reader.cinfo();
        let (width, height, components) = guarded(move || {
            start(cinfo, eighths, colour);
            (cinfo.output_width, cinfo.output_height, cinfo.output_components)
        })?;
        if usize::try_from(components) != Ok(colour.channels()) || (width, height) != scaled(size, eighths) {
            return Err(Error::unsupported("this kind of JPEG colour is not supported"));
        }
        Ok(Self { reader, width, height, channels: colour.channels() })
    }

    /// The next rows, at most as many as `most`, in place of what `into` holds: none when all were read.
    pub(crate) fn read(&mut self, most: u32, into: &mut Vec<u8>) -> Result<u32, Error> {
        let (stride, height) = (self.width as usize * self.channels, self.height);
        let cinfo = self.reader.cinfo();
        let first = cinfo.output_scanline;
        let last = height.min(first.saturating_add(most));
        into.resize(stride * (last - first) as usize, 0);
        guarded(move || {
            let mut rows: Vec<*mut u8> = into.chunks_exact_mut(stride).map(<[u8]>::as_mut_ptr).collect();
            while cinfo.output_scanline < last {
                let next = &mut rows[(cinfo.output_scanline - first) as usize..];
                // SAFETY: each pointer is the start of its own row of `output_width * output_components` bytes, which
                // is what libjpeg writes to each of at most `next.len()` rows.
                unsafe { sys::jpeg_read_scanlines(cinfo, next.as_mut_ptr(), next.len() as u32) };
            }
            if first < last && last == height {
                // SAFETY: all scanlines were read. This reads on to the end of the image, so that a cut there is
                // noticed.
                unsafe { sys::jpeg_finish_decompress(cinfo) };
            }
        })?;
        // Finishing may set the counter back; what was read is known here.
        Ok(last - first)
    }

    /// Width and height that it is read at.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Whether the file ended before the image did, and that was accepted: what is missing is grey.
    pub(crate) fn ended_early(&self) -> bool {
        self.reader.ended_early()
    }
}

/// What libjpeg makes of a size at some eighths of it.
fn scaled((width, height): (u32, u32), eighths: u8) -> (u32, u32) {
    let side = |side: u32| (u64::from(side) * u64::from(eighths)).div_ceil(8) as u32;
    (side(width), side(height))
}
