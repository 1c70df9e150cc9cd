//! Images made in code, and ways to look at what came out.
#![allow(dead_code, clippy::unwrap_used)] // each test file uses its own part, and made-up files are whole

pub mod tiff_file;

use std::io::Cursor;

use imgmill_image::{Error, Limits, Recipe, Rendition, derive};

/// Three channels, rows without gaps.
pub struct Rgb {
    pub width: u32,
    pub height: u32,
    pub data: Vec<u8>,
}

impl Rgb {
    pub fn at(&self, x: u32, y: u32) -> [u8; 3] {
        let at = (y as usize * self.width as usize + x as usize) * 3;
        [self.data[at], self.data[at + 1], self.data[at + 2]]
    }
}

/// A smooth picture with some texture, different in every quarter, so that a wrong turn or colour shows.
pub fn picture(width: u32, height: u32) -> Rgb {
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
            let wave = 20.0 * (u * 40.0).sin() * (v * 30.0).cos();
            data.push((40.0 + 180.0 * u + wave) as u8);
            data.push((30.0 + 190.0 * v + wave) as u8);
            data.push((220.0 - 150.0 * u * v + wave) as u8);
        }
    }
    Rgb { width, height, data }
}

/// Red, green, blue and white quarters, clockwise from the top left.
pub fn quarters(width: u32, height: u32) -> Rgb {
    let colour = |x, y| match (x < width / 2, y < height / 2) {
        (true, true) => [255, 0, 0],
        (false, true) => [0, 255, 0],
        (false, false) => [0, 0, 255],
        (true, false) => [255, 255, 255],
    };
    let data = (0..height).flat_map(|y| (0..width).flat_map(move |x| colour(x, y))).collect();
    Rgb { width, height, data }
}

pub fn png(image: &Rgb) -> Vec<u8> {
    png_of(image.width, image.height, png::ColorType::Rgb, png::BitDepth::Eight, &image.data, |_| {})
}

pub fn png_of(
    width: u32,
    height: u32,
    color: png::ColorType,
    depth: png::BitDepth,
    data: &[u8],
    extra: impl FnOnce(&mut png::Encoder<'_, &mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    extra(&mut encoder);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    bytes
}

/// A JPEG by our own encoder: `options` is the inside of a recipe entry.
/// The same pixels in seven passes (PNG § 8.2), each row without a filter.
pub fn interlaced_png(image: &Rgb) -> Vec<u8> {
    const PASSES: [[u32; 4]; 7] =
        [[0, 8, 0, 8], [4, 8, 0, 8], [0, 4, 4, 8], [2, 4, 0, 4], [0, 2, 2, 4], [1, 2, 0, 2], [0, 1, 1, 2]];
    let mut raw = Vec::new();
    for [left, across, top, down] in PASSES {
        if left >= image.width {
            continue;
        }
        for y in (top..image.height).step_by(down as usize) {
            raw.push(0);
            (left..image.width).step_by(across as usize).for_each(|x| raw.extend(image.at(x, y)));
        }
    }
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &raw).unwrap();
    let mut header = [image.width.to_be_bytes(), image.height.to_be_bytes()].concat();
    header.extend([8, 2, 0, 0, 1]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in [(b"IHDR", header), (b"IDAT", packed.finish().unwrap()), (b"IEND", Vec::new())] {
        let mut crc = flate2::Crc::new();
        crc.update(name);
        crc.update(&data);
        file.extend((data.len() as u32).to_be_bytes());
        file.extend(name);
        file.extend(data);
        file.extend(crc.sum().to_be_bytes());
    }
    file
}

pub fn jpeg(image: &Rgb, options: &str) -> Vec<u8> {
    let recipe = Recipe::parse_json(&format!("{{\"a\": {{{options}}}}}")).unwrap();
    only(&png(image), &recipe).bytes
}

/// Puts a segment right behind a JPEG's first two bytes.
pub fn with_segment(jpeg: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend([0xFF, marker]);
    bytes.extend((payload.len() as u16 + 2).to_be_bytes());
    bytes.extend(payload);
    bytes.extend(&jpeg[2..]);
    bytes
}

/// A PNG with one more chunk, right behind IHDR, which ends at 33. A chunk is its length, its name, its bytes and the
/// checksum of the two.
pub fn with_chunk(png: &[u8], name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let chunk = [name, data].concat();
    let (length, sum) = ((data.len() as u32).to_be_bytes(), crc32(&chunk).to_be_bytes());
    [&png[..33], &length, &chunk, &sum, &png[33..]].concat()
}

/// PNG's checksum.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// An EXIF block with an orientation and a camera's serial number.
pub fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"Exif\0\0II*\0\x08\0\0\0\x02\0".to_vec();
    block.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
    block.extend([0x31, 0xA4, 2, 0, 8, 0, 0, 0, 38, 0, 0, 0]);
    block.extend([0, 0, 0, 0]);
    block.extend(b"SERIAL1\0");
    block
}

