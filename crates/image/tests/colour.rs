//! Colour profiles: what of them changes pixels, and when the grey of a JPEG may be copied all the same.
#![allow(clippy::unwrap_used)] // in tests' own helpers too

mod support;

use imgmill_image::Recipe;
use moxcms::ColorProfile;
use support::*;

const PNG: &str = "full/max/0/default.png";

fn with_profile(jpeg: &[u8], profile: &ColorProfile) -> Vec<u8> {
    let payload = [b"ICC_PROFILE\0\x01\x01".as_slice(), &profile.encode().unwrap()].concat();
    with_segment(jpeg, 0xE2, &payload)
}

fn lossless() -> Recipe {
    Recipe::parse_json(r#"{"a": {"quality": "gray", "lossless": true}}"#).unwrap()
}

#[test]
fn luma_is_copied_under_no_profile_and_under_srgb() {
    let plain = jpeg(&picture(64, 48), r#""q": 95"#);
    let copied = only(&plain, &Recipe::gray()).bytes;
    let tagged = with_profile(&plain, &ColorProfile::new_srgb());
    assert!(only(&tagged, &Recipe::gray()).bytes == copied);
}

#[test]
fn grey_of_a_wider_space_is_that_of_the_converted_colours() {
    let plain = jpeg(&picture(64, 48), r#""q": 95"#);
    let wide = with_profile(&plain, &ColorProfile::new_adobe_rgb());
    let copied = only(&plain, &Recipe::gray()).bytes;
    let converted = only(&png(&rgb(&wide, PNG)), &recipe("full/max/0/gray.png")).bytes;
    for request in ["full/max/0/gray.png", "full/max/0/gray.jpg"] {
        let made = only(&wide, &recipe(request)).bytes;
        let (made, expected) = (rgb(&made, PNG), rgb(&converted, PNG));
        let found = psnr(&made.data, &expected.data);
        assert!(found > 40.0, "{request}: {found:.1} dB");
        assert!(psnr(&made.data, &rgb(&copied, PNG).data) < found - 3.0, "{request}");
    }
    // Asked for, the luma is copied whatever it means.
    assert!(only(&wide, &lossless()).bytes == copied);
}

#[test]
fn a_grey_jpeg_is_shown_on_its_profiles_curve() {
    let plain = flat_jpeg(2, 1, 1, None, &[64, 128]);
    let linear = with_profile(&plain, &ColorProfile::new_gray_with_gamma(1.0));
    // Light of a quarter and a half, as sRGB encodes it.
    for request in [PNG, "full/max/0/gray.png", "full/max/0/gray.jpg"] {
        let made = rgb(&only(&linear, &recipe(request)).bytes, PNG);
        let found = [made.at(2, 2)[0], made.at(12, 2)[0]];
        assert!(found[0].abs_diff(137) <= 3 && found[1].abs_diff(188) <= 3, "{request}: {found:?}");
    }
    let untouched = rgb(&only(&linear, &lossless()).bytes, PNG);
    assert_eq!([untouched.at(2, 2)[0], untouched.at(12, 2)[0]], [64, 128]);
}

/// A PNG of one colour, with chunks that say what it means.
fn told(color: [u8; 3], chunks: &[(&[u8; 4], &[u8])]) -> [u8; 3] {
    let plain = png_of(8, 8, png::ColorType::Rgb, png::BitDepth::Eight, &color.repeat(64), |_| {});
    let source = chunks.iter().fold(plain, |source, (name, data)| with_chunk(&source, name, data));
    rgb(&source, PNG).at(4, 4)
}

/// White D65, and red, green and blue of Adobe RGB (1998), in hundred-thousandths.
const ADOBE_PLACES: [u32; 8] = [31_270, 32_900, 64_000, 33_000, 21_000, 71_000, 15_000, 6_000];
const GAMMA_2_2: [u8; 4] = 45_455u32.to_be_bytes();
const DISPLAY_P3: [u8; 4] = [12, 13, 0, 1];

#[track_caller]
fn assert_near(found: [u8; 3], expected: [u8; 3]) {
    assert!(found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 1), "{found:?}, expected {expected:?}");
}

#[test]
fn a_png_is_what_its_strongest_chunk_says() {
    let places = ADOBE_PLACES.map(u32::to_be_bytes).concat();
    let color = [187, 106, 60];
    // By the matrices of IEC 61966-2-1, SMPTE EG 432-1 and Adobe RGB, computed apart.
    let (p3, adobe) = ([200, 101, 47], [211, 106, 54]);
    assert_near(told(color, &[(b"cICP", &DISPLAY_P3)]), p3);
    assert_near(told(color, &[(b"cHRM", &places), (b"gAMA", &GAMMA_2_2)]), adobe);
    assert_near(told(color, &[(b"cHRM", &places), (b"gAMA", &GAMMA_2_2), (b"sRGB", &[0])]), color);
    assert_near(told(color, &[(b"cICP", &DISPLAY_P3), (b"sRGB", &[0])]), p3);
    // What stands beside an sRGB chunk for readers that do not know it.
    let srgb = [31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000].map(u32::to_be_bytes).concat();
    assert_eq!(told([40, 20, 10], &[(b"cHRM", &srgb), (b"gAMA", &GAMMA_2_2)]), [40, 20, 10]);
    // Neither alone says enough.
    assert_eq!(told(color, &[(b"gAMA", &100_000u32.to_be_bytes())]), color);
    assert_eq!(told(color, &[(b"cHRM", &places)]), color);
}

#[test]
fn chunks_that_make_no_sense_change_nothing() {
    let color = [187, 106, 60];
    let places = ADOBE_PLACES.map(u32::to_be_bytes).concat();
    for gamma in [0u32, 1, u32::MAX] {
        assert_eq!(told(color, &[(b"cHRM", &places), (b"gAMA", &gamma.to_be_bytes())]), color, "{gamma}");
    }
    for places in [[0; 8], [100_000; 8], [u32::MAX; 8]] {
        let places = places.map(u32::to_be_bytes).concat();
        assert_eq!(told(color, &[(b"cHRM", &places), (b"gAMA", &GAMMA_2_2)]), color);
    }
    // Numbers of primaries and transfers that nobody has given out.
    assert_eq!(told(color, &[(b"cICP", &[200, 200, 0, 1])]), color);
}

#[test]
fn a_recipe_draws_one_page() {
    assert!(Recipe::parse_json(r#"{"a": {"quality": "gray", "page": 0}}"#).is_err());
    let error = Recipe::parse_json(r#"{"a": {"page": 1}, "b": {"page": 2}}"#).unwrap_err();
    assert!(error.to_string().contains("different pages"), "{error}");
}
