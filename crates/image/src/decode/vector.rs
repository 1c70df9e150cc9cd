//! What drawings have in common: they are drawn at the size that is wanted, and reading them may go deep.

use super::Need;
use crate::error::{Error, ErrorKind};
use crate::header::Header;
use crate::limits::Limits;
#[cfg(feature = "svg")]
use crate::pixels::{Channels, Pixels};

/// Bytes of the stack that a drawing is read on. Only what is used of it costs memory.
pub(crate) const STACK: usize = 64 << 20;
/// Longest side of a canvas, in pixels.
const LONGEST: f64 = 32_767.0;

/// Width and height that a whole drawing is drawn at, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Canvas {
    pub width: u32,
    pub height: u32,
}

impl Canvas {
    /// The canvas that serves what is needed; a smaller one of the same shape where that would be over the limit, which
    /// happens if a small region is wanted very large.
    pub(crate) fn new(need: &Need, limits: &Limits) -> Self {
        let (width, height) = (f64::from(need.whole.0), f64::from(need.whole.1));
        let over = (width * height / limits.max_pixels.max(1) as f64).sqrt();
        let shrink = over.max(width / LONGEST).max(height / LONGEST).max(1.0);
        let side = |side: f64| (side / shrink).floor().max(1.0) as u32;
        Self { width: side(width), height: side(height) }
    }

    pub(crate) fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// How large a pixel of the header's size is on this canvas, across and down.
    pub(super) fn scale(self, header: &Header) -> (f64, f64) {
        (f64::from(self.width) / f64::from(header.width), f64::from(self.height) / f64::from(header.height))
    }
}

/// Runs something that may call itself as deep as a file is nested, on a stack with room for that.
pub(super) fn with_room<T: Send>(work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        let thread = thread.map_err(|e| {
            let message = format!("there is no memory to read this drawing in: {e}");
            Error::new(ErrorKind::Memory, message).caused_by(e)
        })?;
        // A panic goes on here, to where all decoders' panics become errors.
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Pixels of premultiplied red, green, blue and alpha.
#[cfg(feature = "svg")]
pub(super) fn straight(canvas: Canvas, mut premultiplied: Vec<u8>) -> Result<Pixels, Error> {
    for [r, g, b, alpha] in premultiplied.as_chunks_mut::<4>().0 {
        for colour in [r, g, b] {
            *colour = super::unmultiplied(*colour, *alpha);
        }
    }
    Pixels::new(canvas.width, canvas.height, Channels::Rgba, premultiplied)
}
