//! What cannot be read in order lies in a scratch file where it is large: the same pyramids come of it as from memory,
//! less memory is said to be needed, and a disk that has no room is an error.
#![allow(clippy::unwrap_used)] // in tests' own helpers too

mod support;

use std::io;

use imgmill_image::{
    ErrorKind, Limits, OnTruncated, Recipe, Rendition, ScratchFile, Sink, derive, memory_need, needs, probe,
};
use support::*;

/// A sink that gives scratch files, or an error, and notes what was asked for.
struct Desk {
    give: fn() -> io::Result<ScratchFile>,
    asked: Vec<u64>,
    renditions: Vec<Rendition>,
}

impl Desk {
    fn new(give: fn() -> io::Result<ScratchFile>) -> Self {
        Self { give, asked: Vec::new(), renditions: Vec::new() }
    }
}

impl Sink for Desk {
    fn put(&mut self, rendition: Rendition) -> io::Result<()> {
        self.renditions.put(rendition)
    }

    fn scratch(&mut self, bytes: u64) -> io::Result<Option<ScratchFile>> {
        self.asked.push(bytes);
        (self.give)().map(Some)
    }
}

/// A file whose beginning is somebody else's.
fn file() -> io::Result<ScratchFile> {
    Ok(ScratchFile { file: tempfile::tempfile()?.into(), start: 1 << 16 })
}