pub fn gif(image: &Rgb) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = (image.width as u16, image.height as u16);
    let mut encoder = gif::Encoder::new(&mut bytes, width, height, &[]).unwrap();
    encoder.write_frame(&gif::Frame::from_rgb(width, height, &image.data)).unwrap();
    drop(encoder);
    bytes
}

pub fn webp(image: &Rgb) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = image_webp::WebPEncoder::new(&mut bytes);
    encoder.encode(&image.data, image.width, image.height, image_webp::ColorType::Rgb8).unwrap();
    bytes
}

pub fn tiff(image: &Rgb) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut file).unwrap();
    encoder.write_image::<tiff::encoder::colortype::RGB8>(image.width, image.height, &image.data).unwrap();
    file.into_inner()
}

/// 24 bits a pixel, bottom row first.
pub fn bmp(image: &Rgb) -> Vec<u8> {
    let stride = (image.width as usize * 3).next_multiple_of(4);
    let mut bytes = b"BM".to_vec();
    bytes.extend((54 + stride as u32 * image.height).to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(54u32.to_le_bytes());
    bytes.extend(40u32.to_le_bytes());
    bytes.extend(image.width.to_le_bytes());
    bytes.extend(image.height.to_le_bytes());
    bytes.extend([1, 0, 24, 0]);
    bytes.extend([0; 24]);
    for row in image.data.chunks_exact(image.width as usize * 3).rev() {
        let start = bytes.len();
        bytes.extend(row.chunks_exact(3).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]));
        bytes.resize(start + stride, 0);
    }
    bytes
}

/// An AVIF by our own encoder, at its best.
#[cfg(feature = "avif")]
pub fn avif(image: &Rgb) -> Vec<u8> {
    let recipe = Recipe::parse_json(r#"{"a": {"format": "avif", "q": 100, "effort": 0}}"#).unwrap();
    only(&png(image), &recipe).bytes
}

/// A lossless JPEG 2000 of one of the two pictures that there are: no encoder is at hand, so these were written by
/// libvips 8.14 (`vips jp2ksave picture.ppm picture-97.jp2 --lossless --tile-width 64 --tile-height 64`) from what
/// [`picture`] draws.
#[cfg(feature = "jpeg2000")]
pub fn jp2(image: &Rgb) -> Vec<u8> {
    match (image.width, image.height) {
        (97, 61) => include_bytes!("../fixtures/picture-97.jp2").to_vec(),
        (60, 44) => include_bytes!("../fixtures/picture-60.jp2").to_vec(),
        other => panic!("there is no JPEG 2000 of {other:?}"),
    }
}

/// The codestream in a JP2, which is its last box.
#[cfg(feature = "jpeg2000")]
pub fn codestream(jp2: &[u8]) -> Vec<u8> {
    let at = jp2.windows(4).position(|window| window == [0xFF, 0x4F, 0xFF, 0x51]).unwrap();
    jp2[at..].to_vec()
}

/// A drawing that is nothing but a PNG of the picture.
#[cfg(feature = "svg")]
pub fn svg(image: &Rgb) -> Vec<u8> {
    let (width, height, data) = (image.width, image.height, base64(&png(image)));
    format!(
        "<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}'>\
         <image width='{width}' height='{height}' href='data:image/png;base64,{data}'/></svg>"
    )
    .into_bytes()
}

#[cfg(feature = "svg")]
pub fn svgz(image: &Rgb) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&svg(image)).unwrap();
    encoder.finish().unwrap()
}

pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| (word << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let index = (word >> (18 - 6 * digit)) as usize & 63;
            text.push(if digit <= chunk.len() { DIGITS[index].into() } else { '=' });
        }
    }
    text
}

/// A PDF of one page that some operators draw, with one image, `/Im0`.
#[cfg(feature = "pdf")]
pub fn pdf_of(page: &str, operators: &str, image: &Rgb) -> Vec<u8> {
    let (width, height) = (image.width, image.height);
    let stream = |dictionary: &str, data: &[u8]| {
        let length = data.len();
        [format!("<<{dictionary}/Length {length}>>\nstream\n").as_bytes(), data, b"\nendstream"].concat()
    };
    let picture = format!(
        "/Type/XObject/Subtype/Image/Width {width}/Height {height}/ColorSpace/DeviceRGB/BitsPerComponent 8"
    );
    let font = "/F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>";
    let objects = [
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>".to_vec(),
        format!(
            "<</Type/Page/Parent 2 0 R{page}/Contents 4 0 R/Resources<</Font<<{font}>>/XObject<</Im0 5 0 R>>>>>>"
        )
        .into_bytes(),
        stream("", operators.as_bytes()),
        stream(&picture, &image.data),
    ];
    let mut bytes = b"%PDF-1.4\n".to_vec();
    let mut table = String::from("0000000000 65535 f \n");
    for (index, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", bytes.len()));
        bytes.extend(format!("{} 0 obj\n", index + 1).bytes());
        bytes.extend(object);
        bytes.extend(b"\nendobj\n");
    }
    let (at, count) = (bytes.len(), objects.len() + 1);
    bytes.extend(
        format!("xref\n0 {count}\n{table}trailer\n<</Size {count}/Root 1 0 R>>\nstartxref\n{at}\n%%EOF\n")
            .bytes(),
    );
    bytes
}

/// A page that is nothing but the picture.
#[cfg(feature = "pdf")]
pub fn pdf(image: &Rgb) -> Vec<u8> {
    let (width, height) = (image.width, image.height);
    let operators = format!("q {width} 0 0 {height} 0 0 cm /Im0 Do Q");
    pdf_of(&format!("/MediaBox[0 0 {width} {height}]"), &operators, image)
}

/// Every decodable format, as a file of the same picture.
pub fn every_format(image: &Rgb) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        #[cfg(feature = "avif")]
        ("avif", avif(image)),
        #[cfg(feature = "jpeg2000")]
        ("jpeg 2000", jp2(image)),
        #[cfg(feature = "jpeg2000")]
        ("jpeg 2000 codestream", codestream(&jp2(image))),
        #[cfg(feature = "svg")]
        ("svg", svg(image)),
        #[cfg(feature = "svg")]
        ("svgz", svgz(image)),
        #[cfg(feature = "pdf")]
        ("pdf", pdf(image)),
        ("baseline jpeg", jpeg(image, r#""q": 92"#)),
        ("progressive jpeg", jpeg(image, r#""progressive": true"#)),
        ("png", png(image)),
        ("gif", gif(image)),
        ("lossless webp", webp(image)),
        ("lossy webp", only(&png(image), &recipe("full/max/0/default.webp")).bytes),
        ("tiff", tiff(image)),
        ("lzw tiff", {
            let recipe = Recipe::parse_json(r#"{"a": {"format": "tif", "compression": "lzw"}}"#).unwrap();
            only(&png(image), &recipe).bytes
        }),
        ("deflate tiff", only(&png(image), &recipe("full/max/0/default.tif")).bytes),
        ("bmp", bmp(image)),
    ]
}

pub fn recipe(request: &str) -> Recipe {
    Recipe::new(vec![format!("a={request}").parse().unwrap()]).unwrap()
}

pub fn all(source: &[u8], recipe: &Recipe) -> Result<Vec<Rendition>, Error> {
    let mut renditions = Vec::new();
    derive(source, recipe, &mut renditions, &Limits::default())?;
    Ok(renditions)
}

/// The one rendition of a recipe of one.
pub fn only(source: &[u8], recipe: &Recipe) -> Rendition {
    all(source, recipe).unwrap().remove(0)
}

/// What a request makes of a source, as pixels; the format must be png.
pub fn pixels(source: &[u8], request: &str) -> (u32, u32, png::ColorType, Vec<u8>) {
    let rendition = only(source, &recipe(request));
    read_png(&rendition.bytes)
}

pub fn read_png(bytes: &[u8]) -> (u32, u32, png::ColorType, Vec<u8>) {
    let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().unwrap();
    let mut data = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut data).unwrap();
    (info.width, info.height, info.color_type, data)
}

/// The same as three channels.
pub fn rgb(source: &[u8], request: &str) -> Rgb {
    let (width, height, color, data) = pixels(source, request);
    let data = match color {
        png::ColorType::Rgb => data,
        png::ColorType::Grayscale => data.iter().flat_map(|v| [*v; 3]).collect(),
        // What alpha says is lost.
        png::ColorType::GrayscaleAlpha => data.chunks_exact(2).flat_map(|p| [p[0]; 3]).collect(),
        png::ColorType::Rgba => data.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect(),
        other => panic!("unexpected {other:?}"),
    };
    Rgb { width, height, data }
}

/// Peak signal-to-noise ratio in dB.
pub fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let squares: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0f64.powi(2) / (squares / a.len() as f64).max(1e-9)).log10()
}

