//! TIFF strips that are so high that they are read in parts.
#![allow(clippy::unwrap_used)] // in tests' own helpers too

mod support;

use std::io::Write;

use imgmill_image::{ErrorKind, Recipe, needs, probe};
use support::tiff_file::Tiff;
use support::*;

const WIDTH: u32 = 7;
const LZW: u16 = 5;
const DEFLATE: u16 = 8;
const PACKBITS: u16 = 32773;
const ZSTD: u16 = 50000;

fn grey(height: u32) -> Vec<u8> {
    (0..WIDTH * height).map(|n| (n * n / 37 % 251) as u8).collect()
}

fn packed(compression: u16, data: &[u8]) -> Vec<u8> {
    match compression {
        LZW => weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8).encode(data).unwrap(),
        DEFLATE => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(data).unwrap();
            encoder.finish().unwrap()
        }
        PACKBITS => data.chunks(50).flat_map(|some| [&[some.len() as u8 - 1], some].concat()).collect(),
        ZSTD => zstd::encode_all(data, 1).unwrap(),
        _ => data.to_vec(),
    }
}

/// In strips of so many rows.
fn tiff(compression: u16, data: &[u8], rows: u32) -> Tiff {
    let strips: Vec<_> =
        data.chunks((rows * WIDTH) as usize).map(|strip| packed(compression, strip)).collect();
    let strips: Vec<&[u8]> = strips.iter().map(Vec::as_slice).collect();
    let height = data.len() as u32 / WIDTH;
    Tiff::new(WIDTH, height, &strips).short(258, &[8]).short(259, &[compression]).long(278, &[rows])
}

fn pyramid() -> Recipe {
    Recipe::parse_json(r#"{"p": {"format": "ptif", "compression": "none"}}"#).unwrap()
}

#[test]
fn high_strips_are_read_in_parts() {
    // All in one strip, in strips of which a part has 15 rows, and of which it has one.
    for (height, rows) in [(2101, 2101), (2101, 1050), (2300, 1031)] {
        let data = grey(height);
        for compression in [1, LZW, DEFLATE, PACKBITS, ZSTD] {
            let source = tiff(compression, &data, rows).bytes();
            let (_, _, _, found) = pixels(&source, "full/max/0/default.png");
            assert!(found == data, "compression {compression}, {rows} rows");
            // Not more than parts are held.
            assert!(needs(&probe(&source).unwrap(), &pyramid()).memory < 16 << 20);
            let (_, _, _, found) = pixels(&only(&source, &pyramid()).bytes, "full/max/0/default.png");
            assert!(found == data, "compression {compression}, {rows} rows, as a pyramid");
        }
    }
}

#[test]
fn predictors_and_bit_orders_hold_in_parts_too() {
    let data = grey(1500);
    let differences: Vec<u8> = data
        .chunks(WIDTH as usize)
        .flat_map(|row| (0..row.len()).map(|x| row[x].wrapping_sub(if x > 0 { row[x - 1] } else { 0 })))
        .collect();
    let source = tiff(DEFLATE, &differences, 1500).short(317, &[2]).bytes();
    assert!(pixels(&source, "full/max/0/default.png").3 == data);
    let reversed: Vec<u8> = packed(PACKBITS, &data).iter().map(|byte| byte.reverse_bits()).collect();
    let source =
        Tiff::new(WIDTH, 1500, &[&reversed]).short(258, &[8]).short(259, &[PACKBITS]).short(266, &[2]);
    assert!(pixels(&source.bytes(), "full/max/0/default.png").3 == data);
}

#[test]
fn a_high_strip_that_ends_early_is_an_error() {
    let data = grey(1500);
    for compression in [LZW, DEFLATE, PACKBITS, ZSTD] {
        let strip = packed(compression, &data[..data.len() / 2]);
        let source = Tiff::new(WIDTH, 1500, &[&strip]).short(258, &[8]).short(259, &[compression]).bytes();
        let error = all(&source, &recipe("full/max/0/default.png")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{compression}: {error}");
    }
}
