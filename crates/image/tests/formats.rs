//! Every format decodes to the pixels it was made of: colour, depth, alpha, orientation.
#![allow(clippy::unwrap_used)] // in tests' own helpers too

mod support;

use imgmill_image::{ErrorKind, SourceFormat, probe};
use support::*;

#[test]
fn every_format_keeps_the_picture() {
    let image = picture(97, 61);
    for (name, source) in every_format(&image) {
        let header = probe(&source).unwrap();
        assert_eq!((header.width, header.height), (97, 61), "{name}");
        let decoded = rgb(&source, "full/max/0/default.png");
        assert_eq!((decoded.width, decoded.height), (97, 61), "{name}");
        let least = match name {
            "baseline jpeg" | "progressive jpeg" | "lossy webp" => 30.0,
            "avif" => 40.0,
            // Drawn pixels may be interpolated.
            "svg" | "svgz" | "pdf" => 45.0,
            // 256 colours.
            "gif" => 30.0,
            _ => 90.0,
        };
        let found = psnr(&image.data, &decoded.data);
        assert!(found >= least, "{name}: {found:.1} dB");
    }
}

/// Quarter colours, clockwise from the top left, of what a request makes.
fn corners(source: &[u8], request: &str) -> [[u8; 3]; 4] {
    let image = rgb(source, request);
    let (right, bottom) = (image.width - 4, image.height - 4);
    [(3, 3), (right, 3), (right, bottom), (3, bottom)]
        .map(|(x, y)| image.at(x, y).map(|v| if v > 128 { 255 } else { 0 }))
}

const UPRIGHT: [[u8; 3]; 4] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];

/// What has to be stored for an image to be upright under an orientation: the inverse of its turn, by requests.
fn stored_for(orientation: u8) -> &'static str {
    match orientation {
        1 => "full/max/0/default.png",
        2 => "full/max/!0/default.png",
        3 => "full/max/180/default.png",
        4 => "full/max/!180/default.png",
        5 => "full/max/!270/default.png",
        6 => "full/max/270/default.png",
        7 => "full/max/!90/default.png",
        _ => "full/max/90/default.png",
    }
}

