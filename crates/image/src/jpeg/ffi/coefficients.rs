//! Where the coefficients of a JPEG of several scans lie: all of them have to be there before the first row can be made.
//!
//! libjpeg asks its memory manager for them as virtual arrays, of which it says each time which rows it is about to use.
//! Where they are many, those two functions of the manager are replaced here, and the arrays are parts of one buffer,
//! which lies in a scratch file. All else, and arrays that do not fit, stay with the manager that was there.

use std::ffi::c_int;
use std::ptr::NonNull;

use mozjpeg_sys as sys;

use super::fault::raise;
use crate::error::Error;
use crate::scratch::{Buffer, SMALL, Scratch};

type Request = unsafe extern "C-unwind" fn(
    &mut sys::jpeg_common_struct,
    c_int,
    sys::boolean,
    sys::JDIMENSION,
    sys::JDIMENSION,
    sys::JDIMENSION,
) -> *mut sys::jvirt_barray_control;
type Access = unsafe extern "C-unwind" fn(
    &mut sys::jpeg_common_struct,
    *mut sys::jvirt_barray_control,
    sys::JDIMENSION,
    sys::JDIMENSION,
    sys::boolean,
) -> sys::JBLOCKARRAY;

/// A buffer that a codec object takes its arrays from. It has to outlive the object.
pub(super) struct Coefficients {
    /// Boxed once and reached by this pointer alone, which the object has in its `client_data` as well.
    laid: NonNull<Laid>,
}

struct Laid {
    /// What keeps the blocks; reached by `blocks` alone.
    _buffer: Buffer,
    blocks: *mut sys::JBLOCK,
    /// Blocks in all, and how many of them were given.
    count: usize,
    given: usize,
    arrays: Vec<Array>,
    request: Request,
    access: Access,
}

struct Array {
    /// The start of each row of blocks. libjpeg is shown parts of this; it is never changed.
    rows: Vec<*mut sys::JBLOCK>,
    /// What libjpeg knows it by and never looks into: where its first block is, which no other array has.
    known_by: *mut sys::jvirt_barray_control,
}

impl Coefficients {
    /// Lays the coefficients of an object that has read its header, and not started to decompress, in a scratch file;
    /// `None` where they are few, or there is no file, or none are kept.
    pub(super) fn lay(
        cinfo: &mut sys::jpeg_decompress_struct,
        scratch: Scratch<'_>,
    ) -> Result<Option<Self>, Error> {
        let count = blocks(cinfo);
        let bytes = count * size_of::<sys::JBLOCK>();
        // SAFETY: the header was read, which is what this asks for.
        let are_kept = unsafe { sys::jpeg_has_multiple_scans(cinfo) } != 0;
        if !are_kept || bytes as u64 <= SMALL {
            return Ok(None);
        }
        let mut buffer = Buffer::blank(bytes, scratch)?;
        if matches!(buffer, Buffer::Memory(_)) {
            return Ok(None);
        }
        // SAFETY: an object that was created has a manager, and both functions of it; nobody else has a reference to it.
        let manager = unsafe { &mut *cinfo.common.mem };
        let (Some(request), Some(access)) = (manager.request_virt_barray, manager.access_virt_barray) else {
            return Ok(None);
        };
        // A mapped file begins at a page, so blocks lie as libjpeg's vector instructions want them.
        let blocks = buffer.as_mut_ptr().cast();
        let laid = Laid { _buffer: buffer, blocks, count, given: 0, arrays: Vec::new(), request, access };
        let laid = NonNull::from(Box::leak(Box::new(laid)));
        cinfo.common.client_data = laid.as_ptr().cast();
        manager.request_virt_barray = Some(give);
        manager.access_virt_barray = Some(show);
        Ok(Some(Self { laid }))
    }
}

impl Drop for Coefficients {
    fn drop(&mut self) {
        // SAFETY: the pointer came from a leaked box and is freed only here; the object that knows it too was destroyed.
        drop(unsafe { Box::from_raw(self.laid.as_ptr()) });
    }
}

/// Blocks of all components, as libjpeg asks for them: whole minimum coded units.
fn blocks(cinfo: &sys::jpeg_decompress_struct) -> usize {
    let count = usize::try_from(cinfo.num_components).unwrap_or(0);
    if cinfo.comp_info.is_null() {
        return 0;
    }
    // SAFETY: the header was read, which made `comp_info` an array of `num_components`.
    let components = unsafe { std::slice::from_raw_parts(cinfo.comp_info, count) };
    let whole = |blocks: u32, factor: c_int| {
        (blocks as usize).next_multiple_of(usize::try_from(factor).unwrap_or(1).max(1))
    };
    components
        .iter()
        .map(|part| {
            whole(part.width_in_blocks, part.h_samp_factor) * whole(part.height_in_blocks, part.v_samp_factor)
        })
        .sum()
}

impl Laid {
    /// An array of so many rows, if there is room for it.
    fn array(&mut self, width: usize, rows: usize) -> Option<*mut sys::jvirt_barray_control> {
        let first = self.given;
        let end = width.checked_mul(rows).and_then(|blocks| blocks.checked_add(first))?;
        if end > self.count {
            return None;
        }
        self.given = end;
        // Within the buffer, by the check above.
        let start = |row| self.blocks.wrapping_add(first + row * width);
        let known_by = start(0).cast();
        let rows = (0..rows).map(start).collect();
        self.arrays.push(Array { rows, known_by });
        Some(known_by)
    }

    fn find(&mut self, known_by: *mut sys::jvirt_barray_control) -> Option<&mut Array> {
        self.arrays.iter_mut().find(|array| array.known_by == known_by)
    }
}

/// `request_virt_barray`. The blocks of a new scratch file are zero, as those that are asked for have to be.
unsafe extern "C-unwind" fn give(
    cinfo: &mut sys::jpeg_common_struct,
    pool: c_int,
    zero: sys::boolean,
    width: sys::JDIMENSION,
    rows: sys::JDIMENSION,
    most: sys::JDIMENSION,
) -> *mut sys::jvirt_barray_control {
    // SAFETY: this function is set together with `client_data`, and libjpeg calls it while the object is alive. No other
    // reference to what is there exists: these two functions make one each and end it before they return.
    let laid = unsafe { &mut *cinfo.client_data.cast::<Laid>() };
    match laid.array(width as usize, rows as usize) {
        Some(array) if pool == sys::JPOOL_IMAGE => array,
        // SAFETY: called as libjpeg called this.
        _ => unsafe { (laid.request)(cinfo, pool, zero, width, rows, most) },
    }
}

/// `access_virt_barray`.
unsafe extern "C-unwind" fn show(
    cinfo: &mut sys::jpeg_common_struct,
    known_by: *mut sys::jvirt_barray_control,
    first: sys::JDIMENSION,
    count: sys::JDIMENSION,
    writable: sys::boolean,
) -> sys::JBLOCKARRAY {
    // SAFETY: as in `give`.
    let laid = unsafe { &mut *cinfo.client_data.cast::<Laid>() };
    let Some(Array { rows, .. }) = laid.find(known_by) else {
        // SAFETY: called as libjpeg called this, for an array that the manager gave.
        return unsafe { (laid.access)(cinfo, known_by, first, count, writable) };
    };
    match rows.get_mut(first as usize..first as usize + count as usize) {
        Some(shown) => shown.as_mut_ptr(),
        None => raise(cinfo, sys::JERR_BAD_VIRTUAL_ACCESS),
    }
}
