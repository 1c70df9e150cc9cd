//! Reading: header, then scanlines at a chosen scale and in a chosen colour.

use std::marker::PhantomData;
use std::ptr::NonNull;

use mozjpeg_sys as sys;

use super::coefficients::Coefficients;
use super::fault::{Clock, error_manager, guarded};
use crate::error::Error;
use crate::limits::Limits;
use crate::scratch::Scratch;

/// What the decoder is asked to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    /// The Y component alone; the others are not reconstructed.
    Luma,
    /// Red, green, blue.
    Rgb,
    /// Cyan, magenta, yellow, black, as stored (Adobe's are inverted).
    Cmyk,
}

impl Colour {
    pub(super) fn channels(self) -> usize {
        match self {
            Colour::Luma => 1,
            Colour::Rgb => 3,
            Colour::Cmyk => 4,
        }
    }
}

/// Samples as decoded, rows without gaps.
pub(crate) struct Scaled {
    pub width: u32,
    pub height: u32,
    pub data: Vec<u8>,
    /// The file ended before the image did; what is missing is grey.
    pub truncated: bool,
}

/// Decodes at `eighths`/8 of full size (1 to 8; each side rounded up). `size` is what the limits were checked with.
pub(crate) fn decode(
    source: &[u8],
    size: (u32, u32),
    eighths: u8,
    colour: Colour,
    limits: &Limits,
) -> Result<Scaled, Error> {
    let mut reader = Reader::open(source, size, limits)?;
    let cinfo = reader.cinfo();
    let decoded = guarded(move || {
        start(cinfo, eighths, colour);
        scanlines(cinfo, colour.channels())
    });
    let truncated = reader.ended_early();
    decoded.flatten().map(|scaled| Scaled { truncated, ..scaled })
}

/// Starts to decompress; what libjpeg raises leaves it.
pub(super) fn start(cinfo: &mut sys::jpeg_decompress_struct, eighths: u8, colour: Colour) {
    cinfo.scale_num = eighths.into();
    cinfo.scale_denom = 8;
    cinfo.out_color_space = match colour {
        Colour::Luma => sys::JCS_GRAYSCALE,
        Colour::Rgb => sys::JCS_RGB,
        Colour::Cmyk => sys::JCS_CMYK,
    };
    cinfo.dct_method = sys::J_DCT_METHOD::JDCT_ISLOW;
    cinfo.do_fancy_upsampling = 1;
    // Smoothing invents pixels for scans that are missing; a file that lacks scans is an error here.
    cinfo.do_block_smoothing = 0;
    // SAFETY: the header was read, and the fields set above are the ones meant to be set now.
    unsafe { sys::jpeg_start_decompress(cinfo) };
}

fn scanlines(cinfo: &mut sys::jpeg_decompress_struct, channels: usize) -> Result<Scaled, Error> {
    let (width, height) = (cinfo.output_width, cinfo.output_height);
    if usize::try_from(cinfo.output_components) != Ok(channels) {
        return Err(Error::unsupported("this kind of JPEG colour is not supported"));
    }
    let stride = width as usize * channels;
    let mut data = vec![0u8; stride * height as usize];
    let mut rows: Vec<*mut u8> = data.chunks_exact_mut(stride).map(<[u8]>::as_mut_ptr).collect();
    while cinfo.output_scanline < height {
        let next = &mut rows[cinfo.output_scanline as usize..];
        // SAFETY: each pointer is the start of its own row of `output_width * output_components` bytes, which is what
        // libjpeg writes to each of at most `next.len()` rows.
        unsafe { sys::jpeg_read_scanlines(cinfo, next.as_mut_ptr(), next.len() as u32) };
    }
    // SAFETY: all scanlines were read. This reads on to the end of the image, so that a cut there is noticed.
    unsafe { sys::jpeg_finish_decompress(cinfo) };
    Ok(Scaled { width, height, data, truncated: false })
}

/// A decompressor that has read its header.
pub(super) struct Reader<'a> {
    state: NonNull<State>,
    source: PhantomData<&'a [u8]>,
}

struct State {
    cinfo: sys::jpeg_decompress_struct,
    errors: sys::jpeg_error_mgr,
    clock: Option<Clock>,
    coefficients: Option<Coefficients>,
}

impl<'a> Reader<'a> {
    /// Reads the header, which must agree with the one that was read before.
    pub(super) fn open(source: &'a [u8], size: (u32, u32), limits: &Limits) -> Result<Self, Error> {
        // SAFETY: all-zero is a valid value: integers, raw pointers and optional functions, enums that have a zero.
        let cinfo = unsafe { std::mem::zeroed() };
        let (errors, clock) = (error_manager(limits.on_truncated), limits.deadline.map(Clock::new));
        let state = NonNull::from(Box::leak(Box::new(State { cinfo, errors, clock, coefficients: None })));
        let mut reader = Self { state, source: PhantomData };
        // SAFETY: `state` is live and stays where it is until `reader` is dropped.
        reader.cinfo().common.err = unsafe { &raw mut (*state.as_ptr()).errors };
        let length = source.len().try_into().map_err(|_| Error::unsupported("the JPEG is too long"))?;
        // SAFETY: as above; the reference ends in this line, what stays is a pointer to the clock that was boxed.
        let progress = unsafe { (*state.as_ptr()).clock.as_mut() }
            .map_or(std::ptr::null_mut(), |clock| Clock::pointer(clock));
        let cinfo = reader.cinfo();
        guarded(move || {
            // SAFETY: `err` is set, the struct is the size that the binding says, and `source` outlives the reader.
            unsafe {
                sys::jpeg_create_decompress(cinfo);
                // Creating cleared it.
                cinfo.common.progress = progress;
                sys::jpeg_mem_src(cinfo, source.as_ptr(), length);
                sys::jpeg_read_header(cinfo, 1);
            }
        })?;
        let found = (reader.cinfo().image_width, reader.cinfo().image_height);
        if found != size {
            return Err(Error::corrupt("the JPEG has more than one frame header, and they disagree"));
        }
        Ok(reader)
    }

    /// Has the coefficients of a file of several scans lie in a scratch file, if they are many. Before decompression is
    /// started.
    pub(super) fn lay_coefficients(&mut self, scratch: Scratch<'_>) -> Result<(), Error> {
        let laid = Coefficients::lay(self.cinfo(), scratch)?;
        // SAFETY: `state` is live while `self` is, and no other reference into it is; what is put there is dropped with
        // it, after libjpeg's object is destroyed.
        unsafe { (*self.state.as_ptr()).coefficients = laid };
        Ok(())
    }

    /// Whether the file ended before its image did, and that was accepted.
    pub(super) fn ended_early(&self) -> bool {
        // SAFETY: `state` is live while `self` is, and libjpeg, which also points there, is not running.
        unsafe { (*self.state.as_ptr()).errors.num_warnings != 0 }
    }

    pub(super) fn cinfo(&mut self) -> &mut sys::jpeg_decompress_struct {
        // SAFETY: `state` is live while `self` is, and `&mut self` makes this the only reference made from it.
        unsafe { &mut (*self.state.as_ptr()).cinfo }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from a leaked box and is freed only here. Destroying is valid in every state, a
        // zeroed one included, and does not raise.
        unsafe {
            sys::jpeg_destroy_decompress(&mut (*self.state.as_ptr()).cinfo);
            drop(Box::from_raw(self.state.as_ptr()));
        }
    }
}
