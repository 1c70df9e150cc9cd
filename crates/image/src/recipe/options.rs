//! How a derivative is encoded, beyond its format: the optional keys of a recipe file.

use std::fmt;
use std::str::FromStr;

use super::{GrayMethod, OutputFormat, RecipeError};

/// How a derivative is encoded. All default to what suits the format.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct EncoderOptions {
    /// `q`: 1 to 100, for jpg (default 85), lossy webp and avif (both 80) and a pyramid of JPEG or WebP tiles (85); from
    /// 90 up a JPEG keeps full colour resolution.
    pub q: Option<u8>,
    /// `progressive`: a progressive JPEG. Default: no.
    pub progressive: bool,
    /// `lossless`: lossless WebP; for jpg, a JPEG that is asked for whole (`full/max`, in quarter turns, mirrored or not,
    /// as it is or in grey by luma) is made of its source's coefficients, never decoded. Where its blocks are not whole
    /// at an edge that is turned away (the side is no multiple of 8, or 16 where colour has half the resolution), an
    /// orientation stays a tag and any other turn is decoded and encoded, as is all that is no such JPEG. Grey is then luma
    /// whatever the colour profile; without it, only of a JPEG that is sRGB. Default: no.
    pub lossless: bool,
    /// `effort`: 0 (fast) to 10 (small), for jpg, png, webp and avif. Default: what is fast at a fair size. 0 gives a
    /// JPEG the Huffman tables of the standard, one that is copied without loss too; any other effort draws it anew.
    pub effort: Option<u8>,
    /// `background`, for jpg and a pyramid of JPEG tiles: what shows through transparent pixels and in the corners of a turned image. Default:
    /// white. The other formats keep the transparency.
    pub background: Option<Background>,
    /// `gray`: how colour becomes grey, for the qualities gray and bitonal. Default: luma.
    pub gray: Option<GrayMethod>,
    /// `metadata`, for jpg, png, webp, avif, tif and ptif: what of the source's metadata travels on, of which a TIFF and
    /// a pyramid take the texts. Default: nothing; for a pyramid, whose source is often kept elsewhere, who made it and may use it.
    pub metadata: Metadata,
    /// `tile`: edge of a pyramid's tiles, 64 to 1024 pixels, a multiple of 16. Default: 512.
    pub tile: Option<u32>,
    /// `subifd`: a pyramid's smaller levels hang under its first directory instead of following it. Default: no.
    pub subifd: bool,
    /// `compression`: of a TIFF or a pyramid. Default: deflate.
    pub compression: Option<Compression>,
    /// `page`: which page of a TIFF, or frame of a GIF or WebP, is drawn, counted from 1; the same for all derivatives
    /// of a recipe, which reads its source once. Default: the first.
    pub page: Option<u32>,
    /// `dpi`: the resolution written into jpg, png, tif and ptif, in dots an inch. Default: none; of a pyramid 300. A
    /// drawing (SVG, PDF) is as large as it is at this resolution too; without it, at 96 (SVG) or 72 (PDF).
    pub dpi: Option<u16>,
    /// `icc`, for ptif: whose colours its samples are. Default: sRGB's.
    pub icc: Icc,
    /// `bits`, for a pyramid that is packed without loss: 16 keeps the 16 bits of a source that has them. Default: 8.
    pub bits: Option<u8>,
}

impl EncoderOptions {
    /// The quality that `format` is encoded at.
    pub fn quality_for(&self, format: OutputFormat) -> u8 {
        self.q.unwrap_or(default_quality(format))
    }

    /// Whether a JPEG gets Huffman tables of its own: unless no effort is to be made.
    pub(crate) fn optimises_huffman_tables(&self) -> bool {
        self.effort != Some(0)
    }

    /// What is written after a canonical request: each option that changes the bytes, in a fixed order.
    pub(super) fn canonical(&self, format: OutputFormat) -> String {
        let mut text = String::new();
        let mut add = |name: &str, value: &dyn fmt::Display| text.push_str(&format!(";{name}={value}"));
        if let Some(q) = self.q.filter(|q| *q != default_quality(format)) {
            add("q", &q);
        }
        if self.progressive {
            add("progressive", &true);
        }
        if self.lossless {
            add("lossless", &true);
        }
        if let Some(effort) = self.effort {
            add("effort", &effort);
        }
        if let Some(background) = self.background.filter(|b| *b != Background::WHITE) {
            add("background", &background);
        }
        if self.metadata != Metadata::default_for(format) {
            add("metadata", &self.metadata);
        }
        if let Some(tile) = self.tile {
            add("tile", &tile);
        }
        if self.subifd {
            add("subifd", &true);
        }
        if let Some(compression) = self.compression.filter(|c| *c != Compression::Deflate) {
            add("compression", &compression);
        }
        if let Some(dpi) = self.dpi {
            add("dpi", &dpi);
        }
        if self.icc != Icc::default() {
            add("icc", &self.icc);
        }
        if let Some(bits) = self.bits.filter(|bits| *bits != 8) {
            add("bits", &bits);
        }
        if let Some(page) = self.page.filter(|page| *page != 1) {
            add("page", &page);
        }
        text
    }

