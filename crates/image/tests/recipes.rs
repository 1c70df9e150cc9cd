//! Recipes of several derivatives: order, dimensions, errors, limits.
#![allow(clippy::unwrap_used)] // in tests' own helpers too

mod support;

use imgmill_image::{ErrorKind, GrayMethod, Limits, Recipe, Rendition, Sink, derive, memory_need, probe};
use support::*;

fn recipe_of(derivatives: &[&str]) -> Recipe {
    Recipe::new(derivatives.iter().map(|text| text.parse().unwrap()).collect()).unwrap()
}

#[test]
fn renditions_come_in_the_recipes_order_whatever_order_they_are_made_in() {
    let source = jpeg(&picture(900, 600), "");
    let recipe = recipe_of(&[
        "small=square/!50,50/0/default.jpg",
        "gray=full/max/0/gray.jpg",
        "large=full/800,/0/default.png",
        "middle=square/!250,250/0/default.webp",
        "turned=full/300,/90/default.jpg",
        "free=full/300,200/45/gray.png",
    ]);
    let renditions = all(&source, &recipe).unwrap();
    let found: Vec<_> = renditions.iter().map(|r| (r.label.as_str(), r.width, r.height)).collect();
    let expected = [
        ("small", 50, 50),
        ("gray", 900, 600),
        ("large", 800, 533),
        ("middle", 250, 250),
        ("turned", 200, 300),
        ("free", 354, 354),
    ];
    assert_eq!(found, expected);
    for rendition in &renditions {
        let header = probe(&rendition.bytes).unwrap();
        assert_eq!((header.width, header.height), (rendition.width, rendition.height), "{}", rendition.label);
        assert_eq!(header.format.media_type(), rendition.format.media_type());
    }
}

#[test]
fn the_same_source_gives_the_same_bytes() {
    let source = jpeg(&picture(300, 200), "");
    let recipe = recipe_of(&[
        "a=full/100,/0/default.jpg",
        "b=full/90,/0/default.webp",
        "c=full/80,/0/default.gif",
        "d=full/70,/10/gray.png",
        "e=full/60,/0/default.tif",
    ]);
    assert_eq!(all(&source, &recipe).unwrap(), all(&source, &recipe).unwrap());
}

