//! AVIF: what the container says of the picture, and that our own files hold what went in.
#![allow(clippy::unwrap_used)] // in tests' own helpers too
#![cfg(feature = "avif")]

mod support;

use imgmill_image::{ErrorKind, Limits, Recipe, derive, probe};
use support::*;

fn encoded(source: &[u8], options: &str) -> Vec<u8> {
    let recipe = Recipe::parse_json(&format!("{{\"a\": {{\"format\": \"avif\", {options}}}}}")).unwrap();
    only(source, &recipe).bytes
}

/// A box of ISO/IEC 14496-12.
fn boxed(kind: &str, payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32 + 8).to_be_bytes(), kind.as_bytes(), payload].concat()
}

/// One of version 0 without flags.
fn full(kind: &str, payload: &[u8]) -> Vec<u8> {
    boxed(kind, &[&[0; 4], payload].concat())
}

/// An item of a file put together by hand: its kind, its bytes, the properties of its own.
struct Item {
    kind: &'static str,
    bytes: Vec<u8>,
    properties: Vec<Vec<u8>>,
}

/// A file of these items, the first being the image, with references between them: kind, from, to.
fn file(items: &[Item], references: &[(&str, u16, Vec<u16>)]) -> Vec<u8> {
    let ftyp = boxed("ftyp", b"avif\0\0\0\0avifmif1miaf");
    let build = |start: u32| {
        let (mut infe, mut iloc, mut ipco, mut ipma) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut at, mut index) = (start, 0u8);
        for (number, item) in items.iter().enumerate() {
            let id = (number as u16 + 1).to_be_bytes();
            infe.extend(boxed(
                "infe",
                &[&[2, 0, 0, 0], &id[..], &[0, 0], item.kind.as_bytes(), &[0]].concat(),
            ));
            iloc.extend(
                [&id[..], &[0, 0], &[0, 1], &at.to_be_bytes(), &(item.bytes.len() as u32).to_be_bytes()]
                    .concat(),
            );
            at += item.bytes.len() as u32;
            ipma.extend([&id[..], &[item.properties.len() as u8]].concat());
            for property in &item.properties {
                index += 1;
                ipma.push(index);
                ipco.extend(property);
            }
        }
        let count = (items.len() as u16).to_be_bytes();
        let references = references.iter().flat_map(|(kind, from, to)| {
            let to: Vec<u8> = to.iter().flat_map(|to| to.to_be_bytes()).collect();
            boxed(kind, &[&from.to_be_bytes()[..], &(to.len() as u16 / 2).to_be_bytes(), &to].concat())
        });
        let ipma = full("ipma", &[&(items.len() as u32).to_be_bytes()[..], &ipma].concat());
        let meta = [
            full("hdlr", b"\0\0\0\0pict\0\0\0\0\0\0\0\0\0\0\0\0\0"),
            full("pitm", &[0, 1]),
            full("iinf", &[&count[..], &infe].concat()),
            full("iloc", &[&[0x44, 0], &count[..], &iloc].concat()),
            full("iref", &references.collect::<Vec<u8>>()),
            boxed("iprp", &[boxed("ipco", &ipco), ipma].concat()),
        ];
        [ftyp.clone(), full("meta", &meta.concat())].concat()
    };
    let head = build(build(0).len() as u32 + 8);
    let bytes: Vec<u8> = items.iter().flat_map(|item| item.bytes.clone()).collect();
    [head, boxed("mdat", &bytes)].concat()
}

fn ispe(width: u32, height: u32) -> Vec<u8> {
    full("ispe", &[width.to_be_bytes(), height.to_be_bytes()].concat())
}

/// AV1's configuration: 10 bits, as our encoder writes.
fn av1c() -> Vec<u8> {
    boxed("av1C", &[0x81, 0x3F, 0x40, 0])
}

fn nclx(primaries: u16, transfer: u16, matrix: u16) -> Vec<u8> {
    let numbers: Vec<u8> = [primaries, transfer, matrix].iter().flat_map(|n| n.to_be_bytes()).collect();
    boxed("colr", &[b"nclx", &numbers[..], &[0x80]].concat())
}

