//! What leaves with a rendition: nothing, who owns it, or its EXIF, and never a lie about how it is turned.
#![allow(clippy::unwrap_used)] // in tests' own helpers too

mod support;

use imgmill_image::{ErrorKind, Recipe, Rendition, probe};
use support::*;

const OWNER: &[u8] = b"Ann Example";
const RIGHTS: &[u8] = b"(c) 2001 Ann Example";
const SECRETS: [&[u8]; 3] = [b"SERIAL1", b"2001:02:03", b"Example Camera"];
const THUMBNAIL: &[u8] = b"\xFF\xD8 a thumbnail \xFF\xD9";

/// A directory that starts at `at`, little-endian: tag, kind, count, value. Its next one starts where it ends.
fn directory(at: usize, entries: &[(u16, u16, u32, &[u8])], has_next: bool) -> Vec<u8> {
    let mut values = Vec::new();
    let values_at = at + 2 + entries.len() * 12 + 4;
    let mut bytes = (entries.len() as u16).to_le_bytes().to_vec();
    for (tag, kind, count, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        if value.len() <= 4 {
            bytes.extend(value.iter().chain(&[0; 4]).take(4));
        } else {
            bytes.extend((values_at as u32 + values.len() as u32).to_le_bytes());
            values.extend_from_slice(value);
        }
    }
    let next = if has_next { values_at + values.len() } else { 0 };
    bytes.extend((next as u32).to_le_bytes());
    bytes.extend(values);
    bytes
}

/// A camera's EXIF block: rights, a serial number, a place, and a thumbnail at its end.
fn camera(orientation: u8) -> Vec<u8> {
    let with_zero = |text: &[u8]| [text, &[0]].concat();
    let (owner, rights, model) = (with_zero(OWNER), with_zero(RIGHTS), with_zero(SECRETS[2]));
    let (serial, date) = (with_zero(SECRETS[0]), with_zero(SECRETS[1]));
    let first = |exif: u32, gps: u32| {
        let (exif, gps) = (exif.to_le_bytes(), gps.to_le_bytes());
        let entries: [(u16, u16, u32, &[u8]); 6] = [
            (0x0110, 2, model.len() as u32, &model),
            (0x0112, 3, 1, &[orientation, 0]),
            (0x013B, 2, owner.len() as u32, &owner),
            (0x8298, 2, rights.len() as u32, &rights),
            (0x8769, 4, 1, &exif),
            (0x8825, 4, 1, &gps),
        ];
        directory(8, &entries, true)
    };
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    // The thumbnail's directory follows the first; then EXIF's, the place's and the thumbnail.
    let second_at = 8 + first(0, 0).len();
    let exif_at = second_at + 2 + 2 * 12 + 4;
    let exif = directory(exif_at, &[(0xA001, 3, 1, &[0xFF, 0xFF]), (0xA431, 2, 8, &serial)], false);
    let gps_at = exif_at + exif.len();
    let gps = directory(gps_at, &[(0x001D, 2, date.len() as u32, &date)], false);
    let thumbnail_at = ((gps_at + gps.len()) as u32).to_le_bytes();
    let length = (THUMBNAIL.len() as u32).to_le_bytes();
    bytes.extend(first(exif_at as u32, gps_at as u32));
    bytes.extend(directory(second_at, &[(0x0201, 4, 1, &thumbnail_at), (0x0202, 4, 1, &length)], false));
    bytes.extend(exif);
    bytes.extend(gps);
    bytes.extend(THUMBNAIL);
    bytes
}

