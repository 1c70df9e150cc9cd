//! Which format bytes are in, by their first bytes alone: never by a name or what a server says.

use std::fmt;

use crate::xml;

/// As many first bytes as [`sniff`] looks at.
pub const SNIFF_LEN: usize = 1024;

/// A format that can be told from its first bytes, decodable here or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs)] // their names say it all
pub enum SourceFormat {
    Jpeg,
    Png,
    Gif,
    Webp,
    Tiff,
    Bmp,
    Avif,
    Heic,
    Jpeg2000,
    JpegXl,
    Pdf,
    Svg,
    Psd,
    Eps,
    CanonRaw2,
    CanonRaw3,
    FujiRaw,
    OlympusRaw,
    PanasonicRaw,
    Gimp,
    OpenExr,
    Dpx,
    Fits,
    Dicom,
}

impl SourceFormat {
    /// What people call it.
    pub fn name(&self) -> &'static str {
        match self {
            SourceFormat::Jpeg => "JPEG",
            SourceFormat::Png => "PNG",
            SourceFormat::Gif => "GIF",
            SourceFormat::Webp => "WebP",
            SourceFormat::Tiff => "TIFF",
            SourceFormat::Bmp => "BMP",
            SourceFormat::Avif => "AVIF",
            SourceFormat::Heic => "HEIC",
            SourceFormat::Jpeg2000 => "JPEG 2000",
            SourceFormat::JpegXl => "JPEG XL",
            SourceFormat::Pdf => "PDF",
            SourceFormat::Svg => "SVG",
            SourceFormat::Psd => "PSD",
            SourceFormat::Eps => "EPS",
            SourceFormat::CanonRaw2 => "Canon raw (CR2)",
            SourceFormat::CanonRaw3 => "Canon raw (CR3)",
            SourceFormat::FujiRaw => "Fujifilm raw (RAF)",
            SourceFormat::OlympusRaw => "Olympus raw (ORF)",
            SourceFormat::PanasonicRaw => "Panasonic raw (RW2)",
            SourceFormat::Gimp => "GIMP (XCF)",
            SourceFormat::OpenExr => "OpenEXR",
            SourceFormat::Dpx => "DPX",
            SourceFormat::Fits => "FITS",
            SourceFormat::Dicom => "DICOM",
        }
    }

    /// The usual file name extension, without its dot.
    pub fn extension(&self) -> &'static str {
        match self {
            SourceFormat::Jpeg => "jpg",
            SourceFormat::Png => "png",
            SourceFormat::Gif => "gif",
            SourceFormat::Webp => "webp",
            SourceFormat::Tiff => "tif",
            SourceFormat::Bmp => "bmp",
            SourceFormat::Avif => "avif",
            SourceFormat::Heic => "heic",
            SourceFormat::Jpeg2000 => "jp2",
            SourceFormat::JpegXl => "jxl",
            SourceFormat::Pdf => "pdf",
            SourceFormat::Svg => "svg",
            SourceFormat::Psd => "psd",
            SourceFormat::Eps => "eps",
            SourceFormat::CanonRaw2 => "cr2",
            SourceFormat::CanonRaw3 => "cr3",
            SourceFormat::FujiRaw => "raf",
            SourceFormat::OlympusRaw => "orf",
            SourceFormat::PanasonicRaw => "rw2",
            SourceFormat::Gimp => "xcf",
            SourceFormat::OpenExr => "exr",
            SourceFormat::Dpx => "dpx",
            SourceFormat::Fits => "fits",
            SourceFormat::Dicom => "dcm",
        }
    }

    /// The media type (IANA).
    pub fn media_type(&self) -> &'static str {
        match self {
            SourceFormat::Jpeg => "image/jpeg",
            SourceFormat::Png => "image/png",
            SourceFormat::Gif => "image/gif",
            SourceFormat::Webp => "image/webp",
            SourceFormat::Tiff => "image/tiff",
            SourceFormat::Bmp => "image/bmp",
            SourceFormat::Avif => "image/avif",
            SourceFormat::Heic => "image/heic",
            SourceFormat::Jpeg2000 => "image/jp2",
            SourceFormat::JpegXl => "image/jxl",
            SourceFormat::Pdf => "application/pdf",
            SourceFormat::Svg => "image/svg+xml",
            SourceFormat::Psd => "image/vnd.adobe.photoshop",
            SourceFormat::Eps => "application/postscript",
            SourceFormat::CanonRaw2 => "image/x-canon-cr2",
            SourceFormat::CanonRaw3 => "image/x-canon-cr3",
            SourceFormat::FujiRaw => "image/x-fuji-raf",
            SourceFormat::OlympusRaw => "image/x-olympus-orf",
            SourceFormat::PanasonicRaw => "image/x-panasonic-rw2",
            SourceFormat::Gimp => "image/x-xcf",
            SourceFormat::OpenExr => "image/x-exr",
            SourceFormat::Dpx => "image/x-dpx",
            SourceFormat::Fits => "image/fits",
            SourceFormat::Dicom => "application/dicom",
        }
    }

    /// Whether this build decodes it.
    pub fn is_decodable(&self) -> bool {
        use SourceFormat::{Avif, Bmp, Gif, Jpeg, Jpeg2000, Pdf, Png, Svg, Tiff, Webp};
        let features = [
            (Avif, cfg!(feature = "avif")),
            (Jpeg2000, cfg!(feature = "jpeg2000")),
            (Svg, cfg!(feature = "svg")),
            (Pdf, cfg!(feature = "pdf")),
        ];
        matches!(self, Jpeg | Png | Gif | Webp | Tiff | Bmp) || features.contains(&(*self, true))
    }

    /// Whether decoding a hostile file of this format could end the process, by overflowing a stack, running out of
    /// memory or aborting, which no error can stand for: who takes files from strangers decodes these in a process of
    /// their own.
    ///
    /// PDF and SVG are programs for a painter that call themselves; JPEG 2000 is read by code that is young; AV1's
    /// decoder has C's functions on its outside, which no panic can leave.
    pub fn may_abort(&self) -> bool {
        matches!(self, SourceFormat::Pdf | SourceFormat::Svg | SourceFormat::Jpeg2000 | SourceFormat::Avif)
    }

    /// Bytes of address space that decoding takes for a stack of its own; they cost memory only as far as they are used.
    pub fn stack(&self) -> u64 {
        match self {
            SourceFormat::Pdf | SourceFormat::Svg => crate::decode::STACK as u64,
            _ => 0,
        }
    }

    /// What is said of a file that this build does not decode.
    pub(crate) fn why_not_decodable(self) -> String {
        let feature = match self {
            SourceFormat::Avif => "avif",
            SourceFormat::Jpeg2000 => "jpeg2000",
            SourceFormat::Svg => "svg",
            SourceFormat::Pdf => "pdf",
            _ => return format!("the format {self} is not supported"),
        };
        format!("the format {self} is not built into this program: build with the feature {feature}")
    }
}

