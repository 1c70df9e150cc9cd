//! Parts of pyramids, drawn from their tiles: the pixels are those of the levels, as the decoder of TIFF has them.
#![allow(clippy::unwrap_used)] // in tests' own helpers too

mod support;

use imgmill_image::{
    Edition, Error, ErrorKind, Limits, Pyramid, PyramidLevel, ReadAt, Recipe, Rendition, Request, derive,
};
use proptest::prelude::*;
use support::*;

const SIZE: (u32, u32) = (301, 203);

fn pyramid(options: &str) -> Vec<u8> {
    let recipe = format!(r#"{{"p": {{"format": "ptif", "tile": 64{options}}}}}"#);
    only(&png(&picture(SIZE.0, SIZE.1)), &Recipe::parse_json(&recipe).unwrap()).bytes
}

fn drawn(file: &[u8], request: &str, limits: &Limits) -> Result<Rendition, Error> {
    let pyramid = Pyramid::open(&Bytes(file))?;
    let resolved = pyramid.resolve(&Request::parse(request, Edition::V3).unwrap(), limits)?;
    pyramid.draw(&Bytes(file), &resolved, limits)
}

struct Bytes<'a>(&'a [u8]);

impl ReadAt for Bytes<'_> {
    fn length(&self) -> u64 {
        self.0.length()
    }

    fn read_at(&self, start: u64, into: &mut [u8]) -> std::io::Result<()> {
        self.0.read_at(start, into)
    }
}

/// A region of one level, counted from 0, by the decoder that reads whole pages.
fn of_page(file: &[u8], level: usize, request: &str) -> Vec<u8> {
    let [region, size, rotation, rest] = request.split('/').collect::<Vec<_>>().try_into().unwrap();
    let (quality, format) = rest.split_once('.').unwrap();
    let page = level + 1;
    let recipe = format!(
        r#"{{"p": {{"region": "{region}", "size": "{size}", "rotation": "{rotation}", "quality": "{quality}",
            "format": "{format}", "page": {page}}}}}"#
    );
    read_png(&only(file, &Recipe::parse_json(&recipe).unwrap()).bytes).3
}

