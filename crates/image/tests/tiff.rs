//! TIFF in all its kinds: files put together by hand, tag by tag, and what their pixels must come out as.
#![allow(clippy::unwrap_used)] // in tests' own helpers too

mod support;

use imgmill_image::{ErrorKind, Recipe, probe, probe_page};
use support::tiff_file::{Tiff, strip};
use support::*;

const PNG: &str = "full/max/0/default.png";

fn samples(source: &[u8]) -> Vec<u8> {
    pixels(source, PNG).3
}

/// Bits, `"0"` and `"1"` with spaces between, padded to whole bytes.
fn bits(text: &str) -> Vec<u8> {
    let bits: Vec<u8> = text.bytes().filter(|b| *b != b' ').map(|b| b - b'0').collect();
    bits.chunks(8).map(|byte| byte.iter().enumerate().fold(0, |sum, (n, bit)| sum | bit << (7 - n))).collect()
}

const EOL: &str = "000000000001";
/// Two rows of eight pixels: three white, two black, three white; one black, seven white.
const FAX_ROWS: [&str; 2] = ["1000 11 1000", "00110101 010 1111"];
const FAX_PIXELS: [u8; 16] = [255, 255, 255, 0, 0, 255, 255, 255, 0, 255, 255, 255, 255, 255, 255, 255];

fn fax(compression: u16, options: u32, data: &[u8]) -> Tiff {
    strip(8, 2, data).short(258, &[1]).short(262, &[0]).short(259, &[compression]).long(292, &[options])
}

#[test]
fn fax_group_3_of_one_dimension() {
    let [one, two] = FAX_ROWS;
    let rtc = EOL.repeat(6);
    for text in [
        format!("{EOL}{one}{EOL}{two}{rtc}"),
        // End-of-line codes that end on bytes, and none at all before the first row.
        format!("0000{EOL}{one}0000000000{EOL}{two}"),
        format!("{one}{EOL}{two}{rtc}"),
    ] {
        let data = bits(&text);
        assert_eq!(samples(&fax(3, 0, &data).bytes()), FAX_PIXELS, "{text}");
        let reversed: Vec<u8> = data.iter().map(|byte| byte.reverse_bits()).collect();
        assert_eq!(samples(&fax(3, 0, &reversed).short(266, &[2]).bytes()), FAX_PIXELS, "{text}, reversed");
    }
}

#[test]
fn fax_group_3_of_two_dimensions_and_group_4() {
    // The second row by its changes: black from the start (none white, one black).
    let one = FAX_ROWS[0];
    // Past the black pixel the next change above is at 3, to black again: passed over to 5, then straight on at 8.
    let two = "001 00110101 010 0001 1";
    let group3 = format!("{EOL}1{one}{EOL}0{two}");
    assert_eq!(samples(&fax(3, 1, &bits(&group3)).bytes()), FAX_PIXELS);
    // Group 4: the first row beside a white one, by a run of white and black and then on to the end.
    let group4 = format!("001 1000 11 1 {two} {EOL}{EOL}");
    assert_eq!(samples(&fax(4, 0, &bits(&group4)).bytes()), FAX_PIXELS);
}

#[test]
fn fax_runs_start_rows_on_bytes_or_words() {
    let [one, two] = FAX_ROWS.map(bits);
    let data = [one.as_slice(), &two].concat();
    assert_eq!(samples(&fax(2, 0, &data).bytes()), FAX_PIXELS);
    let words = [one.as_slice(), &two].concat();
    assert_eq!(words.len() % 2, 0);
    assert_eq!(samples(&fax(32771, 0, &words).bytes()), FAX_PIXELS);
}