fn camera_jpeg(orientation: u8) -> Vec<u8> {
    let block = [b"Exif\0\0".as_slice(), &camera(orientation)].concat();
    with_segment(&jpeg(&picture(64, 48), ""), 0xE1, &block)
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

fn made(source: &[u8], options: &str) -> Rendition {
    only(source, &Recipe::parse_json(&format!("{{\"a\": {{{options}}}}}")).unwrap())
}

/// Each output format that takes metadata, and grey without loss.
const OUTPUTS: [&str; 5] = [
    r#""format": "jpg""#,
    r#""format": "png""#,
    r#""format": "webp""#,
    r#""format": "webp", "lossless": true"#,
    r#""quality": "gray""#,
];

#[test]
fn strip_lets_nothing_out() {
    let source = camera_jpeg(6);
    for output in OUTPUTS {
        for options in [output.to_owned(), format!(r#"{output}, "metadata": "strip""#)] {
            let bytes = made(&source, &options).bytes;
            for secret in SECRETS.iter().chain(&[OWNER, RIGHTS, THUMBNAIL, b"II*\0"]) {
                assert!(!contains(&bytes, secret), "{options}: {}", secret.escape_ascii());
            }
        }
    }
}

#[test]
fn copyright_lets_the_rights_out_and_nothing_else() {
    let source = camera_jpeg(6);
    for output in OUTPUTS {
        let bytes = made(&source, &format!(r#"{output}, "metadata": "copyright""#)).bytes;
        for kept in [OWNER, RIGHTS] {
            assert!(contains(&bytes, kept), "{output}: {}", kept.escape_ascii());
        }
        for secret in SECRETS.iter().chain(&[THUMBNAIL]) {
            assert!(!contains(&bytes, secret), "{output}: {}", secret.escape_ascii());
        }
    }
}

#[test]
fn keep_lets_all_but_the_thumbnail_out() {
    let source = camera_jpeg(6);
    for output in OUTPUTS {
        let bytes = made(&source, &format!(r#"{output}, "metadata": "keep""#)).bytes;
        for kept in SECRETS.iter().chain(&[OWNER, RIGHTS]) {
            assert!(contains(&bytes, kept), "{output}: {}", kept.escape_ascii());
        }
        assert!(!contains(&bytes, THUMBNAIL), "{output}");
    }
}

#[test]
fn keep_changes_three_values_and_nothing_else_of_the_block() {
    let bytes = made(&camera_jpeg(6), r#""metadata": "keep""#).bytes;
    let start = bytes.windows(4).position(|window| window == b"II*\0").unwrap();
    let before = camera(6);
    let length = before.len() - THUMBNAIL.len();
    let after = &bytes[start..start + length];
    let changed: Vec<(u8, u8)> =
        before.iter().zip(after).filter(|(a, b)| a != b).map(|(a, b)| (*a, *b)).collect();
    // Orientation; the link to the thumbnail's directory; “uncalibrated” colour becomes sRGB.
    assert!(changed.contains(&(6, 1)) && changed.contains(&(0xFF, 1)) && changed.contains(&(0xFF, 0)));
    assert!((4..=5).contains(&changed.len()), "{changed:?}");
}

#[test]
fn orientation_says_how_the_renditions_pixels_lie() {
    let source = camera_jpeg(6);
    for metadata in ["strip", "copyright", "keep"] {
        for (output, orientation, size) in [
            (r#""format": "jpg""#, 1, (48, 64)),
            (r#""format": "png""#, 1, (48, 64)),
            (r#""format": "webp""#, 1, (48, 64)),
            // Coefficients stay as they are stored.
            (r#""quality": "gray""#, 6, (64, 48)),
            (r#""quality": "gray", "rotation": "-1""#, 1, (64, 48)),
            (r#""rotation": "-1""#, 1, (64, 48)),
        ] {
            let rendition = made(&source, &format!(r#"{output}, "metadata": "{metadata}""#));
            let header = probe(&rendition.bytes).unwrap();
            assert_eq!(header.orientation, orientation, "{output} {metadata}");
            assert_eq!((header.width, header.height), size, "{output} {metadata}");
        }
    }
}

#[test]
fn metadata_passes_from_format_to_format() {
    let camera = camera_jpeg(1);
    for carrier in ["png", "webp"] {
        let between = made(&camera, &format!(r#""format": "{carrier}", "metadata": "keep""#)).bytes;
        for output in ["jpg", "png", "webp"] {
            let bytes = made(&between, &format!(r#""format": "{output}", "metadata": "keep""#)).bytes;
            assert!(contains(&bytes, SECRETS[0]) && contains(&bytes, RIGHTS), "{carrier} to {output}");
        }
    }
    // Without a block there is nothing to put into a container of its own.
    let clear = png_of(8, 8, png::ColorType::Rgba, png::BitDepth::Eight, &[9; 8 * 8 * 4], |_| {});
    assert!(!contains(&made(&clear, r#""format": "webp", "metadata": "keep""#).bytes, b"EXIF"));
}

#[test]
fn a_webp_with_exif_has_the_same_pixels_as_one_without() {
    let source = camera_jpeg(1);
    for lossless in [false, true] {
        let options = format!(r#""format": "webp", "lossless": {lossless}"#);
        let (plain, kept) =
            (made(&source, &options), made(&source, &format!(r#"{options}, "metadata": "keep""#)));
        let read = |bytes: &[u8]| rgb(bytes, "full/max/0/default.png").data;
        assert_eq!(read(&plain.bytes), read(&kept.bytes));
        let mut decoder = image_webp::WebPDecoder::new(std::io::Cursor::new(&kept.bytes)).unwrap();
        assert!(contains(&decoder.exif_metadata().unwrap().unwrap(), RIGHTS));
    }
}

#[test]
fn a_tiffs_own_texts_count() {
    let image = picture(20, 10);
    let mut file = std::io::Cursor::new(Vec::new());
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut file).unwrap();
    let mut writer = encoder.new_image::<tiff::encoder::colortype::RGB8>(20, 10).unwrap();
    writer.encoder().write_tag(tiff::tags::Tag::Copyright, std::str::from_utf8(RIGHTS).unwrap()).unwrap();
    writer.encoder().write_tag(tiff::tags::Tag::Model, std::str::from_utf8(SECRETS[2]).unwrap()).unwrap();
    writer.write_data(&image.data).unwrap();
    let source = file.into_inner();
    let has = |metadata: &str, text: &[u8]| {
        contains(&made(&source, &format!(r#""metadata": "{metadata}""#)).bytes, text)
    };
    assert!(has("copyright", RIGHTS) && !has("copyright", SECRETS[2]));
    assert!(has("keep", RIGHTS) && has("keep", SECRETS[2]) && !has("strip", RIGHTS));
}

#[test]
fn a_block_too_long_for_a_jpeg_is_an_error_that_says_so() {
    let mut long = camera(1);
    long.truncate(long.len() - THUMBNAIL.len());
    long.resize(70_000, b'x');
    let source = png_of(8, 8, png::ColorType::Rgb, png::BitDepth::Eight, &[9; 8 * 8 * 3], |_| {});
    let source = with_chunk(&source, b"eXIf", &long);
    let recipe = |options: &str| Recipe::parse_json(&format!(r#"{{"a": {{{options}}}}}"#)).unwrap();
    let error = all(&source, &recipe(r#""metadata": "keep""#)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert!(error.to_string().contains("copyright or strip"), "{error}");
    assert!(all(&source, &recipe(r#""metadata": "keep", "format": "png""#)).is_ok());
    assert!(contains(&made(&source, r#""metadata": "copyright""#).bytes, RIGHTS));
}

#[test]
fn damaged_blocks_never_panic_nor_turn_a_picture() {
    let whole = camera(6);
    for round in 0..2000usize {
        let mut block = whole.clone();
        for shot in 0..=round % 3 {
            let place = (round * 7919 + shot * 104_729) % block.len();
            block[place] ^= 1 << ((round + shot) % 8);
        }
        block.truncate(block.len() - round % 97);
        let source = with_segment(&smallest_jpeg(), 0xE1, &[b"Exif\0\0".as_slice(), &block].concat());
        for metadata in ["copyright", "keep"] {
            let rendition = made(&source, &format!(r#""metadata": "{metadata}""#));
            assert_eq!(probe(&rendition.bytes).unwrap().orientation, 1, "round {round}");
        }
    }
}

/// The smallest JPEG there is to make.
fn smallest_jpeg() -> Vec<u8> {
    flat_jpeg(1, 1, 1, None, &[128])
}

#[test]
fn a_tiff_takes_the_texts() {
    let source = camera_jpeg(6);
    let bytes =
        |metadata: &str| made(&source, &format!(r#""format": "tif", "metadata": "{metadata}""#)).bytes;
    let has = |metadata: &str, text: &[u8]| contains(&bytes(metadata), text);
    assert!(!has("strip", RIGHTS) && !has("strip", OWNER));
    assert!(has("copyright", RIGHTS) && has("copyright", OWNER) && !has("copyright", SECRETS[2]));
    assert!(has("keep", RIGHTS) && has("keep", SECRETS[2]));
    for metadata in ["copyright", "keep"] {
        assert!(!has(metadata, SECRETS[0]) && !has(metadata, SECRETS[1]) && !has(metadata, THUMBNAIL));
        assert_eq!(probe(&bytes(metadata)).unwrap().orientation, 1);
    }
}