#[test]
fn all_eight_orientations_come_out_upright() {
    let upright = png(&quarters(48, 32));
    for orientation in 1..=8 {
        let stored = rgb(&upright, stored_for(orientation));
        let source = with_segment(&jpeg(&stored, r#""q": 95"#), 0xE1, &exif(orientation));
        let header = probe(&source).unwrap();
        assert_eq!(header.orientation, orientation);
        assert_eq!(header.upright(), (48, 32));
        for request in ["full/max/0/default.png", "full/24,/0/default.png", "full/12,8/0/default.png"] {
            assert_eq!(corners(&source, request), UPRIGHT, "orientation {orientation}, {request}");
        }
        // The top left quarter, turned by a quarter, is red all over; so is the one named by percent.
        for request in ["0,0,24,16/max/90/default.png", "pct:0,0,50,50/12,/0/default.png"] {
            assert_eq!(corners(&source, request), [[255, 0, 0]; 4], "orientation {orientation}, {request}");
        }
        // -1 keeps the pixels as they are stored.
        let plain = rgb(&source, "full/max/-1/default.png");
        assert_eq!((plain.width, plain.height), (stored.width, stored.height));
    }
}

#[test]
fn png_webp_and_tiff_carry_orientations_too() {
    let stored = rgb(&png(&quarters(48, 32)), stored_for(6));
    let block = &exif(6)[6..];
    let png = with_chunk(&png(&stored), b"eXIf", block);
    let webp = {
        let mut bytes = Vec::new();
        let mut encoder = image_webp::WebPEncoder::new(&mut bytes);
        encoder.set_exif_metadata(block.to_vec());
        encoder.encode(&stored.data, stored.width, stored.height, image_webp::ColorType::Rgb8).unwrap();
        bytes
    };
    let tiff = {
        let mut file = std::io::Cursor::new(Vec::new());
        let mut encoder = tiff::encoder::TiffEncoder::new(&mut file).unwrap();
        let mut image =
            encoder.new_image::<tiff::encoder::colortype::RGB8>(stored.width, stored.height).unwrap();
        image.encoder().write_tag(tiff::tags::Tag::Orientation, 6u16).unwrap();
        image.write_data(&stored.data).unwrap();
        file.into_inner()
    };
    for (name, source) in [("png", png), ("webp", webp), ("tiff", tiff)] {
        assert_eq!(probe(&source).unwrap().orientation, 6, "{name}");
        assert_eq!(corners(&source, "full/max/0/default.png"), UPRIGHT, "{name}");
    }
}

#[test]
fn cmyk_and_ycck_jpegs_are_read_as_adobe_writes_them() {
    // Stored inverted: 255 is no ink. Pure cyan, and half black, side by side.
    let cmyk = flat_jpeg(2, 1, 4, Some(0), &[0, 255, 255, 255, 255, 255, 255, 128]);
    let image = rgb(&cmyk, "full/max/0/default.png");
    assert_eq!(image.at(2, 2), [0, 255, 255]);
    assert_eq!(image.at(10, 2), [128; 3]);
    assert_eq!(probe(&cmyk).unwrap().channels, 4);

    // YCCK of Y 255 and neutral chroma is, after Adobe's inversion, no ink but black's.
    let ycck = flat_jpeg(1, 1, 4, Some(2), &[0, 128, 128, 255]);
    assert_eq!(rgb(&ycck, "full/max/0/default.png").at(2, 2), [255; 3]);
}

#[test]
fn rgb_jpegs_are_not_taken_for_ycbcr() {
    let source = flat_jpeg(1, 1, 3, Some(0), &[200, 100, 50]);
    assert_eq!(rgb(&source, "full/max/0/default.png").at(1, 1), [200, 100, 50]);
    // Their grey is worked out from all three, not copied from the first.
    let gray = only(&source, &imgmill_image::Recipe::gray());
    let level = rgb(&gray.bytes, "full/max/0/default.png").at(1, 1)[0];
    assert!(level.abs_diff(124) <= 2, "{level}");
}

#[test]
fn png_depths_and_kinds() {
    use png::{BitDepth, ColorType};
    let request = "full/max/0/default.png";
    // One bit: white, black, …
    let bits = png_of(8, 1, ColorType::Grayscale, BitDepth::One, &[0b1010_0000], |_| {});
    let (_, _, color, data) = pixels(&bits, request);
    assert_eq!((color, data), (ColorType::Grayscale, vec![255, 0, 255, 0, 0, 0, 0, 0]));
    // Sixteen bits round, they are not cut: 0x12FF is nearer to 0x13 than to 0x12.
    let deep = png_of(2, 1, ColorType::Grayscale, BitDepth::Sixteen, &[0x12, 0xFF, 0xFF, 0xFF], |_| {});
    assert_eq!(pixels(&deep, request).3, [0x13, 0xFF]);
    // A palette with transparency.
    let palette = png_of(3, 1, ColorType::Indexed, BitDepth::Eight, &[0, 1, 2], |encoder| {
        encoder.set_palette(vec![1, 2, 3, 4, 5, 6, 7, 8, 9]);
        encoder.set_trns(vec![255, 0]);
    });
    let (_, _, color, data) = pixels(&palette, request);
    assert_eq!((color, data), (ColorType::Rgba, vec![1, 2, 3, 255, 4, 5, 6, 0, 7, 8, 9, 255]));
    // A colour that stands for transparency.
    let keyed = png_of(2, 1, ColorType::Grayscale, BitDepth::Eight, &[7, 9], |e| e.set_trns(vec![0, 7]));
    assert_eq!(pixels(&keyed, request).3, [7, 0, 9, 255]);
    // Grey with alpha stays two channels, and flattens on white for a JPEG.
    let alpha = png_of(8, 8, ColorType::GrayscaleAlpha, BitDepth::Eight, &[0, 0].repeat(64), |_| {});
    assert_eq!(pixels(&alpha, request).2, ColorType::GrayscaleAlpha);
    let flat = only(&alpha, &recipe("full/max/0/default.jpg"));
    assert_eq!(rgb(&flat.bytes, request).at(4, 4), [255; 3]);
}

/// A TIFF of one strip: pixels of some colour type, and tags that say otherwise.
fn tiff_of<C: tiff::encoder::colortype::ColorType>(
    (width, height): (u32, u32),
    data: &[C::Inner],
    tags: &[(tiff::tags::Tag, &[u16])],
) -> Vec<u8>
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    let mut file = std::io::Cursor::new(Vec::new());
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut file).unwrap();
    let mut image = encoder.new_image::<C>(width, height).unwrap();
    for (tag, value) in tags {
        image.encoder().write_tag(*tag, *value).unwrap();
    }
    image.write_data(data).unwrap();
    file.into_inner()
}

#[test]
fn tiff_depths_and_colour_models() {
    use tiff::encoder::colortype::{CMYK8, Gray8, Gray16, Gray32Float, RGB8};
    use tiff::tags::Tag;
    let request = "full/max/0/default.png";
    let gray = |source: &[u8]| pixels(source, request).3;
    assert_eq!(gray(&tiff_of::<Gray16>((2, 1), &[0x12FF, 0xFFFF], &[])), [0x13, 0xFF]);
    assert_eq!(gray(&tiff_of::<Gray32Float>((3, 1), &[-1.0, 0.5, 7.0], &[])), [0, 128, 255]);
    let inverted = [(Tag::PhotometricInterpretation, &[0u16][..])];
    assert_eq!(gray(&tiff_of::<Gray8>((2, 1), &[0, 200], &inverted)), [255, 55]);

    let cmyk = tiff_of::<CMYK8>((2, 1), &[255, 0, 0, 0, 0, 0, 0, 255], &[]);
    assert_eq!(gray(&cmyk), [0, 255, 255, 0, 0, 0]);

    let colours: Vec<u16> =
        [10u16, 20, 30].into_iter().flat_map(|c| (0..256).map(move |n| (c + n).min(255) * 257)).collect();
    let palette = [(Tag::PhotometricInterpretation, &[3u16][..]), (Tag::ColorMap, &colours[..])];
    assert_eq!(gray(&tiff_of::<Gray8>((2, 1), &[0, 5], &palette)), [10, 20, 30, 15, 25, 35]);

    // CIE L*a*b*: white; a red of L* 53, a* 80, b* 67, which is about sRGB's own.
    let lab = [(Tag::PhotometricInterpretation, &[8u16][..])];
    let data = gray(&tiff_of::<RGB8>((2, 1), &[255, 0, 0, 136, 80, 67], &lab));
    assert!(data[..3].iter().all(|v| *v >= 254), "{data:?}");
    assert!(data[3] > 245 && data[4] < 40 && data[5] < 40, "{data:?}");

    // Premultiplied alpha is undone.
    let alpha = [(Tag::ExtraSamples, &[1u16][..])];
    let source = tiff_of::<tiff::encoder::colortype::RGBA8>((1, 1), &[50, 100, 0, 128], &alpha);
    assert_eq!(gray(&source), [100, 199, 0, 128]);
}