#[test]
fn damaged_and_cut_fax_data_are_errors() {
    let cut = fax(4, 0, &bits("001 1000")).bytes();
    assert_eq!(all(&cut, &recipe(PNG)).unwrap_err().kind(), ErrorKind::Truncated);
    // A run of 64 pixels in a row of eight.
    let damaged = fax(2, 0, &bits("11011 00110101 11011 00110101")).bytes();
    assert_eq!(all(&damaged, &recipe(PNG)).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn whole_numbers_of_every_depth_fill_the_range() {
    let gray = |depth: u16, data: &[u8]| strip(3, 1, data).short(258, &[depth]);
    assert_eq!(samples(&gray(2, &[0b00_01_11_00]).bytes()), [0, 85, 255]);
    assert_eq!(samples(&gray(4, &[0x07, 0xF0]).bytes()), [0, 119, 255]);
    assert_eq!(samples(&gray(6, &bits("000000 100000 111111")).bytes()), [0, 130, 255]);
    assert_eq!(samples(&gray(10, &bits("0000000000 1000000000 1111111111")).bytes()), [0, 128, 255]);
    assert_eq!(samples(&gray(12, &[0x00, 0x08, 0x00, 0xFF, 0xF0]).bytes()), [0, 128, 255]);
    assert_eq!(
        samples(&gray(14, &bits("00000000000000 10000000000000 11111111111111")).bytes()),
        [0, 128, 255]
    );
    assert_eq!(samples(&gray(16, &[0, 0, 0xFF, 0x12, 0xFF, 0xFF]).bytes()), [0, 0x13, 255]);
    assert_eq!(samples(&gray(24, &[0, 0, 0, 0, 0, 128, 255, 255, 255]).bytes()), [0, 128, 255]);
    let words: Vec<u8> = [0u32, 1 << 31, u32::MAX].into_iter().flat_map(u32::to_le_bytes).collect();
    assert_eq!(samples(&gray(32, &words).bytes()), [0, 128, 255]);
    let words: Vec<u8> = [0u64, 1 << 63, u64::MAX].into_iter().flat_map(u64::to_le_bytes).collect();
    assert_eq!(samples(&gray(64, &words).bytes()), [0, 128, 255]);
    // Red, green and blue of twelve bits.
    let rgb =
        strip(1, 1, &[0x00, 0x08, 0x00, 0xFF, 0xF0]).short(258, &[12; 3]).short(277, &[3]).short(262, &[2]);
    assert_eq!(samples(&rgb.bytes()), [0, 128, 255]);
}

#[test]
fn signed_samples_are_shifted_to_the_range() {
    let signed = |depth: u16, data: &[u8]| strip(3, 1, data).short(258, &[depth]).short(339, &[2]);
    assert_eq!(samples(&signed(8, &[0x80, 0, 0x7F]).bytes()), [0, 128, 255]);
    let words: Vec<u8> = [i16::MIN, 0, i16::MAX].into_iter().flat_map(i16::to_le_bytes).collect();
    assert_eq!(samples(&signed(16, &words).bytes()), [0, 128, 255]);
    let words: Vec<u8> = [i32::MIN, 0, i32::MAX].into_iter().flat_map(i32::to_le_bytes).collect();
    assert_eq!(samples(&signed(32, &words).bytes()), [0, 128, 255]);
}

#[test]
fn floats_of_grey_are_shades_and_of_colour_light() {
    let values = [-1.0f32, 0.5, f32::NAN, 7.0];
    let data: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
    let gray = strip(4, 1, &data).short(258, &[32]).short(339, &[3]);
    assert_eq!(samples(&gray.bytes()), [0, 128, 0, 255]);
    let halves: Vec<u8> = [0u16, 0x3800, 0x3C00].into_iter().flat_map(u16::to_le_bytes).collect();
    let gray = strip(3, 1, &halves).short(258, &[16]).short(339, &[3]);
    assert_eq!(samples(&gray.bytes()), [0, 128, 255]);
    let doubles: Vec<u8> = [0.0f64, 0.5, 1.0].into_iter().flat_map(f64::to_le_bytes).collect();
    let gray = strip(3, 1, &doubles).short(258, &[64]).short(339, &[3]);
    assert_eq!(samples(&gray.bytes()), [0, 128, 255]);
    // Light: half of it looks much brighter than half of white's code.
    let data: Vec<u8> = [0.0f32, 0.2, 0.5].into_iter().flat_map(f32::to_le_bytes).collect();
    let rgb = strip(1, 1, &data).short(258, &[32; 3]).short(339, &[3; 3]).short(277, &[3]).short(262, &[2]);
    assert_eq!(samples(&rgb.bytes()), [0, 124, 188]);
}

#[test]
fn palettes_of_every_depth() {
    // Colour n is n, 2n and 3n.
    let palette = |bits: u32, most: u16| -> Vec<u16> {
        let count = 1u16.checked_shl(bits).map_or(65536, usize::from);
        (1..=3u16).flat_map(|times| (0..count).map(move |n| (n as u16).min(most) * times * 257)).collect()
    };
    for (depth, data, expected) in [
        (1u16, vec![0b0100_0000], [0u8, 1, 0]),
        (2, vec![0b11_01_10_00], [3, 1, 2]),
        (4, vec![0xF1, 0x20], [15, 1, 2]),
        (8, vec![80, 1, 2], [80, 1, 2]),
        (16, vec![0xFF, 0xFF, 1, 0, 2, 0], [80, 1, 2]),
    ] {
        let source = strip(3, 1, &data).short(258, &[depth]).short(262, &[3]);
        let source = source.short(320, &palette(depth.into(), 80)).bytes();
        let expected: Vec<u8> = expected.into_iter().flat_map(|n| [n, 2 * n, 3 * n]).collect();
        assert_eq!(samples(&source), expected, "{depth} bits");
    }
}

#[test]
fn chroma_may_be_subsampled_outside_of_jpeg() {
    // Units of 2×2 lumas and one pair of chromas; three columns and rows leave the last ones half empty.
    let grey = |luma: [u8; 4]| [luma.as_slice(), &[128, 128]].concat();
    let data: Vec<u8> =
        [grey([10, 20, 40, 50]), grey([30, 0, 60, 0]), grey([70, 80, 0, 0]), grey([90, 0, 0, 0])].concat();
    let ycbcr = |data: &[u8]| strip(3, 3, data).short(258, &[8; 3]).short(277, &[3]).short(262, &[6]);
    let expected: Vec<u8> = (1..=9).flat_map(|n| [n * 10; 3]).collect();
    let source = ycbcr(&data).short(530, &[2, 2]);
    assert_eq!(samples(&source.bytes()), expected);
    // Without the tag it is 2×2 too; packed, it is the same.
    assert_eq!(samples(&ycbcr(&data).bytes()), expected);
    let literal = [&[data.len() as u8 - 1], data.as_slice()].concat();
    assert_eq!(samples(&ycbcr(&literal).short(259, &[32773]).bytes()), expected);
    // Two rows and then one: strips end in units of their own.
    let (upper, lower) = data.split_at(12);
    let strips = Tiff::new(3, 3, &[upper, lower]).short(258, &[8; 3]).short(277, &[3]).short(262, &[6]);
    assert_eq!(samples(&strips.long(278, &[2]).bytes()), expected);
}

#[test]
fn ycbcr_takes_its_weights_and_levels_from_the_tags() {
    let source = |data: &[u8]| {
        strip(1, 1, data).short(258, &[8; 3]).short(277, &[3]).short(262, &[6]).short(530, &[1, 1])
    };
    // Full red by ITU-R BT.601, and what the same codes are by BT.709's weights.
    assert_eq!(samples(&source(&[76, 85, 255]).bytes()), [254, 0, 0]);
    let weights = [(2126, 10000), (7152, 10000), (722, 10000)];
    assert_eq!(samples(&source(&[54, 99, 255]).rational(529, &weights).bytes()), [254, 0, 0]);
    // Studio levels: 16 is black, 235 is white.
    let levels = [(16, 1), (235, 1), (128, 1), (240, 1), (128, 1), (240, 1)];
    assert_eq!(samples(&source(&[235, 128, 128]).rational(532, &levels).bytes()), [255; 3]);
    assert_eq!(samples(&source(&[16, 128, 128]).rational(532, &levels).bytes()), [0; 3]);
}

#[test]
fn tiles_of_planes_whose_last_row_is_cut() {
    // 20×20 in tiles of 16×16, a plane a colour: twelve tiles, all whole.
    let image = picture(20, 20);
    let tile = |plane: usize, left: u32, top: u32| -> Vec<u8> {
        let at = |x: u32, y: u32| if x < 20 && y < 20 { image.at(x, y)[plane] } else { 0 };
        (top..top + 16).flat_map(|y| (left..left + 16).map(move |x| (x, y))).map(|(x, y)| at(x, y)).collect()
    };
    let places = [(0, 0), (16, 0), (0, 16), (16, 16)];
    let tiles: Vec<Vec<u8>> = (0..3).flat_map(|plane| places.map(|(x, y)| tile(plane, x, y))).collect();
    let tiles: Vec<&[u8]> = tiles.iter().map(Vec::as_slice).collect();
    let source = Tiff::tiled(20, 20, 16, &tiles).short(258, &[8; 3]).short(277, &[3]).short(262, &[2]);
    assert_eq!(samples(&source.short(284, &[2]).bytes()), image.data);
}

#[test]
fn extra_samples_are_alpha_only_where_they_say_so() {
    let rgba = |kind: &[u16], data: &[u8]| {
        let samples = 3 + kind.len().max(1) as u16;
        let tiff =
            strip(1, 1, data).short(258, &vec![8; samples.into()]).short(277, &[samples]).short(262, &[2]);
        if kind.is_empty() { tiff.bytes() } else { tiff.short(338, kind).bytes() }
    };
    assert_eq!(samples(&rgba(&[2], &[50, 100, 0, 128])), [50, 100, 0, 128]);
    assert_eq!(samples(&rgba(&[1], &[50, 100, 0, 128])), [100, 199, 0, 128]);
    assert_eq!(samples(&rgba(&[], &[50, 100, 0, 128])), [50, 100, 0, 128]);
    assert_eq!(samples(&rgba(&[0], &[50, 100, 0, 128])), [50, 100, 0]);
    // Something else first, then alpha.
    assert_eq!(samples(&rgba(&[0, 2], &[50, 100, 0, 9, 128])), [50, 100, 0, 128]);
    // Grey in planes, the second one being its alpha.
    let gray = Tiff::new(2, 1, &[&[10, 20], &[255, 7]]).short(258, &[8; 2]).short(277, &[2]).short(284, &[2]);
    assert_eq!(samples(&gray.short(338, &[2]).bytes()), [10, 255, 20, 7]);
    // Ink with alpha.
    let cmyk = strip(1, 1, &[255, 0, 0, 0, 77]).short(258, &[8; 5]).short(277, &[5]).short(262, &[5]);
    assert_eq!(samples(&cmyk.short(338, &[2]).bytes()), [0, 255, 255, 77]);
}

#[test]
fn lab_of_both_kinds_and_depths() {
    let near = |source: Tiff, expected: [u8; 3]| {
        let found = samples(&source.bytes());
        assert!(found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 2), "{found:?}, not {expected:?}");
    };
    let lab = |photometric: u16, depth: u16, data: &[u8]| {
        strip(1, 1, data).short(258, &[depth; 3]).short(277, &[3]).short(262, &[photometric])
    };
    // L* 54.3, a* 81, b* 70 is sRGB's red.
    near(lab(8, 8, &[138, 81, 70]), [255, 0, 0]);
    near(lab(9, 8, &[138, 209, 198]), [255, 0, 0]);
    let words = |l: u16, a: i16, b: i16| [l.to_le_bytes(), a.to_le_bytes(), b.to_le_bytes()].concat();
    near(lab(8, 16, &words(35580, 81 * 256, 70 * 256)), [255, 0, 0]);
    near(lab(9, 16, &words(35580, (209u16 * 256) as i16, (198u16 * 256) as i16)), [255, 0, 0]);
    // a* and b* below zero: its blue.
    near(lab(8, 8, &[75, 68, (-112i8) as u8]), [0, 0, 255]);
}

#[test]
fn differences_are_undone_in_both_byte_orders() {
    let words = [100u16, 65000, 300, 7];
    let differences: Vec<u16> =
        (0..4).map(|n| if n == 0 { words[0] } else { words[n].wrapping_sub(words[n - 1]) }).collect();
    let expected: Vec<u8> = words.map(|w| (f64::from(w) / 257.0).round() as u8).to_vec();
    let le: Vec<u8> = differences.iter().flat_map(|d| d.to_le_bytes()).collect();
    assert_eq!(samples(&strip(4, 1, &le).short(258, &[16]).short(317, &[2]).bytes()), expected);
    let be: Vec<u8> = differences.iter().flat_map(|d| d.to_be_bytes()).collect();
    assert_eq!(samples(&strip(4, 1, &be).big_endian().short(258, &[16]).short(317, &[2]).bytes()), expected);
    // Floats: bytes of equal weight together, then differences of bytes.
    let floats = [0.25f32, 0.75, 1.0];
    let mut row: Vec<u8> = (0..4).flat_map(|place| floats.map(|f| f.to_be_bytes()[place])).collect();
    for at in (1..row.len()).rev() {
        row[at] = row[at].wrapping_sub(row[at - 1]);
    }
    let source = strip(3, 1, &row).short(258, &[32]).short(339, &[3]).short(317, &[3]);
    assert_eq!(samples(&source.bytes()), [64, 191, 255]);
}

/// The same picture as a JPEG, and how far a TIFF of it may be off.
fn jpeg_and_its_pixels() -> (Vec<u8>, Vec<u8>) {
    let source = jpeg(&picture(40, 24), r#""q": 95"#);
    let expected = samples(&source);
    (source, expected)
}

#[test]
fn jpeg_strips_with_and_without_shared_tables() {
    let (source, expected) = jpeg_and_its_pixels();
    let tiff = |data: &[u8]| {
        strip(40, 24, data).short(258, &[8; 3]).short(277, &[3]).short(262, &[6]).short(259, &[7])
    };
    assert_eq!(samples(&tiff(&source).bytes()), expected);
    // Quantisers and codes in a tag, the strip left with the frame and the scan.
    let (mut tables, mut rest) = (vec![0xFF, 0xD8], vec![0xFF, 0xD8]);
    let mut at = 2;
    while source[at + 1] != 0xDA {
        let length = 2 + usize::from(u16::from_be_bytes([source[at + 2], source[at + 3]]));
        let to = if matches!(source[at + 1], 0xDB | 0xC4) { &mut tables } else { &mut rest };
        to.extend(&source[at..at + length]);
        at += length;
    }
    rest.extend(&source[at..]);
    tables.extend([0xFF, 0xD9]);
    assert_eq!(samples(&tiff(&rest).undefined(347, &tables).bytes()), expected);
    // Samples that are red, green and blue are not turned again, whatever a stream's marker says.
    let rgb = flat_jpeg(1, 1, 3, Some(1), &[200, 100, 50]);
    let plain = strip(8, 8, &rgb).short(258, &[8; 3]).short(277, &[3]).short(262, &[2]).short(259, &[7]);
    assert_eq!(samples(&plain.bytes())[..3], [200, 100, 50]);
}

#[test]
fn old_style_jpeg_as_a_stream_and_as_tables() {
    let (source, expected) = jpeg_and_its_pixels();
    let old = |strips: &[&[u8]]| {
        Tiff::new(40, 24, strips).short(258, &[8; 3]).short(277, &[3]).short(262, &[6]).short(259, &[6])
    };
    let whole = old(&[&source]).long(513, &[8]).long(514, &[source.len() as u32]);
    assert_eq!(samples(&whole.bytes()), expected);
    // The stream's headers alone, and its coded blocks in the strip behind them.
    let scan = source.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap();
    let (head, blocks) = source.split_at(scan);
    let apart = old(&[head, blocks]).long(513, &[8]).long(514, &[head.len() as u32]);
    assert_eq!(samples(&apart.bytes()), expected);
    // Nothing but coded blocks: tables stand in tags of their own. A flat grey of two blocks.
    let stream = flat_jpeg(2, 1, 1, None, &[90, 200]);
    let find = |marker: u8| stream.windows(2).position(|w| w == [0xFF, marker]).unwrap();
    let scan = find(0xDA);
    let blocks = &stream[scan + 2 + usize::from(stream[scan + 3])..stream.len() - 2];
    let codes = find(0xC4) as u32;
    let tables = codes + 2 + u32::from(stream[codes as usize + 3]);
    let tiff = Tiff::new(16, 8, &[blocks, &stream]).short(259, &[6]);
    let start = 8 + blocks.len() as u32;
    let tiff = tiff
        .long(519, &[start + find(0xDB) as u32 + 5])
        .long(520, &[start + codes + 5])
        .long(521, &[start + tables + 5]);
    let (_, _, _, found) = pixels(&tiff.bytes(), PNG);
    assert_eq!((found[0], found[15]), (90, 200));
}

#[test]
fn a_page_is_chosen_and_one_that_is_not_there_is_counted() {
    let page = |width: u32, level: u8| strip(width, 1, &vec![level; width as usize]);
    let source = page(3, 10).followed_by(page(5, 20)).followed_by(page(2, 30)).bytes();
    for (number, width, level) in [(1, 3, 10), (2, 5, 20), (3, 2, 30)] {
        let recipe = format!(r#"{{"a": {{"size": "max", "format": "png", "page": {number}}}}}"#);
        let made = only(&source, &Recipe::parse_json(&recipe).unwrap());
        assert_eq!(read_png(&made.bytes).3, vec![level; width], "page {number}");
        assert_eq!(probe_page(&source, number).unwrap().width, width as u32);
    }
    let error = probe_page(&source, 4).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
    assert_eq!(error.to_string(), "there is no page 4: the image has 3 pages");
    let error = probe_page(&png(&picture(3, 3)), 2).unwrap_err();
    assert_eq!(error.to_string(), "there is no page 2: the image has one page");
}

#[test]
fn a_chain_of_directories_that_bites_its_tail_ends() {
    let source = strip(3, 1, &[1, 2, 3]).bytes_linked_to_itself();
    assert_eq!(samples(&source), [1, 2, 3]);
    let error = probe_page(&source, 9).unwrap_err();
    assert_eq!(error.to_string(), "there is no page 9: the image has one page");
}

/// Found by fuzzing: lengths of tags that lie made the reader allocate what they said.
#[test]
fn tags_that_claim_more_than_the_file_has_are_not_believed() {
    for (tag, kind) in [(273u16, 4u16), (279, 16), (320, 3), (34675, 7), (258, 3), (347, 7), (530, 12)] {
        for count in [1 << 26, u32::MAX] {
            let source = strip(3, 1, &[1, 2, 3]).short(262, &[if tag == 320 { 3 } else { 1 }]);
            let source =
                source.short(259, &[if tag == 347 { 7 } else { 1 }]).raw(tag, kind, count, [8, 0, 0, 0]);
            // Nothing is there to be read, so nothing may be allocated for it: this runs in a moment.
            let result = all(&source.bytes(), &recipe(PNG));
            let error = result.err().map(|e| e.kind());
            assert!(error.is_none() || error == Some(ErrorKind::Truncated), "{tag}: {error:?}");
        }
    }
    // A directory of 65535 entries in a file of 60 bytes.
    let mut source = b"II*\0\x08\0\0\0\xFF\xFF".to_vec();
    source.resize(60, 7);
    assert_eq!(probe(&source).unwrap_err().kind(), ErrorKind::Truncated);
}

#[test]
fn what_is_not_read_says_what_it_is() {
    for (tiff, said) in [
        (strip(1, 1, &[0]).short(259, &[34712]), "compression 34712"),
        (strip(1, 1, &[0]).short(262, &[32844]), "photometric interpretation 32844"),
        (strip(1, 1, &[0; 9]).short(258, &[5, 6, 5]).short(277, &[3]).short(262, &[2]), "5, 6, 5 bits"),
        (strip(1, 1, &[0; 16]).short(258, &[64]).short(339, &[6]), "complex"),
    ] {
        let error = all(&tiff.bytes(), &recipe(PNG)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedFormat);
        assert!(error.to_string().contains(said), "{error}");
    }
}
