//! AV1 pictures by rav1d: dav1d in Rust, with dav1d's assembly.
//!
//! rav1d's outer functions are C's, which a panic cannot leave: it aborts. Hence
//! [`may_abort`](crate::SourceFormat::may_abort).

use re_rav1d::dav1d::pixel::YUVRange;
use re_rav1d::dav1d::{Decoder, Error as Av1Error, Picture, PixelLayout, PlanarImageComponent, Settings};

use super::items::Cicp;
use crate::error::{Error, ErrorKind};

/// One decoded picture, its samples not yet colours.
pub(super) struct Frame {
    pub width: usize,
    pub height: usize,
    pub bits: u8,
    /// How many pixels share a chroma sample, across and down; `None` where there is no chroma.
    pub subsampling: Option<(usize, usize)>,
    /// What its samples mean.
    pub cicp: Cicp,
    /// Y, Cb and Cr, or Y alone.
    pub planes: Vec<Plane>,
}

/// Samples of one kind, rows without gaps.
pub(super) struct Plane {
    pub width: usize,
    pub samples: Vec<u16>,
}

impl Plane {
    pub(super) fn row(&self, y: usize) -> &[u16] {
        &self.samples[y * self.width..][..self.width]
    }
}

/// Decodes the first picture of a bitstream, which must be of the size that the container says. Where the container
/// says its colours too, that counts and not the bitstream (AVIF 1.1 §2.1).
pub(super) fn decode(bytes: Vec<u8>, width: u32, height: u32, colours: Option<Cicp>) -> Result<Frame, Error> {
    let mut settings = Settings::new();
    // Pictures are many and each is small: they keep the cores busy, not the parts of one.
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_all_layers(false);
    settings.set_frame_size_limit(u32::try_from(u64::from(width) * u64::from(height)).unwrap_or(u32::MAX));
    let mut decoder = Decoder::with_settings(&settings).map_err(error)?;
    let mut sent = decoder.send_data(bytes, None, None, None);
    loop {
        match decoder.get_picture() {
            Ok(picture) => return frame(&picture, width, height, colours),
            Err(Av1Error::Again) => {}
            Err(e) => return Err(error(e)),
        }
        match sent {
            // All was taken, and no picture came of it.
            Ok(()) => return Err(super::boxes::cut()),
            Err(Av1Error::Again) => sent = decoder.send_pending_data(),
            Err(e) => return Err(error(e)),
        }
    }
}

fn frame(picture: &Picture, width: u32, height: u32, colours: Option<Cicp>) -> Result<Frame, Error> {
    if (picture.width(), picture.height()) != (width, height) {
        let (w, h) = (picture.width(), picture.height());
        let message = format!("the AVIF says {width}×{height} pixels and holds a picture of {w}×{h}");
        return Err(Error::corrupt(message));
    }
    let bits = picture.bits_per_component().map_or(8, |bits| bits.0 as u8);
    let subsampling = match picture.pixel_layout() {
        PixelLayout::I400 => None,
        PixelLayout::I420 => Some((2, 2)),
        PixelLayout::I422 => Some((2, 1)),
        PixelLayout::I444 => Some((1, 1)),
    };
    let (width, height) = (width as usize, height as usize);
    let mut planes = vec![plane(picture, PlanarImageComponent::Y, width, height, bits)?];
    if let Some((across, down)) = subsampling {
        for component in [PlanarImageComponent::U, PlanarImageComponent::V] {
            planes.push(plane(picture, component, width.div_ceil(across), height.div_ceil(down), bits)?);
        }
    }
    let cicp = colours.unwrap_or_else(|| cicp(picture));
    Ok(Frame { width, height, bits, subsampling, cicp, planes })
}

fn plane(
    picture: &Picture,
    component: PlanarImageComponent,
    width: usize,
    height: usize,
    bits: u8,
) -> Result<Plane, Error> {
    let stride = picture.stride(component) as usize;
    let bytes = picture.plane(component);
    let mut samples = Vec::with_capacity(width * height);
    let short = || Error::corrupt("the AVIF's picture has too few samples");
    for y in 0..height {
        let row = bytes.get(y * stride..).ok_or_else(short)?;
        if bits == 8 {
            samples.extend(row.get(..width).ok_or_else(short)?.iter().map(|sample| u16::from(*sample)));
        } else {
            let (row, _) = row.get(..width * 2).ok_or_else(short)?.as_chunks::<2>();
            samples.extend(row.iter().map(|sample| u16::from_ne_bytes(*sample)));
        }
    }
    Ok(Plane { width, samples })
}

/// H.273's numbers, of which rav1d's interface makes names.
fn cicp(picture: &Picture) -> Cicp {
    Cicp {
        primaries: picture.color_primaries() as u8,
        transfer: picture.transfer_characteristic() as u8,
        matrix: picture.matrix_coefficients() as u8,
        full_range: matches!(picture.color_range(), YUVRange::Full),
    }
}

fn error(error: Av1Error) -> Error {
    match error {
        Av1Error::NotEnoughMemory => {
            Error::new(ErrorKind::TooManyPixels, "the AVIF takes more memory than there is")
        }
        other => Error::corrupt(format!("the AVIF's picture is damaged: {other}")).caused_by(other),
    }
}