/// A baseline JPEG of 8×8 blocks that are each one colour: `blocks` holds one level for each component of each block,
/// left to right, top to bottom. Written by hand (ITU-T T.81), because no encoder here writes CMYK.
pub fn flat_jpeg(across: u16, down: u16, components: u8, adobe: Option<u8>, blocks: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8];
    let mut segment = |marker: u8, payload: &[u8]| {
        bytes.extend([0xFF, marker]);
        bytes.extend((payload.len() as u16 + 2).to_be_bytes());
        bytes.extend(payload);
    };
    if let Some(transform) = adobe {
        segment(0xEE, &[b"Adobe\0\x64\0\0\0\0".as_slice(), &[transform]].concat());
    }
    segment(0xDB, &[[0].as_slice(), &[1; 64]].concat());
    let mut frame = vec![8];
    frame.extend((down * 8).to_be_bytes());
    frame.extend((across * 8).to_be_bytes());
    frame.push(components);
    frame.extend((1..=components).flat_map(|id| [id, 0x11, 0]));
    segment(0xC0, &frame);
    // DC: the twelve categories as codes of four bits. AC: end of block as a code of one bit.
    let lengths = |at: usize, count: u8| (1..=16).map(move |n| if n == at { count } else { 0 });
    segment(0xC4, &[0].into_iter().chain(lengths(4, 12)).chain(0..12).collect::<Vec<u8>>());
    segment(0xC4, &[0x10].into_iter().chain(lengths(1, 1)).chain([0]).collect::<Vec<u8>>());
    let mut scan = vec![components];
    scan.extend((1..=components).flat_map(|id| [id, 0]));
    scan.extend([0, 63, 0]);
    segment(0xDA, &scan);
    bytes.extend(flat_scan(components.into(), blocks));
    bytes.extend([0xFF, 0xD9]);
    bytes
}

fn flat_scan(components: usize, blocks: &[u8]) -> Vec<u8> {
    let mut bits = Vec::new();
    let mut push = |value: u32, count: u32| bits.extend((0..count).rev().map(|bit| (value >> bit) & 1));
    let mut last = vec![0i32; components];
    for block in blocks.chunks_exact(components) {
        for (level, last) in block.iter().zip(&mut last) {
            let dc = (i32::from(*level) - 128) * 8;
            let change = dc - *last;
            *last = dc;
            let category = 32 - change.unsigned_abs().leading_zeros();
            push(category, 4);
            let value = if change < 0 { change + (1 << category) - 1 } else { change };
            push(value as u32, category);
            push(0, 1);
        }
    }
    bits.resize(bits.len().next_multiple_of(8), 1);
    let byte = |bits: &[u32]| bits.iter().fold(0u32, |byte, bit| (byte << 1) | bit) as u8;
    bits.chunks_exact(8).map(byte).flat_map(|b| if b == 0xFF { vec![b, 0] } else { vec![b] }).collect()
}
