//! Pyramids: every level read back by another reader, for every way of packing, odd sizes and tile sizes.
#![allow(clippy::unwrap_used)] // in tests' own helpers too

mod support;

use std::io::Cursor;
use std::num::NonZeroUsize;

use imgmill_image::{Coming, ErrorKind, Limits, OnTruncated, Output, Recipe, Rendition, derive};
use proptest::prelude::*;
use support::*;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;

/// A level as another reader sees it.
struct Level {
    width: u32,
    height: u32,
    samples: usize,
    data: Vec<u8>,
}

type Reader<'a> = Decoder<Cursor<&'a [u8]>>;

fn level(reader: &mut Reader<'_>) -> Level {
    let (width, height) = reader.dimensions().unwrap();
    let samples = usize::from(reader.colortype().unwrap().num_samples());
    let DecodingResult::U8(data) = reader.read_image().unwrap() else { panic!("not in 8 bits") };
    Level { width, height, samples, data }
}

fn levels(bytes: &[u8]) -> Vec<Level> {
    let mut reader = Decoder::new(Cursor::new(bytes)).unwrap();
    let mut found = vec![level(&mut reader)];
    while reader.more_images() {
        reader.next_image().unwrap();
        assert_eq!(reader.get_tag_u32(Tag::NewSubfileType).unwrap(), 1);
        found.push(level(&mut reader));
    }
    found
}

