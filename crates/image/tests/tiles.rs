//! Static tiles: put together again they are the image, and every file a viewer asks for is there.
#![allow(clippy::unwrap_used)] // in tests' own helpers too

mod support;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Mutex;

use imgmill_image::{
    EncoderOptions, ErrorKind, Layout, Limits, OutputFormat, Quality, TileSettings, TileSink, Tiled, probe,
    tile,
};
use serde_json::Value;
use support::*;

#[derive(Default)]
struct Folder(Mutex<BTreeMap<String, Vec<u8>>>);

impl TileSink for Folder {
    fn put(&self, path: &str, bytes: &[u8]) -> std::io::Result<()> {
        let before = self.0.lock().unwrap().insert(path.to_owned(), bytes.to_vec());
        assert!(before.is_none(), "{path} was written twice");
        Ok(())
    }
}

fn settings(layout: Layout, format: OutputFormat) -> TileSettings {
    TileSettings {
        layout,
        tile: 64,
        format,
        options: EncoderOptions::default(),
        factors: None,
        quality: Quality::Default,
        id: "https://example.org/page".into(),
        name: "page".into(),
    }
}

fn made(source: &[u8], settings: &TileSettings) -> (Tiled, BTreeMap<String, Vec<u8>>) {
    let folder = Folder::default();
    let limits = Limits { threads: NonZeroUsize::new(3).unwrap(), ..Limits::default() };
    let tiled = tile(source, settings, &folder, &limits).unwrap();
    let files = folder.0.into_inner().unwrap();
    assert_eq!(tiled.files, files.len() as u64);
    (tiled, files)
}

fn numbers(text: &str) -> Vec<u32> {
    text.split(',').map(|number| number.parse().unwrap()).collect()
}

#[test]
fn every_tile_that_a_viewer_asks_for_is_there_and_shows_its_part() {
    let image = picture(333, 217);
    let source = png(&image);
    for layout in [Layout::Iiif3, Layout::Iiif2] {
        let (_, files) = made(&source, &settings(layout, OutputFormat::Png));
        let info: Value = serde_json::from_slice(&files["info.json"]).unwrap();
        let (width, height) = (333u32, 217u32);
        assert_eq!((info["width"].as_u64(), info["height"].as_u64()), (Some(333), Some(217)));
        let side = info["tiles"][0]["width"].as_u64().unwrap() as u32;
        let mut asked = 1;
        for scale in info["tiles"][0]["scaleFactors"].as_array().unwrap() {
            let scale = scale.as_u64().unwrap() as u32;
            let step = side * scale;
            for (x, y) in (0..height)
                .step_by(step as usize)
                .flat_map(|y| (0..width).step_by(step as usize).map(move |x| (x, y)))
            {
                // As the implementation notes of Image API 3.0 work it out.
                let (w, h) = (step.min(width - x), step.min(height - y));
                let (tile_w, tile_h) = (w.div_ceil(scale), h.div_ceil(scale));
                let region =
                    if (w, h) == (width, height) { "full".to_owned() } else { format!("{x},{y},{w},{h}") };
                let size =
                    if layout == Layout::Iiif3 { format!("{tile_w},{tile_h}") } else { format!("{tile_w},") };
                let path = format!("{region}/{size}/0/default.png");
                let (found_w, found_h, _, data) =
                    read_png(files.get(&path).unwrap_or_else(|| panic!("{path} is missing")));
                assert_eq!((found_w, found_h), (tile_w, tile_h), "{path}");
                asked += 1;
                if scale == 1 {
                    for (row, found) in data.chunks((w * 3) as usize).enumerate() {
                        let start = ((y as usize + row) * width as usize + x as usize) * 3;
                        assert_eq!(found, &image.data[start..][..found.len()], "{path}");
                    }
                }
            }
        }
        for size in info["sizes"].as_array().unwrap() {
            let (w, h) = (size["width"].as_u64().unwrap(), size["height"].as_u64().unwrap());
            let size = if layout == Layout::Iiif3 { format!("{w},{h}") } else { format!("{w},") };
            let header = probe(&files[&format!("full/{size}/0/default.png")]).unwrap();
            assert_eq!((u64::from(header.width), u64::from(header.height)), (w, h));
        }
        let (whole_w, whole_h, _, data) = read_png(&files["full/max/0/default.png"]);
        assert_eq!((whole_w, whole_h), (333, 217));
        assert!(data == image.data);
        // Nothing lies about that nobody would find.
        let known = files.keys().filter(|path| !path.starts_with("full/")).count();
        assert!(known <= asked, "{known} {asked}");
    }
}

#[test]
fn deep_zoom_goes_down_to_one_pixel() {
    let (tiled, files) = made(&jpeg(&picture(300, 130), ""), &settings(Layout::Dzi, OutputFormat::Jpg));
    assert_eq!(tiled.levels, 10);
    let description = String::from_utf8(files["page.dzi"].clone()).unwrap();
    assert!(description.contains("Width=\"300\" Height=\"130\"") && description.contains("TileSize=\"64\""));
    for (path, bytes) in files.iter().filter(|(path, _)| path.as_str() != "page.dzi") {
        let inner = path.strip_prefix("page_files/").unwrap().strip_suffix(".jpg").unwrap();
        let (level, place) = inner.split_once('/').unwrap();
        let scale = 1u32 << (9 - level.parse::<u32>().unwrap());
        let (w, h) = (300u32.div_ceil(scale), 130u32.div_ceil(scale));
        let [column, row] = numbers(&place.replace('_', ","))[..] else { panic!("{path}") };
        let header = probe(bytes).unwrap();
        let expected = (64.min(w - column * 64), 64.min(h - row * 64));
        assert_eq!((header.width, header.height), expected, "{path}");
    }
    assert!(files.contains_key("page_files/9/4_2.jpg") && files.contains_key("page_files/0/0_0.jpg"));
}

#[test]
fn tiles_are_upright_and_a_turned_source_needs_no_order() {
    let source = with_segment(&jpeg(&quarters(256, 128), ""), 0xE1, &exif(6));
    let (tiled, files) = made(&source, &settings(Layout::Iiif3, OutputFormat::Png));
    assert_eq!((tiled.width, tiled.height), (128, 256));
    let (_, _, _, data) = read_png(&files["0,0,64,64/64,64/0/default.png"]);
    assert!(data[..3].iter().all(|v| *v > 240));
}

#[test]
fn what_cannot_be_made_is_said() {
    let source = png(&picture(30, 30));
    let limits = Limits::default();
    let folder = Folder::default();
    for settings in [
        settings(Layout::Iiif3, OutputFormat::Tif),
        TileSettings { tile: 65, ..settings(Layout::Iiif3, OutputFormat::Jpg) },
        TileSettings { tile: 0, ..settings(Layout::Dzi, OutputFormat::Jpg) },
    ] {
        assert_eq!(tile(&source, &settings, &folder, &limits).unwrap_err().kind(), ErrorKind::BadRequest);
    }
    let few = Limits { max_pixels: 100, ..limits };
    let error = tile(&source, &settings(Layout::Iiif3, OutputFormat::Jpg), &folder, &few).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyPixels);
}

struct Full;

impl TileSink for Full {
    fn put(&self, _: &str, _: &[u8]) -> std::io::Result<()> {
        Err(std::io::ErrorKind::StorageFull.into())
    }
}

#[test]
fn a_sink_that_is_full_ends_it() {
    let source = jpeg(&picture(600, 600), "");
    let error = tile(&source, &settings(Layout::Dzi, OutputFormat::Jpg), &Full, &Limits::default());
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Sink);
}
