//! From JPEG to JPEG turned, in the DCT domain: blocks change places, coefficients places and signs, and none its size.
//!
//! The turning itself is libjpeg's own `transupp.c`, the heart of `jpegtran`, so that the result is that program's.

use std::ffi::{c_int, c_uint};

use mozjpeg_sys as sys;

use super::fault::guarded;
use super::reader::Reader;
use super::transcode::Copied;
use super::writer::{APP1, APP2, Writer, exif_segment};
use crate::error::Error;
use crate::exif::Turn;
use crate::limits::Limits;

/// What is made of a JPEG without decoding it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turning<'a> {
    pub turn: Turn,
    /// Whether luma is all that is kept.
    pub gray: bool,
    /// The colour profile that its samples mean something by.
    pub icc: Option<&'a [u8]>,
    /// The EXIF block that becomes its only metadata.
    pub exif: Option<&'a [u8]>,
    /// Whether Huffman tables are made for it.
    pub optimised: bool,
}

/// The turned JPEG: what `jpegtran -perfect -copy none` writes with the switches that `turning` means, metadata aside. `size` is what the limits were checked with.
///
/// `None` if blocks at an edge are not whole, so that they cannot be turned.
pub(crate) fn turned(
    source: &[u8],
    size: (u32, u32),
    turning: &Turning<'_>,
    limits: &Limits,
) -> Result<Option<Copied>, Error> {
    let mut reader = Reader::open(source, size, limits)?;
    let from = reader.cinfo();
    let exif = turning.exif.map(exif_segment).transpose()?;
    let profile = turning.icc.map_or(Vec::new(), icc_segments);
    let mut info = TransformInfo::new(turning);
    let mut writer = Writer::new()?;
    let to = writer.cinfo();
    let is_done = guarded(move || {
        // SAFETY: the order of calls is jpegtran's: workspace, coefficients, parameters, turned parameters, writing,
        // the turn. `info` is laid out as transupp.h has it and not moved from its first use to its last. The arrays
        // live in `from`, which outlives the writing.
        unsafe {
            if jtransform_request_workspace(from, &raw mut info) == 0 {
                return false;
            }
            let coefficients = sys::jpeg_read_coefficients(from);
            sys::jpeg_copy_critical_parameters(from, to);
            let turned = jtransform_adjust_parameters(from, to, coefficients, &raw mut info);
            to.optimize_coding = turning.optimised.into();
            sys::jpeg_write_coefficients(to, turned);
            for (marker, segment) in exif.iter().map(|s| (APP1, s)).chain(profile.iter().map(|s| (APP2, s))) {
                sys::jpeg_write_marker(to, marker, segment.as_ptr(), segment.len() as u32);
            }
            jtransform_execute_transform(from, to, coefficients, &raw mut info);
            sys::jpeg_finish_compress(to);
            sys::jpeg_finish_decompress(from);
        }
        true
    })?;
    let truncated = reader.ended_early();
    drop(reader);
    Ok(is_done.then(|| Copied { bytes: writer.into_bytes(), truncated }))
}

/// A profile as APP2 carries it (ICC.1 Annex B.4).
fn icc_segments(profile: &[u8]) -> Vec<Vec<u8>> {
    const MOST: usize = 65_519;
    let pieces = profile.chunks(MOST);
    let of = pieces.len();
    let Ok(count) = u8::try_from(of) else { return Vec::new() };
    let segment = |(number, piece): (u8, &[u8])| [b"ICC_PROFILE\0", &[number, count][..], piece].concat();
    (1..=count).zip(pieces).map(segment).collect()
}

/// `jpeg_transform_info` of transupp.h, whole: the binding's lacks the fields of `drop`.
#[repr(C)]
struct TransformInfo {
    transform: c_uint,
    perfect: sys::boolean,
    trim: sys::boolean,
    force_grayscale: sys::boolean,
    crop: sys::boolean,
    slow_hflip: sys::boolean,
    /// Four pairs of a number and what it means.
    crop_box: [c_uint; 8],
    drop_source: *mut sys::jpeg_decompress_struct,
    drop_coefficients: *mut *mut sys::jvirt_barray_control,
    components: c_int,
    workspace: *mut *mut sys::jvirt_barray_control,
    output_width: c_uint,
    output_height: c_uint,
    x_crop_offset: c_uint,
    y_crop_offset: c_uint,
    drop_width: c_uint,
    drop_height: c_uint,
    mcu_width: c_int,
    mcu_height: c_int,
}

impl TransformInfo {
    fn new(turning: &Turning<'_>) -> Self {
        // SAFETY: all-zero is a valid value: integers and raw pointers.
        let mut info: Self = unsafe { std::mem::zeroed() };
        info.transform = code(turning.turn);
        info.perfect = 1;
        info.force_grayscale = turning.gray.into();
        info
    }
}

/// JXFORM_CODE, by its place in transupp.h.
fn code(turn: Turn) -> c_uint {
    match (turn.mirror, turn.quarters % 4) {
        (false, 0) => 0,
        (true, 0) => 1,
        (true, 2) => 2,
        // Mirrored and then three quarters on is the transpose; one quarter on, the transverse.
        (true, 3) => 3,
        (true, _) => 4,
        (false, 1) => 5,
        (false, 2) => 6,
        (false, _) => 7,
    }
}

unsafe extern "C-unwind" {
    fn jtransform_request_workspace(
        from: *mut sys::jpeg_decompress_struct,
        info: *mut TransformInfo,
    ) -> sys::boolean;
    fn jtransform_adjust_parameters(
        from: *mut sys::jpeg_decompress_struct,
        to: *mut sys::jpeg_compress_struct,
        coefficients: *mut *mut sys::jvirt_barray_control,
        info: *mut TransformInfo,
    ) -> *mut *mut sys::jvirt_barray_control;
    fn jtransform_execute_transform(
        from: *mut sys::jpeg_decompress_struct,
        to: *mut sys::jpeg_compress_struct,
        coefficients: *mut *mut sys::jvirt_barray_control,
        info: *mut TransformInfo,
    );
}
