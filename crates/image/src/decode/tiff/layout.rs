//! What the tags say of how a page's samples lie in the file, checked for sense.

use super::directory::Directory;
use super::unsupported;
use crate::error::{Error, ErrorKind};
use crate::exif;
use crate::header::RowOrder;

pub(super) mod tag {
    pub const WIDTH: u16 = 256;
    pub const HEIGHT: u16 = 257;
    pub const BITS: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const FILL_ORDER: u16 = 266;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const ORIENTATION: u16 = 274;
    pub const SAMPLES: u16 = 277;
    pub const ROWS_PER_STRIP: u16 = 278;
    pub const STRIP_BYTES: u16 = 279;
    pub const PLANAR: u16 = 284;
    pub const T4_OPTIONS: u16 = 292;
    pub const PREDICTOR: u16 = 317;
    pub const PALETTE: u16 = 320;
    pub const TILE_WIDTH: u16 = 322;
    pub const TILE_LENGTH: u16 = 323;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_BYTES: u16 = 325;
    pub const EXTRA_SAMPLES: u16 = 338;
    pub const SAMPLE_FORMAT: u16 = 339;
    pub const JPEG_TABLES: u16 = 347;
    pub const JPEG_START: u16 = 513;
    pub const JPEG_LENGTH: u16 = 514;
    pub const JPEG_QUANTISERS: u16 = 519;
    pub const JPEG_DC_TABLES: u16 = 520;
    pub const JPEG_AC_TABLES: u16 = 521;
    pub const YCBCR_COEFFICIENTS: u16 = 529;
    pub const SUBSAMPLING: u16 = 530;
    pub const REFERENCE_BLACK_WHITE: u16 = 532;
    pub const PROFILE: u16 = 34675;
}

/// PhotometricInterpretation, TIFF 6.0 page 37.
pub(super) const WHITE_IS_ZERO: u16 = 0;
pub(super) const BLACK_IS_ZERO: u16 = 1;
pub(super) const RGB: u16 = 2;
pub(super) const PALETTE: u16 = 3;
pub(super) const CMYK: u16 = 5;
pub(super) const YCBCR: u16 = 6;
pub(super) const CIE_LAB: u16 = 8;
pub(super) const ICC_LAB: u16 = 9;

/// Compression, TIFF 6.0 page 30, its supplements, and what libtiff added.
pub(super) mod compression {
    pub const NONE: u16 = 1;
    pub const FAX_RLE: u16 = 2;
    pub const FAX_3: u16 = 3;
    pub const FAX_4: u16 = 4;
    pub const LZW: u16 = 5;
    pub const OLD_JPEG: u16 = 6;
    pub const JPEG: u16 = 7;
    pub const DEFLATE: u16 = 8;
    pub const FAX_RLE_WORDS: u16 = 32771;
    pub const PACKBITS: u16 = 32773;
    pub const OLD_DEFLATE: u16 = 32946;
    pub const ZSTD: u16 = 50000;
    pub const WEBP: u16 = 50001;
}

/// More samples a pixel than this are no picture.
const MOST_SAMPLES: u64 = 64;
/// Rows that tiles have at the most, and strips if somebody meant them.
const LOW: u32 = 1024;
/// Pixels of a tile that may be larger than its whole image.
const LARGE_TILE: u64 = 1 << 22;

/// What a sample's bits are: SampleFormat, TIFF 6.0 page 80.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Unsigned,
    Signed,
    Float,
}

/// How samples lie.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub width: u32,
    pub height: u32,
    /// Samples a pixel.
    pub samples: usize,
    /// Bits a sample.
    pub bits: u8,
    pub kind: Kind,
    pub photometric: u16,
    pub compression: u16,
    /// 1 to 8.
    pub orientation: u8,
    /// ExtraSamples: 1 is premultiplied alpha, 2 is straight alpha.
    pub extra: Vec<u64>,
    /// A plane for each sample.
    pub planar: bool,
    /// 1 none, 2 differences, 3 differences of floats.
    pub predictor: u64,
    /// The first pixel is in a byte's lowest bits: FillOrder 2.
    pub reversed: bool,
    /// The file's byte order.
    pub little: bool,
    /// Pixels that share one pair of chroma samples, across and down.
    pub subsampling: (usize, usize),
    pub pieces: Pieces,
}