    /// Refuses values out of range, and options that `format` has no use for: none is ever silently ignored.
    pub(super) fn check(&self, format: OutputFormat) -> Result<(), RecipeError> {
        use OutputFormat::{Avif, Jpg, Png, Ptif, Tif, Webp};
        let given: [(&str, bool, &[OutputFormat]); 12] = [
            ("q", self.q.is_some(), &[Jpg, Webp, Avif, Ptif]),
            ("progressive", self.progressive, &[Jpg]),
            ("lossless", self.lossless, &[Jpg, Webp]),
            ("effort", self.effort.is_some(), &[Jpg, Png, Webp, Avif]),
            ("background", self.background.is_some(), &[Jpg, Ptif]),
            ("metadata", self.metadata != Metadata::Strip, &[Jpg, Png, Webp, Avif, Tif, Ptif]),
            ("tile", self.tile.is_some(), &[Ptif]),
            ("subifd", self.subifd, &[Ptif]),
            ("compression", self.compression.is_some(), &[Tif, Ptif]),
            ("dpi", self.dpi.is_some(), &[Jpg, Png, Tif, Ptif]),
            ("icc", self.icc != Icc::default(), &[Ptif]),
            ("bits", self.bits.is_some(), &[Ptif]),
        ];
        for (name, is_given, formats) in given {
            if is_given && !formats.contains(&format) {
                let users: Vec<_> = formats.iter().map(|f| f.as_str()).collect();
                return Err(RecipeError::new(format!(
                    "“{name}” has no meaning for {format}, only for {}",
                    users.join(", ")
                )));
            }
        }
        if let Some(q) = self.q.filter(|q| !(1..=100).contains(q)) {
            return Err(RecipeError::bad("q", &q.to_string(), "1 to 100"));
        }
        if let Some(effort) = self.effort.filter(|effort| *effort > 10) {
            return Err(RecipeError::bad("effort", &effort.to_string(), "0 (fast) to 10 (small)"));
        }
        if let Some(tile) = self.tile.filter(|tile| !(64..=1024).contains(tile) || *tile % 16 != 0) {
            return Err(RecipeError::bad("tile", &tile.to_string(), "64 to 1024, a multiple of 16"));
        }
        if format == Ptif {
            self.check_pyramid()?;
        }
        if let Some(bits) = self.bits.filter(|bits| !matches!(bits, 8 | 16)) {
            return Err(RecipeError::bad("bits", &bits.to_string(), "8, 16"));
        }
        if self.page == Some(0) {
            return Err(RecipeError::bad("page", "0", "1, the first, and up"));
        }
        if self.dpi == Some(0) {
            return Err(RecipeError::bad("dpi", "0", "1 to 65535"));
        }
        Ok(())
    }

    /// Refuses for a pyramid what its way of packing tiles has no use for.
    fn check_pyramid(&self) -> Result<(), RecipeError> {
        let compression = self.compression.unwrap_or_default();
        let lossy = matches!(compression, Compression::Jpeg | Compression::Webp);
        if compression == Compression::Packbits {
            let allowed = "none, lzw, deflate, zstd, jpeg, webp for ptif";
            return Err(RecipeError::bad("compression", "packbits", allowed));
        }
        let needless = [
            ("q", self.q.is_some() && !lossy, "jpeg or webp"),
            ("background", self.background.is_some() && compression != Compression::Jpeg, "jpeg"),
            ("bits", self.bits == Some(16) && lossy, "deflate, lzw, zstd or none"),
        ];
        for (name, is_needless, users) in needless {
            if is_needless {
                return Err(RecipeError::new(format!(
                    "“{name}” has no meaning for a pyramid with {compression} compression, only with {users}"
                )));
            }
        }
        Ok(())
    }
}

