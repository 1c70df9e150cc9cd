//! From JPEG to JPEG without decoding to pixels: component 0 alone, coefficient for coefficient.

use mozjpeg_sys as sys;

use super::super::huffman::{Counts, Table, standard_tables};
use super::fault::guarded;
use super::reader::Reader;
use super::writer::{APP1, Writer};
use crate::error::Error;
use crate::limits::Limits;

/// A JPEG made of another's coefficients.
pub(crate) struct Copied {
    pub bytes: Vec<u8>,
    /// The source ended before its image did; what is missing is grey.
    pub truncated: bool,
}

/// A grey JPEG that is the Y component of `source`, with Y's own quantisation table: what `jpegtran -copy none -grayscale`
/// writes, with `-optimize` where Huffman tables are to be made for it. `exif`, what APP1 carries if anything, becomes
/// its only metadata. `size` is what the limits were checked with.
///
/// `None` if component 0 is not the grey image at full size.
pub(crate) fn luma_only(
    source: &[u8],
    size: (u32, u32),
    exif: Option<&[u8]>,
    optimised: bool,
    limits: &Limits,
) -> Result<Option<Copied>, Error> {
    let mut reader = Reader::open(source, size, limits)?;
    let from = reader.cinfo();
    if !luma_stands_alone(from) {
        return Ok(None);
    }
    let mut writer = Writer::new()?;
    let to = writer.cinfo();
    guarded(move || {
        // SAFETY: the order of calls is the one that libjpeg's own transcoding example (jpegtran) makes: coefficients
        // are read, parameters copied and then changed, coefficients written. The arrays live in `from`, which
        // outlives the writing. `comp_info` holds at least one component on both sides.
        unsafe {
            let coefficients = sys::jpeg_read_coefficients(from);
            sys::jpeg_copy_critical_parameters(from, to);
            // This forgets which table Y was quantised by.
            let table = (*to.comp_info).quant_tbl_no;
            sys::jpeg_set_colorspace(to, sys::JCS_GRAYSCALE);
            (*to.comp_info).quant_tbl_no = table;
            to.optimize_coding = 0;
            // Counted even where it is not needed: that refuses what the standard tables have no code for.
            let (dc, ac) = count(from, *coefficients)?.tables();
            let (dc, ac) = if optimised { (dc, ac) } else { standard_tables() };
            set_tables(to, dc, ac);
            sys::jpeg_write_coefficients(to, coefficients);
            if let Some(exif) = exif {
                sys::jpeg_write_marker(to, APP1, exif.as_ptr(), exif.len() as u32);
            }
            sys::jpeg_finish_compress(to);
            sys::jpeg_finish_decompress(from);
        }
        Ok(())
    })
    .flatten()?;
    let truncated = reader.ended_early();
    drop(reader);
    Ok(Some(Copied { bytes: writer.into_bytes(), truncated }))
}

/// Counts the symbols that component 0 takes as the only one of an image.
///
/// # Safety
/// `coefficients` is component 0's array, which `jpeg_read_coefficients` gave for `from`.
unsafe fn count(
    from: &mut sys::jpeg_decompress_struct,
    coefficients: *mut sys::jvirt_barray_control,
) -> Result<Counts, Error> {
    // SAFETY: the header was read, so there is a component 0.
    let luma = unsafe { &*from.comp_info };
    // Alone in its image it has no padding blocks beyond these.
    let (across, down) = (from.image_width.div_ceil(8), from.image_height.div_ceil(8));
    if across > luma.width_in_blocks || down > luma.height_in_blocks {
        return Err(Error::corrupt("the JPEG has fewer luma blocks than pixels"));
    }
    let mut counts = Counts::new();
    // SAFETY: a live object has its memory manager.
    let access = unsafe { (*from.common.mem).access_virt_barray };
    let access = access.ok_or_else(|| Error::corrupt("the JPEG library has no access to coefficients"))?;
    for row in 0..down {
        // SAFETY: the row is within the array (see above); reading one row at a time is always allowed. What comes
        // back is one pointer to a row of `width_in_blocks` blocks, valid until the next access.
        let blocks = unsafe {
            let rows = access(&mut from.common, coefficients, row, 1, 0);
            std::slice::from_raw_parts(*rows, across as usize)
        };
        if !blocks.iter().all(|block| counts.add(block)) {
            return Err(Error::corrupt("the JPEG has coefficients that are too large"));
        }
    }
    Ok(counts)
}

/// Has `to` write its only component with these tables.
///
/// # Safety
/// The defaults of `to` are set, which make tables number 0.
unsafe fn set_tables(to: &mut sys::jpeg_compress_struct, dc: Table, ac: Table) {
    for (target, table) in [(to.dc_huff_tbl_ptrs[0], dc), (to.ac_huff_tbl_ptrs[0], ac)] {
        // SAFETY: the defaults allocated both.
        let target = unsafe { &mut *target };
        target.bits = table.lengths;
        target.huffval = table.symbols;
    }
}

fn luma_stands_alone(cinfo: &sys::jpeg_decompress_struct) -> bool {
    let model = cinfo.jpeg_color_space;
    let known = (model == sys::JCS_YCbCr && cinfo.num_components == 3)
        || (model == sys::JCS_GRAYSCALE && cinfo.num_components == 1);
    // SAFETY: the header was read, so `comp_info` is an array of `num_components`, which `known` says is not empty.
    known
        && unsafe {
            let luma = &*cinfo.comp_info;
            luma.h_samp_factor == cinfo.max_h_samp_factor && luma.v_samp_factor == cinfo.max_v_samp_factor
        }
}
