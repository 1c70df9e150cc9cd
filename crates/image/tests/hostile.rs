//! Cut, damaged and oversized files: errors, never a panic, a hang, or half an image taken for whole.
#![allow(clippy::unwrap_used)] // in tests' own helpers too

mod support;

use std::time::{Duration, Instant};

use imgmill_image::{ErrorKind, Limits, OnTruncated, Recipe, derive, memory_need, probe, sniff};
use support::*;

/// Both paths: coefficients and pixels.
fn demanding() -> Recipe {
    let requests = ["a=full/max/0/gray.jpg", "b=full/max/0/default.png", "c=square/!20,20/90/default.jpg"];
    Recipe::new(requests.iter().map(|text| text.parse().unwrap()).collect()).unwrap()
}

#[test]
fn files_cut_anywhere_are_errors() {
    let image = picture(60, 44);
    for (name, source) in every_format(&image) {
        assert!(all(&source, &demanding()).is_ok(), "{name} is whole");
        let step = (source.len() / 150).max(1);
        for length in (0..source.len() - 1).step_by(step) {
            // Writers exist that leave out the trailer; a GIF without it has lost no pixel.
            if name == "gif" && length == source.len() - 1 {
                continue;
            }
            let result = all(&source[..length], &demanding());
            let error = result.err().unwrap_or_else(|| panic!("{name} cut to {length} of {}", source.len()));
            let expected = [ErrorKind::Truncated, ErrorKind::Corrupt, ErrorKind::NotAnImage];
            assert!(expected.contains(&error.kind()), "{name} cut to {length}: {error}");
        }
    }
}

