//! A JPEG's marker segments up to its first scan, read in safe code: what a header costs nothing to know.
//!
//! ITU-T T.81 Annex B; Adobe's APP14 by its technical note 5116; ICC's APP2 by ICC.1 Annex B.4.

use crate::error::Error;
use crate::exif;

/// What the markers say of the image.
#[derive(Debug, Clone)]
pub(crate) struct Frame<'a> {
    pub width: u32,
    pub height: u32,
    /// Bits a sample.
    pub bits: u8,
    /// Several scans refine the image: all coefficients are held while it is read.
    pub progressive: bool,
    /// All coefficients have to be there before the first row is: it is progressive, or its first scan has not all
    /// components.
    pub several_scans: bool,
    pub model: Model,
    /// Horizontal and vertical sampling factors, one pair a component.
    pub sampling: Vec<(u8, u8)>,
    /// EXIF orientation, 1 if there is none.
    pub orientation: u8,
    /// The EXIF block, without APP1's wrapping.
    pub exif: Option<&'a [u8]>,
    icc: Vec<IccChunk<'a>>,
}

/// The colour model of the components, by the same rules that libjpeg decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Model {
    Gray,
    YCbCr,
    Rgb,
    Cmyk,
    Ycck,
    Unknown,
}

#[derive(Debug, Clone)]
struct IccChunk<'a> {
    number: u8,
    of: u8,
    data: &'a [u8],
}

impl Frame<'_> {
    /// The ICC profile, put together from its chunks; `None` if there is none or a piece is missing.
    pub(crate) fn icc_profile(&self) -> Option<Vec<u8>> {
        let of = self.icc.first()?.of;
        let mut profile = Vec::new();
        for number in 1..=of {
            let chunk = self.icc.iter().find(|chunk| chunk.number == number && chunk.of == of)?;
            profile.extend_from_slice(chunk.data);
        }
        Some(profile)
    }

    /// Bytes that all coefficients take, as libjpeg holds them for a progressive or transcoded file.
    pub(crate) fn coefficient_bytes(&self) -> u64 {
        let most = |side: fn(&(u8, u8)) -> u8| self.sampling.iter().map(side).max().map_or(1, u64::from);
        let (h_most, v_most) = (most(|s| s.0), most(|s| s.1));
        let columns = u64::from(self.width).div_ceil(8 * h_most);
        let rows = u64::from(self.height).div_ceil(8 * v_most);
        let blocks_each: u64 = self.sampling.iter().map(|(h, v)| u64::from(*h) * u64::from(*v)).sum();
        columns * rows * blocks_each * 128
    }

    /// Width and height in pixels of a minimum coded unit (ITU-T T.81 § A.2.4), as if all components were in one scan.
    /// A single component's is one block, whatever its sampling factors.
    pub(crate) fn unit(&self) -> (u32, u32) {
        if self.sampling.len() == 1 {
            return (8, 8);
        }
        let most = |side: fn(&(u8, u8)) -> u8| self.sampling.iter().map(side).max().map_or(1, u32::from);
        (8 * most(|s| s.0), 8 * most(|s| s.1))
    }

    /// Whether component 0 alone is the image in grey, at full size: grey, or YCbCr whose Y is not subsampled.
    pub(crate) fn luma_stands_alone(&self) -> bool {
        let full =
            self.sampling.first().is_some_and(|(h, v)| self.sampling.iter().all(|s| s.0 <= *h && s.1 <= *v));
        full && matches!(self.model, Model::Gray | Model::YCbCr)
    }
}

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const APP1: u8 = 0xE1;
const APP2: u8 = 0xE2;
const APP14: u8 = 0xEE;

/// Walks the markers up to the first scan.
pub(crate) fn walk(source: &[u8]) -> Result<Frame<'_>, Error> {
    let mut segments = Segments::new(source);
    let mut frame: Option<Frame<'_>> = None;
    let mut ids = Vec::new();
    let (mut jfif, mut adobe, mut exif, mut icc, mut in_scan) = (false, None, None, Vec::new(), None);
    while let Some((marker, payload)) = segments.next_segment()? {
        match marker {
            0xC3 | 0xC7 | 0xCB | 0xCF => {
                return Err(Error::unsupported("lossless JPEG is not supported"));
            }
            0xC5 | 0xC6 | 0xCD | 0xCE => {
                return Err(Error::unsupported("hierarchical JPEG is not supported"));
            }
            0xC0..=0xC2 | 0xC9 | 0xCA => {
                (frame, ids) = start_of_frame(marker, payload).map(|(f, i)| (Some(f), i))?
            }
            0xE0 => jfif |= payload.starts_with(b"JFIF\0"),
            // Of several, the first that says how the image is turned.
            APP1 if payload.starts_with(b"Exif\0") && exif.and_then(exif::orientation).is_none() => {
                let block = payload.get(6..);
                exif = exif.filter(|_| block.and_then(exif::orientation).is_none()).or(block);
            }
            APP2 => icc.extend(icc_chunk(payload)),
            APP14 if payload.starts_with(b"Adobe") => adobe = payload.get(11).copied(),
            SOS => {
                in_scan = payload.first().copied();
                break;
            }
            _ => {}
        }
    }
    let mut frame =
        frame.ok_or_else(|| Error::corrupt("the JPEG has no frame header before its first scan"))?;
    frame.model = model(&ids, jfif, adobe);
    frame.orientation = exif.and_then(exif::orientation).unwrap_or(exif::UPRIGHT);
    frame.exif = exif;
    frame.several_scans =
        frame.progressive || in_scan.is_some_and(|count| usize::from(count) < frame.sampling.len());
    frame.icc = icc;
    Ok(frame)
}

