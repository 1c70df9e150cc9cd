//! Grey without loss: what is kept and what is dropped of a JPEG.
#![allow(clippy::unwrap_used)] // in tests' own helpers too

mod support;

use imgmill_image::{ErrorKind, GrayMethod, Recipe, probe};
use support::*;

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn luma_is_the_sources_own_to_the_last_bit() {
    for options in ["", r#""q": 95"#, r#""progressive": true"#] {
        let source = jpeg(&picture(203, 117), options);
        let gray = only(&source, &Recipe::gray());
        let header = probe(&gray.bytes).unwrap();
        assert_eq!((header.width, header.height, header.channels), (203, 117, 1));
        // Decoding only the source's luma gives the same pixels as decoding the grey file.
        let (_, _, _, luma) = pixels(&source, "full/max/0/gray.png");
        let (_, _, _, copied) = pixels(&gray.bytes, "full/max/0/default.png");
        assert_eq!(luma, copied, "{options}");
        // With no effort only the codes are other ones.
        let fast = Recipe::parse_json(r#"{"a": {"quality": "gray", "effort": 0}}"#).unwrap();
        let fast = only(&source, &fast).bytes;
        assert_eq!(pixels(&fast, "full/max/0/default.png").3, copied, "{options}");
        assert!(fast.len() > gray.bytes.len(), "{options}");
    }
}

#[test]
fn orientation_stays_and_everything_else_goes() {
    let source = with_segment(&jpeg(&picture(64, 48), ""), 0xE1, &exif(6));
    let source = with_segment(&source, 0xE2, b"ICC_PROFILE\0\x01\x01a colour profile");
    let source = with_segment(&source, 0xFE, b"a comment");
    let gray = only(&source, &Recipe::gray());
    assert_eq!((gray.width, gray.height), (64, 48), "as stored");
    let header = probe(&gray.bytes).unwrap();
    assert_eq!((header.orientation, header.upright()), (6, (48, 64)));
    for dropped in [&b"SERIAL1"[..], b"a colour profile", b"a comment"] {
        assert!(!contains(&gray.bytes, dropped), "{}", dropped.escape_ascii());
    }
    // An upright source gets no EXIF at all, and nor does one whose orientation is not to be applied.
    let upright = with_segment(&jpeg(&picture(64, 48), ""), 0xE1, &exif(1));
    assert!(!contains(&only(&upright, &Recipe::gray()).bytes, b"Exif"));
    assert!(!contains(&only(&source, &recipe("full/max/-1/gray.jpg")).bytes, b"Exif"));
}

#[test]
fn what_needs_pixels_goes_through_pixels_and_comes_out_upright() {
    let source = with_segment(&jpeg(&picture(64, 48), ""), 0xE1, &exif(6));
    let mut averaged = Recipe::gray();
    averaged.set_gray(GrayMethod::Average);
    let with_quality = Recipe::parse_json(r#"{"a": {"quality": "gray", "q": 50}}"#).unwrap();
    for recipe in [averaged, with_quality, recipe("full/max/0/gray.png")] {
        let rendition = only(&source, &recipe);
        assert_eq!((rendition.width, rendition.height), (48, 64), "{recipe:?}");
    }
    let smaller = only(&source, &recipe("full/24,/0/gray.jpg"));
    assert_eq!((smaller.width, smaller.height), (24, 32));
}

#[test]
fn a_grey_source_is_copied_too() {
    let once = only(&jpeg(&picture(80, 50), ""), &Recipe::gray());
    let twice = only(&once.bytes, &Recipe::gray());
    assert_eq!(once.bytes, twice.bytes);
}

#[test]
fn a_cut_source_is_an_error_not_a_half_grey_image() {
    let source = jpeg(&picture(400, 300), "");
    let error = all(&source[..source.len() / 2], &Recipe::gray()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
}

/// A recipe with `lossless`.
fn turning(rotation: &str, quality: &str) -> Recipe {
    let text = format!(r#"{{"a": {{"rotation": "{rotation}", "quality": "{quality}", "lossless": true}}}}"#);
    Recipe::parse_json(&text).unwrap()
}

/// The red, green and blue samples that a JPEG decodes to, upright or as stored.
fn seen(jpeg: &[u8], rotation: &str) -> Rgb {
    rgb(jpeg, &format!("full/max/{rotation}/default.png"))
}

#[test]
fn turned_blocks_decode_to_turned_pixels() {
    // 4:4:4, so that turning pixels and turning coefficients differ by rounding in the DCT alone.
    for options in [r#""q": 95"#, r#""q": 95, "progressive": true"#] {
        let source = jpeg(&picture(96, 64), options);
        for rotation in ["0", "90", "180", "270", "!0", "!90", "!180", "!270"] {
            let turned = only(&source, &turning(rotation, "default"));
            let (found, expected) = (seen(&turned.bytes, "0"), seen(&source, rotation));
            assert_eq!((turned.width, turned.height), (expected.width, expected.height), "{rotation}");
            let most = found.data.iter().zip(&expected.data).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(most <= Some(3), "{rotation}: off by {most:?}");
            let gray = only(&source, &turning(rotation, "gray"));
            let (_, _, _, found) = pixels(&gray.bytes, "full/max/0/default.png");
            let (_, _, _, expected) = pixels(&source, &format!("full/max/{rotation}/gray.png"));
            let most = found.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(most <= Some(2), "gray {rotation}: off by {most:?}");
        }
    }
}

#[test]
fn four_quarters_give_back_every_coefficient() {
    let source = jpeg(&picture(96, 64), "");
    let plain = only(&source, &turning("0", "default")).bytes;
    let mut turned = source.clone();
    for _ in 0..4 {
        turned = only(&turned, &turning("90", "default")).bytes;
    }
    assert_eq!(turned, plain);
    assert_eq!(seen(&turned, "0").data, seen(&source, "0").data);
    let twice = only(&only(&source, &turning("!0", "color")).bytes, &turning("!0", "color"));
    assert_eq!(twice.bytes, plain);
}

#[test]
fn an_orientation_is_applied_where_blocks_allow_and_stays_a_tag_where_not() {
    for orientation in 1..=8 {
        for (width, height, aligned) in [(96, 64, true), (90, 60, false)] {
            let plain = jpeg(&picture(width, height), "");
            let source = with_segment(&plain, 0xE1, &exif(orientation));
            let made = only(&source, &turning("0", "default"));
            let header = probe(&made.bytes).unwrap();
            assert_eq!(header.upright(), probe(&source).unwrap().upright(), "{orientation}");
            // Mirrored across the main diagonal, no block leaves its edge.
            let is_turned = aligned || matches!(orientation, 1 | 5);
            assert_eq!(header.orientation, if is_turned { 1 } else { orientation }, "{width}×{height}");
            // 4:2:0 colours are smoothed along other edges, so only what is bright or dark is alike.
            let (found, expected) = (seen(&made.bytes, "0"), seen(&source, "0"));
            assert!(psnr(&found.data, &expected.data) > 35.0, "{orientation} of {width}×{height}");
            assert!(!contains(&made.bytes, b"SERIAL1"));
        }
    }
}

#[test]
fn a_turn_that_blocks_do_not_allow_is_decoded_and_others_are_not() {
    let source = jpeg(&picture(90, 64), "");
    let is_copied = |rotation: &str| {
        let by_pixels = only(&source, &recipe(&format!("full/max/{rotation}/default.jpg"))).bytes;
        only(&source, &turning(rotation, "default")).bytes != by_pixels
    };
    // 90 pixels across are no multiple of 16, 64 down are.
    assert!(is_copied("0") && is_copied("90") && is_copied("!180") && is_copied("!270"));
    assert!(!is_copied("270") && !is_copied("180") && !is_copied("!0") && !is_copied("!90"));
    assert!(!is_copied("45"));
}

#[test]
fn colours_keep_the_profile_that_they_mean_something_by() {
    let profile = [b"ICC_PROFILE\0\x01\x01".as_slice(), &[7; 300]].concat();
    let source = with_segment(&jpeg(&picture(96, 64), ""), 0xE2, &profile);
    let made = only(&source, &turning("90", "default"));
    assert!(contains(&made.bytes, &profile));
    assert!(!contains(&only(&source, &turning("90", "gray")).bytes, b"ICC_PROFILE"));
}
