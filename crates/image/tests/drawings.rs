//! SVG and PDF: sizes, drawing at the size that is wanted, nothing from outside, limits.
#![allow(clippy::unwrap_used)] // in tests' own helpers too
#![cfg(all(feature = "svg", feature = "pdf"))]

mod support;

use imgmill_image::{ErrorKind, Limits, Recipe, derive, memory_need, probe};
use support::*;

const SVG: &str = "xmlns='http://www.w3.org/2000/svg'";

fn size(source: &[u8]) -> (u32, u32) {
    let header = probe(source).unwrap();
    (header.width, header.height)
}

/// The one derivative of an entry of a recipe file.
fn made(source: &[u8], entry: &str) -> Rgb {
    let recipe = Recipe::parse_json(&format!("{{\"a\": {entry}}}")).unwrap();
    let (width, height, color, data) = read_png(&only(source, &recipe).bytes);
    let data = match color {
        png::ColorType::Rgb => data,
        png::ColorType::Rgba => data.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect(),
        other => panic!("unexpected {other:?}"),
    };
    Rgb { width, height, data }
}

#[test]
fn an_svg_is_as_large_as_its_root_says() {
    let cases = [
        ("width='30' height='20'", (30, 20)),
        // 96 dots an inch.
        ("width='2in' height='25.4mm'", (192, 96)),
        ("width='30pt' height='1pc'", (40, 16)),
        ("viewBox='5 5 40 10'", (40, 10)),
        ("width='100%' height='100%' viewBox='0 0 480 360'", (480, 360)),
        ("width='80' viewBox='0 0 40 10'", (80, 20)),
        ("width='10.6' height='10.4'", (11, 10)),
        // Neither: as far as the drawing reaches.
        ("", (70, 25)),
    ];
    for (attributes, expected) in cases {
        let file = format!("<svg {SVG} {attributes}><rect x='10' y='5' width='60' height='20'/></svg>");
        assert_eq!(size(file.as_bytes()), expected, "{attributes}");
    }
    let prefixed = "<?xml version='1.0'?><!DOCTYPE svg:svg [<!ENTITY ns 'http://www.w3.org/2000/svg'>]>\
                    <!-- > --><svg:svg xmlns:svg='&ns;' width='7' height='6'><svg:g/></svg:svg>";
    assert_eq!(size(prefixed.as_bytes()), (7, 6));
}

#[test]
fn a_drawing_is_sharp_at_any_size() {
    // Black left of the middle, white right of it.
    let svg = format!(
        "<svg {SVG} width='20' height='10'><rect width='20' height='10' fill='white'/><rect width='10' height='10'/></svg>"
    );
    let nothing = Rgb { width: 1, height: 1, data: vec![0; 3] };
    let pdf = pdf_of("/MediaBox[0 0 20 10]", "0 0 10 10 re f", &nothing);
    for (name, source) in [("svg", svg.as_bytes()), ("pdf", &pdf)] {
        for (request, width) in [("^400,", 400), ("max", 20), ("10,5", 10)] {
            let image = made(source, &format!("{{\"size\": \"{request}\", \"format\": \"png\"}}"));
            assert_eq!((image.width, image.height), (width, width / 2), "{name} {request}");
            let middle = image.height / 2;
            assert_eq!(image.at(width / 2 - 1, middle), [0; 3], "{name} {request}");
            assert_eq!(image.at(width / 2, middle), [255; 3], "{name} {request}");
        }
        // A region of it too, and several sizes of one.
        let part = made(source, r#"{"region": "5,0,10,10", "size": "^300,300", "format": "png"}"#);
        assert_eq!((part.at(147, 9), part.at(152, 9)), ([0; 3], [255; 3]), "{name}");
        let both = Recipe::parse_json(
            r#"{"a": {"size": "^200,", "format": "png"}, "b": {"region": "0,0,10,10", "size": "5,5", "format": "png"}}"#,
        );
        let both = all(source, &both.unwrap()).unwrap();
        assert_eq!((both[0].width, both[1].width), (200, 5), "{name}");
        let (.., dark) = read_png(&both[1].bytes);
        assert_eq!(dark[..3], [0; 3], "{name}");
    }
}

#[test]
fn dots_an_inch_say_how_large_a_drawing_is() {
    let nothing = Rgb { width: 1, height: 1, data: vec![0; 3] };
    // A4, whose points are no whole numbers.
    let pdf = pdf_of("/MediaBox[0 0 595.276 841.89]", "", &nothing);
    assert_eq!(size(&pdf), (595, 842));
    let svg = format!("<svg {SVG} width='1in' height='2in'/>");
    for (source, dpi, expected) in [
        (pdf.as_slice(), 72, (595, 842)),
        (pdf.as_slice(), 300, (2480, 3508)),
        (svg.as_bytes(), 96, (96, 192)),
        (svg.as_bytes(), 300, (300, 600)),
    ] {
        let entry = format!("{{\"a\": {{\"size\": \"max\", \"format\": \"jpg\", \"dpi\": {dpi}}}}}");
        let recipe = Recipe::parse_json(&entry).unwrap();
        let made = only(source, &recipe);
        assert_eq!((made.width, made.height), expected, "{dpi}");
    }
    // Regions count in those pixels, also beside a derivative that counts in others.
    let halves = format!(
        "<svg {SVG} width='2in' height='1in'><rect width='50%' height='100%'/><rect x='50%' width='50%' height='100%' fill='#f00'/></svg>"
    );
    let recipe = r#"{
        "a": {"region": "200,0,200,200", "format": "png", "dpi": 200},
        "b": {"region": "96,0,96,96", "format": "png"},
        "c": {"region": "0,0,96,96", "size": "10,", "format": "png"}}"#;
    let renditions = all(halves.as_bytes(), &Recipe::parse_json(recipe).unwrap()).unwrap();
    assert_eq!([renditions[0].width, renditions[1].width, renditions[2].width], [200, 96, 10]);
    let middle = |index: usize| {
        let (width, height, _, data) = read_png(&renditions[index].bytes);
        data[(height / 2 * width + width / 2) as usize * 4..][..3].to_vec()
    };
    assert_eq!([middle(0), middle(1), middle(2)], [vec![255, 0, 0], vec![255, 0, 0], vec![0, 0, 0]]);
}

