//! PNG: all colour types and depths, palettes, tRNS, interlacing; 16 bits become 8 by rounding.

use std::io::Cursor;

use png::{
    BitDepth, ColorType, DecodingError, Info, InterlaceInfo, ScaledFloat, Transformations,
    splat_interlaced_row,
};

use super::sheet::Sheet;
use super::timed::Timed;
use super::whole::Whole;
use crate::color::Space;
use crate::error::{Error, ErrorKind};
use crate::exif;
use crate::header::{Header, RowOrder};
use crate::limits::Limits;
use crate::pixels::Channels;
use crate::scratch::{Buffer, Scratch};
use crate::sniff::SourceFormat;

/// What a profile, a text or an EXIF block may take, unpacked.
const CHUNK_BYTES: usize = 16 << 20;

pub(super) fn header(source: &[u8]) -> Result<Header, Error> {
    let reader = open(source, CHUNK_BYTES)?;
    let info = reader.info();
    let has_transparency = info.trns.is_some();
    let channels = match info.color_type {
        ColorType::Grayscale => 1 + u8::from(has_transparency),
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgb | ColorType::Indexed => 3 + u8::from(has_transparency),
        ColorType::Rgba => 4,
    };
    let bits = (info.bit_depth as u8).max(8);
    let rows = match info.interlaced || info.is_animated() {
        true => RowOrder::aside(info.width, info.height, u64::from(channels) * u64::from(bits / 8), 0),
        false => RowOrder::TopDown,
    };
    Ok(Header {
        format: SourceFormat::Png,
        width: info.width,
        height: info.height,
        orientation: info.exif_metadata.as_deref().and_then(exif::orientation).unwrap_or(exif::UPRIGHT),
        channels,
        bits,
        rows,
        jpeg: None,
        vector: None,
    })
}

pub(super) fn exif(source: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let reader = open(source, CHUNK_BYTES)?;
    Ok(reader.info().exif_metadata.as_ref().map(|block| block.to_vec()))
}

/// All rows at once: of an animation the first frame, of an interlaced image that may be cut what there is of it.
pub(super) fn whole(
    source: &[u8],
    header: &Header,
    scratch: Scratch<'_>,
    limits: &Limits,
) -> Result<Whole, Error> {
    let row = header.width as usize * usize::from(header.channels) * usize::from(header.bits / 8);
    let mut reader = open_within(source, CHUNK_BYTES + 4 * row, limits)?;
    limits.check_frames(reader.info().animation_control.map_or(1, |control| control.num_frames))?;
    let size = reader.output_buffer_size().ok_or_else(too_large)?;
    let mut data = Buffer::blank(size, scratch)?;
    let mut reached = 0;
    // Reads on to IEND, so that a file cut after its last pixel is noticed too.
    let read =
        rows(&mut reader, &mut data, &mut reached, limits).and_then(|()| reader.finish().map_err(error));
    let truncated = match read {
        Err(e) if e.kind() == ErrorKind::Truncated && limits.accepts_truncated() && reached > 0 => true,
        read => read.map(|()| false)?,
    };
    let (color, depth) = reader.output_color_type();
    let channels = channels(color)?;
    if depth == BitDepth::Sixteen {
        for sample in 0..size / 2 {
            data[sample] = narrow(data[2 * sample], data[2 * sample + 1]);
        }
        data.truncate(size / 2);
    }
    if truncated && channels.with_alpha() != channels {
        let missing = reached * header.width as usize * channels.count();
        data[missing..].fill(GREY);
    }
    Ok(Whole { data, channels, space: space(reader.info()), truncated })
}

/// What stands for a pixel that is missing.
const GREY: u8 = 128;

/// Reads all rows into `data`, and says how many of them have pixels even where it fails. Of an interlaced image each
/// pass fills the pixels that the later ones have to come to.
fn rows(reader: &mut Reader<'_>, data: &mut [u8], reached: &mut usize, limits: &Limits) -> Result<(), Error> {
    let (width, height) = (reader.info().width, reader.info().height as usize);
    let stride = reader.output_line_size(width).ok_or_else(too_large)?;
    if !reader.info().interlaced {
        for row in data.chunks_exact_mut(stride) {
            limits.check_time()?;
            reader.read_row(row).map_err(error)?;
            *reached += 1;
        }
        return Ok(());
    }
    let (color, depth) = reader.output_color_type();
    let bits = color.samples() as u8 * depth as u8;
    while let Some(row) = reader.next_interlaced_row().map_err(error)? {
        limits.check_time()?;
        if let InterlaceInfo::Adam7(place) = row.interlace() {
            splat_interlaced_row(data, stride, row.data(), place, bits);
        }
        // A row of the first pass stands for eight.
        *reached = (*reached + 8).min(height);
    }
    Ok(())
}

