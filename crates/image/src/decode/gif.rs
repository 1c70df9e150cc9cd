//! GIF: the first frame or another one, laid on the canvas as a viewer shows it.

use std::io::BufRead;
use std::num::NonZeroU64;

use gif::{ColorOutput, DecodeOptions, DecodingError, DisposalMethod, MemoryLimit};

use super::timed::Timed;
use super::whole::Whole;
use crate::error::{Error, ErrorKind};
use crate::exif;
use crate::header::{Header, RowOrder};
use crate::limits::Limits;
use crate::pixels::Channels;
use crate::scratch::{Buffer, Scratch};
use crate::sniff::SourceFormat;

/// The header is the canvas, not the first frame, which may be smaller (GIF89a §18).
pub(super) fn header(source: &[u8], page: u32) -> Result<Header, Error> {
    let Some([w0, w1, h0, h1]) = source.get(6..10) else {
        return Err(Error::truncated("the GIF ends within its header"));
    };
    let (width, height) = (u16::from_le_bytes([*w0, *w1]), u16::from_le_bytes([*h0, *h1]));
    if width == 0 || height == 0 {
        return Err(Error::corrupt("the GIF's canvas has no pixels"));
    }
    if page > 1 {
        let frames = check_complete(source, &Limits::DEFAULT)?;
        if frames < page {
            return Err(super::no_such_page(page, frames as usize));
        }
    }
    Ok(Header {
        format: SourceFormat::Gif,
        width: width.into(),
        height: height.into(),
        orientation: exif::UPRIGHT,
        channels: 4,
        bits: 8,
        rows: RowOrder::aside(width.into(), height.into(), 4, 0),
        jpeg: None,
        vector: None,
    })
}

/// Draws frame number `page` on what earlier frames leave under it.
pub(super) fn whole(
    source: &[u8],
    header: &Header,
    page: u32,
    scratch: Scratch<'_>,
    limits: &Limits,
) -> Result<Whole, Error> {
    let truncated = match check_complete(source, limits) {
        Err(e) if e.kind() == ErrorKind::Truncated && limits.accepts_truncated() => true,
        complete => complete.map(|_| false)?,
    };
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    // A frame may be larger than its canvas, but not by much that anyone would look at.
    let most = u64::from(header.width) * u64::from(header.height) * 4 * 2 + (1 << 20);
    options.set_memory_limit(NonZeroU64::new(most).map_or(MemoryLimit::Unlimited, MemoryLimit::Bytes));
    let mut decoder = options.read_info(Timed::new(source, limits)).map_err(error)?;
    let pixels = header.width as usize * header.height as usize;
    let mut canvas = Buffer::blank(pixels * 4, scratch)?;
    let stride = header.width as usize * 4;
    for number in 1..=page {
        let is_last = number == page;
        let frame = Frame::next(&mut decoder, most)?.ok_or_else(|| match number {
            1 => Error::corrupt("the GIF has no frame"),
            _ => super::no_such_page(page, number as usize - 1),
        })?;
        // What a frame leaves behind (GIF89a §23.c.iv): itself, nothing where it was, or what was there before it.
        let leaves = match frame.dispose {
            _ if is_last => Leaves::Itself,
            DisposalMethod::Background => Leaves::Nothing,
            DisposalMethod::Previous => Leaves::WhatWasThere,
            DisposalMethod::Any | DisposalMethod::Keep => Leaves::Itself,
        };
        frame.draw(&mut decoder, &mut canvas, stride, leaves, truncated && is_last)?;
    }
    let (data, channels) = without_needless_alpha(canvas);
    Ok(Whole { data, channels, space: None, truncated })
}

/// Where a frame's pixels belong, and how they come.
struct Frame {
    left: usize,
    top: usize,
    /// Bytes of a row.
    row: usize,
    height: usize,
    interlaced: bool,
    dispose: DisposalMethod,
}

/// What a frame leaves on the canvas.
#[derive(Clone, Copy)]
enum Leaves {
    Itself,
    Nothing,
    WhatWasThere,
}

impl Frame {
    /// The next frame, of at most so many bytes.
    fn next(decoder: &mut gif::Decoder<impl BufRead>, most: u64) -> Result<Option<Self>, Error> {
        let Some(frame) = decoder.next_frame_info().map_err(error)? else { return Ok(None) };
        let (row, height) = (usize::from(frame.width) * 4, usize::from(frame.height));
        if row == 0 {
            return Err(Error::corrupt("a frame of the GIF has no pixels"));
        }
        if (row * height) as u64 > most {
            return Err(error(DecodingError::MemoryLimit));
        }
        let (left, top) = (usize::from(frame.left), usize::from(frame.top));
        Ok(Some(Self { left, top, row, height, interlaced: frame.interlaced, dispose: frame.dispose }))
    }

