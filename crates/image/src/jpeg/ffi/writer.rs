//! Writing: scanlines in, a file in memory out.

use std::ffi::c_int;
use std::ptr::NonNull;

use mozjpeg_sys as sys;

use super::fault::{error_manager, guarded};
use crate::error::Error;
use crate::limits::OnTruncated;

/// The marker that EXIF travels in.
pub(super) const APP1: c_int = 0xE1;
/// The marker that colour profiles travel in.
pub(super) const APP2: c_int = 0xE2;

/// An EXIF block as APP1 carries it.
pub(in crate::jpeg) fn exif_segment(block: &[u8]) -> Result<Vec<u8>, Error> {
    // A segment's length is two bytes that count themselves.
    const MOST: usize = 65_533;
    let segment = [b"Exif\0\0", block].concat();
    if segment.len() <= MOST {
        return Ok(segment);
    }
    let (length, most) = (block.len(), MOST - 6);
    let message = format!(
        "the source's EXIF block has {length} bytes, a JPEG holds {most}; metadata=copyright or strip would do"
    );
    Err(Error::encode(message))
}

/// How pixels are encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encoding<'a> {
    /// 1 to 100, as libjpeg scales its tables.
    pub quality: u8,
    /// Whether colour is kept at half the resolution (4:2:0).
    pub subsampled: bool,
    pub progressive: bool,
    /// Huffman tables made for this image, not the standard ones.
    pub optimised: bool,
    /// mozjpeg's rate-distortion search: smaller files, several times the work.
    pub trellis: bool,
    /// Dots an inch, for the JFIF header.
    pub dpi: Option<u16>,
    /// The EXIF block that goes with it.
    pub exif: Option<&'a [u8]>,
}

/// Encodes rows of `channels` samples a pixel: 1 is grey, 3 is red, green, blue.
pub(crate) fn encode(
    width: u32,
    height: u32,
    channels: usize,
    data: &[u8],
    encoding: &Encoding<'_>,
) -> Result<Vec<u8>, Error> {
    let stride = width as usize * channels;
    if stride == 0 || data.len() != stride * height as usize || !matches!(channels, 1 | 3) {
        return Err(Error::encode("a JPEG is made of grey or RGB pixels, at least one"));
    }
    let exif = encoding.exif.map(exif_segment).transpose()?;
    let mut writer = Writer::new()?;
    let cinfo = writer.cinfo();
    guarded(move || {
        let space = if channels == 1 { sys::JCS_GRAYSCALE } else { sys::JCS_RGB };
        configure(cinfo, width, height, space, encoding);
        start(cinfo, exif.as_deref());
        let rows: Vec<*const u8> = data.chunks_exact(stride).map(<[u8]>::as_ptr).collect();
        while cinfo.next_scanline < height {
            let next = &rows[cinfo.next_scanline as usize..];
            // SAFETY: each pointer is the start of its own row of `image_width * input_components` bytes.
            unsafe { sys::jpeg_write_scanlines(cinfo, next.as_ptr(), next.len() as u32) };
        }
        // SAFETY: all rows were given.
        unsafe { sys::jpeg_finish_compress(cinfo) };
    })
    .map_err(|e| does_not_fit(width, height, e))?;
    Ok(writer.into_bytes())
}

/// Encodes the planes of Y, Cb and Cr, rows without gaps. Where the encoding is subsampled the latter two have half of
/// each side, rounded up.
pub(crate) fn encode_planes(
    width: u32,
    height: u32,
    planes: [&[u8]; 3],
    encoding: &Encoding<'_>,
) -> Result<Vec<u8>, Error> {
    let factor = if encoding.subsampled { 2 } else { 1 };
    let sides = [(width, height), (width.div_ceil(factor), height.div_ceil(factor))];
    let sides = [sides[0], sides[1], sides[1]].map(|(w, h)| (w as usize, h as usize));
    if width == 0 || planes.iter().zip(sides).any(|(plane, (w, h))| h == 0 || plane.len() != w * h) {
        return Err(Error::encode(
            "a JPEG is made of three planes of at least one sample, as large as it says",
        ));
    }
    let exif = encoding.exif.map(exif_segment).transpose()?;
    let mut writer = Writer::new()?;
    let cinfo = writer.cinfo();
    guarded(move || {
        configure(cinfo, width, height, sys::JCS_YCbCr, encoding);
        cinfo.raw_data_in = 1;
        start(cinfo, exif.as_deref());
        raw_rows(cinfo, planes, sides, factor as usize);
        // SAFETY: all rows were given.
        unsafe { sys::jpeg_finish_compress(cinfo) };
    })
    .map_err(|e| does_not_fit(width, height, e))?;
    Ok(writer.into_bytes())
}