#[test]
fn a_small_derivative_is_as_good_beside_large_ones_as_alone() {
    let source = jpeg(&picture(1600, 1200), r#""q": 95"#);
    let alone = rgb(&source, "full/100,/0/default.png");
    let recipe =
        recipe_of(&["a=full/1400,/0/default.png", "b=full/500,/0/default.png", "c=full/100,/0/default.png"]);
    let beside = read_png(&all(&source, &recipe).unwrap()[2].bytes).3;
    let found = psnr(&alone.data, &beside);
    assert!(found > 40.0, "{found:.1} dB");
}

#[test]
fn shrinking_in_the_dct_looks_like_shrinking_after_it() {
    let image = picture(1600, 1200);
    let through_jpeg = rgb(&jpeg(&image, r#""q": 98"#), "full/150,/0/default.png");
    let through_png = rgb(&png(&image), "full/150,/0/default.png");
    let found = psnr(&through_jpeg.data, &through_png.data);
    assert!(found > 38.0, "{found:.1} dB");
}

#[test]
fn thumbnails_of_smaller_sources_stay_as_they_are() {
    let source = png(&picture(40, 30));
    let thumbnail = only(&source, &recipe("square/!50,50/0/default.jpg"));
    assert_eq!((thumbnail.width, thumbnail.height), (30, 30));
}

#[test]
fn requests_that_make_no_sense_for_the_image_say_so() {
    let source = png(&picture(40, 30));
    for (request, kind, said) in [
        ("100,0,10,10/max/0/default.jpg", ErrorKind::BadRequest, "region 100,0,10,10"),
        ("full/41,/0/default.jpg", ErrorKind::BadRequest, "^41,"),
        ("full/pct:1/0/default.jpg", ErrorKind::BadRequest, "no pixels"),
        #[cfg(not(feature = "avif"))]
        ("full/max/0/default.avif", ErrorKind::UnsupportedOutput, "build with the feature avif"),
        ("-1,-1,10,10/11,/0/default.jpg", ErrorKind::BadRequest, "^11,"),
        ("full/^50000,50000/0/default.jpg", ErrorKind::TooManyPixels, "100000000"),
        ("full/^65535,2/0/default.jpg", ErrorKind::Encode, "65535×2"),
        ("full/^20000,2/0/default.webp", ErrorKind::Encode, "16383"),
    ] {
        let error = all(&source, &recipe(request)).unwrap_err();
        assert_eq!(error.kind(), kind, "{request}: {error}");
        assert!(error.to_string().contains(said), "{request}: {error}");
        assert!(error.to_string().contains("derivative “a”"), "{request}: {error}");
    }
}

#[test]
fn nothing_is_made_if_one_derivative_makes_no_sense() {
    let source = png(&picture(40, 30));
    let mut renditions = Vec::new();
    let recipe = recipe_of(&["good=full/max/0/gray.jpg", "bad=full/400,/0/gray.jpg"]);
    assert!(derive(&source, &recipe, &mut renditions, &Limits::default()).is_err());
    assert!(renditions.is_empty());
}

#[test]
fn gray_methods_differ_and_luma_is_the_default() {
    let source = png_of(8, 8, png::ColorType::Rgb, png::BitDepth::Eight, &[0, 255, 0].repeat(64), |_| {});
    let shade = |method| {
        let mut recipe = recipe("full/max/0/gray.png");
        if let Some(method) = method {
            recipe.set_gray(method);
        }
        let (_, _, color, data) = read_png(&only(&source, &recipe).bytes);
        assert_eq!(color, png::ColorType::Grayscale);
        data[0]
    };
    assert_eq!(shade(None), 150);
    assert_eq!(shade(Some(GrayMethod::Average)), 85);
    assert_eq!(shade(Some(GrayMethod::Rec709)), 182);
    assert_eq!(shade(Some(GrayMethod::Lightness)), 128);
}

#[test]
fn bitonal_has_two_values() {
    let source = jpeg(&picture(64, 48), "");
    let (_, _, color, data) = pixels(&source, "full/max/0/bitonal.png");
    assert_eq!(color, png::ColorType::Grayscale);
    assert!(data.iter().all(|v| matches!(v, 0 | 255)) && data.contains(&0) && data.contains(&255));
}

#[test]
fn dither_has_one_channel_of_two_values_and_about_the_same_brightness() {
    let image = picture(120, 90);
    for source in [jpeg(&image, ""), png(&image)] {
        let (_, _, _, gray) = pixels(&source, "full/max/0/gray.png");
        let (_, _, color, data) = pixels(&source, "full/max/0/dither.png");
        assert_eq!(color, png::ColorType::Grayscale);
        assert!(data.iter().all(|v| matches!(v, 0 | 255)));
        let mean = |data: &[u8]| data.iter().map(|v| f64::from(*v)).sum::<f64>() / data.len() as f64;
        assert!((mean(&gray) - mean(&data)).abs() < 12.0, "{:.1} became {:.1}", mean(&gray), mean(&data));
    }
    // Transparent pixels are laid on white first, in formats that hold alpha too.
    let clear = png_of(8, 8, png::ColorType::Rgba, png::BitDepth::Eight, &[0; 8 * 8 * 4], |_| {});
    assert_eq!(pixels(&clear, "full/max/0/dither.png"), (8, 8, png::ColorType::Grayscale, vec![255; 64]));
}

#[test]
fn crisp_sharpens_and_its_numbers_count() {
    let source = png(&picture(96, 64));
    let contrast = |request: &str| {
        let image = rgb(&source, request);
        image.data.windows(6).map(|pair| u64::from(pair[0].abs_diff(pair[3]))).sum::<u64>()
    };
    let (plain, crisp) = (contrast("full/max/0/default.png"), contrast("full/max/0/crisp.png"));
    assert!(crisp > plain, "{crisp} after {plain}");
    assert!(contrast("full/max/0/crisp:2,2,0.png") > crisp);
    assert!(contrast("full/max/0/crisp:2,0.5,3.png") < crisp);
}

/// Grey, with a colourful pattern where `is_there` says.
fn scene(width: u32, height: u32, is_there: impl Fn(u32, u32) -> bool) -> Rgb {
    let colour = |x: u32, y: u32| match (is_there(x, y), (x / 4 + y / 4) % 2) {
        (true, 0) => [235, 30, 30],
        (true, _) => [40, 40, 210],
        _ => [128; 3],
    };
    let data =
        (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| colour(x, y)).collect();
    Rgb { width, height, data }
}

#[test]
fn smart_crops_show_what_there_is_to_see_at_the_size_asked_for() {
    let colourful = |image: &Rgb| {
        let count = image.data.chunks_exact(3).filter(|c| c[1] < 90).count();
        count as f64 / (f64::from(image.width) * f64::from(image.height))
    };
    let right = scene(800, 200, |x, y| (640..740).contains(&x) && (50..150).contains(&y));
    // The patch is a quarter of the box; a crop that is a tenth less shows more of it.
    for source in [png(&right), jpeg(&right, r#""q": 95"#)] {
        for (request, width, height) in [
            ("-1,-1,100,100/max/0/default.png", 100, 100),
            ("-1,-1,100,100/50,/0/default.png", 50, 50),
            ("-1,-1,320,320/max/0/default.png", 200, 200),
            ("-1,-1,100,100/^150,/0/default.png", 150, 150),
        ] {
            let crop = rgb(&source, request);
            assert_eq!((crop.width, crop.height), (width, height), "{request}");
            assert!(colourful(&crop) > 0.2, "{request}: {:.3}", colourful(&crop));
        }
    }
    let small = only(&png(&picture(30, 20)), &recipe("-1,-1,320,320/max/0/default.jpg"));
    assert_eq!((small.width, small.height), (20, 20));
}

#[test]
fn smart_crops_see_the_image_upright_and_agree_whatever_is_made_beside_them() {
    // Stored on its side (orientation 6): the patch at the stored right is at the bottom.
    let right = scene(800, 200, |x, y| x >= 700 && y < 200);
    let source = with_segment(&jpeg(&right, r#""q": 95"#), 0xE1, &exif(6));
    let crop = rgb(&source, "-1,-1,100,50/max/0/default.png");
    assert_eq!((crop.width, crop.height), (100, 50));
    assert!(crop.at(50, 48)[1] < 90 && crop.at(50, 2)[1] > 90, "{:?} {:?}", crop.at(50, 48), crop.at(50, 2));

    let alone = only(&source, &recipe("-1,-1,100,100/max/0/gray.png"));
    let recipe = recipe_of(&["a=-1,-1,100,100/max/0/gray.png", "b=full/max/0/gray.jpg"]);
    assert_eq!(alone.bytes, all(&source, &recipe).unwrap()[0].bytes);
}

#[test]
fn free_rotation_shows_the_background_only_where_there_is_no_alpha() {
    let source = png(&picture(40, 30));
    let (_, _, color, data) = pixels(&source, "full/max/45/default.png");
    assert_eq!((color, &data[..4]), (png::ColorType::Rgba, &[0, 0, 0, 0][..]));
    let json = r##"{"a": {"rotation": "45", "q": 100, "background": "#0000ff"}}"##;
    let flat = only(&source, &Recipe::parse_json(json).unwrap());
    let [r, g, b] = rgb(&flat.bytes, "full/max/0/default.png").at(0, 0);
    assert!(r < 8 && g < 8 && b > 247, "{r} {g} {b}");
}

#[test]
fn dots_an_inch_are_written() {
    let source = png(&picture(20, 20));
    let json =
        r#"{"a": {"dpi": 300}, "b": {"format": "png", "dpi": 300}, "c": {"format": "tif", "dpi": 300}}"#;
    let renditions = all(&source, &Recipe::parse_json(json).unwrap()).unwrap();
    assert_eq!(&renditions[0].bytes[13..18], [1, 1, 44, 1, 44]);
    let info = png::Decoder::new(std::io::Cursor::new(&renditions[1].bytes)).read_info().unwrap();
    assert_eq!(info.info().pixel_dims.unwrap().xppu, 11811);
    let mut tiff = tiff::decoder::Decoder::new(std::io::Cursor::new(&renditions[2].bytes)).unwrap();
    let resolution = tiff.get_tag(tiff::tags::Tag::XResolution).unwrap();
    assert_eq!(resolution, tiff::decoder::ifd::Value::Rational(300, 1));
}

#[test]
fn a_sink_that_refuses_ends_the_work() {
    struct Full;
    impl Sink for Full {
        fn put(&mut self, _: Rendition) -> std::io::Result<()> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
    }
    let source = png(&picture(8, 8));
    let error = derive(&source, &Recipe::gray(), &mut Full, &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Sink);
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    assert_eq!(cause.map(std::io::Error::kind), Some(std::io::ErrorKind::StorageFull));
}

#[test]
fn memory_need_follows_what_is_decoded() {
    let header = probe(&jpeg(&picture(1600, 1200), "")).unwrap();
    let need = |request: &str| memory_need(&header, &recipe(request));
    // 1.92 megapixels: grey needs no pixels, a thumbnail an eighth of them, the whole image all.
    assert!(need("full/100,/0/default.jpg") < need("full/max/0/gray.jpg"));
    assert!(need("full/max/0/gray.jpg") < need("full/max/0/default.png"));
    assert!(need("full/max/0/default.png") > 1600 * 1200 * 3);
}
