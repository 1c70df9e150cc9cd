//! Pyramids of JPEG tiles from a JPEG's own planes: where both keep colour in a way that fits, and nothing but the
//! packing changes.

use super::Work;
use crate::decode;
use crate::encode::ptif;
use crate::error::Error;
use crate::header::Header;
use crate::jpeg::PlaneStrips;
use crate::limits::Limits;
use crate::recipe::{Compression, Icc, Quality};
use crate::scratch::Scratch;
use crate::sink::Output;
use crate::sniff::SourceFormat;

/// Writes the pyramid, and says whether the source ended before its image did; `None` if it is not made so.
pub(super) fn write(
    work: &Work<'_>,
    source: &[u8],
    header: &Header,
    exif: Option<&[u8]>,
    scratch: Scratch<'_>,
    limits: &Limits,
    out: &mut dyn Output,
) -> Result<Option<bool>, Error> {
    let (plan, options) = (&work.plan, &work.derivative.options);
    let in_colour = matches!(work.derivative.request.quality, Quality::Default | Quality::Color);
    let is_packed_as_jpeg = options.compression == Some(Compression::Jpeg);
    if header.format != SourceFormat::Jpeg
        || !is_packed_as_jpeg
        || !in_colour
        || !plan.keeps_order(header, work.derivative)
    {
        return Ok(None);
    }
    let Some((profile, is_srgb)) = decode::ycbcr_profile(source) else { return Ok(None) };
    let profile = match options.icc {
        Icc::Keep => profile,
        Icc::Srgb if is_srgb => None,
        Icc::Srgb => return Ok(None),
    };
    decode::check_scans(source, header, limits)?;
    let size = (header.width, header.height);
    let subsampled = ptif::is_subsampled(options);
    let mut halve = false;
    let mut strips = PlaneStrips::open(source, size, subsampled, scratch, limits)?;
    if strips.is_none() && subsampled {
        halve = true;
        strips = PlaneStrips::open(source, size, false, scratch, limits)?;
    }
    let Some(mut strips) = strips else { return Ok(None) };
    ptif::write_planes(size, profile, options, exif, halve, limits, out, |push| {
        while let Some(rows) = strips.next()? {
            limits.check_time()?;
            push(rows)?;
        }
        Ok(())
    })?;
    Ok(Some(strips.ended_early()))
}