/// The strips or tiles.
#[derive(Debug, Clone)]
pub(super) struct Pieces {
    pub tiled: bool,
    /// Of each but the last strip; tiles are all of one size.
    pub width: u32,
    pub height: u32,
    pub across: u32,
    pub down: u32,
}

impl Layout {
    /// How rows come: a row of strips or tiles at a time if those are low, parts of a strip if it is high.
    pub(super) fn order(&self) -> RowOrder {
        let plain = self.compression == compression::NONE && !self.pieces.tiled && !self.planar;
        match self.compression {
            compression::OLD_JPEG => RowOrder::AtOnce,
            _ if plain || self.pieces.height <= LOW => RowOrder::TopDown,
            _ if !self.comes_in_parts() => RowOrder::AtOnce,
            compression::LZW
            | compression::DEFLATE
            | compression::OLD_DEFLATE
            | compression::ZSTD
            | compression::PACKBITS
                if !self.reversed =>
            {
                RowOrder::TopDown
            }
            // Unpacked, but not yet pixels; and with what its decoder makes of it once more.
            _ => {
                let strip =
                    self.row_bytes(self.width) as u64 * u64::from(self.pieces.height.min(self.height));
                RowOrder::Aside { bytes: 0, beside: strip * 2 }
            }
        }
    }

    /// Whether strips are so high that they are read in parts, packed as they are.
    pub(super) fn comes_in_parts(&self) -> bool {
        !self.pieces.tiled
            && !self.planar
            && !self.is_subsampled()
            && !matches!(self.compression, compression::NONE | compression::OLD_JPEG)
            && self.pieces.height.min(self.height) > LOW
    }

    pub(super) fn read(directory: &Directory<'_>) -> Result<Self, Error> {
        let number = |tag| directory.number(tag);
        let side = |tag| match number(tag)? {
            Some(side) if (1..=u64::from(u32::MAX)).contains(&side) => Ok(side as u32),
            _ => Err(Error::corrupt("the TIFF does not say how wide and high its image is")),
        };
        let (width, height) = (side(tag::WIDTH)?, side(tag::HEIGHT)?);
        let or = |tag, default: u64| Ok::<_, Error>(number(tag)?.unwrap_or(default));
        let samples = or(tag::SAMPLES, 1)?;
        if !(1..=MOST_SAMPLES).contains(&samples) {
            return Err(unsupported(format!("{samples} samples a pixel")));
        }
        let compression = or(tag::COMPRESSION, 1)? as u16;
        let photometric = number(tag::PHOTOMETRIC)?.map(|value| value as u16);
        let photometric = photometric
            .or_else(|| (matches!(compression, 2..=4)).then_some(WHITE_IS_ZERO))
            .or_else(|| (compression == compression::OLD_JPEG && samples == 3).then_some(YCBCR))
            .ok_or_else(|| {
                Error::corrupt("the TIFF does not say what its samples mean (no PhotometricInterpretation)")
            })?;
        let subsampling = match directory.numbers(tag::SUBSAMPLING)?.as_slice() {
            [across, down, ..] => (*across as usize, *down as usize),
            // The default, which writers of JPEG forget too, whose frame header says it anyway.
            _ => (2, 2),
        };
        let layout = Self {
            width,
            height,
            samples: samples as usize,
            bits: bits(&directory.numbers(tag::BITS)?)?,
            kind: kind(or(tag::SAMPLE_FORMAT, 1)?)?,
            photometric,
            compression,
            orientation: orientation(or(tag::ORIENTATION, 1)?),
            extra: directory.numbers(tag::EXTRA_SAMPLES)?,
            planar: or(tag::PLANAR, 1)? == 2 && samples > 1,
            predictor: or(tag::PREDICTOR, 1)?,
            reversed: or(tag::FILL_ORDER, 1)? == 2,
            little: directory.little,
            subsampling,
            pieces: Pieces::read(directory, width, height)?,
        };
        layout.check()?;
        Ok(layout)
    }

