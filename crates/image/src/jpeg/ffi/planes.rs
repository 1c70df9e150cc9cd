//! Reading the components of a JPEG as they are stored, a row of MCUs at a time: no upsampling, no conversion of colour.

use mozjpeg_sys as sys;

use super::fault::guarded;
use super::reader::Reader;
use crate::error::Error;
use crate::limits::Limits;
use crate::scratch::Scratch;

/// A JPEG of Y, Cb and Cr that is read from top to bottom at full size.
pub(crate) struct PlaneStrips<'a> {
    reader: Reader<'a>,
    sides: [Sides; 3],
    rows: [Vec<u8>; 3],
    height: u32,
}

/// A component's share of a row of MCUs.
#[derive(Debug, Clone, Copy)]
struct Sides {
    /// Samples across, and what a row takes in memory: whole blocks.
    width: usize,
    stride: usize,
    /// Rows in a row of MCUs.
    rows: usize,
    /// Rows of the image that are still to come.
    left: usize,
}

/// Rows of one component.
pub(crate) struct PlaneRows<'a> {
    data: &'a [u8],
    stride: usize,
    width: usize,
}

impl<'a> PlaneRows<'a> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let width = self.width;
        self.data.chunks_exact(self.stride).map(move |row| &row[..width])
    }
}

impl<'a> PlaneStrips<'a> {
    /// Starts to read; `None` unless there are three components, of which the latter two have half of each side (with
    /// `halved`) or all of it. `size` is what the limits were checked with.
    pub(crate) fn open(
        source: &'a [u8],
        size: (u32, u32),
        halved: bool,
        scratch: Scratch<'_>,
        limits: &Limits,
    ) -> Result<Option<Self>, Error> {
        let mut reader = Reader::open(source, size, limits)?;
        let cinfo = reader.cinfo();
        if cinfo.num_components != 3 || cinfo.jpeg_color_space != sys::JCS_YCbCr {
            return Ok(None);
        }
        // SAFETY: the header was read, which made `comp_info` an array of `num_components`, here 3.
        let components = unsafe { std::slice::from_raw_parts(cinfo.comp_info, 3) };
        let factors: Vec<_> =
            components.iter().map(|part| (part.h_samp_factor, part.v_samp_factor)).collect();
        let luma = if halved { (2, 2) } else { (1, 1) };
        if factors != [luma, (1, 1), (1, 1)] {
            return Ok(None);
        }
        reader.lay_coefficients(scratch)?;
        let cinfo = reader.cinfo();
        guarded(move || {
            cinfo.out_color_space = sys::JCS_YCbCr;
            cinfo.raw_data_out = 1;
            cinfo.dct_method = sys::J_DCT_METHOD::JDCT_ISLOW;
            cinfo.do_block_smoothing = 0;
            // SAFETY: the header was read, and the fields set above are the ones meant to be set now.
            unsafe { sys::jpeg_start_decompress(cinfo) };
        })?;
        let (width, height) = (size.0 as usize, size.1 as usize);
        let sides = [luma, (1, 1), (1, 1)].map(|(across, down)| {
            let (across, down) = (across as usize, down as usize);
            let finer = if halved { 2 } else { 1 };
            // Whole MCUs, although libjpeg fills whole blocks only.
            let stride = width.div_ceil(8 * finer) * 8 * across;
            let left = |side: usize, factor: usize| (side * factor).div_ceil(finer);
            Sides { width: left(width, across), stride, rows: 8 * down, left: left(height, down) }
        });
        let rows = sides.map(|side| vec![0; side.stride * side.rows]);
        Ok(Some(Self { reader, sides, rows, height: size.1 }))
    }

    /// The next row of MCUs, without what is below the image; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<[PlaneRows<'_>; 3]>, Error> {
        let Self { reader, sides, rows, height } = self;
        let cinfo = reader.cinfo();
        if sides[0].left == 0 {
            return Ok(None);
        }
        let last = sides[0].left <= sides[0].rows;
        let (strides, lines, height) = (sides.map(|side| side.stride), sides[0].rows, *height);
        let buffers = rows.each_mut();
        guarded(move || {
            let mut pointers = Vec::with_capacity(3);
            for (buffer, stride) in buffers.into_iter().zip(strides) {
                pointers.push(buffer.chunks_exact_mut(stride).map(<[u8]>::as_mut_ptr).collect::<Vec<_>>());
            }
            let mut image: Vec<_> = pointers.iter_mut().map(|rows| rows.as_mut_ptr()).collect();
            // SAFETY: `image` holds for each of the three components pointers to the rows of one row of MCUs, its
            // sampling factor times eight, and each row is as long as whole MCUs are.
            let read = unsafe { sys::jpeg_read_raw_data(cinfo, image.as_mut_ptr(), lines as u32) };
            if read == 0 {
                return Err(Error::corrupt("the JPEG gave no more rows"));
            }
            if last && cinfo.output_scanline >= height {
                // SAFETY: all rows were read. This reads on to the end of the image, so that a cut there is noticed.
                unsafe { sys::jpeg_finish_decompress(cinfo) };
            }
            Ok(())
        })
        .flatten()?;
        let mut index = 0;
        Ok(Some(sides.each_mut().map(|side| {
            let rows = side.rows.min(side.left);
            side.left -= rows;
            let data = &self.rows[index][..rows * side.stride];
            index += 1;
            PlaneRows { data, stride: side.stride, width: side.width }
        })))
    }

    /// Whether the file ended before the image did, and that was accepted: what is missing is grey.
    pub(crate) fn ended_early(&self) -> bool {
        self.reader.ended_early()
    }
}