/// The AV1 of a picture, which our encoder puts at the end of its file.
fn av1(image: &Rgb) -> Vec<u8> {
    let file = avif(image);
    let at = file.windows(4).position(|window| window == b"mdat").unwrap() + 4;
    file[at..].to_vec()
}

fn picture_item(image: &Rgb, properties: &[Vec<u8>]) -> Item {
    let own = [ispe(image.width, image.height), av1c()];
    Item { kind: "av01", bytes: av1(image), properties: [&own, properties].concat() }
}

fn corners(source: &[u8]) -> [[u8; 3]; 4] {
    let image = rgb(source, "full/max/0/default.png");
    let (right, bottom) = (image.width - 4, image.height - 4);
    [(3, 3), (right, 3), (right, bottom), (3, bottom)]
        .map(|(x, y)| image.at(x, y).map(|v| if v > 128 { 255 } else { 0 }))
}

#[test]
fn a_file_put_together_by_hand_is_read() {
    let image = picture(40, 24);
    let decoded = rgb(&file(&[picture_item(&image, &[])], &[]), "full/max/0/default.png");
    assert!(psnr(&decoded.data, &image.data) > 38.0);
}

/// Written by libvips 8.14 with libaom (`vips heifsave picture.ppm NAME --compression av1 --Q 90`, and the options that
/// the names say) from what [`picture`] draws at 60×44.
#[test]
fn other_encoders_kinds_are_read() {
    let image = picture(60, 44);
    let (plain, deep): (&[u8], &[u8]) =
        (include_bytes!("fixtures/sampled-420.avif"), include_bytes!("fixtures/bits-12.avif"));
    for (name, source, bits) in [("4:2:0", plain, 8), ("12 bits", deep, 12)] {
        let header = probe(source).unwrap();
        assert_eq!((header.channels, header.bits), (3, bits), "{name}");
        let found = psnr(&rgb(source, "full/max/0/default.png").data, &image.data);
        assert!(found > 34.0, "{name}: {found:.1} dB");
    }
    let alpha = include_bytes!("fixtures/alpha.avif");
    assert_eq!(probe(alpha).unwrap().channels, 4);
    let (.., data) = pixels(alpha, "full/max/0/default.png");
    assert!(data.iter().skip(3).step_by(4).all(|alpha| alpha.abs_diff(128) <= 1));
}

#[test]
fn turns_and_mirrors_are_the_containers() {
    let upright = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];
    let [a, b, c, d] = upright;
    let irot = |angle: u8| boxed("irot", &[angle]);
    let imir = |axis: u8| boxed("imir", &[axis]);
    // Angles against the clock; mirrored after that, 0 top to bottom, 1 left to right (ISO/IEC 23008-12 §6.5.10, 12).
    let cases = [
        (vec![], 1, upright),
        (vec![irot(1)], 8, [b, c, d, a]),
        (vec![irot(2)], 3, [c, d, a, b]),
        (vec![irot(3)], 6, [d, a, b, c]),
        (vec![imir(0)], 4, [d, c, b, a]),
        (vec![imir(1)], 2, [b, a, d, c]),
        (vec![irot(1), imir(0)], 5, [a, d, c, b]),
    ];
    for (properties, orientation, expected) in cases {
        let source = file(&[picture_item(&quarters(48, 32), &properties)], &[]);
        let header = probe(&source).unwrap();
        assert_eq!((header.width, header.height, header.orientation), (48, 32, orientation));
        assert_eq!(corners(&source), expected, "orientation {orientation}");
    }
}

