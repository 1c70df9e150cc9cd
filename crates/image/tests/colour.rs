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

#[test]
fn a_recipe_draws_one_page() {
    assert!(Recipe::parse_json(r#"{"a": {"quality": "gray", "page": 0}}"#).is_err());
    let error = Recipe::parse_json(r#"{"a": {"page": 1}, "b": {"page": 2}}"#).unwrap_err();
    assert!(error.to_string().contains("different pages"), "{error}");
}