/// How many scans there are, to the end of the image or `limit` plus one. Reads every byte but decodes none.
pub(crate) fn count_scans(source: &[u8], limit: u32) -> u32 {
    let mut segments = Segments::new(source);
    let mut scans = 0;
    // Whatever breaks the walk will stop the decoder too, and with the better message.
    while let Ok(Some((marker, _))) = segments.next_segment() {
        if marker == SOS {
            scans += 1;
        }
        if marker == EOI || scans > limit {
            break;
        }
    }
    scans
}

/// Steps from marker to marker, over whatever is between them.
pub(super) struct Segments<'a> {
    source: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    pub(super) fn new(source: &'a [u8]) -> Self {
        Self { source, at: 0 }
    }

    /// How many bytes were stepped over.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next marker and its payload, which is empty for markers that have none; `None` at the end of the image.
    pub(super) fn next_segment(&mut self) -> Result<Option<(u8, &'a [u8])>, Error> {
        let ended = || Error::truncated("the JPEG ends within its headers");
        loop {
            let rest = self.source.get(self.at..).ok_or_else(ended)?;
            let skipped = rest.iter().position(|b| *b == 0xFF).ok_or_else(ended)?;
            let marker = *rest.get(skipped + 1).ok_or_else(ended)?;
            self.at += skipped + 1;
            match marker {
                // Padding, a stuffed 0xFF of scan data, a restart: not segments.
                0xFF => continue,
                0x00 | 0x01 | 0xD0..=0xD7 => self.at += 1,
                SOI => self.at += 1,
                EOI => return Ok(None),
                _ => {
                    let rest = &self.source[self.at + 1..];
                    let length = rest.get(..2).and_then(|b| b.try_into().ok()).map(u16::from_be_bytes);
                    let length = usize::from(length.ok_or_else(ended)?);
                    let payload = rest.get(2..length.max(2)).ok_or_else(ended)?;
                    self.at += 1 + length.max(2);
                    return Ok(Some((marker, payload)));
                }
            }
        }
    }
}

fn start_of_frame<'a>(marker: u8, payload: &[u8]) -> Result<(Frame<'a>, Vec<u8>), Error> {
    let short = || Error::corrupt("the JPEG's frame header is too short");
    let [bits, h1, h0, w1, w0, count, components @ ..] = payload else {
        return Err(short());
    };
    let components = components.get(..usize::from(*count) * 3).ok_or_else(short)?;
    let (width, height) = (u16::from_be_bytes([*w1, *w0]), u16::from_be_bytes([*h1, *h0]));
    if width == 0 || height == 0 || components.is_empty() {
        return Err(Error::corrupt("the JPEG's frame header says that it has no pixels"));
    }
    if *bits != 8 {
        return Err(Error::unsupported(format!("JPEG with {bits} bits a sample is not supported")));
    }
    let sampling: Vec<(u8, u8)> = components.chunks_exact(3).map(|c| (c[1] >> 4, c[1] & 15)).collect();
    // ITU-T T.81 § B.2.2: one to four.
    if !sampling.iter().all(|(across, down)| (1..=4).contains(across) && (1..=4).contains(down)) {
        return Err(Error::corrupt("the JPEG's frame header has a sampling factor that is none of 1 to 4"));
    }
    let frame = Frame {
        width: width.into(),
        height: height.into(),
        bits: *bits,
        progressive: matches!(marker, 0xC2 | 0xCA),
        several_scans: false,
        model: Model::Unknown,
        sampling,
        orientation: exif::UPRIGHT,
        exif: None,
        icc: Vec::new(),
    };
    Ok((frame, components.chunks_exact(3).map(|c| c[0]).collect()))
}

fn icc_chunk(payload: &[u8]) -> Option<IccChunk<'_>> {
    match payload.strip_prefix(b"ICC_PROFILE\0")? {
        [number, of, data @ ..] => Some(IccChunk { number: *number, of: *of, data }),
        _ => None,
    }
}

fn model(ids: &[u8], jfif: bool, adobe: Option<u8>) -> Model {
    match (ids.len(), adobe) {
        (1, _) => Model::Gray,
        (3, _) if jfif => Model::YCbCr,
        (3, Some(0)) => Model::Rgb,
        (3, Some(_)) => Model::YCbCr,
        (3, None) if ids == b"RGB" => Model::Rgb,
        (3, None) => Model::YCbCr,
        (4, Some(0) | None) => Model::Cmyk,
        (4, Some(_)) => Model::Ycck,
        _ => Model::Unknown,
    }
}