    fn check(&self) -> Result<(), Error> {
        let bits = self.bits;
        let known = match self.kind {
            Kind::Unsigned | Kind::Signed => matches!(bits, 1..=16 | 24 | 32 | 64),
            Kind::Float => matches!(bits, 16 | 24 | 32 | 64),
        };
        if !known {
            let kind = if self.kind == Kind::Float { "floating-point samples of " } else { "" };
            return Err(unsupported(format!("{kind}{bits} bits a sample")));
        }
        if self.is_jpeg() && bits != 8 {
            return Err(unsupported(format!("JPEG compression of {bits} bits a sample")));
        }
        if self.is_subsampled() {
            let (across, down) = self.subsampling;
            if !matches!(across, 1 | 2 | 4) || !matches!(down, 1 | 2 | 4) {
                return Err(Error::corrupt(format!("the TIFF's chroma subsampling is {across}×{down}")));
            }
            if bits != 8 || self.samples != 3 || self.planar {
                return Err(unsupported("subsampled YCbCr that is not of three 8-bit samples a pixel"));
            }
        }
        Ok(())
    }

    pub(super) fn is_jpeg(&self) -> bool {
        matches!(self.compression, compression::JPEG | compression::OLD_JPEG)
    }

    pub(super) fn is_lab(&self) -> bool {
        matches!(self.photometric, CIE_LAB | ICC_LAB)
    }

    /// Whether the unpacked pieces hold fewer chroma samples than pixels. JPEG's are made whole by its decoder.
    pub(super) fn is_subsampled(&self) -> bool {
        self.photometric == YCBCR && !self.is_jpeg() && self.subsampling != (1, 1)
    }

    /// Samples that lie side by side in one piece.
    pub(super) fn together(&self) -> usize {
        if self.planar { 1 } else { self.samples }
    }

    /// Bytes of an unpacked row of `width` pixels: rows start on bytes of their own.
    pub(super) fn row_bytes(&self, width: u32) -> usize {
        (width as usize * self.together() * usize::from(self.bits)).div_ceil(8)
    }
}

impl Pieces {
    fn read(directory: &Directory<'_>, width: u32, height: u32) -> Result<Self, Error> {
        let tile = (directory.number(tag::TILE_WIDTH)?, directory.number(tag::TILE_LENGTH)?);
        let (tiled, piece_width, piece_height) = match tile {
            (Some(w), Some(h)) if w > 0 && h > 0 => (true, w, h),
            _ => {
                let rows = directory.number(tag::ROWS_PER_STRIP)?.filter(|rows| *rows > 0);
                (false, width.into(), rows.unwrap_or(u64::MAX).min(height.into()))
            }
        };
        // Nobody needs tiles much larger than the image; unpacking one takes its memory.
        let most = LARGE_TILE.max(u64::from(width) * u64::from(height));
        let pixels = piece_width.checked_mul(piece_height).filter(|pixels| !tiled || *pixels <= 2 * most);
        let (Some(_), Ok(piece_width), Ok(piece_height)) =
            (pixels, u32::try_from(piece_width), u32::try_from(piece_height))
        else {
            let message =
                format!("the TIFF's tiles of {piece_width}×{piece_height} are far larger than its image");
            return Err(Error::new(ErrorKind::TooManyPixels, message));
        };
        let (across, down) = (width.div_ceil(piece_width), height.div_ceil(piece_height));
        Ok(Self { tiled, width: piece_width, height: piece_height, across, down })
    }
}

/// All samples must be of as many bits.
fn bits(list: &[u64]) -> Result<u8, Error> {
    let first = list.first().copied().unwrap_or(1);
    match u8::try_from(first) {
        Ok(bits) if list.iter().all(|bits| *bits == first) => Ok(bits),
        _ => {
            let list: Vec<_> = list.iter().take(8).map(u64::to_string).collect();
            Err(unsupported(format!("{} bits a sample", list.join(", "))))
        }
    }
}

fn kind(format: u64) -> Result<Kind, Error> {
    match format {
        // 4 is “of no known format”, which is what older writers say of anything.
        1 | 4 => Ok(Kind::Unsigned),
        2 => Ok(Kind::Signed),
        3 => Ok(Kind::Float),
        5 | 6 => Err(unsupported("complex numbers for samples")),
        other => Err(Error::corrupt(format!("the TIFF's sample format {other} does not exist"))),
    }
}

fn orientation(value: u64) -> u8 {
    match u8::try_from(value) {
        Ok(value @ 1..=8) => value,
        _ => exif::UPRIGHT,
    }
}
