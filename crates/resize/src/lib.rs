//! Samples drawn at another size: Lanczos3, its support scaled with the shrinking, alpha premultiplied around it.
//!
//! A crate of its own because `fast_image_resize` is generic in all it does: two thirds of what the image engine compiled to
//! was this one function, at every change of anything else in it. Knows buffers, no image formats.

mod gradual;

use std::fmt;

use fast_image_resize as fir;

pub use gradual::Gradual;

/// Rows of samples, one byte each, nothing between them.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'a> {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Samples of a pixel: 1 (gray), 2 (with alpha), 3 (RGB), 4 (with alpha).
    pub channels: usize,
    /// `width` × `height` × `channels` bytes.
    pub data: &'a [u8],
}

/// A part of an image, in pixels; edges may fall between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Its left edge.
    pub x: f64,
    /// Its upper edge.
    pub y: f64,
    /// Pixels across.
    pub w: f64,
    /// Pixels down.
    pub h: f64,
}

/// Why nothing was drawn: an area outside the image, or a buffer that does not hold what it should.
#[derive(Debug)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "resizing failed: {}", self.0)
    }
}

impl std::error::Error for Error {}

/// Draws `area` of an image at `width` × `height`.
///
/// # Errors
/// See [`Error`].
pub fn lanczos3(samples: Samples<'_>, area: Area, width: u32, height: u32) -> Result<Vec<u8>, Error> {
    match samples.channels {
        1 => draw::<fir::pixels::U8>(samples, area, width, height),
        2 => draw::<fir::pixels::U8x2>(samples, area, width, height),
        3 => draw::<fir::pixels::U8x3>(samples, area, width, height),
        4 => draw::<fir::pixels::U8x4>(samples, area, width, height),
        other => Err(Error(format!("there are no pixels of {other} samples"))),
    }
}

/// By the kind of pixel: the function for all kinds takes longer still to compile.
fn draw<P: fir::PixelTrait>(
    samples: Samples<'_>,
    area: Area,
    width: u32,
    height: u32,
) -> Result<Vec<u8>, Error> {
    let failed = |e: &dyn fmt::Display| Error(e.to_string());
    let source = fir::images::TypedImageRef::<P>::from_buffer(samples.width, samples.height, samples.data)
        .map_err(|e| failed(&e))?;
    let mut drawn = vec![0; width as usize * height as usize * samples.channels];
    let mut target =
        fir::images::TypedImage::<P>::from_buffer(width, height, &mut drawn).map_err(|e| failed(&e))?;
    let filter = fir::Filter::new("lanczos3", tap, LOBES).map_err(|e| failed(&e))?;
    let options = fir::ResizeOptions::new()
        .resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::Custom(filter)))
        .crop(area.x, area.y, area.w, area.h)
        .use_alpha(true);
    fir::Resizer::new().resize_typed(&source, &mut target, &options).map_err(|e| failed(&e))?;
    Ok(drawn)
}

const LOBES: f64 = 3.0;

/// The weight of a sample at this distance: sinc(x)·sinc(x/3) within three lobes of its middle.
///
/// One sine gives both factors, because sin 3a = sin a·(3 − 4 sin² a): the taps of a picture's few sizes are otherwise
/// as dear as a tenth of the resize, and the sine of the system's library is not the same on every machine.
pub fn tap(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    if x.abs() >= LOBES {
        return 0.0;
    }
    let angle = x.abs() * (std::f64::consts::PI / LOBES);
    let sine = sine(angle);
    let sinc = sine / angle;
    sinc * sinc * (1.0 - 4.0 / 3.0 * sine * sine)
}

/// The sine of an angle from 0 to π, within 1e-10: its series to the fifteenth power about the nearer end.
fn sine(angle: f64) -> f64 {
    const SERIES: [f64; 7] = [
        -1.0 / 6.0,
        1.0 / 120.0,
        -1.0 / 5_040.0,
        1.0 / 362_880.0,
        -1.0 / 39_916_800.0,
        1.0 / 6_227_020_800.0,
        -1.0 / 1_307_674_368_000.0,
    ];
    let angle = angle.min(std::f64::consts::PI - angle);
    let square = angle * angle;
    let sum = SERIES.iter().rev().fold(0.0, |sum, factor| (sum + factor) * square);
    angle + angle * sum
}