#[test]
fn a_cut_in_the_middle_is_called_truncated() {
    for (name, source) in every_format(&picture(60, 44)) {
        let error = all(&source[..source.len() * 2 / 3], &demanding()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{name}: {error}");
    }
}

#[test]
fn flipped_bits_never_panic_or_hang() {
    let limits = Limits { max_pixels: 1_000_000, ..Limits::default() };
    for (name, source) in every_format(&picture(60, 44)) {
        let started = Instant::now();
        for round in 0..400usize {
            let mut damaged = source.clone();
            // Headers, where the dimensions and lengths are, are hit more often than the rest.
            let reach = if round % 2 == 0 { damaged.len().min(200) } else { damaged.len() };
            for shot in 0..=round % 3 {
                let place = (round * 7919 + shot * 104_729) % reach;
                damaged[place] ^= 1 << ((round + shot) % 8);
            }
            let _ = sniff(&damaged);
            if let Ok(header) = probe(&damaged) {
                let _ = memory_need(&header, &demanding());
            }
            let _ = derive(&damaged, &demanding(), &mut Vec::new(), &limits);
        }
        assert!(started.elapsed() < Duration::from_secs(120), "{name} took {:?}", started.elapsed());
    }
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    // A PNG that claims 65535×65535 pixels and holds none.
    let mut source = png(&picture(2, 2));
    source[16..24].copy_from_slice(&[0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF]);
    let crc = crc32(&source[12..29]);
    source[29..33].copy_from_slice(&crc.to_be_bytes());
    let error = all(&source, &Recipe::gray()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyPixels, "{error}");
    assert!(error.to_string().contains("65535×65535"), "{error}");
}

#[test]
fn a_progressive_jpeg_of_very_many_scans_is_refused() {
    let source = jpeg(&picture(64, 64), r#""progressive": true"#);
    let scan = source.windows(2).rposition(|w| w == [0xFF, 0xDA]).unwrap();
    let (head, last) = source.split_at(scan);
    let mut bomb = head.to_vec();
    for _ in 0..300 {
        bomb.extend(&last[..last.len() - 2]);
    }
    bomb.extend([0xFF, 0xD9]);
    for recipe in [Recipe::gray(), recipe("full/max/0/default.jpg")] {
        let error = all(&bomb, &recipe).unwrap_err();
        assert!(error.to_string().contains("scans"), "{error}");
    }
}

#[test]
fn limits_count_pixels() {
    let source = png(&picture(100, 100));
    let limits = |max_pixels| Limits { max_pixels, ..Limits::default() };
    assert!(derive(&source, &Recipe::gray(), &mut Vec::new(), &limits(10_000)).is_ok());
    let error = derive(&source, &Recipe::gray(), &mut Vec::new(), &limits(9_999)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyPixels);
}

#[test]
fn a_cut_jpeg_is_accepted_where_the_limits_say_so() {
    let accept = Limits { on_truncated: OnTruncated::Accept, ..Limits::default() };
    let image = picture(160, 120);
    for options in [r#""q": 95"#, r#""progressive": true"#] {
        let whole = jpeg(&image, options);
        let mut renditions = Vec::new();
        assert!(!derive(&whole, &demanding(), &mut renditions, &accept).unwrap().truncated);
        let cut = &whole[..whole.len() * 2 / 3];
        for recipe in [demanding(), Recipe::gray(), recipe("full/20,/0/default.png")] {
            let error = derive(cut, &recipe, &mut Vec::new(), &Limits::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
            let mut renditions = Vec::new();
            assert!(derive(cut, &recipe, &mut renditions, &accept).unwrap().truncated, "{options}");
            assert_eq!(renditions.len(), recipe.derivatives().len());
        }
    }
}

#[test]
fn of_a_cut_jpeg_what_is_there_is_right_and_the_rest_is_grey() {
    let accept = Limits { on_truncated: OnTruncated::Accept, ..Limits::default() };
    let image = picture(160, 120);
    let whole = jpeg(&image, r#""q": 95"#);
    let cut = &whole[..whole.len() * 2 / 3];
    for request in ["full/max/0/default.png", "full/max/0/gray.jpg"] {
        let mut renditions = Vec::new();
        derive(cut, &recipe(request), &mut renditions, &accept).unwrap();
        let (found, expected) = (
            rgb(&renditions[0].bytes, "full/max/0/default.png"),
            rgb(&only(&whole, &recipe(request)).bytes, "full/max/0/default.png"),
        );
        let half = found.data.len() / 2;
        assert!(psnr(&found.data[..half], &expected.data[..half]) > 60.0, "{request}");
        let last = &found.data[found.data.len() - 3 * 160..];
        assert!(last.iter().all(|v| v.abs_diff(128) <= 1 || *v == last[0]), "{request}: {last:?}");
        assert_ne!(found.data[half..], expected.data[half..], "{request}");
    }
}

#[test]
fn of_a_cut_png_or_gif_what_is_there_is_right_too() {
    let accept = Limits { on_truncated: OnTruncated::Accept, ..Limits::default() };
    let image = picture(160, 120);
    let with_alpha: Vec<u8> = image.data.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 200]).collect();
    let deep: Vec<u8> = image.data.iter().flat_map(|sample| [*sample, *sample]).collect();
    let of = |color, depth, data: &[u8]| png_of(160, 120, color, depth, data, |_| {});
    let sources = [
        ("rgb png", png(&image), 3, Some(128)),
        ("16-bit png", of(png::ColorType::Rgb, png::BitDepth::Sixteen, &deep), 3, Some(128)),
        ("png with alpha", of(png::ColorType::Rgba, png::BitDepth::Eight, &with_alpha), 4, Some(0)),
        ("gif", gif(&image), 4, Some(0)),
    ];
    for (name, whole, channels, missing) in sources {
        let cut = &whole[..whole.len() * 2 / 3];
        let mut renditions = Vec::new();
        let made = derive(cut, &recipe("full/max/0/default.png"), &mut renditions, &accept).unwrap();
        assert!(made.truncated, "{name}");
        let (_, _, _, found) = read_png(&renditions[0].bytes);
        let (_, _, color, expected) = pixels(&whole, "full/max/0/default.png");
        let row =
            |data: &[u8], y: usize, channels: usize| data[y * 160 * channels..][..160 * channels].to_vec();
        let seen =
            |row: Vec<u8>, n: usize| row.chunks_exact(n).flat_map(|p| p[..3].to_vec()).collect::<Vec<_>>();
        for y in [0, 30, 50] {
            let (found, expected) = (row(&found, y, channels), row(&expected, y, color.samples()));
            assert_eq!(seen(found, channels), seen(expected, color.samples()), "{name}, row {y}");
        }
        let last = row(&found, 119, channels);
        assert!(last.iter().all(|sample| Some(*sample) == missing), "{name}: {:?}", &last[..8]);
        // Nothing of it is there, or all of it.
        assert!(derive(&whole[..90], &recipe("full/max/0/default.png"), &mut Vec::new(), &accept).is_err());
        let made = derive(&whole, &recipe("full/max/0/default.png"), &mut Vec::new(), &accept).unwrap();
        assert!(!made.truncated, "{name}");
    }
}

#[test]
fn accepting_cut_files_lets_nothing_else_pass() {
    let limits = Limits { max_pixels: 1_000_000, on_truncated: OnTruncated::Accept, ..Limits::default() };
    for (name, source) in every_format(&picture(60, 44)) {
        let cut = &source[..source.len() * 2 / 3];
        let result = derive(cut, &demanding(), &mut Vec::new(), &limits);
        let goes_on = name.ends_with("jpeg") || name == "png" || name == "gif";
        assert_eq!(result.is_ok(), goes_on, "{name}: {:?}", result.err());
        // A JPEG whose headers are not whole has nothing to give.
        assert!(derive(&source[..60], &demanding(), &mut Vec::new(), &limits).is_err(), "{name}");
    }
    // Damaged, not cut: a marker in the middle of the data.
    let mut damaged = jpeg(&picture(160, 120), r#""q": 95"#);
    let middle = damaged.len() / 2;
    damaged[middle..middle + 2].copy_from_slice(&[0xFF, 0xD9]);
    let error = derive(&damaged, &demanding(), &mut Vec::new(), &limits).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    // And bits flipped before the cut neither panic nor hang.
    let whole = jpeg(&picture(60, 44), r#""progressive": true"#);
    for round in 0..300usize {
        let mut source = whole[..whole.len() - round].to_vec();
        let place = (round * 7919) % source.len();
        source[place] ^= 1 << (round % 8);
        let _ = derive(&source, &demanding(), &mut Vec::new(), &limits);
    }
}

/// Found by fuzzing: sampling factors of 0 made the block count divide by zero.
#[test]
fn sampling_factors_of_zero_are_named() {
    let file = b"\xff\xd8\xff\xc0\0\x11\x08\0\x17\0\x17\x03\x01\0\0\x02\0\0\x03\0\0\xff\xda\0\x08\x01\x01\0\0?\0\0\xff\xd9";
    let error = probe(file).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("sampling factor"), "{error}");
}

#[test]
fn limits_count_bytes_and_frames() {
    let source = png(&picture(20, 20));
    let limits = |max_bytes| Limits { max_bytes, ..Limits::default() };
    let length = source.len() as u64;
    assert!(derive(&source, &Recipe::gray(), &mut Vec::new(), &limits(length)).is_ok());
    let error = derive(&source, &Recipe::gray(), &mut Vec::new(), &limits(length - 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyBytes, "{error}");

    let mut animation = Vec::new();
    let mut encoder = gif::Encoder::new(&mut animation, 2, 2, &[]).unwrap();
    for shade in 0..5 {
        encoder.write_frame(&gif::Frame::from_rgb(2, 2, &[shade; 12])).unwrap();
    }
    drop(encoder);
    let limits = |max_frames| Limits { max_frames, ..Limits::default() };
    assert!(derive(&animation, &Recipe::gray(), &mut Vec::new(), &limits(5)).is_ok());
    let error = derive(&animation, &Recipe::gray(), &mut Vec::new(), &limits(4)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyFrames, "{error}");
}

#[test]
fn nothing_is_made_past_the_deadline() {
    let late = Limits { deadline: Some(Instant::now()), ..Limits::default() };
    for (name, source) in every_format(&picture(60, 44)) {
        let error = derive(&source, &demanding(), &mut Vec::new(), &late).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{name}: {error}");
        let soon = Limits::default().within(Duration::from_secs(600));
        assert!(derive(&source, &demanding(), &mut Vec::new(), &soon).is_ok(), "{name}");
    }
}

/// Each of these takes seconds in a debug build where nothing stops it. (The scans that are there too often are found
/// to be damaged, but later than this.)
#[test]
fn the_deadline_is_seen_within_long_steps() {
    let large = jpeg(&picture(3000, 2000), r#""progressive": true"#);
    let scan = large.windows(2).rposition(|w| w == [0xFF, 0xDA]).unwrap();
    let mut scans = large[..scan].to_vec();
    for _ in 0..150 {
        scans.extend(&large[scan..large.len() - 2]);
    }
    scans.extend([0xFF, 0xD9]);
    let limits = Limits { on_truncated: OnTruncated::Accept, ..Limits::default() };
    let cases = [
        ("scans to pixels", &scans, "full/max/0/default.png"),
        ("scans to coefficients", &scans, "full/max/0/gray.jpg"),
        ("a blur", &large, "full/max/0/crisp:50,1,0.png"),
        ("a median", &large, "full/max/0/crisp:0,0,10.png"),
    ];
    for (name, source, request) in cases {
        let started = Instant::now();
        let within = limits.within(Duration::from_millis(2));
        let error = derive(source, &recipe(request), &mut Vec::new(), &within).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{name}: {error}");
        assert!(started.elapsed() < Duration::from_secs(5), "{name} took {:?}", started.elapsed());
    }
}
