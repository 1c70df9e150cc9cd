//! JPEG 2000: kinds of files, and the smaller sizes that are in them.
//!
//! The fixtures were written by libvips 8.14 from pictures that the functions below draw, the palette's boxes by hand;
//! no encoder is at hand to write them as tests run.
#![allow(clippy::unwrap_used)] // in tests' own helpers too
#![cfg(feature = "jpeg2000")]

mod support;

use imgmill_image::{Recipe, probe};
use support::*;

#[test]
fn sixteen_bits_are_rounded_to_eight() {
    let source = include_bytes!("fixtures/grey-16.jp2");
    let header = probe(source).unwrap();
    assert_eq!((header.width, header.height, header.channels, header.bits), (97, 61, 1, 16));
    let (.., color, data) = pixels(source, "full/max/0/default.png");
    assert_eq!(color, png::ColorType::Grayscale);
    let drawn = (0..61u32).flat_map(|y| (0..97u32).map(move |x| (x * 521 + y * 131) % 65536));
    let expected: Vec<u8> = drawn.map(|sample| (f64::from(sample) / 257.0).round() as u8).collect();
    assert_eq!(data, expected);
}

#[test]
fn alpha_palettes_and_sampled_chroma_are_read() {
    let image = picture(97, 61);
    let alpha = include_bytes!("fixtures/alpha.jp2");
    assert_eq!(probe(alpha).unwrap().channels, 4);
    let (.., color, data) = pixels(alpha, "full/max/0/default.png");
    assert_eq!(color, png::ColorType::Rgba);
    let expected: Vec<u8> =
        image.data.chunks_exact(3).flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 128]).collect();
    assert_eq!(data, expected);

    let palette = include_bytes!("fixtures/palette.jp2");
    assert_eq!(probe(palette).unwrap().channels, 3);
    let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];
    let decoded = rgb(palette, "full/max/0/default.png");
    for (x, y) in [(0, 0), (25, 5), (45, 5), (65, 5), (85, 5), (5, 25), (96, 60)] {
        assert_eq!(decoded.at(x, y), colours[(x / 20 + y / 20) as usize % 4], "{x},{y}");
    }

    let (sampled, image) = (include_bytes!("fixtures/sampled-420.jp2"), picture(60, 44));
    let sampled = rgb(sampled, "full/max/0/default.png");
    assert!(psnr(&sampled.data, &image.data) > 38.0, "{}", psnr(&sampled.data, &image.data));
}

#[test]
fn a_small_derivative_is_made_of_a_smaller_size() {
    let image = picture(97, 61);
    // Written by ImageMagick 6.9 with five sizes (`-define jp2:number-resolutions=5 -define jp2:quality=60`).
    let source = include_bytes!("fixtures/levels.jp2").as_slice();
    let full = rgb(source, "full/max/0/default.png");
    assert!(psnr(&full.data, &image.data) > 30.0, "{}", psnr(&full.data, &image.data));
    let plain = png(&full);
    for request in ["full/24,/0/default.png", "full/12,/0/default.png", "10,10,64,40/16,10/90/default.png"] {
        let (small, expected) = (rgb(source, request), rgb(&plain, request));
        assert_eq!((small.width, small.height), (expected.width, expected.height), "{request}");
        let found = psnr(&small.data, &expected.data);
        assert!(found > 30.0, "{request}: {found:.1} dB");
        // Not the same bytes: it was not made of the full size.
        assert_ne!(small.data, expected.data, "{request}");
    }
    // With a larger one beside it, it is.
    let both = Recipe::parse_json(r#"{"a": {"format": "png"}, "b": {"size": "24,", "format": "png"}}"#);
    let both = all(source, &both.unwrap()).unwrap();
    assert_eq!(read_png(&both[1].bytes).3, rgb(&plain, "full/24,/0/default.png").data);
}