#[test]
fn a_gif_frame_is_laid_on_its_canvas() {
    let mut source = Vec::new();
    let mut encoder = gif::Encoder::new(&mut source, 6, 4, &[]).unwrap();
    let mut frame = gif::Frame::from_rgb(2, 2, &[250, 10, 10].repeat(4));
    (frame.left, frame.top) = (3, 1);
    encoder.write_frame(&frame).unwrap();
    encoder.write_frame(&gif::Frame::from_rgb(6, 4, &[0; 6 * 4 * 3])).unwrap();
    drop(encoder);
    let (width, height, color, data) = pixels(&source, "full/max/0/default.png");
    assert_eq!((width, height, color), (6, 4, png::ColorType::Rgba));
    let at = |x: usize, y: usize| &data[(y * 6 + x) * 4..][..4];
    assert_eq!(at(3, 1), [250, 10, 10, 255]);
    assert_eq!(at(4, 2), [250, 10, 10, 255]);
    assert_eq!(at(2, 1)[3], 0);
    assert_eq!(at(5, 3)[3], 0);
}

#[test]
fn a_frame_of_a_gif_is_drawn_on_what_earlier_ones_leave() {
    let mut source = Vec::new();
    let mut encoder = gif::Encoder::new(&mut source, 2, 1, &[]).unwrap();
    for (left, level, dispose) in [
        (0, 10, gif::DisposalMethod::Keep),
        (1, 90, gif::DisposalMethod::Background),
        (0, 200, gif::DisposalMethod::Keep),
    ] {
        let mut frame = gif::Frame::from_rgb(1, 1, &[level; 3]);
        (frame.left, frame.dispose) = (left, dispose);
        encoder.write_frame(&frame).unwrap();
    }
    drop(encoder);
    let page = |number: u32| {
        let recipe = format!(r#"{{"a": {{"format": "png", "page": {number}}}}}"#);
        read_png(&only(&source, &imgmill_image::Recipe::parse_json(&recipe).unwrap()).bytes).3
    };
    assert_eq!(page(1), [10, 10, 10, 255, 0, 0, 0, 0]);
    assert_eq!(page(2), [10, 10, 10, 90, 90, 90]);
    assert_eq!(page(3), [200, 200, 200, 255, 0, 0, 0, 0]);
    let error = imgmill_image::probe_page(&source, 4).unwrap_err();
    assert_eq!(error.to_string(), "there is no page 4: the image has 3 pages");
}

#[test]
fn formats_that_may_end_the_process_are_told() {
    use SourceFormat::{Avif, Bmp, Gif, Jpeg, Jpeg2000, Pdf, Png, Svg, Tiff, Webp};
    for format in [Avif, Jpeg2000, Pdf, Svg] {
        assert!(format.may_abort(), "{format}");
    }
    for format in [Jpeg, Png, Gif, Webp, Tiff, Bmp] {
        assert!(!format.may_abort(), "{format}");
    }
}

#[test]
fn what_is_no_image_and_what_is_not_decoded_are_told_apart() {
    for (bytes, kind, said) in [
        (&b""[..], ErrorKind::NotAnImage, "empty"),
        (b"<html>404</html>", ErrorKind::NotAnImage, "no image"),
        (b"8BPS and so on", ErrorKind::UnsupportedFormat, "PSD"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", ErrorKind::UnsupportedFormat, "HEIC"),
        #[cfg(not(feature = "pdf"))]
        (b"%PDF-1.7 and so on", ErrorKind::UnsupportedFormat, "build with the feature pdf"),
        #[cfg(not(feature = "svg"))]
        (b"<svg/>", ErrorKind::UnsupportedFormat, "build with the feature svg"),
        #[cfg(not(feature = "jpeg2000"))]
        (b"\xFF\x4F\xFF\x51", ErrorKind::UnsupportedFormat, "build with the feature jpeg2000"),
        #[cfg(not(feature = "avif"))]
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", ErrorKind::UnsupportedFormat, "build with the feature avif"),
    ] {
        let error = probe(bytes).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains(said), "{error}");
    }
    assert_eq!(probe(&png(&picture(2, 2))).unwrap().format, SourceFormat::Png);
}