impl fmt::Display for SourceFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Tells a format from the first [`SNIFF_LEN`] bytes (or all, of a shorter file); `None` if they are no image known
/// here. Formats that are not decodable are told too, so that an error can name them.
pub fn sniff(prefix: &[u8]) -> Option<SourceFormat> {
    let prefix = &prefix[..prefix.len().min(SNIFF_LEN)];
    // A raw that says more of itself than that it is a TIFF.
    if prefix.starts_with(b"II*\0") && prefix.get(8..10) == Some(b"CR") {
        return Some(SourceFormat::CanonRaw2);
    }
    let magic: [(&[u8], SourceFormat); 25] = [
        (b"\xFF\xD8\xFF", SourceFormat::Jpeg),
        (b"\x89PNG\r\n\x1A\n", SourceFormat::Png),
        (b"GIF87a", SourceFormat::Gif),
        (b"GIF89a", SourceFormat::Gif),
        (b"II*\0", SourceFormat::Tiff),
        (b"MM\0*", SourceFormat::Tiff),
        (b"II+\0", SourceFormat::Tiff),
        (b"MM\0+", SourceFormat::Tiff),
        (b"\0\0\0\x0CjP  \r\n\x87\n", SourceFormat::Jpeg2000),
        (b"\xFF\x4F\xFF\x51", SourceFormat::Jpeg2000),
        (b"\0\0\0\x0CJXL \r\n\x87\n", SourceFormat::JpegXl),
        (b"8BPS", SourceFormat::Psd),
        (b"%!PS", SourceFormat::Eps),
        (b"\xC5\xD0\xD3\xC6", SourceFormat::Eps),
        (b"FUJIFILMCCD-RAW ", SourceFormat::FujiRaw),
        (b"IIRO", SourceFormat::OlympusRaw),
        (b"IIRS", SourceFormat::OlympusRaw),
        (b"MMOR", SourceFormat::OlympusRaw),
        (b"IIU\0", SourceFormat::PanasonicRaw),
        (b"gimp xcf ", SourceFormat::Gimp),
        (b"\x76\x2F\x31\x01", SourceFormat::OpenExr),
        (b"SDPX", SourceFormat::Dpx),
        (b"XPDS", SourceFormat::Dpx),
        (b"SIMPLE  =", SourceFormat::Fits),
        (b"\0\0\0\x18ftypcrx ", SourceFormat::CanonRaw3),
    ];
    if let Some((_, format)) = magic.iter().find(|(magic, _)| prefix.starts_with(magic)) {
        return Some(*format);
    }
    if prefix.starts_with(b"RIFF") && prefix.get(8..12) == Some(b"WEBP") {
        return Some(SourceFormat::Webp);
    }
    if prefix.get(128..132) == Some(b"DICM") {
        return Some(SourceFormat::Dicom);
    }
    if is_bmp(prefix) {
        return Some(SourceFormat::Bmp);
    }
    if let Some(format) = isobmff(prefix) {
        return Some(format);
    }
    if prefix.starts_with(b"\xFF\x0A") {
        return Some(SourceFormat::JpegXl);
    }
    text_based(prefix).or_else(|| svgz(prefix))
}