fn pyramid(options: &str) -> Recipe {
    Recipe::parse_json(&format!(r#"{{"p": {{"format": "ptif"{options}}}}}"#)).unwrap()
}

fn made(source: &[u8], options: &str) -> Vec<u8> {
    only(source, &pyramid(options)).bytes
}

/// What level `n` is if each pixel is the mean of the `2^n` × `2^n` that it covers.
fn averaged(data: &[u8], (width, height): (u32, u32), samples: usize, n: usize) -> Vec<f64> {
    let side = 1u32 << n;
    let mut means = Vec::new();
    for y in 0..height.div_ceil(side) {
        for x in 0..width.div_ceil(side) {
            for c in 0..samples {
                let rows = y * side..height.min((y + 1) * side);
                let at = |x: u32, y: u32| f64::from(data[(y * width + x) as usize * samples + c]);
                let columns = x * side..width.min((x + 1) * side);
                let covered = (rows.len() * columns.len()) as f64;
                means.push(rows.flat_map(|y| columns.clone().map(move |x| at(x, y))).sum::<f64>() / covered);
            }
        }
    }
    means
}

const LOSSLESS: [&str; 4] = ["none", "lzw", "deflate", "zstd"];

#[test]
fn a_lossless_pyramid_holds_the_source_and_its_means() {
    let image = picture(600, 400);
    let source = png(&image);
    for compression in LOSSLESS {
        let bytes = made(&source, &format!(r#", "tile": 64, "compression": "{compression}""#));
        let levels = levels(&bytes);
        let sizes: Vec<_> = levels.iter().map(|level| (level.width, level.height)).collect();
        assert_eq!(sizes, [(600, 400), (300, 200), (150, 100), (75, 50), (38, 25)], "{compression}");
        assert_eq!(levels[0].data, image.data, "{compression}");
        // Whole tiles of pixels down to the third level, so that means of means are means.
        for (n, level) in levels.iter().enumerate().take(4) {
            let means = averaged(&image.data, (600, 400), 3, n);
            for (found, mean) in level.data.iter().zip(means) {
                assert!((f64::from(*found) - mean).abs() <= 1.0, "{compression}, level {n}: {found} {mean}");
            }
        }
    }
}

#[test]
fn jpeg_tiles_share_their_tables_and_look_like_the_source() {
    let image = picture(600, 400);
    let source = png(&image);
    for (q, subsampling) in [(85, [2, 2]), (92, [1, 1])] {
        let bytes = made(&source, &format!(r#", "tile": 128, "compression": "jpeg", "q": {q}"#));
        let mut reader = Decoder::new(Cursor::new(bytes.as_slice())).unwrap();
        assert_eq!(reader.get_tag_u16_vec(Tag::ChromaSubsampling).unwrap(), subsampling);
        assert_eq!(reader.get_tag_u32(Tag::PhotometricInterpretation).unwrap(), 6);
        assert!(reader.find_tag(Tag::JPEGTables).unwrap().is_some());
        let levels = levels(&bytes);
        assert_eq!(levels.len(), 4);
        let decoded = only(&bytes, &recipe("full/max/0/default.png")).bytes;
        let (width, height, _, data) = read_png(&decoded);
        assert_eq!((width, height), (600, 400));
        assert!(psnr(&data, &image.data) > 36.0, "q {q}: {}", psnr(&data, &image.data));
    }
}

#[test]
fn a_jpegs_own_planes_become_tiles() {
    let image = quarters(333, 217);
    // Colour at half the resolution and at all of it, from and to.
    for (from, to) in [(85, 85), (95, 85), (95, 92), (85, 92)] {
        let source = jpeg(&image, &format!(r#""q": {from}"#));
        let bytes = made(&source, &format!(r#", "tile": 64, "compression": "jpeg", "q": {to}"#));
        for (page, width, height) in [(1, 333, 217), (2, 167, 109), (3, 84, 55), (4, 42, 28)] {
            let of_page = format!(r#"{{"p": {{"format": "png", "page": {page}}}}}"#);
            let found = only(&bytes, &Recipe::parse_json(&of_page).unwrap());
            let (found_width, found_height, _, data) = read_png(&found.bytes);
            assert_eq!((found_width, found_height), (width, height));
            let at = |x: u32, y: u32| &data[((y * width + x) * 3) as usize..][..3];
            let (left, right) = (width / 4, width * 3 / 4);
            let (top, bottom) = (height / 4, height * 3 / 4);
            for (x, y, colour) in [
                (left, top, [255, 0, 0]),
                (right, top, [0, 255, 0]),
                (right, bottom, [0, 0, 255]),
                (left, bottom, [255, 255, 255]),
            ] {
                let near = at(x, y).iter().zip(colour).all(|(a, b): (&u8, u8)| a.abs_diff(b) < 24);
                assert!(near, "{from} to {to}, level {page}: {:?} for {colour:?}", at(x, y));
            }
        }
    }
}

/// The reader of these tests stumbles over long runs in LZW; libtiff does not.
const LOSSLESS_FOR_RUNS: [&str; 3] = ["none", "deflate", "zstd"];

#[test]
fn grey_and_transparency_are_kept_where_the_packing_can() {
    let gray = png_of(70, 90, png::ColorType::Grayscale, png::BitDepth::Eight, &[99; 6300], |_| {});
    let alpha: Vec<u8> =
        (0..70 * 90).flat_map(|n| [200, 100, 50, if n % 2 == 0 { 255 } else { 0 }]).collect();
    let alpha = png_of(70, 90, png::ColorType::Rgba, png::BitDepth::Eight, &alpha, |_| {});
    let webp = made(&gray, r#", "tile": 64, "compression": "webp""#);
    assert!(rgb(&webp, "full/max/0/default.png").data.iter().all(|v| v.abs_diff(99) <= 2));
    for compression in LOSSLESS_FOR_RUNS {
        let options = format!(r#", "tile": 64, "compression": "{compression}""#);
        let found = levels(&made(&gray, &options));
        assert!(found.iter().all(|level| level.samples == 1 && level.data.iter().all(|v| *v == 99)));
        let found = levels(&made(&alpha, &options));
        assert_eq!((found.len(), found[1].samples), (2, 4));
        // Half of each four is opaque; their colour is not diluted by what cannot be seen.
        assert!(found[1].data.chunks(4).all(|p| p[..3] == [200, 100, 50] && p[3].abs_diff(127) <= 1));
    }
    let options = r#", "tile": 64, "compression": "jpeg", "background": "black""#;
    let bytes = made(&alpha, options);
    let flat = only(&bytes, &recipe("full/max/0/default.png")).bytes;
    let (_, _, color, data) = read_png(&flat);
    assert_eq!(color, png::ColorType::Rgb);
    assert!(data.iter().map(|v| u32::from(*v)).sum::<u32>() / (data.len() as u32) < 70);
    let gray = levels(&made(&gray, r#", "tile": 64, "compression": "jpeg""#));
    assert!(gray.iter().all(|level| level.samples == 1 && level.data.iter().all(|v| v.abs_diff(99) <= 1)));
}

#[test]
fn a_jpeg_read_in_strips_is_the_jpeg_decoded_at_once() {
    let image = picture(333, 517);
    for options in ["", "gray"] {
        let source = jpeg(&image, "");
        let quality = if options == "gray" { r#", "quality": "gray""# } else { "" };
        let bytes = made(&source, &format!(r#", "tile": 64{quality}"#));
        let request = if options == "gray" { "full/max/0/gray.png" } else { "full/max/0/default.png" };
        let (_, _, _, whole) = pixels(&source, request);
        assert_eq!(levels(&bytes)[0].data, whole, "{options}");
    }
}

#[test]
fn what_is_turned_or_resized_is_a_pyramid_too() {
    let source = with_segment(&jpeg(&quarters(600, 400), ""), 0xE1, &exif(6));
    let found = levels(&made(&source, r#", "size": "!300,300", "tile": 64"#));
    assert_eq!((found[0].width, found[0].height), (200, 300));
    // Orientation 6 brings the lower left quarter, white, to the top left.
    assert!(found[0].data[..3].iter().all(|v| *v > 240));
}

#[test]
fn a_smaller_pyramid_is_the_image_drawn_at_once() {
    let image = picture(601, 1003);
    let grey: Vec<u8> = image.data.chunks(3).map(|pixel| pixel[1]).collect();
    let grey = png_of(601, 1003, png::ColorType::Grayscale, png::BitDepth::Eight, &grey, |_| {});
    let turned = with_segment(&jpeg(&image, ""), 0xE1, &exif(6));
    // In colour, a smaller JPEG is drawn at once from its planes, and here from RGB; grey is one plane either way.
    let exact = [(png(&image), "170,", "default"), (grey, "!300,300", "default"), (turned, "900,", "gray")];
    let close = [
        (jpeg(&image, ""), "500,", "default"),
        (jpeg(&image, ""), "150,", "default"),
        (jpeg(&image, ""), "61,", "gray"),
    ];
    let cases = exact.into_iter().map(|case| (case, 1)).chain(close.into_iter().map(|case| (case, 255)));
    for ((source, size, quality), most) in cases {
        let options = format!(r#", "size": "{size}", "tile": 64, "quality": "{quality}""#);
        let found = levels(&made(&source, &options)).remove(0);
        let (width, height, _, expected) = pixels(&source, &format!("full/{size}/0/{quality}.png"));
        assert_eq!((found.width, found.height), (width, height), "{size}");
        let off = found.data.iter().zip(&expected).map(|(found, expected)| found.abs_diff(*expected)).max();
        assert!(off <= Some(most), "{size}: {off:?}");
        assert!(psnr(&found.data, &expected) > 34.0, "{size}: {}", psnr(&found.data, &expected));
    }
}

#[test]
fn the_bytes_do_not_depend_on_the_threads() {
    let source = jpeg(&picture(700, 900), "");
    for options in [r#", "tile": 64"#, r#", "tile": 96, "compression": "jpeg""#] {
        let with = |threads| {
            let limits = Limits { threads: NonZeroUsize::new(threads).unwrap(), ..Limits::default() };
            let mut renditions: Vec<Rendition> = Vec::new();
            derive(&source, &pyramid(options), &mut renditions, &limits).unwrap();
            renditions.remove(0).bytes
        };
        let one = with(1);
        assert!([2, 3, 8].into_iter().all(|threads| with(threads) == one));
    }
}

/// 16-bit samples, high bytes first, with a different low byte in each.
fn deep(width: u32, height: u32, samples: u32) -> Vec<u8> {
    (0..width * height * samples)
        .flat_map(|n| (n.wrapping_mul(2_654_435_761) as u16 ^ (n * 40) as u16).to_be_bytes())
        .collect()
}

#[test]
fn sixteen_bits_are_kept_where_that_is_asked_for() {
    for (color, samples) in
        [(png::ColorType::Grayscale, 1), (png::ColorType::Rgb, 3), (png::ColorType::Rgba, 4)]
    {
        let data = deep(150, 90, samples);
        let source = png_of(150, 90, color, png::BitDepth::Sixteen, &data, |_| {});
        let expected: Vec<u16> = data.as_chunks::<2>().0.iter().map(|b| u16::from_be_bytes(*b)).collect();
        for packing in ["deflate", "lzw", "zstd", "none"] {
            let bytes = made(&source, &format!(r#", "tile": 64, "bits": 16, "compression": "{packing}""#));
            let mut reader = Decoder::new(Cursor::new(bytes.as_slice())).unwrap();
            let DecodingResult::U16(found) = reader.read_image().unwrap() else { panic!("not in 16 bits") };
            assert!(found == expected, "{samples} samples, {packing}");
            reader.next_image().unwrap();
            let DecodingResult::U16(half) = reader.read_image().unwrap() else { panic!("not in 16 bits") };
            let at = |x: usize, y: usize| u32::from(expected[(y * 150 + x) * samples as usize]);
            if samples != 4 {
                let mean = (at(2, 4) + at(3, 4) + at(2, 5) + at(3, 5) + 2) / 4;
                assert!(u32::from(half[(2 * 75 + 1) * samples as usize]).abs_diff(mean) <= 1);
            }
        }
        let eight = levels(&made(&source, r#", "tile": 64"#));
        assert_eq!(eight[0].data[0], (f64::from(expected[0]) / 257.0).round() as u8);
    }
    // A TIFF of 16 bits gives the same as the PNG of the same samples.
    let data = deep(150, 90, 3);
    let png = png_of(150, 90, png::ColorType::Rgb, png::BitDepth::Sixteen, &data, |_| {});
    let pyramid = made(&png, r#", "tile": 64, "bits": 16"#);
    assert!(made(&pyramid, r#", "tile": 64, "bits": 16"#) == pyramid, "a pyramid of a pyramid");
    for refused in
        [r#", "bits": 16, "compression": "jpeg""#, r#", "bits": 16, "size": "!50,50""#, r#", "bits": 12"#]
    {
        assert!(
            Recipe::parse_json(&format!(r#"{{"p": {{"format": "ptif"{refused}}}}}"#)).is_err(),
            "{refused}"
        );
    }
}

#[test]
fn own_colours_are_kept_with_their_profile() {
    let profile = moxcms::ColorProfile::new_adobe_rgb().encode().unwrap();
    let image = picture(200, 130);
    let mut source = Vec::new();
    let mut info = png::Info::with_size(image.width, image.height);
    (info.color_type, info.bit_depth) = (png::ColorType::Rgb, png::BitDepth::Eight);
    info.icc_profile = Some(profile.clone().into());
    let encoder = png::Encoder::with_info(&mut source, info).unwrap();
    encoder.write_header().unwrap().write_image_data(&image.data).unwrap();
    let kept = made(&source, r#", "tile": 64, "icc": "keep""#);
    assert!(levels(&kept)[0].data == image.data);
    let mut reader = Decoder::new(Cursor::new(kept.as_slice())).unwrap();
    loop {
        let found = reader.get_tag_u8_vec(Tag::IccProfile).unwrap();
        assert!(found == profile, "every level has the profile");
        if !reader.more_images() {
            break;
        }
        reader.next_image().unwrap();
    }
    let converted = made(&source, r#", "tile": 64"#);
    assert!(levels(&converted)[0].data != image.data);
    let mut reader = Decoder::new(Cursor::new(converted.as_slice())).unwrap();
    assert!(reader.find_tag(Tag::IccProfile).unwrap().is_none());
    // The same of a JPEG, whose planes are packed as they are.
    let icc = [b"ICC_PROFILE\0\x01\x01", profile.as_slice()].concat();
    let source = with_segment(&jpeg(&image, ""), 0xE2, &icc);
    let kept = made(&source, r#", "tile": 64, "icc": "keep", "compression": "jpeg""#);
    let mut reader = Decoder::new(Cursor::new(kept.as_slice())).unwrap();
    assert!(reader.get_tag_u8_vec(Tag::IccProfile).unwrap() == profile);
}

#[test]
fn what_a_pyramid_does_not_keep_is_said() {
    let data: Vec<u8> = (0..100 * 80 * 4).map(|n| (n % 256) as u8).collect();
    let source = png_of(100, 80, png::ColorType::Rgba, png::BitDepth::Eight, &data, |_| {});
    let notes = |options: &str| {
        derive(&source, &pyramid(options), &mut Vec::new(), &Limits::default()).unwrap().notes
    };
    assert!(notes(r#", "compression": "jpeg""#)[0].contains("transparency"));
    assert!(notes("").is_empty());
}

#[test]
fn rows_that_come_in_another_order_make_the_same_pyramid() {
    let image = picture(301, 203);
    let upright = made(&png(&image), r#", "tile": 64"#);
    let interlaced = interlaced_png(&image);
    assert!(made(&interlaced, r#", "tile": 64"#) == upright);
    // A pyramid is a TIFF of tiles; as a source its first page is read a row of them at a time.
    assert!(made(&upright, r#", "tile": 64"#) == upright);
    for orientation in 1..=8 {
        let turned = with_segment(&jpeg(&image, ""), 0xE1, &exif(orientation));
        let at_once = rgb(&turned, "full/max/0/default.png");
        let found = levels(&made(&turned, r#", "tile": 64"#));
        assert_eq!((found[0].width, found[0].height), (at_once.width, at_once.height));
        assert!(found[0].data == at_once.data, "orientation {orientation}");
    }
}

#[test]
fn says_resolution_and_who_made_it() {
    let mut block = b"MM\0*\0\0\0\x08\0\x02".to_vec();
    block.extend(b"\x01\x3B\0\x02\0\0\0\x04Ann\0");
    block.extend(b"\x82\x98\0\x02\0\0\0\x05\0\0\0\x26");
    block.extend(b"\0\0\0\0(c) \0\0");
    let source = with_segment(&jpeg(&picture(300, 200), ""), 0xE1, &[b"Exif\0\0", block.as_slice()].concat());
    let bytes = made(&source, r#", "tile": 64"#);
    let mut reader = Decoder::new(Cursor::new(bytes.as_slice())).unwrap();
    assert_eq!(reader.get_tag_ascii_string(Tag::Artist).unwrap(), "Ann");
    assert_eq!(reader.get_tag_ascii_string(Tag::Unknown(33432)).unwrap(), "(c) ");
    let resolution = reader.get_tag(Tag::XResolution).unwrap();
    assert_eq!(format!("{resolution:?}"), "Rational(300, 1)");
    let stripped = made(&source, r#", "tile": 64, "metadata": "strip", "dpi": 72"#);
    let mut reader = Decoder::new(Cursor::new(stripped.as_slice())).unwrap();
    assert!(reader.find_tag(Tag::Artist).unwrap().is_none());
    assert_eq!(format!("{:?}", reader.get_tag(Tag::XResolution).unwrap()), "Rational(72, 1)");
}

#[test]
fn levels_hang_under_the_first_directory_if_that_is_asked_for() {
    let bytes = made(&png(&picture(300, 200)), r#", "tile": 64, "subifd": true"#);
    let mut reader = Decoder::new(Cursor::new(bytes.as_slice())).unwrap();
    assert!(!reader.more_images());
    let below = reader.get_tag(Tag::SubIfd).unwrap().into_u64_vec();
    assert_eq!(below.map(|places| places.len()).unwrap_or(0), 3);
}

#[test]
fn a_source_that_breaks_half_way_leaves_nothing() {
    let whole = jpeg(&picture(800, 800), "");
    let cut = &whole[..whole.len() / 2];
    let mut renditions: Vec<Rendition> = Vec::new();
    let limits = Limits { threads: NonZeroUsize::new(2).unwrap(), ..Limits::default() };
    let error = derive(cut, &pyramid(r#", "tile": 64"#), &mut renditions, &limits).unwrap_err();
    assert_eq!((error.kind(), renditions.len()), (ErrorKind::Truncated, 0));
    let lenient = Limits { on_truncated: OnTruncated::Accept, ..limits };
    let derived = derive(cut, &pyramid(r#", "tile": 64"#), &mut renditions, &lenient).unwrap();
    assert!(derived.truncated && renditions.len() == 1);
    let cut = png(&picture(800, 800));
    let error = derive(&cut[..cut.len() / 2], &pyramid(""), &mut Vec::new(), &limits).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
}

#[test]
fn options_that_do_nothing_for_a_pyramid_are_refused() {
    for options in [
        r#", "tile": 48"#,
        r#", "tile": 100"#,
        r#", "tile": 2048"#,
        r#", "q": 80"#,
        r#", "compression": "packbits""#,
        r#", "background": "black""#,
        r#", "effort": 3"#,
    ] {
        assert!(
            Recipe::parse_json(&format!(r#"{{"p": {{"format": "ptif"{options}}}}}"#)).is_err(),
            "{options}"
        );
    }
}

/// A disk that is full after some bytes.
struct Full(Option<std::fs::File>);

impl imgmill_image::Sink for Full {
    fn put(&mut self, _: Rendition) -> std::io::Result<()> {
        panic!("nothing was made");
    }

    fn open(&mut self, coming: &Coming) -> std::io::Result<Option<Box<dyn Output>>> {
        assert_eq!((coming.label.as_str(), coming.width, coming.height), ("p", 800, 800));
        Ok(self.0.take().map(|file| Box::new(file) as Box<dyn Output>))
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error_of_the_sink() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let source = jpeg(&picture(800, 800), "");
    let error = derive(&source, &pyramid(""), &mut Full(Some(full)), &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Sink);
    assert!(error.to_string().contains("could not be written"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_size_and_tile_comes_back(
        width in 1u32..400, height in 1u32..400, tile in 4u32..12, subifd: bool, kind in 0usize..3,
        threads in 1usize..4,
    ) {
        let (color, samples) = [
            (png::ColorType::Grayscale, 1),
            (png::ColorType::Rgb, 3),
            (png::ColorType::GrayscaleAlpha, 2),
        ][kind];
        let count = (width * height) as usize * samples;
        let data: Vec<u8> = (0..count).map(|n| (n * 31 % 251) as u8 ^ (n / 97) as u8).collect();
        let source = png_of(width, height, color, png::BitDepth::Eight, &data, |_| {});
        let recipe = pyramid(&format!(r#", "tile": {}, "subifd": {subifd}"#, tile * 16));
        let limits = Limits { threads: NonZeroUsize::new(threads).unwrap(), ..Limits::default() };
        let mut renditions: Vec<Rendition> = Vec::new();
        derive(&source, &recipe, &mut renditions, &limits).unwrap();
        // The reader of these tests knows no grey with alpha: there it is the sizes that count.
        let mut reader = Decoder::new(Cursor::new(renditions[0].bytes.as_slice())).unwrap();
        prop_assert_eq!(reader.dimensions().unwrap(), (width, height));
        if samples != 2 {
            prop_assert_eq!(level(&mut reader).data, data);
        }
        let (mut w, mut h) = (width, height);
        while !subifd && reader.more_images() {
            reader.next_image().unwrap();
            (w, h) = (w.div_ceil(2), h.div_ceil(2));
            prop_assert_eq!(reader.dimensions().unwrap(), (w, h));
        }
        prop_assert!(subifd || (w <= tile * 16 && h <= tile * 16));
    }
}