#[test]
fn grids_are_put_together() {
    let image = picture(100, 50);
    // Two rows of three tiles of 40×32, which reach beyond the image.
    let mut items =
        vec![Item { kind: "grid", bytes: vec![0, 0, 1, 2, 0, 100, 0, 50], properties: vec![ispe(100, 50)] }];
    for (y, x) in [(0, 0), (0, 40), (0, 80), (32, 0), (32, 40), (32, 80)] {
        let at = |x: u32, y: u32| image.at(x.min(99), y.min(49));
        let data = (y..y + 32).flat_map(|y| (x..x + 40).flat_map(move |x| at(x, y))).collect();
        items.push(picture_item(&Rgb { width: 40, height: 32, data }, &[]));
    }
    let tiles = ("dimg", 1, vec![2, 3, 4, 5, 6, 7]);
    let whole = file(&items, std::slice::from_ref(&tiles));
    assert_eq!((probe(&whole).unwrap().width, probe(&whole).unwrap().bits), (100, 10));
    let decoded = rgb(&whole, "full/max/0/default.png");
    assert!(psnr(&decoded.data, &image.data) > 38.0);
    // A tile short, a size of its own, and tiles that do not reach.
    let short = file(&items, &[("dimg", 1, vec![2, 3, 4, 5, 6])]);
    items[0].bytes[5] = 90;
    let other = file(&items, std::slice::from_ref(&tiles));
    items[0].bytes[5] = 200;
    items[0].properties = vec![ispe(200, 50)];
    let small = file(&items, &[tiles]);
    for source in [short, other, small] {
        let error = all(&source, &recipe("full/max/0/default.png")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("grid"), "{error}");
    }
}

#[test]
fn colours_are_what_the_numbers_say() {
    let image = quarters(32, 32);
    let red = |properties: &[Vec<u8>]| {
        rgb(&file(&[picture_item(&image, properties)], &[]), "full/max/0/default.png").at(5, 5)
    };
    let plain = red(&[nclx(1, 13, 6)]);
    assert!(plain[0] > 250 && plain[1] < 5, "{plain:?}");
    // A red of Display P3 is out of sRGB's gamut; half of linear light is lighter.
    assert_eq!(red(&[nclx(12, 13, 6)])[0], 255);
    let gray = Rgb { width: 16, height: 16, data: vec![64; 16 * 16 * 3] };
    let level = |properties: &[Vec<u8>]| {
        rgb(&file(&[picture_item(&gray, properties)], &[]), "full/max/0/default.png").at(5, 5)[1]
    };
    assert!(level(&[nclx(1, 13, 6)]).abs_diff(64) <= 1);
    // Linear 64/255 is 0.537 in sRGB's curve.
    assert!(level(&[nclx(1, 8, 6)]).abs_diff(137) <= 2, "{}", level(&[nclx(1, 8, 6)]));
    // PQ is left as it is.
    assert!(level(&[nclx(9, 16, 6)]).abs_diff(64) <= 1);
    // Green in Display P3 looks greener than sRGB's can: a middling one moves.
    let leaf = Rgb { width: 16, height: 16, data: [60, 160, 60].repeat(256) };
    let shown =
        rgb(&file(&[picture_item(&leaf, &[nclx(12, 13, 6)])], &[]), "full/max/0/default.png").at(5, 5);
    assert!(shown[0] < 30 && shown[1] > 158, "{shown:?}");
}