/// “BM” alone starts many a text, so the size of the header behind it must be one that exists.
fn is_bmp(prefix: &[u8]) -> bool {
    let header = prefix.get(14..18).and_then(|b| <[u8; 4]>::try_from(b).ok()).map(u32::from_le_bytes);
    prefix.starts_with(b"BM") && matches!(header, Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}

/// HEIF's `ftyp` box: the brands in it tell AVIF from HEIC (ISO/IEC 23008-12).
fn isobmff(prefix: &[u8]) -> Option<SourceFormat> {
    if prefix.get(4..8) != Some(b"ftyp") {
        return None;
    }
    let length = u32::from_be_bytes(prefix.get(..4)?.try_into().ok()?) as usize;
    let brands = prefix.get(8..length.min(prefix.len()))?;
    let has = |wanted: &[&[u8]]| brands.chunks_exact(4).any(|brand| wanted.contains(&brand));
    if has(&[b"avif", b"avis"]) {
        Some(SourceFormat::Avif)
    } else if has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]) {
        Some(SourceFormat::Heic)
    } else {
        None
    }
}

/// PDF may start after some junk; SVG after a byte order mark, an XML declaration, comments, a document type.
fn text_based(prefix: &[u8]) -> Option<SourceFormat> {
    if prefix.windows(5).any(|window| window == b"%PDF-") {
        return Some(SourceFormat::Pdf);
    }
    let root = xml::root(prefix).map(|at| xml::local_name(&prefix[at..]));
    // A document type may have more to say than is seen here.
    let typed = || root.is_none() && prefix.windows(13).any(|window| window == b"<!DOCTYPE svg");
    (root == Some(b"svg") || typed()).then_some(SourceFormat::Svg)
}

/// SVG packed with gzip, by the beginning of what is in it.
#[cfg(feature = "svg")]
fn svgz(prefix: &[u8]) -> Option<SourceFormat> {
    use std::io::Read;
    let packed = prefix.starts_with(&[0x1F, 0x8B]).then_some(prefix)?;
    let mut text = Vec::new();
    // That the prefix ends before the data do is no matter.
    let _ = flate2::bufread::GzDecoder::new(packed).take(SNIFF_LEN as u64).read_to_end(&mut text);
    text_based(&text).filter(|format| *format == SourceFormat::Svg)
}

#[cfg(not(feature = "svg"))]
fn svgz(_: &[u8]) -> Option<SourceFormat> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_formats_by_their_first_bytes() {
        let cases: [(&[u8], Option<SourceFormat>); 19] = [
            (b"II*\0\x10\0\0\0CR\x02\0", Some(SourceFormat::CanonRaw2)),
            (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", Some(SourceFormat::CanonRaw3)),
            (b"FUJIFILMCCD-RAW 0201", Some(SourceFormat::FujiRaw)),
            (b"IIU\0\x18\0\0\0", Some(SourceFormat::PanasonicRaw)),
            (b"\xFF\xD8\xFF\xE0", Some(SourceFormat::Jpeg)),
            (b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR", Some(SourceFormat::Png)),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some(SourceFormat::Webp)),
            (b"\0\0\0\x1Cftypmif1\0\0\0\0mif1avifmiaf", Some(SourceFormat::Avif)),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Some(SourceFormat::Heic)),
            (b"\0\0\0\x18ftypisom\0\0\0\0isommp41", None),
            (b"<?xml version='1.0'?>\n<svg xmlns=''>", Some(SourceFormat::Svg)),
            (b"\xEF\xBB\xBF<!DOCTYPE svg [<!ENTITY long", Some(SourceFormat::Svg)),
            (b"<html><body>404</body></html>", None),
            (b"<!doctype html><body><svg width='9'></svg>", None),
            (b"<!-- <svg> --><page/>", None),
            (b"junk\n%PDF-1.7", Some(SourceFormat::Pdf)),
            (b"BM is how this text starts, no more", None),
            (b"", None),
            (b"\xFF", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(sniff(bytes), expected, "{}", bytes.escape_ascii());
        }
    }
}
