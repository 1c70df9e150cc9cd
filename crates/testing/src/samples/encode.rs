//! Writes a [`Photo`] as a file in each format that imgmill reads. These encoders share no code with
//! imgmill's own, so a test that compares the two compares independent work.

use std::io::Cursor;

use image::codecs::gif::GifEncoder;
use image::{ExtendedColorType, ImageFormat};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::{Orientation, Photo};

/// How chroma is stored in a JPEG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subsampling {
    /// One chroma sample a pixel.
    None,
    /// Halved across.
    Half,
    /// Halved across and down, as cameras do.
    Quarter,
}

/// How a JPEG is written; the default is what a camera would do.
#[derive(Clone, Copy, Debug)]
pub struct JpegOptions {
    /// 1 to 100.
    pub quality: u8,
    /// Several scans, each adding detail.
    pub progressive: bool,
    /// How chroma is stored.
    pub subsampling: Subsampling,
    /// Written as an EXIF tag when given; the pixels are stored as they are.
    pub orientation: Option<Orientation>,
    /// One component instead of three.
    pub gray: bool,
}

impl Default for JpegOptions {
    fn default() -> Self {
        Self {
            quality: 85,
            progressive: false,
            subsampling: Subsampling::Quarter,
            orientation: None,
            gray: false,
        }
    }
}

/// A JPEG.
pub fn jpeg(photo: &Photo, options: JpegOptions) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, options.quality);
    encoder.set_progressive(options.progressive);
    encoder.set_sampling_factor(match options.subsampling {
        Subsampling::None => SamplingFactor::R_4_4_4,
        Subsampling::Half => SamplingFactor::R_4_2_2,
        Subsampling::Quarter => SamplingFactor::R_4_2_0,
    });
    if let Some(orientation) = options.orientation {
        encoder.add_exif_metadata(&orientation.exif()).expect("an EXIF block of a few bytes fits");
    }
    let width = u16::try_from(photo.width).expect("a JPEG is at most 65535 pixels wide");
    let height = u16::try_from(photo.height).expect("a JPEG is at most 65535 pixels high");
    let written = if options.gray {
        encoder.encode(&luma(photo), width, height, ColorType::Luma)
    } else {
        encoder.encode(&photo.pixels, width, height, ColorType::Rgb)
    };
    written.expect("writing a JPEG to memory cannot fail");
    file
}

/// A JPEG of four inks, stored inverted as Adobe does, with or without its conversion to luma and chroma.
pub fn jpeg_of_inks(photo: &Photo, ycck: bool) -> Vec<u8> {
    let inks: Vec<u8> = photo
        .pixels
        .chunks_exact(3)
        .flat_map(|rgb| {
            // As much of the three inks as they share is printed in black.
            let light = rgb[0].max(rgb[1]).max(rgb[2]);
            let ink = |sample: u8| 255 - (u32::from(sample) * 255 / u32::from(light.max(1))) as u8;
            [ink(rgb[0]), ink(rgb[1]), ink(rgb[2]), 255 - light]
        })
        .collect();
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 92);
    encoder.set_sampling_factor(SamplingFactor::R_4_4_4);
    let width = u16::try_from(photo.width).expect("a JPEG is at most 65535 pixels wide");
    let height = u16::try_from(photo.height).expect("a JPEG is at most 65535 pixels high");
    let model = if ycck { ColorType::CmykAsYcck } else { ColorType::Cmyk };
    encoder.encode(&inks, width, height, model).expect("writing a JPEG to memory cannot fail");
    file
}

/// A PNG.
pub fn png(photo: &Photo) -> Vec<u8> {
    write_as(photo, ImageFormat::Png)
}

/// A WebP, lossless.
pub fn webp(photo: &Photo) -> Vec<u8> {
    // The `image` crate writes no other kind of WebP.
    write_as(photo, ImageFormat::WebP)
}

/// A GIF of one frame and 256 colours.
pub fn gif(photo: &Photo) -> Vec<u8> {
    let mut file = Vec::new();
    GifEncoder::new_with_speed(&mut file, 10)
        .encode(&photo.pixels, photo.width, photo.height, ExtendedColorType::Rgb8)
        .expect("writing a GIF to memory cannot fail");
    file
}

/// A TIFF, uncompressed.
pub fn tiff(photo: &Photo) -> Vec<u8> {
    write_as(photo, ImageFormat::Tiff)
}

/// A BMP.
pub fn bmp(photo: &Photo) -> Vec<u8> {
    write_as(photo, ImageFormat::Bmp)
}

/// Rec. 601 luma, rounded: what gray made from this photo ought to be, give or take one.
pub fn luma(photo: &Photo) -> Vec<u8> {
    photo
        .pixels
        .chunks_exact(3)
        .map(|rgb| {
            let [red, green, blue] = [rgb[0], rgb[1], rgb[2]].map(u32::from);
            ((299 * red + 587 * green + 114 * blue + 500) / 1000) as u8
        })
        .collect()
}

fn write_as(photo: &Photo, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image::write_buffer_with_format(
        &mut file,
        &photo.pixels,
        photo.width,
        photo.height,
        ExtendedColorType::Rgb8,
        format,
    )
    .expect("writing an image to memory cannot fail");
    file.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::photo;

    fn decoded(file: &[u8]) -> image::DynamicImage {
        image::load_from_memory(file).expect("what was written can be read")
    }

    #[test]
    fn lossless_formats_give_the_pixels_back() {
        let drawn = photo(11, 61, 43);
        for file in [png(&drawn), webp(&drawn), tiff(&drawn), bmp(&drawn)] {
            assert_eq!(decoded(&file).to_rgb8().into_raw(), drawn.pixels);
        }
    }

    #[test]
    fn lossy_formats_come_close() {
        let drawn = photo(12, 96, 64);
        let sharp = JpegOptions { quality: 95, subsampling: Subsampling::None, ..JpegOptions::default() };
        for file in
            [jpeg(&drawn, sharp), jpeg(&drawn, JpegOptions { progressive: true, ..sharp }), gif(&drawn)]
        {
            let back = decoded(&file).to_rgb8().into_raw();
            let total: u64 = back.iter().zip(&drawn.pixels).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            let mean = total as f64 / back.len() as f64;
            assert!(mean < 12.0, "mean difference {mean}");
        }
    }

    #[test]
    fn jpeg_options_show_in_the_file() {
        let drawn = photo(13, 64, 48);
        let has_marker = |file: &[u8], marker: u8| file.windows(2).any(|pair| pair == [0xFF, marker]);
        assert!(has_marker(&jpeg(&drawn, JpegOptions::default()), 0xC0), "baseline");
        let progressive = jpeg(&drawn, JpegOptions { progressive: true, ..JpegOptions::default() });
        assert!(has_marker(&progressive, 0xC2), "progressive");
        let gray = jpeg(&drawn, JpegOptions { gray: true, ..JpegOptions::default() });
        assert_eq!(decoded(&gray).color(), image::ColorType::L8);
    }

    #[test]
    fn every_orientation_is_read_back() {
        use image::ImageDecoder;
        let drawn = photo(14, 32, 24);
        for orientation in Orientation::ALL {
            let file = jpeg(&drawn, JpegOptions { orientation: Some(orientation), ..JpegOptions::default() });
            let mut reader = image::ImageReader::with_format(Cursor::new(&file), ImageFormat::Jpeg)
                .into_decoder()
                .expect("a JPEG header");
            assert_eq!(reader.orientation().expect("an EXIF block").to_exif(), orientation as u8);
        }
    }
}
