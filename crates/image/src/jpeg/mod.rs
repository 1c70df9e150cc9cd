//! JPEG: a walk through the markers in safe code, and libjpeg (mozjpeg's build of libjpeg-turbo) behind a safe wall.
//!
//! What nearly all JPEGs are is also read in safe code (`baseline`), where that is faster than libjpeg can be; libjpeg
//! reads the rest.
//!
//! All `unsafe` of JPEG is in `ffi`. What is decided from a file (colour, orientation, profile) is decided elsewhere;
//! this module only reads and writes the format.

mod baseline;
mod ffi;
mod huffman;
mod markers;

pub(crate) use baseline::{Plane, Scales, coded_bytes_most, planes};
pub(crate) use ffi::{
    Colour, Copied, Encoding, PlaneRows, PlaneStrips, Scaled, Strips, TileEncoder, Turning, decode, encode,
    encode_planes, turned,
};
pub(crate) use markers::{Frame, Model, count_scans, walk};

use crate::error::Error;
use crate::limits::Limits;

/// A grey JPEG that is the Y component of `source`, with Y's own quantisation table: what `jpegtran -copy none -grayscale`
/// writes, with `-optimize` where Huffman tables are to be made for it. `exif`, a block if any, becomes its only
/// metadata. `size` is what the limits were checked with.
///
/// `None` if component 0 is not the grey image at full size.
pub(crate) fn luma_only(
    source: &[u8],
    size: (u32, u32),
    exif: Option<&[u8]>,
    optimised: bool,
    limits: &Limits,
) -> Result<Option<Copied>, Error> {
    let exif = exif.map(ffi::exif_segment).transpose()?;
    match baseline::luma_only(source, size, exif.as_deref(), optimised, limits) {
        Some(bytes) => Ok(Some(Copied { bytes, truncated: false })),
        None => ffi::luma_only(source, size, exif.as_deref(), optimised, limits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (u32, u32) = (203, 117);

    fn encoding(subsampled: bool) -> Encoding<'static> {
        Encoding {
            quality: 80,
            subsampled,
            progressive: false,
            optimised: true,
            trellis: false,
            dpi: Some(72),
            exif: None,
        }
    }

    /// Waves and edges in colour, of odd sides.
    fn source(subsampled: bool) -> Vec<u8> {
        let (width, height) = SIZE;
        let colour = |x: u32, y: u32| {
            let wave = (f64::from(x) / 9.0).sin() * (f64::from(y) / 7.0).cos() * 60.0;
            let edge = if (x / 31 + y / 23).is_multiple_of(2) { 40.0 } else { -20.0 };
            [128.0 + wave + edge, 110.0 - wave, 100.0 + edge].map(|v: f64| v as u8)
        };
        let data: Vec<u8> = (0..height).flat_map(|y| (0..width).flat_map(move |x| colour(x, y))).collect();
        encode(width, height, 3, &data, &encoding(subsampled)).unwrap()
    }

    #[test]
    fn planes_are_what_libjpeg_decodes() {
        for subsampled in [false, true] {
            let source = source(subsampled);
            let [luma, _, _] =
                planes(&source, SIZE, Scales { luma: 8, colour: 8 }, &Limits::default()).unwrap();
            let scaled = decode(&source, SIZE, 8, Colour::Luma, &Limits::default()).unwrap();
            for (found, expected) in
                luma.data.chunks(luma.width as usize).zip(scaled.data.chunks(SIZE.0 as usize))
            {
                for (found, expected) in found.iter().zip(expected) {
                    assert!(found.abs_diff(*expected) <= 1, "{found} {expected}");
                }
            }
            let [_, blue, _] =
                planes(&source, SIZE, Scales { luma: 2, colour: 2 }, &Limits::default()).unwrap();
            // Where it is stored at half size, it is that much less scaled.
            assert_eq!(blue.scale, (0.25, 0.25));
        }
    }

    #[test]
    fn luma_is_copied_to_the_bytes_that_libjpeg_writes() {
        for subsampled in [false, true] {
            let source = source(subsampled);
            let exif = Some(&b"Exif\0\0made up"[..]);
            for (exif, optimised) in [(None, true), (exif, true), (None, false), (exif, false)] {
                let copied = baseline::luma_only(&source, SIZE, exif, optimised, &Limits::default()).unwrap();
                let expected = ffi::luma_only(&source, SIZE, exif, optimised, &Limits::default());
                assert!(copied == expected.unwrap().unwrap().bytes, "{subsampled} {exif:?} {optimised}");
            }
        }
    }

    #[test]
    fn planes_are_written_as_pixels_are() {
        for subsampled in [false, true] {
            let source = source(subsampled);
            let [luma, blue, red] =
                planes(&source, SIZE, Scales { luma: 8, colour: 8 }, &Limits::default()).unwrap();
            let side = |luma: u32| if subsampled { luma.div_ceil(2) } else { luma };
            let cut = |plane: &Plane, width: u32, height: u32| -> Vec<u8> {
                let rows = plane.data.chunks(plane.width as usize).take(height as usize);
                rows.flat_map(|row| row[..width as usize].to_vec()).collect()
            };
            let (width, height) = SIZE;
            let cut = [
                cut(&luma, width, height),
                cut(&blue, side(width), side(height)),
                cut(&red, side(width), side(height)),
            ];
            let again =
                encode_planes(width, height, cut.each_ref().map(|p| p.as_slice()), &encoding(subsampled));
            // The same coefficients come out but where rounding tips over, so the same picture.
            let [before, after] = [&source, &again.unwrap()]
                .map(|file| decode(file, SIZE, 8, Colour::Rgb, &Limits::default()).unwrap().data);
            let apart: u64 = before.iter().zip(&after).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            assert!((apart as f64) < 0.5 * before.len() as f64, "{apart} of {}", before.len());
        }
    }

    #[test]
    fn what_is_damaged_or_unusual_is_left_to_libjpeg() {
        let source = source(true);
        let scales = Scales { luma: 4, colour: 2 };
        assert!(planes(&source, SIZE, scales, &Limits::default()).is_some());
        assert!(planes(&source, (203, 118), scales, &Limits::default()).is_none());
        for length in [0, 2, 100, source.len() / 2, source.len() - 3, source.len() - 2] {
            assert!(planes(&source[..length], SIZE, scales, &Limits::default()).is_none(), "{length}");
            assert!(
                baseline::luma_only(&source[..length], SIZE, None, true, &Limits::default()).is_none(),
                "{length}"
            );
        }
        // Whatever a byte is changed to, there is an answer or none.
        for at in (0..700).chain((700..source.len()).step_by(11)) {
            let mut changed = source.clone();
            changed[at] ^= 1 << (at % 8);
            let _ = planes(&changed, SIZE, scales, &Limits::default());
            let _ = baseline::luma_only(&changed, SIZE, None, at % 2 == 0, &Limits::default());
        }
        let (width, height) = SIZE;
        let grey = vec![7; (width * height) as usize];
        let progressive = Encoding { progressive: true, ..encoding(false) };
        let progressive = encode(width, height, 1, &grey, &progressive).unwrap();
        assert!(baseline::luma_only(&progressive, SIZE, None, true, &Limits::default()).is_none());
    }
}