/// Gives libjpeg the planes, a row of MCUs at a time, each filled up to whole MCUs by repeating its last column and row.
fn raw_rows(
    cinfo: &mut sys::jpeg_compress_struct,
    planes: [&[u8]; 3],
    sides: [(usize, usize); 3],
    factor: usize,
) {
    let mcus_across = sides[0].0.div_ceil(8 * factor);
    let parts = [factor, 1, 1].map(|blocks| (mcus_across * blocks * 8, blocks * 8));
    let mut padded = parts.map(|(stride, rows)| vec![0u8; stride * rows]);
    let mut mcu_row = 0;
    while cinfo.next_scanline < cinfo.image_height {
        for (plane, ((width, height), (padded, (stride, rows)))) in
            planes.iter().zip(sides.into_iter().zip(padded.iter_mut().zip(parts)))
        {
            for (n, target) in padded.chunks_exact_mut(stride).enumerate() {
                let row = &plane[(mcu_row * rows + n).min(height - 1) * width..][..width];
                target[..width].copy_from_slice(row);
                target[width..].fill(row[width - 1]);
            }
        }
        let rows: [Vec<*const u8>; 3] =
            std::array::from_fn(|n| padded[n].chunks_exact(parts[n].0).map(<[u8]>::as_ptr).collect());
        let image = rows.each_ref().map(|rows| rows.as_ptr());
        // SAFETY: `image` holds for each of the three components pointers to the rows of one row of MCUs, its sampling
        // factor times eight, and each row is as long as whole MCUs are.
        unsafe { sys::jpeg_write_raw_data(cinfo, image.as_ptr(), (factor * 8) as u32) };
        mcu_row += 1;
    }
}

/// The messages are worded for reading; here it is what was asked for that does not fit, as a side over 65500.
fn does_not_fit(width: u32, height: u32, cause: Error) -> Error {
    Error::encode(format!("a JPEG of {width}×{height} could not be written")).caused_by(cause)
}

fn start(cinfo: &mut sys::jpeg_compress_struct, exif: Option<&[u8]>) {
    // SAFETY: all parameters are set.
    unsafe { sys::jpeg_start_compress(cinfo, 1) };
    if let Some(exif) = exif {
        // SAFETY: compression has started and no row was written, which is when markers may be.
        unsafe { sys::jpeg_write_marker(cinfo, APP1, exif.as_ptr(), exif.len() as u32) };
    }
}

pub(super) fn configure(
    cinfo: &mut sys::jpeg_compress_struct,
    width: u32,
    height: u32,
    space: sys::J_COLOR_SPACE,
    encoding: &Encoding<'_>,
) {
    let channels = if space == sys::JCS_GRAYSCALE { 1 } else { 3 };
    cinfo.image_width = width;
    cinfo.image_height = height;
    cinfo.input_components = channels;
    cinfo.in_color_space = space;
    // SAFETY: the object is fresh and the fields that the defaults depend on are set.
    unsafe {
        sys::jpeg_set_defaults(cinfo);
        sys::jpeg_set_quality(cinfo, encoding.quality.into(), 1);
        sys::jpeg_c_set_bool_param(cinfo, sys::JBOOLEAN_TRELLIS_QUANT, encoding.trellis.into());
        sys::jpeg_c_set_bool_param(cinfo, sys::JBOOLEAN_TRELLIS_QUANT_DC, encoding.trellis.into());
    }
    cinfo.dct_method = sys::J_DCT_METHOD::JDCT_ISLOW;
    cinfo.optimize_coding = (encoding.optimised || encoding.trellis).into();
    if let Some(dpi) = encoding.dpi {
        cinfo.density_unit = 1;
        (cinfo.X_density, cinfo.Y_density) = (dpi, dpi);
    }
    if channels == 3 {
        let factor = if encoding.subsampled { 2 } else { 1 };
        // SAFETY: the defaults made `comp_info` an array of at least `num_components`, here 3.
        let luma = unsafe { &mut *cinfo.comp_info };
        (luma.h_samp_factor, luma.v_samp_factor) = (factor, factor);
    }
    if encoding.progressive {
        // SAFETY: the colour space, which the scan script depends on, is set.
        unsafe { sys::jpeg_simple_progression(cinfo) };
    }
}

/// A compressor that writes to memory, in libjpeg-turbo's own profile: mozjpeg's slow defaults are off.
pub(super) struct Writer {
    state: NonNull<State>,
}

