//! One picture written in every way these encoders know: formats, depths, colour models, subsamplings, orientations.
//! What a decoder is compared on, and what fuzzing starts from.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, RgbImage};

use super::encode::{self, JpegOptions, Subsampling};
use super::{Orientation, photo};

/// Draws a picture and writes it in every way: file names, which say the way, and files.
pub fn kinds(seed: u64, width: u32, height: u32) -> Vec<(String, Vec<u8>)> {
    let drawn = photo(seed, width, height);
    let plain = JpegOptions::default();
    let mut files = vec![
        ("jpeg-plain.jpg".to_owned(), encode::jpeg(&drawn, plain)),
        ("jpeg-progressive.jpg".to_owned(), encode::jpeg(&drawn, JpegOptions { progressive: true, ..plain })),
        ("jpeg-gray.jpg".to_owned(), encode::jpeg(&drawn, JpegOptions { gray: true, ..plain })),
        ("gif.gif".to_owned(), encode::gif(&drawn)),
    ];
    for (name, subsampling) in [("444", Subsampling::None), ("422", Subsampling::Half)] {
        let file = encode::jpeg(&drawn, JpegOptions { subsampling, ..plain });
        files.push((format!("jpeg-{name}.jpg"), file));
    }
    for (name, ycck) in [("cmyk", false), ("ycck", true)] {
        files.push((format!("jpeg-{name}.jpg"), encode::jpeg_of_inks(&drawn, ycck)));
    }
    for orientation in Orientation::ALL {
        let file = encode::jpeg(&drawn, JpegOptions { orientation: Some(orientation), ..plain });
        files.push((format!("jpeg-orientation-{}.jpg", orientation as u8), file));
    }
    let models = models(RgbImage::from_raw(width, height, drawn.pixels).expect("as many bytes as pixels"));
    for (format, extension) in [
        (ImageFormat::Png, "png"),
        (ImageFormat::Tiff, "tif"),
        (ImageFormat::Bmp, "bmp"),
        (ImageFormat::WebP, "webp"),
    ] {
        for (name, model) in &models {
            let mut file = Cursor::new(Vec::new());
            // Not every format knows every model.
            if model.write_to(&mut file, format).is_ok() {
                files.push((format!("{extension}-{name}.{extension}"), file.into_inner()));
            }
        }
    }
    files
}

fn models(rgb: RgbImage) -> Vec<(&'static str, DynamicImage)> {
    let colour = DynamicImage::ImageRgb8(rgb);
    let mut with_alpha = colour.to_rgba8();
    let width = with_alpha.width();
    for (x, _, pixel) in with_alpha.enumerate_pixels_mut() {
        // From clear to solid, so that a mistake in premultiplying shows.
        pixel[3] = (u64::from(x) * 255 / u64::from(width)) as u8;
    }
    let with_alpha = DynamicImage::ImageRgba8(with_alpha);
    vec![
        ("gray", colour.to_luma8().into()),
        ("gray-16", colour.to_luma16().into()),
        ("gray-alpha", with_alpha.to_luma_alpha8().into()),
        ("rgb-16", colour.to_rgb16().into()),
        ("rgb-float", colour.to_rgb32f().into()),
        ("rgba-16", with_alpha.to_rgba16().into()),
        ("rgba", with_alpha),
        ("rgb", colour),
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_format_is_there_and_reads_back() {
        let files = super::kinds(1, 33, 21);
        for extension in ["jpg", "png", "gif", "webp", "tif", "bmp"] {
            assert!(files.iter().any(|(name, _)| name.ends_with(extension)), "{extension}");
        }
        for (name, file) in files {
            // The `image` crate reads no YCCK, and colours are not the matter here.
            let size = image::ImageReader::new(std::io::Cursor::new(&file))
                .with_guessed_format()
                .expect("memory can be read")
                .into_dimensions();
            assert_eq!(size.ok(), Some((33, 21)), "{name}");
        }
    }
}