#[test]
fn alpha_and_grey_survive() {
    let mut data = Vec::new();
    for y in 0..40u32 {
        data.extend(
            (0..64u32)
                .flat_map(|x| [(x * 4) as u8, (y * 6) as u8, 128, if x < 32 { 255 } else { (y * 6) as u8 }]),
        );
    }
    let source = png_of(64, 40, png::ColorType::Rgba, png::BitDepth::Eight, &data, |_| {});
    let file = encoded(&source, r#""q": 95"#);
    assert_eq!(probe(&file).unwrap().channels, 4);
    let (_, _, color, decoded) = pixels(&file, "full/max/0/default.png");
    assert_eq!(color, png::ColorType::Rgba);
    let alpha = |data: &[u8]| data.iter().skip(3).step_by(4).copied().collect::<Vec<_>>();
    assert!(psnr(&alpha(&data), &alpha(&decoded)) > 40.0);
    // Colours count where they show.
    let shown = |data: &[u8]| {
        let pixel = |p: &[u8]| [p[0], p[1], p[2]].map(|v| (u32::from(v) * u32::from(p[3]) / 255) as u8);
        data.chunks_exact(4).flat_map(pixel).collect::<Vec<u8>>()
    };
    assert!(psnr(&shown(&data), &shown(&decoded)) > 35.0);

    let gray: Vec<u8> = (0..64u32 * 40).map(|n| (n / 10) as u8).collect();
    let source = png_of(64, 40, png::ColorType::Grayscale, png::BitDepth::Eight, &gray, |_| {});
    let decoded = rgb(&encoded(&source, r#""q": 95"#), "full/max/0/gray.png");
    let expected: Vec<u8> = gray.iter().flat_map(|v| [*v; 3]).collect();
    assert!(psnr(&decoded.data, &expected) > 38.0);
}

#[test]
fn quality_and_effort_do_what_they_say() {
    let source = png(&picture(200, 150));
    let length = |options: &str| encoded(&source, options).len();
    assert!(length(r#""q": 40"#) < length(r#""q": 70"#));
    assert!(length(r#""q": 70"#) < length(r#""q": 95"#));
    let decoded = |options: &str| rgb(&encoded(&source, options), "full/max/0/default.png").data;
    let wanted = picture(200, 150).data;
    assert!(psnr(&decoded(r#""q": 40"#), &wanted) < psnr(&decoded(r#""q": 95"#), &wanted));
    assert_ne!(length(r#""effort": 0"#), length(r#""effort": 8"#));
}

#[test]
fn the_same_pixels_give_the_same_bytes_beside_other_work() {
    // Large enough for more than one tile, if tiles there were.
    let source = png(&picture(700, 400));
    let once = encoded(&source, r#""effort": 0"#);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| encoded(&source, r#""effort": 0"#))).collect();
        for thread in threads {
            assert!(thread.join().unwrap() == once);
        }
    });
}

#[test]
fn tiny_pictures_are_written_too() {
    for (width, height) in [(1, 1), (1, 40), (17, 3)] {
        let decoded = rgb(&encoded(&png(&picture(width, height)), r#""q": 100"#), "full/max/0/default.png");
        assert_eq!((decoded.width, decoded.height), (width, height));
    }
}

#[test]
fn metadata_is_kept_where_asked_and_its_orientation_ignored() {
    let source = with_segment(&jpeg(&quarters(48, 32), r#""q": 95"#), 0xE1, &exif(6));
    let serial = |file: &[u8]| file.windows(7).any(|window| window == b"SERIAL1");
    assert!(!serial(&encoded(&source, r#""q": 80"#)));
    let kept = encoded(&source, r#""metadata": "keep""#);
    assert!(serial(&kept));
    let again = Recipe::parse_json(r#"{"a": {"format": "png", "metadata": "keep"}}"#).unwrap();
    assert!(serial(&only(&kept, &again).bytes));
    // A tag that says otherwise changes nothing.
    let turned = String::from("II*\0");
    let mut lying = kept.clone();
    let at = lying.windows(4).position(|window| window == turned.as_bytes()).unwrap();
    let tag = at + lying[at..].windows(4).position(|window| window == [0x12, 0x01, 3, 0]).unwrap();
    assert_eq!(lying[tag + 8], 1);
    lying[tag + 8] = 6;
    assert_eq!(probe(&lying).unwrap().orientation, 1);
    assert_eq!(corners(&lying), corners(&kept));
}

#[test]
fn a_header_that_lies_is_refused() {
    let image = picture(40, 24);
    let lie = |width, height| {
        let item = Item { kind: "av01", bytes: av1(&image), properties: vec![ispe(width, height), av1c()] };
        all(&file(&[item], &[]), &recipe("full/max/0/default.png")).unwrap_err()
    };
    for (width, height) in [(41, 24), (24, 40), (10, 10)] {
        assert_eq!(lie(width, height).kind(), ErrorKind::Corrupt, "{width}×{height}");
    }
    let error = lie(60_000, 60_000);
    assert_eq!(error.kind(), ErrorKind::TooManyPixels, "{error}");
    // A tile that is far larger than the image it is for.
    let grid = Item { kind: "grid", bytes: vec![0, 0, 0, 0, 0, 4, 0, 4], properties: vec![ispe(4, 4)] };
    let tile = Item { kind: "av01", bytes: av1(&image), properties: vec![ispe(60_000, 60_000), av1c()] };
    let source = file(&[grid, tile], &[("dimg", 1, vec![2])]);
    let limits = Limits { max_pixels: 1_000_000, ..Limits::default() };
    let error = derive(&source, &recipe("full/max/0/default.png"), &mut Vec::new(), &limits).unwrap_err();
    assert!(error.to_string().contains("larger"), "{error}");
}