    /// The numbers of its rows as they come (GIF89a, appendix E).
    fn rows(&self) -> impl Iterator<Item = usize> + use<> {
        let passes: &[_] = if self.interlaced { &[(0, 8), (4, 8), (2, 4), (1, 2)] } else { &[(0, 1)] };
        let height = self.height;
        passes.iter().flat_map(move |(first, step)| (*first..height).step_by(*step))
    }

    /// Reads its pixels, row by row, onto the canvas. A frame that is cut is taken for what there is of it, if that is
    /// accepted.
    fn draw(
        &self,
        decoder: &mut gif::Decoder<impl BufRead>,
        canvas: &mut [u8],
        stride: usize,
        leaves: Leaves,
        accept_cut: bool,
    ) -> Result<(), Error> {
        let mut row = vec![0; self.row];
        let mut nothing = true;
        for number in self.rows() {
            // Zero is transparent, which pixels behind a cut stay.
            row.fill(0);
            let read = match decoder.fill_buffer(&mut row) {
                Ok(true) => Ok(()),
                Ok(false) => Err(Error::corrupt("the GIF is damaged: a frame lacks pixels")),
                Err(failure) => Err(error(failure)),
            };
            nothing &= row.iter().all(|sample| *sample == 0);
            if let Some(to) = canvas.chunks_exact_mut(stride).nth(self.top + number) {
                self.lay(&row, to, leaves);
            }
            match read {
                Err(_) if accept_cut && !nothing => return Ok(()),
                read => read?,
            }
        }
        Ok(())
    }

    /// Puts the pixels of a row that are not transparent on the canvas, or clears their place.
    fn lay(&self, row: &[u8], to: &mut [u8], leaves: Leaves) {
        let (to, _) = to.get_mut(self.left * 4..).unwrap_or_default().as_chunks_mut::<4>();
        for (to, from) in to.iter_mut().zip(row.as_chunks::<4>().0) {
            match leaves {
                Leaves::Itself if from[3] > 0 => *to = *from,
                Leaves::Nothing => *to = [0; 4],
                Leaves::Itself | Leaves::WhatWasThere => {}
            }
        }
    }
}

/// Most GIFs are opaque; three channels are less to carry.
fn without_needless_alpha(mut canvas: Buffer) -> (Buffer, Channels) {
    if canvas.as_chunks::<4>().0.iter().any(|pixel| pixel[3] != 255) {
        return (canvas, Channels::Rgba);
    }
    let pixels = canvas.len() / 4;
    for pixel in 0..pixels {
        canvas.copy_within(pixel * 4..pixel * 4 + 3, pixel * 3);
    }
    canvas.truncate(pixels * 3);
    (canvas, Channels::Rgb)
}

/// How many frames there are. Walks the blocks to the trailer without unpacking them (GIF89a, appendix A). A file cut between two blocks is let
/// through: writers exist that leave the trailer out, and no pixel is missing.
fn check_complete(source: &[u8], limits: &Limits) -> Result<u32, Error> {
    let cut = || Error::truncated("the GIF ends before its image does");
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let flags = *source.get(10).ok_or_else(cut)?;
    let mut at = 13 + table(flags);
    let mut frames = 0;
    loop {
        match source.get(at) {
            None if frames > 0 && at == source.len() => return Ok(frames),
            None => return Err(cut()),
            Some(0x21) => at += 2,
            Some(0x2C) => {
                let flags = *source.get(at + 9).ok_or_else(cut)?;
                // Descriptor, its colour table, the code size.
                at += 10 + table(flags) + 1;
                frames += 1;
                limits.check_frames(frames)?;
            }
            // The trailer, or junk that the decoder will judge.
            Some(_) => return Ok(frames),
        }
        loop {
            let length = usize::from(*source.get(at).ok_or_else(cut)?);
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
    }
}

fn error(error: DecodingError) -> Error {
    match error {
        DecodingError::UnexpectedEof => Error::truncated("the GIF ends before its image does"),
        DecodingError::Io(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::truncated("the GIF ends before its image does")
        }
        DecodingError::MemoryLimit | DecodingError::OutOfMemory => {
            Error::new(ErrorKind::TooManyPixels, "the GIF's first frame is far larger than its canvas")
        }
        other => Error::corrupt(format!("the GIF is damaged: {other}")).caused_by(other),
    }
}