#[test]
fn tiles_are_what_the_levels_hold() {
    let kinds = ["", r#", "compression": "lzw""#, r#", "compression": "zstd""#, r#", "compression": "none""#];
    let packed = [r#", "compression": "jpeg", "q": 90"#, r#", "compression": "webp""#, r#", "subifd": true"#];
    for options in kinds.into_iter().chain(packed) {
        let file = pyramid(options);
        for (request, level, same) in [
            ("0,0,64,64/64,64/0/default.png", 0, "0,0,64,64/max/0/default.png"),
            ("64,128,64,64/64,64/0/default.png", 0, "64,128,64,64/max/0/default.png"),
            ("256,192,45,11/45,11/0/default.png", 0, "256,192,45,11/max/0/default.png"),
            ("32,16,100,120/100,120/0/default.png", 0, "32,16,100,120/max/0/default.png"),
            ("0,0,301,203/151,102/0/default.png", 1, "full/max/0/default.png"),
            ("256,128,45,75/23,38/0/default.png", 1, "128,64,23,38/max/0/default.png"),
            ("0,0,256,203/64,51/90/gray.png", 2, "0,0,64,51/max/90/gray.png"),
        ] {
            // Levels that hang under the first one are no pages.
            if options.contains("subifd") && level > 0 {
                continue;
            }
            let found = drawn(&file, request, &Limits::default()).unwrap();
            assert!(read_png(&found.bytes).3 == of_page(&file, level, same), "{options} {request}");
        }
    }
}

#[test]
fn a_jpeg_tile_is_handed_out_as_it_is_stored() {
    let file = pyramid(r#", "compression": "jpeg""#);
    let tile = drawn(&file, "64,64,64,64/64,64/0/default.jpg", &Limits::default()).unwrap().bytes;
    // What is between the tables and the end is in the file as it is.
    let scan = tile.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
    assert!(file.windows(tile.len() - scan).any(|part| part == &tile[scan..]));
    let seen = only(&tile, &recipe("full/max/0/default.png")).bytes;
    assert!(read_png(&seen).3 == of_page(&file, 0, "64,64,64,64/max/0/default.png"));
    // Anything else is drawn.
    for other in [
        "64,64,64,64/64,64/0/gray.jpg",
        "64,64,64,64/64,64/180/default.jpg",
        "65,64,64,64/64,64/0/default.jpg",
    ] {
        let other = drawn(&file, other, &Limits::default()).unwrap().bytes;
        assert!(!other.windows(64).any(|part| part == &tile[scan + 12..][..64]));
    }
}

#[test]
fn levels_are_found_wherever_they_hang() {
    for options in ["", r#", "subifd": true"#] {
        let file = pyramid(options);
        let levels: Vec<PyramidLevel> = Pyramid::open(&Bytes(&file)).unwrap().levels().collect();
        let sizes: Vec<_> = levels.iter().map(|level| (level.width, level.height)).collect();
        assert_eq!(sizes, [SIZE, (151, 102), (76, 51), (38, 26)]);
        assert!(levels.iter().all(|level| (level.tile_width, level.tile_height) == (64, 64)));
    }
}

#[test]
fn any_size_looks_like_the_original() {
    let (file, original) = (pyramid(""), png(&picture(SIZE.0, SIZE.1)));
    for request in
        ["full/200,/0/default.png", "10,20,200,150/77,/0/default.png", "square/^400,/90/default.png"]
    {
        let found = drawn(&file, request, &Limits::default()).unwrap();
        let expected = only(&original, &recipe(request));
        assert_eq!((found.width, found.height), (expected.width, expected.height));
        let (found, expected) = (read_png(&found.bytes).3, read_png(&expected.bytes).3);
        assert!(psnr(&found, &expected) > 32.0, "{request}: {}", psnr(&found, &expected));
    }
}

#[test]
fn max_is_what_the_limits_let_be() {
    let file = pyramid("");
    let limits = Limits { max_pixels: 10_000, ..Limits::default() };
    let whole = drawn(&file, "full/max/0/default.png", &limits).unwrap();
    assert!((9_500..=10_000).contains(&(whole.width * whole.height)), "{}×{}", whole.width, whole.height);
    let narrow = drawn(&file, "0,0,301,1/^max/0/default.png", &limits).unwrap();
    assert!(narrow.width * narrow.height <= 10_000);
    let kind = |request| drawn(&file, request, &limits).unwrap_err().kind();
    assert_eq!(kind("full/200,/0/default.png"), ErrorKind::TooManyPixels);
    assert_eq!(kind("400,0,10,10/max/0/default.png"), ErrorKind::BadRequest);
    assert_eq!(kind("full/400,/0/default.png"), ErrorKind::BadRequest);
    // Drawn of what would take too much to decode: nothing is.
    let wide = drawn(&file, "full/301,1/0/default.png", &limits).unwrap();
    assert_eq!((wide.width, wide.height), (301, 1));
}

#[test]
fn what_is_no_pyramid_is_named() {
    let kind = |bytes: &[u8]| Pyramid::open(&Bytes(bytes)).unwrap_err().kind();
    assert_eq!(kind(b"no TIFF at all"), ErrorKind::NotAnImage);
    assert_eq!(kind(b""), ErrorKind::NotAnImage);
    assert_eq!(kind(&tiff(&picture(30, 20))), ErrorKind::UnsupportedFormat);
}

#[test]
fn a_damaged_pyramid_is_an_error_and_no_more() {
    for options in ["", r#", "compression": "jpeg""#] {
        let file = pyramid(options);
        // What comes last are numbers of the smallest level that nobody looks at.
        for end in (0..file.len() - 400).step_by(97) {
            let found = drawn(&file[..end], "full/max/0/default.jpg", &Limits::default());
            assert!(found.is_err(), "{end}");
        }
        let mut missing = file.clone();
        missing[40..400].fill(0);
        let tile = drawn(&missing, "0,0,64,64/64,64/0/default.jpg", &Limits::default());
        assert!(matches!(tile.unwrap_err().kind(), ErrorKind::Corrupt | ErrorKind::Truncated));
        // Whatever a byte of the directories is, there is an answer.
        let start = file.len() - 900;
        for at in start..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1 << (at % 8);
            let _ = drawn(&changed, "30,30,99,99/50,/0/default.jpg", &Limits::default());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_region_is_as_large_as_of_the_original(
        (x, y, w, h) in (0u32..300, 0u32..202, 1u32..400, 1u32..400),
        side in 1u32..90,
        turn in prop::sample::select(vec!["0", "!90", "270", "22.5"]),
    ) {
        let file = pyramid("");
        let original = png(&picture(SIZE.0, SIZE.1));
        let request = format!("{x},{y},{w},{h}/!{side},{side}/{turn}/default.png");
        let found = drawn(&file, &request, &Limits::default()).unwrap();
        let mut expected: Vec<Rendition> = Vec::new();
        derive(&original, &recipe(&request), &mut expected, &Limits::default()).unwrap();
        prop_assert_eq!((found.width, found.height), (expected[0].width, expected[0].height));
    }
}