/// A PNG that is read row by row.
pub(super) struct InOrder<'a> {
    reader: Reader<'a>,
    pub channels: Channels,
    depth: BitDepth,
    wide: bool,
    /// All rows of an interlaced image, and how many of them were taken.
    sheet: Option<(Sheet, usize)>,
    accepts_truncated: bool,
    rows: usize,
    ended_early: bool,
    width: usize,
}

impl<'a> InOrder<'a> {
    /// Starts to read, with `wide` in 16 bits where it has them; `None` of an animation. The rows of an interlaced image
    /// are read at once and laid aside.
    pub(super) fn open(
        source: &'a [u8],
        header: &Header,
        wide: bool,
        scratch: Scratch<'_>,
        limits: &Limits,
    ) -> Result<Option<Self>, Error> {
        let row = header.width as usize * usize::from(header.channels) * usize::from(header.bits / 8);
        let reader = open_within(source, CHUNK_BYTES + 4 * row, limits)?;
        if reader.info().is_animated() {
            return Ok(None);
        }
        let (color, depth) = reader.output_color_type();
        let mut opened = Self {
            reader,
            channels: channels(color)?,
            depth,
            wide: wide && depth == BitDepth::Sixteen,
            sheet: None,
            accepts_truncated: limits.accepts_truncated(),
            rows: 0,
            ended_early: false,
            width: header.width as usize,
        };
        if opened.reader.info().interlaced {
            if opened.accepts_truncated {
                // What a cut one has is a matter of all its passes.
                return Ok(None);
            }
            opened.lay_aside((header.width, header.height), scratch, limits)?;
        }
        Ok(Some(opened))
    }

    /// Whether samples have 16 bits.
    pub(super) fn is_wide(&self) -> bool {
        self.wide
    }

    /// The file ended before its image did, and that is accepted.
    pub(super) fn ended_early(&self) -> bool {
        self.ended_early
    }

    /// The colours to convert from.
    pub(super) fn space(&self) -> Option<Space<'static>> {
        space(self.reader.info())
    }

    /// Bytes of a pixel as the reader gives it.
    fn stored_pixel(&self) -> usize {
        self.channels.count() * if self.depth == BitDepth::Sixteen { 2 } else { 1 }
    }

    /// Puts the rows of all passes where they belong.
    fn lay_aside(&mut self, size: (u32, u32), scratch: Scratch<'_>, limits: &Limits) -> Result<(), Error> {
        /// Where the pixels of each pass begin and how far they are apart, across and down (PNG § 8.2).
        const PASSES: [[usize; 4]; 7] = [
            [0, 8, 0, 8],
            [4, 8, 0, 8],
            [0, 4, 4, 8],
            [2, 4, 0, 4],
            [0, 2, 2, 4],
            [1, 2, 0, 2],
            [0, 1, 1, 2],
        ];
        let pixel = self.stored_pixel();
        let mut sheet = Sheet::blank(size, pixel, scratch)?;
        let mut whole = vec![0; size.0 as usize * pixel];
        for [left, across, top, down] in PASSES {
            if left >= size.0 as usize {
                continue;
            }
            for number in (top..size.1 as usize).step_by(down) {
                limits.check_time()?;
                let row = self.reader.next_interlaced_row().map_err(error)?.ok_or_else(cut)?;
                sheet.read(number, &mut whole)?;
                let places = whole.chunks_exact_mut(pixel).skip(left).step_by(across);
                for (to, from) in places.zip(row.data().chunks_exact(pixel)) {
                    to.copy_from_slice(from);
                }
                sheet.write(number, &whole)?;
            }
        }
        self.sheet = Some((sheet, 0));
        Ok(())
    }

    /// Adds the next rows to `data`, in 8 bits or in 16 with the lower byte first.
    pub(super) fn append(&mut self, rows: u32, data: &mut Vec<u8>) -> Result<(), Error> {
        let mut laid_aside = vec![0; self.width * self.stored_pixel()];
        for _ in 0..rows {
            let row = match &mut self.sheet {
                Some((sheet, taken)) => {
                    sheet.read(*taken, &mut laid_aside)?;
                    *taken += 1;
                    Ok(&laid_aside[..])
                }
                None if self.ended_early => Err(cut()),
                None => match self.reader.next_row() {
                    Ok(Some(row)) => Ok(row.data()),
                    Ok(None) => Err(cut()),
                    Err(e) => Err(error(e)),
                },
            };
            match row {
                Ok(row) => match self.depth {
                    BitDepth::Sixteen if self.wide => {
                        data.extend(row.as_chunks::<2>().0.iter().flat_map(|[high, low]| [*low, *high]));
                    }
                    BitDepth::Sixteen => data.extend(to_8_bits(row)),
                    _ => data.extend_from_slice(row),
                },
                Err(e) if e.kind() == ErrorKind::Truncated && self.accepts_truncated && self.rows > 0 => {
                    self.ended_early = true;
                    let missing = if self.channels.with_alpha() == self.channels { 0 } else { GREY };
                    let bytes = self.width * self.channels.count() * if self.wide { 2 } else { 1 };
                    data.resize(data.len() + bytes, missing);
                }
                Err(e) => return Err(e),
            }
            self.rows += 1;
        }
        Ok(())
    }

    /// Reads on to IEND, so that a file cut after its last pixel is noticed too.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        match self.reader.finish().map_err(error) {
            Err(e) if e.kind() == ErrorKind::Truncated && self.accepts_truncated => {
                self.ended_early = true;
                Ok(())
            }
            finished => finished,
        }
    }
}

