//! WebP's extended container, as far as an EXIF block needs it: libwebp's encoder writes the image alone.
//!
//! RIFF chunks: `VP8X` with flags and dimensions, the image's own, then `EXIF` (WebP container specification).

use crate::error::Error;

const ALPHA: u8 = 0x10;
const EXIF: u8 = 0x08;
/// Length of RIFF's own header, and of a chunk's.
const RIFF: usize = 12;
const CHUNK: usize = 8;

/// The same file with an EXIF block.
pub(super) fn with_exif(
    file: &[u8],
    (width, height): (u32, u32),
    has_alpha: bool,
    exif: &[u8],
) -> Result<Vec<u8>, Error> {
    let too_long = || Error::encode("the WebP with its EXIF block would be too long");
    let mut image = file.get(RIFF..).unwrap_or_default();
    let mut flags = EXIF | if has_alpha { ALPHA } else { 0 };
    if image.starts_with(b"VP8X") {
        flags |= image.get(CHUNK).copied().unwrap_or_default();
        image = image.get(CHUNK + 10..).unwrap_or_default();
    }
    let mut header = vec![flags, 0, 0, 0];
    for side in [width, height] {
        header.extend(&side.saturating_sub(1).to_le_bytes()[..3]);
    }
    let mut bytes = b"RIFF\0\0\0\0WEBP".to_vec();
    chunk(&mut bytes, b"VP8X", &header).ok_or_else(too_long)?;
    bytes.extend(image);
    chunk(&mut bytes, b"EXIF", exif).ok_or_else(too_long)?;
    let length = u32::try_from(bytes.len() - CHUNK).map_err(|_| too_long())?;
    bytes[4..8].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

fn chunk(bytes: &mut Vec<u8>, name: &[u8; 4], payload: &[u8]) -> Option<()> {
    bytes.extend(name);
    bytes.extend(u32::try_from(payload.len()).ok()?.to_le_bytes());
    bytes.extend(payload);
    if payload.len() % 2 == 1 {
        bytes.push(0);
    }
    Some(())
}