struct State {
    cinfo: sys::jpeg_compress_struct,
    errors: sys::jpeg_error_mgr,
    output: Output,
}

/// A destination manager with the buffer it fills right behind it, so that its callbacks find the one by the other.
#[repr(C)]
struct Output {
    manager: sys::jpeg_destination_mgr,
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn new() -> Result<Self, Error> {
        let manager = sys::jpeg_destination_mgr {
            next_output_byte: std::ptr::null_mut(),
            free_in_buffer: 0,
            init_destination: Some(init_destination),
            empty_output_buffer: Some(empty_output_buffer),
            term_destination: Some(term_destination),
        };
        // SAFETY: all-zero is a valid value: integers, raw pointers, enums that have a zero.
        let cinfo = unsafe { std::mem::zeroed() };
        let state = State {
            cinfo,
            errors: error_manager(OnTruncated::Fail),
            output: Output { manager, bytes: Vec::new() },
        };
        let state = NonNull::from(Box::leak(Box::new(state)));
        let mut writer = Self { state };
        // SAFETY: `state` is live and stays where it is until the writer is dropped.
        let (errors, output) =
            unsafe { (&raw mut (*state.as_ptr()).errors, &raw mut (*state.as_ptr()).output) };
        let cinfo = writer.cinfo();
        cinfo.common.err = errors;
        guarded(move || {
            // SAFETY: `err` is set and the struct is the size that the binding says. `dest` is a pointer to the whole
            // of `Output`, whose first field is the manager (`repr(C)`).
            unsafe {
                sys::jpeg_create_compress(cinfo);
                cinfo.dest = output.cast();
                let fastest = sys::JINT_COMPRESS_PROFILE_VALUE::JCP_FASTEST as c_int;
                sys::jpeg_c_set_int_param(cinfo, sys::JINT_COMPRESS_PROFILE, fastest);
            }
        })?;
        Ok(writer)
    }

    pub(super) fn cinfo(&mut self) -> &mut sys::jpeg_compress_struct {
        // SAFETY: `state` is live while `self` is, and `&mut self` makes this the only reference made from it.
        unsafe { &mut (*self.state.as_ptr()).cinfo }
    }

    /// What was written, once compression has finished.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.take_bytes()
    }

    /// The same, where the compressor is used again.
    pub(super) fn take_bytes(&mut self) -> Vec<u8> {
        // SAFETY: `state` is live, and libjpeg, which also points there, is not running.
        std::mem::take(unsafe { &mut (*self.state.as_ptr()).output.bytes })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // SAFETY: the pointer came from a leaked box and is freed only here. Destroying is valid in every state.
        unsafe {
            sys::jpeg_destroy_compress(&mut (*self.state.as_ptr()).cinfo);
            drop(Box::from_raw(self.state.as_ptr()));
        }
    }
}

impl Output {
    /// Makes room behind what is written and shows libjpeg where.
    fn offer(&mut self) {
        let used = self.bytes.len();
        self.bytes.reserve(used.max(1 << 16));
        let spare = self.bytes.spare_capacity_mut();
        self.manager.next_output_byte = spare.as_mut_ptr().cast();
        self.manager.free_in_buffer = spare.len();
    }

    /// Counts in what libjpeg wrote, leaving `free` bytes of the room unused.
    fn accept(&mut self, free: usize) {
        let written = self.bytes.capacity() - free;
        // SAFETY: libjpeg wrote every byte from the old length up to where the unused room begins.
        unsafe { self.bytes.set_len(written) };
    }
}

unsafe extern "C-unwind" fn init_destination(cinfo: &mut sys::jpeg_compress_struct) {
    // SAFETY: `dest` points to an `Output`, see `Writer::new`.
    let output = unsafe { &mut *cinfo.dest.cast::<Output>() };
    output.bytes.clear();
    output.offer();
}

/// Called when the room is full; libjpeg does not keep `free_in_buffer` up to date for this call.
unsafe extern "C-unwind" fn empty_output_buffer(cinfo: &mut sys::jpeg_compress_struct) -> sys::boolean {
    // SAFETY: `dest` points to an `Output`, see `Writer::new`.
    let output = unsafe { &mut *cinfo.dest.cast::<Output>() };
    output.accept(0);
    output.offer();
    1
}

unsafe extern "C-unwind" fn term_destination(cinfo: &mut sys::jpeg_compress_struct) {
    // SAFETY: `dest` points to an `Output`, see `Writer::new`.
    let output = unsafe { &mut *cinfo.dest.cast::<Output>() };
    output.accept(output.manager.free_in_buffer);
}