#[test]
fn an_svg_without_ground_is_transparent_and_a_pdf_is_on_paper() {
    let svg = format!(
        "<svg {SVG} width='4' height='4'><rect width='2' height='4' fill='#f00' opacity='.5'/></svg>"
    );
    let (_, _, color, data) = pixels(svg.as_bytes(), "full/max/0/default.png");
    assert_eq!(color, png::ColorType::Rgba);
    assert_eq!((&data[..4], &data[12..16]), (&[255, 0, 0, 128][..], &[0; 4][..]));
    let white = pixels(svg.as_bytes(), "full/max/0/default.jpg".replace("jpg", "png").as_str());
    assert_eq!(white.0, 4);
    let pdf = pdf_of("/MediaBox[0 0 4 4]", "", &picture(2, 2));
    let (_, _, color, data) = pixels(&pdf, "full/max/0/default.png");
    assert_eq!((color, data), (png::ColorType::Rgb, vec![255; 48]));
}

#[test]
fn a_page_is_cropped_and_turned_as_it_says() {
    let image = quarters(20, 20);
    let operators = "q 40 0 0 40 0 0 cm /Im0 Do Q";
    let cropped = pdf_of("/MediaBox[0 0 40 40]/CropBox[0 20 20 40]", operators, &image);
    assert_eq!(size(&cropped), (20, 20));
    assert_eq!(rgb(&cropped, "full/max/0/default.png").at(10, 10), [255, 0, 0]);
    let turned = pdf_of("/MediaBox[0 0 40 40]/Rotate 90", operators, &image);
    assert_eq!(rgb(&turned, "full/max/0/default.png").at(30, 10), [255, 0, 0]);
}

#[test]
fn text_is_drawn_with_the_fonts_that_come_along() {
    let ink = |source: &[u8]| {
        let image = rgb(source, "full/max/0/gray.png");
        image.data.iter().filter(|level| **level < 128).count()
    };
    for family in ["sans-serif", "serif", "monospace", "A Font That Nobody Has"] {
        let text = format!("<text x='10' y='40' font-size='40' font-family='{family}'>Hello</text>");
        let ground = "<rect width='200' height='50' fill='white'/>";
        let svg = format!("<svg {SVG} width='200' height='50'>{ground}{text}</svg>");
        assert!(ink(svg.as_bytes()) > 1000, "{family}");
    }
    let pdf = pdf_of("/MediaBox[0 0 200 50]", "BT /F1 40 Tf 10 10 Td (Hello) Tj ET", &picture(2, 2));
    assert!(ink(&pdf) > 1000);
}

