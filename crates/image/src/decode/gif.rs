//! GIF: the first frame or another one, laid on the canvas as a viewer shows it.

use std::io::BufRead;
use std::num::NonZeroU64;

use gif::{ColorOutput, DecodeOptions, DecodingError, DisposalMethod, MemoryLimit};

use super::Decoded;
use super::timed::Timed;
use crate::error::{Error, ErrorKind};
use crate::exif;
use crate::header::Header;
use crate::limits::Limits;
use crate::pixels::{Channels, Pixels};
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
        in_order: false,
        jpeg: None,
        vector: None,
    })
}

/// Draws frame number `page` on what earlier frames leave under it.
pub(super) fn decode(source: &[u8], header: &Header, page: u32, limits: &Limits) -> Result<Decoded, Error> {
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
    let mut canvas = Pixels::blank(header.width, header.height, Channels::Rgba);
    for number in 1..=page {
        let is_last = number == page;
        let frame = read_frame(&mut decoder, most, truncated && is_last)?;
        let frame = frame.ok_or_else(|| match number {
            1 => Error::corrupt("the GIF has no frame"),
            _ => super::no_such_page(page, number as usize - 1),
        })?;
        // What a frame leaves behind (GIF89a §23.c.iv): itself, nothing where it was, or what was there before it.
        match frame.dispose {
            _ if is_last => frame.lay(&mut canvas, false),
            DisposalMethod::Background => frame.lay(&mut canvas, true),
            DisposalMethod::Previous => {}
            DisposalMethod::Any | DisposalMethod::Keep => frame.lay(&mut canvas, false),
        }
    }
    Ok(Decoded { truncated, ..Decoded::full(without_needless_alpha(canvas)) })
}

/// A frame's pixels, and where they belong.
struct Frame {
    left: usize,
    top: usize,
    /// Bytes of a row.
    row: usize,
    pixels: Vec<u8>,
    dispose: DisposalMethod,
}

/// The next frame, of at most so many bytes; one that is cut is taken for what there is of it, if that is accepted.
fn read_frame(
    decoder: &mut gif::Decoder<impl BufRead>,
    most: u64,
    accept_cut: bool,
) -> Result<Option<Frame>, Error> {
    let Some(frame) = decoder.next_frame_info().map_err(error)? else { return Ok(None) };
    let (left, top, dispose) = (usize::from(frame.left), usize::from(frame.top), frame.dispose);
    let (row, rows) = (usize::from(frame.width) * 4, usize::from(frame.height));
    if row == 0 {
        return Err(Error::corrupt("a frame of the GIF has no pixels"));
    }
    if (row * rows) as u64 > most {
        return Err(error(DecodingError::MemoryLimit));
    }
    // Zero is transparent, which pixels behind a cut stay.
    let mut pixels = vec![0; row * rows];
    if let Err(failure) = decoder.read_into_buffer(&mut pixels) {
        let nothing = pixels.iter().all(|sample| *sample == 0);
        if !accept_cut || nothing {
            return Err(error(failure));
        }
    }
    Ok(Some(Frame { left, top, row, pixels, dispose }))
}

impl Frame {
    /// Puts the pixels that are not transparent on the canvas, or clears their place.
    fn lay(&self, canvas: &mut Pixels, is_cleared: bool) {
        let stride = canvas.stride();
        let rows = canvas.data.chunks_exact_mut(stride).skip(self.top);
        for (to, from) in rows.zip(self.pixels.chunks_exact(self.row)) {
            let (to, _) = to.get_mut(self.left * 4..).unwrap_or_default().as_chunks_mut::<4>();
            for (to, from) in to.iter_mut().zip(from.as_chunks::<4>().0) {
                if is_cleared {
                    *to = [0; 4];
                } else if from[3] > 0 {
                    *to = *from;
                }
            }
        }
    }
}

/// Most GIFs are opaque; three channels are less to carry.
fn without_needless_alpha(canvas: Pixels) -> Pixels {
    let opaque = canvas.data.as_chunks::<4>().0.iter().all(|pixel| pixel[3] == 255);
    if opaque { canvas.map(Channels::Rgb, |[r, g, b, _]| [r, g, b]) } else { canvas }
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