fn pyramid(options: &str) -> Recipe {
    Recipe::parse_json(&format!(r#"{{"p": {{"format": "ptif", "tile": 1024{options}}}}}"#)).unwrap()
}

const PLAIN: &str = r#", "compression": "none""#;

/// More than 32 MiB in three channels of each pixel, and in four.
const SIZE: (u32, u32) = (5601, 2003);

fn large((width, height): (u32, u32)) -> Rgb {
    let pixel = |n: u32| [(n % 251) as u8, (n / 7 % 83) as u8 * 3, (n / width) as u8];
    Rgb { width, height, data: (0..width * height).flat_map(pixel).collect() }
}

/// The same pyramid comes from a scratch file as from memory; answers the bytes that were laid in it.
fn lies_aside(source: &[u8], options: &str, limits: &Limits) -> u64 {
    let recipe = pyramid(options);
    let mut in_memory: Vec<Rendition> = Vec::new();
    let from_memory = derive(source, &recipe, &mut in_memory, limits).unwrap();
    let mut desk = Desk::new(file);
    let from_file = derive(source, &recipe, &mut desk, limits).unwrap();
    assert!(in_memory == desk.renditions && from_memory == from_file);

    let header = probe(source).unwrap();
    let (asked, needed) = (desk.asked.iter().sum::<u64>(), needs(&header, &recipe));
    assert!(asked > 0 && asked <= needed.scratch, "{asked} of {}", needed.scratch);
    assert!(memory_need(&header, &recipe) >= needed.memory + needed.scratch);
    asked
}

#[test]
fn a_progressive_jpegs_coefficients_lie_aside() {
    let image = large((2600, 2200));
    let full = jpeg(&image, r#""progressive": true, "q": 95"#);
    // As RGB, and as the planes that they are.
    for options in [PLAIN, r#", "compression": "jpeg""#] {
        let blocks = u64::from(2600u32.div_ceil(8) * 2200u32.div_ceil(8));
        assert_eq!(lies_aside(&full, options, &Limits::default()), blocks * 64 * 6);
    }
    let turned = with_segment(&full, 0xE1, &exif(6));
    lies_aside(&turned, PLAIN, &Limits::default());
    // With colour at half the resolution there are few enough for memory.
    let mut desk = Desk::new(file);
    let few = jpeg(&image, r#""progressive": true, "q": 85"#);
    derive(&few, &pyramid(PLAIN), &mut desk, &Limits::default()).unwrap();
    assert!(desk.asked.is_empty());
}

#[test]
fn whole_formats_lie_aside() {
    let image = large(SIZE);
    for source in [bmp(&image), webp(&image), gif_of_few_colours(SIZE)] {
        lies_aside(&source, PLAIN, &Limits::default());
    }
}

#[test]
fn an_interlaced_png_lies_aside_even_cut() {
    let source = interlaced_png(&large(SIZE));
    lies_aside(&source, PLAIN, &Limits::default());
    let accept = Limits { on_truncated: OnTruncated::Accept, ..Limits::default() };
    for source in [&source[..], &source[..source.len() * 2 / 3]] {
        lies_aside(source, PLAIN, &accept);
    }
}

#[test]
fn memory_grows_with_the_width_alone() {
    let recipe = pyramid(PLAIN);
    let small = large((700, 9));
    let progressive = jpeg(&small, "\"progressive\": true, \"q\": 95");
    let frame = progressive.windows(2).position(|marker| marker == [0xFF, 0xC2]).unwrap();
    // The heights that headers say; no pixel is looked at.
    let of = |height: u16| {
        let (mut bmp, mut gif, mut jpeg) = (bmp(&small), gif_of_few_colours((700, 9)), progressive.clone());
        bmp[22..24].copy_from_slice(&height.to_le_bytes());
        gif[8..10].copy_from_slice(&height.to_le_bytes());
        jpeg[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
        [bmp, gif, jpeg].map(|source| needs(&probe(&source).unwrap(), &recipe).memory)
    };
    // From so many rows on, all of these lie in files.
    assert_eq!(of(17_000), of(60_000));

    // The same where it is drawn smaller on the way.
    let smaller = Recipe::parse_json(r#"{"p": {"format": "ptif", "size": "pct:50"}}"#).unwrap();
    let of = |height: u16| {
        let mut bmp = bmp(&small);
        bmp[22..24].copy_from_slice(&height.to_le_bytes());
        needs(&probe(&bmp).unwrap(), &smaller).memory
    };
    assert!(of(60_000) < of(17_000) * 11 / 10);
}

#[test]
fn a_disk_without_room_is_an_error() {
    let source = bmp(&large(SIZE));
    let full = || Err(io::Error::from(io::ErrorKind::StorageFull));
    let closed = || Ok(ScratchFile { file: std::fs::File::open("/dev/null")?.into(), start: 0 });
    for give in [full, closed as fn() -> _] {
        let mut desk = Desk::new(give);
        let error = derive(&source, &pyramid(PLAIN), &mut desk, &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Sink, "{error}");
        assert!(error.to_string().contains("scratch file"), "{error}");
        assert!(desk.renditions.is_empty());
    }
}

/// A GIF of two frames, the first interlaced and with a hole.
fn gif_of_few_colours((width, height): (u32, u32)) -> Vec<u8> {
    let (width, height) = (width as u16, height as u16);
    let pixels: Vec<u8> = (0..u32::from(width) * u32::from(height)).map(|n| (n / 97 % 3) as u8).collect();
    let mut bytes = Vec::new();
    let palette = [10, 20, 30, 200, 100, 0, 250, 250, 250];
    let mut encoder = gif::Encoder::new(&mut bytes, width, height, &palette).unwrap();
    let interlaced: Vec<u8> = {
        let rows: Vec<&[u8]> = pixels.chunks(width.into()).collect();
        [(0, 8), (4, 8), (2, 4), (1, 2)]
            .into_iter()
            .flat_map(|(first, step)| rows.iter().skip(first).step_by(step))
            .flat_map(|row| row.iter().copied())
            .collect()
    };
    let frame = gif::Frame {
        width,
        height,
        interlaced: true,
        transparent: Some(1),
        buffer: interlaced.into(),
        ..gif::Frame::default()
    };
    encoder.write_frame(&frame).unwrap();
    encoder.write_frame(&gif::Frame { interlaced: false, buffer: pixels.into(), ..frame }).unwrap();
    drop(encoder);
    bytes
}
