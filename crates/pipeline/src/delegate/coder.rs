//! Which of ImageMagick's coders reads a source: decided by the source's first bytes, from a list that holds none that
//! reads files, URLs or programs of its own (MVG, MSL, TEXT, URL, EPHEMERAL and the like).

use imgmill_image::{SNIFF_LEN, SourceFormat};

/// One of ImageMagick's coders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Coder {
    name: &'static str,
    drawn: bool,
}

impl Coder {
    /// The coder for a source that imgmill does not decode; `None` if it does, or if no coder reads it.
    pub fn of(source: &[u8]) -> Option<Coder> {
        let format = imgmill_image::sniff(&source[..source.len().min(SNIFF_LEN)])?;
        if format.is_decodable() { None } else { Coder::reading(format, source) }
    }

    /// The coder for a source of a format that imgmill decodes, though not this kind of it: camera raws that look like
    /// any TIFF, unusual TIFFs and JPEGs.
    pub fn instead_of_us(source: &[u8]) -> Option<Coder> {
        let format = imgmill_image::sniff(&source[..source.len().min(SNIFF_LEN)])?;
        Coder::reading(format, source)
    }

    fn reading(format: SourceFormat, source: &[u8]) -> Option<Coder> {
        let (name, drawn) = match format {
            SourceFormat::Eps => ("EPS", true),
            SourceFormat::Psd => ("PSD", false),
            SourceFormat::Heic => ("HEIC", false),
            SourceFormat::Avif => ("AVIF", false),
            SourceFormat::Jpeg2000 => ("JP2", false),
            SourceFormat::JpegXl => ("JXL", false),
            SourceFormat::Pdf => ("PDF", true),
            SourceFormat::CanonRaw2 => ("CR2", false),
            SourceFormat::CanonRaw3 => ("CR3", false),
            SourceFormat::FujiRaw => ("RAF", false),
            SourceFormat::OlympusRaw => ("ORF", false),
            SourceFormat::PanasonicRaw => ("RW2", false),
            SourceFormat::Gimp => ("XCF", false),
            SourceFormat::OpenExr => ("EXR", false),
            SourceFormat::Dpx => ("DPX", false),
            SourceFormat::Fits => ("FITS", false),
            SourceFormat::Dicom => ("DCM", false),
            SourceFormat::Tiff => (raw_of_tiff(source).unwrap_or("TIFF"), false),
            SourceFormat::Jpeg => ("JPEG", false),
            SourceFormat::Bmp => ("BMP", false),
            _ => return None,
        };
        Some(Coder { name, drawn })
    }

    /// What ImageMagick calls it.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Whether it is drawn at a resolution that has to be chosen.
    pub(super) fn is_drawn(self) -> bool {
        self.drawn
    }
}

/// Raws that are TIFFs by their first bytes tell themselves by a tag (DNG 1.7, DNGVersion) or their maker's name.
fn raw_of_tiff(source: &[u8]) -> Option<&'static str> {
    let beginning = &source[..source.len().min(4096)];
    let contains = |needle: &[u8]| beginning.windows(needle.len()).any(|window| window == needle);
    if contains(b"\x12\xC6\x01\0\x04\0\0\0") || contains(b"\xC6\x12\0\x01\0\0\0\x04") {
        Some("DNG")
    } else if contains(b"NIKON") {
        Some("NEF")
    } else if contains(b"SONY") {
        Some("ARW")
    } else if contains(b"PENTAX") {
        Some("PEF")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_name_the_coder() {
        let name = |bytes: &[u8]| Coder::of(bytes).map(Coder::name);
        assert_eq!(name(b"%!PS-Adobe-3.0 EPSF-3.0\n"), Some("EPS"));
        assert_eq!(name(b"8BPS\0\x01"), Some("PSD"));
        assert_eq!(name(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"), Some("HEIC"));
        assert_eq!(name(b"II*\0\x10\0\0\0CR\x02\0"), Some("CR2"));
        assert_eq!(name(b"II*\0\x08\0\0\0 any TIFF"), None, "imgmill reads it");
        // What names a coder itself is nothing to it.
        for script in
            [&b"push graphic-context"[..], b"<?xml version='1.0'?><image/>", b"msl:x", b"@/etc/passwd"]
        {
            assert_eq!(name(script), None, "{}", script.escape_ascii());
        }
    }

    #[test]
    fn raws_that_look_like_tiffs_are_told_apart_when_it_matters() {
        let name = |bytes: &[u8]| Coder::instead_of_us(bytes).map(Coder::name);
        assert_eq!(name(b"II*\0\x08\0\0\0\x01\0\x12\xC6\x01\0\x04\0\0\0\x01\x04\0\0"), Some("DNG"));
        assert_eq!(name(b"MM\0*\0\0\0\x08 NIKON CORPORATION"), Some("NEF"));
        assert_eq!(name(b"II*\0\x08\0\0\0 any TIFF"), Some("TIFF"));
    }
}