fn cut() -> Error {
    Error::truncated("the PNG ends before its image does")
}

fn channels(color: ColorType) -> Result<Channels, Error> {
    match color {
        ColorType::Grayscale => Ok(Channels::Gray),
        ColorType::GrayscaleAlpha => Ok(Channels::GrayAlpha),
        ColorType::Rgb => Ok(Channels::Rgb),
        ColorType::Rgba => Ok(Channels::Rgba),
        ColorType::Indexed => Err(Error::corrupt("the PNG's palette could not be applied")),
    }
}

type Reader<'a> = png::Reader<Timed<Cursor<&'a [u8]>>>;

fn open(source: &[u8], bytes: usize) -> Result<Reader<'_>, Error> {
    open_within(source, bytes, &Limits::DEFAULT)
}

fn open_within<'a>(source: &'a [u8], bytes: usize, limits: &Limits) -> Result<Reader<'a>, Error> {
    let source = Timed::new(Cursor::new(source), limits);
    let mut decoder = png::Decoder::new_with_limits(source, png::Limits { bytes });
    decoder.set_ignore_text_chunk(true);
    decoder.set_transformations(Transformations::EXPAND);
    decoder.read_info().map_err(error)
}

/// The colours to convert from, by the chunk that counts where there are several: cICP, iCCP, sRGB, cHRM with gAMA
/// (PNG third edition, 4.3 and 12.1). A gAMA that stands alone changes nothing, as in libvips and Pillow: writers put
/// down whatever their display had, and what people know is the picture without it.
fn space(info: &Info<'_>) -> Option<Space<'static>> {
    if let Some(points) = &info.coding_independent_code_points
        && points.matrix_coefficients == 0
        && points.is_video_full_range_image
    {
        return Some(Space::Cicp { primaries: points.color_primaries, transfer: points.transfer_function });
    }
    if let Some(profile) = &info.icc_profile {
        return Some(Space::Icc(profile.to_vec().into()));
    }
    if info.srgb.is_some() {
        return None;
    }
    let (places, gamma) = (info.chrm_chunk?, info.gama_chunk?);
    let at = |(x, y): (ScaledFloat, ScaledFloat)| (x.into_value(), y.into_value());
    Some(Space::Measured {
        white: at(places.white),
        red: at(places.red),
        green: at(places.green),
        blue: at(places.blue),
        gamma: gamma.into_value(),
    })
}

/// Big-endian 16-bit samples to 8 bits, rounded to the nearest.
fn to_8_bits(data: &[u8]) -> Vec<u8> {
    let (samples, _) = data.as_chunks::<2>();
    samples.iter().map(|[high, low]| narrow(*high, *low)).collect()
}

fn narrow(high: u8, low: u8) -> u8 {
    super::narrow(u16::from_be_bytes([high, low]))
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooManyPixels, "the PNG takes more memory than its decoder is allowed")
}

fn error(error: DecodingError) -> Error {
    match error {
        DecodingError::LimitsExceeded => too_large(),
        DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::truncated("the PNG ends before its image does")
        }
        other => Error::corrupt(format!("the PNG is damaged: {other}")).caused_by(other),
    }
}
