//! Grey without loss: what is kept and what is dropped of a JPEG.

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