/// Whose colours a pyramid's samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Icc {
    /// `srgb`: converted to sRGB, and no profile is needed.
    #[default]
    Srgb,
    /// `keep`: the source's own samples, with its profile; of what is neither grey nor RGB, sRGB.
    Keep,
}

impl FromStr for Icc {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        match text {
            "srgb" => Ok(Icc::Srgb),
            "keep" => Ok(Icc::Keep),
            _ => Err(RecipeError::bad("icc", text, "srgb, keep")),
        }
    }
}

impl fmt::Display for Icc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Icc::Srgb { "srgb" } else { "keep" })
    }
}

fn default_quality(format: OutputFormat) -> u8 {
    match format {
        OutputFormat::Webp | OutputFormat::Avif => 80,
        _ => 85,
    }
}

/// An opaque colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Background {
    /// Red, green and blue, sRGB, 0 to 255.
    pub rgb: [u8; 3],
}

impl Background {
    /// White.
    pub const WHITE: Background = Background { rgb: [255; 3] };
    /// Black.
    pub const BLACK: Background = Background { rgb: [0; 3] };
}

impl Default for Background {
    fn default() -> Self {
        Background::WHITE
    }
}

impl FromStr for Background {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        let bad = || RecipeError::bad("background", text, "white, black, or #rrggbb");
        match text {
            "white" => return Ok(Background::WHITE),
            "black" => return Ok(Background::BLACK),
            _ => {}
        }
        let digits = text.strip_prefix('#').ok_or_else(bad)?;
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad());
        }
        let number = u32::from_str_radix(digits, 16).map_err(|_| bad())?;
        let [_, r, g, b] = number.to_be_bytes();
        Ok(Background { rgb: [r, g, b] })
    }
}

impl fmt::Display for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [r, g, b] = self.rgb;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

/// What of the source's metadata a derivative keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Metadata {
    /// `strip`: nothing; no place, serial number or thumbnail leaves. A JPEG that is copied without loss keeps its
    /// orientation.
    #[default]
    Strip,
    /// `copyright`: who made it and may use it, EXIF's Artist and Copyright.
    Copyright,
    /// `keep`: the EXIF block, places and serial numbers too, with the orientation put right and no thumbnail; of a
    /// TIFF only its texts. Not XMP, not IPTC, not the colour profile, because renditions are sRGB.
    Keep,
}

impl Metadata {
    /// What a format keeps where nothing is said.
    pub fn default_for(format: OutputFormat) -> Self {
        if format == OutputFormat::Ptif { Metadata::Copyright } else { Metadata::Strip }
    }
}

impl FromStr for Metadata {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        Ok(match text {
            "strip" => Metadata::Strip,
            "copyright" => Metadata::Copyright,
            "keep" => Metadata::Keep,
            _ => return Err(RecipeError::bad("metadata", text, "strip, copyright, keep")),
        })
    }
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Metadata::Strip => "strip",
            Metadata::Copyright => "copyright",
            Metadata::Keep => "keep",
        })
    }
}

/// How a TIFF's pixels are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// `none`.
    None,
    /// `lzw`.
    Lzw,
    /// `deflate`: zlib, what every reader knows since TIFF's supplement 2.
    #[default]
    Deflate,
    /// `packbits`: runs of bytes.
    Packbits,
    /// `jpeg`: lossy; for pyramids.
    Jpeg,
    /// `zstd`: smaller and faster to read than deflate, for readers that know libtiff's extension; for pyramids.
    Zstd,
    /// `webp`: lossy, for readers that know libtiff's extension; for pyramids.
    Webp,
}

impl FromStr for Compression {
    type Err = RecipeError;

    fn from_str(text: &str) -> Result<Self, RecipeError> {
        Ok(match text {
            "none" => Compression::None,
            "lzw" => Compression::Lzw,
            "deflate" => Compression::Deflate,
            "packbits" => Compression::Packbits,
            "jpeg" => Compression::Jpeg,
            "zstd" => Compression::Zstd,
            "webp" => Compression::Webp,
            _ => {
                let allowed = "none, lzw, deflate, packbits, jpeg, zstd, webp";
                return Err(RecipeError::bad("compression", text, allowed));
            }
        })
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compression::None => "none",
            Compression::Lzw => "lzw",
            Compression::Deflate => "deflate",
            Compression::Packbits => "packbits",
            Compression::Jpeg => "jpeg",
            Compression::Zstd => "zstd",
            Compression::Webp => "webp",
        })
    }
}