#[test]
fn nothing_outside_of_an_svg_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("red.png");
    std::fs::write(&path, png(&quarters(8, 8))).unwrap();
    let path = path.display();
    let secret = folder.path().join("secret.txt");
    std::fs::write(&secret, "<rect width='8' height='8'/>").unwrap();
    let secret = secret.display();
    let images = [
        format!("<image width='8' height='8' href='{path}'/>"),
        format!("<image width='8' height='8' href='file://{path}'/>"),
        format!("<image width='8' height='8' href='http://127.0.0.1:1{path}'/>"),
        format!(
            "<filter id='f'><feImage href='{path}'/></filter><rect width='8' height='8' fill='none' filter='url(#f)'/>"
        ),
        {
            let inner =
                format!("<svg {SVG} width='8' height='8'><image width='8' height='8' href='{path}'/></svg>");
            format!(
                "<image width='8' height='8' href='data:image/svg+xml;base64,{}'/>",
                base64(inner.as_bytes())
            )
        },
    ];
    for image in images {
        let svg = format!("<svg {SVG} width='8' height='8'>{image}</svg>");
        let (.., data) = pixels(svg.as_bytes(), "full/max/0/default.png");
        assert!(data.iter().all(|sample| *sample == 0), "{image}");
    }
    // The same image inside the file is drawn.
    let inside = base64(&png(&quarters(8, 8)));
    let svg = format!(
        "<svg {SVG} width='8' height='8'><image width='8' height='8' href='data:image/png;base64,{inside}'/></svg>"
    );
    assert_eq!(pixels(svg.as_bytes(), "full/max/0/default.png").3[..4], [255, 0, 0, 255]);
    // An entity of another file is none.
    let entity =
        format!("<!DOCTYPE svg [<!ENTITY x SYSTEM '{secret}'>]><svg {SVG} width='8' height='8'>&x;</svg>");
    match all(entity.as_bytes(), &recipe("full/max/0/default.png")) {
        Ok(renditions) => assert!(read_png(&renditions[0].bytes).3.iter().all(|sample| *sample == 0)),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt),
    }
}

#[test]
fn limits_are_of_what_is_drawn() {
    let limits = Limits { max_pixels: 10_000, ..Limits::default() };
    let nothing = Rgb { width: 1, height: 1, data: vec![0; 3] };
    let huge =
        format!("<svg {SVG} width='100000' height='100000'><rect width='50000' height='50000'/></svg>");
    let page = pdf_of("/MediaBox[0 0 14400 14400]", "0 0 7200 7200 re f", &nothing);
    for source in [huge.as_bytes(), &page] {
        // All of it is too much; a small picture of it is not.
        let error = derive(source, &recipe("full/max/0/default.png"), &mut Vec::new(), &limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooManyPixels, "{error}");
        let mut renditions = Vec::new();
        derive(source, &recipe("full/!100,100/0/default.png"), &mut renditions, &limits).unwrap();
        assert_eq!((renditions[0].width, renditions[0].height), (100, 100));
        // Nor does a small part of it, very large, take more than the limit.
        derive(source, &recipe("0,0,10,10/^100,100/0/default.png"), &mut Vec::new(), &limits).unwrap();
        let need = |request: &str| memory_need(&probe(source).unwrap(), &recipe(request));
        assert!(need("full/!100,100/0/default.png") < 64 << 20);
        assert!(need("full/!5000,5000/0/default.png") > 100 << 20);
    }
}

#[test]
fn svgs_made_to_waste_are_refused() {
    let limits = Limits { max_pixels: 1_000_000, ..Limits::default() };
    let refused = |source: &[u8]| {
        derive(source, &recipe("full/max/0/default.png"), &mut Vec::new(), &limits).unwrap_err()
    };
    // Layers in layers, each a canvas.
    let (open, close) = ("<g opacity='.9'>".repeat(100), "</g>".repeat(100));
    let deep = format!("<svg {SVG} width='9' height='9'>{open}<rect width='9' height='9'/>{close}</svg>");
    let error = refused(deep.as_bytes());
    assert!(error.to_string().contains("layers"), "{error}");
    // Uses of uses of uses.
    let mut uses = String::from("<g id='u0'><rect width='1' height='1'/></g>");
    for level in 1..12 {
        let again = format!("<use href='#u{}'/>", level - 1).repeat(10);
        uses.push_str(&format!("<g id='u{level}'>{again}</g>"));
    }
    let error = refused(
        format!("<svg {SVG} width='9' height='9'><defs>{uses}</defs><use href='#u11'/></svg>").as_bytes(),
    );
    assert!(error.to_string().contains("elements"), "{error}");
    // Groups as deep as a megabyte of text gets.
    let (open, close) = ("<g>".repeat(60_000), "</g>".repeat(60_000));
    let _ = derive(
        format!("<svg {SVG} width='9' height='9'>{open}{close}</svg>").as_bytes(),
        &recipe("full/max/0/default.png"),
        &mut Vec::new(),
        &limits,
    );
    // Text that unpacks to a thousand times itself.
    let bomb = {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(format!("<svg {SVG} width='9' height='9'>").as_bytes()).unwrap();
        for _ in 0..70 {
            encoder.write_all(&vec![b' '; 1 << 20]).unwrap();
        }
        encoder.write_all(b"</svg>").unwrap();
        encoder.finish().unwrap()
    };
    let error = refused(&bomb);
    assert_eq!(error.kind(), ErrorKind::TooManyPixels, "{error}");
    assert!(error.to_string().contains("64 MB"), "{error}");
}
