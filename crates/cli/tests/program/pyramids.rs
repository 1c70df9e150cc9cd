//! Pyramids from a list, and static tiles.

use std::fs;

use imgmill_testing::samples::{encode, photo};

use crate::harness::{Place, Ran};

fn tile(place: &Place, arguments: &[&str]) -> Ran {
    Ran::of(place.command().arg("tile").args(arguments).spawn().unwrap())
}

fn with_photo(name: &str) -> Place {
    let place = Place::new();
    fs::write(place.path(name), encode::jpeg(&photo(1, 700, 500), Default::default())).unwrap();
    place
}

#[test]
fn a_list_of_images_becomes_pyramids() {
    let place = with_photo("page.jpg");
    place.list([place.path("page.jpg").display().to_string()]);
    let ran = place.run(&["--derive", "p=full/max/0/default.ptif", "--key", "{stem}.{ext}"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let pyramid = fs::read(place.path("outputs/page.tif")).unwrap();
    assert_eq!(&pyramid[..4], b"II*\0");
    let before = pyramid.clone();
    let again = place.run(&["--derive", "p=full/max/0/default.ptif", "--key", "{stem}.{ext}", "--refresh"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(fs::read(place.path("outputs/page.tif")).unwrap() == before);
}

#[test]
fn tiles_appear_whole_or_not_at_all() {
    let place = with_photo("my page.jpg");
    let ran = tile(&place, &["my page.jpg", "--output", "tiles", "--base", "https://example.org/iiif/"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let info: serde_json::Value =
        serde_json::from_slice(&fs::read(place.path("tiles/my page/info.json")).unwrap()).unwrap();
    assert_eq!(info["id"], "https://example.org/iiif/my%20page");
    assert!(place.path("tiles/my page/512,0,188,500/188,500/0/default.jpg").exists());
    let there = tile(&place, &["my page.jpg", "--output", "tiles"]);
    assert!(there.code == Some(0) && there.stderr.contains("--refresh"), "{}", there.stderr);
    let again = tile(&place, &["my page.jpg", "--output", "tiles", "--refresh", "--tile", "256"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(!place.path("tiles/my page/512,0,188,500/188,500").exists());

    let cut = fs::read(place.path("my page.jpg")).unwrap();
    fs::write(place.path("cut.jpg"), &cut[..cut.len() / 2]).unwrap();
    let failed = tile(&place, &["cut.jpg", "--output", "tiles"]);
    assert!(failed.code == Some(3) && failed.stderr.contains("ends before"), "{}", failed.stderr);
    let left: Vec<_> =
        fs::read_dir(place.path("tiles")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["my page"]);
}

#[test]
fn deep_zoom_is_two_names_and_two_images_need_two() {
    let place = with_photo("a.jpg");
    let ran = tile(&place, &["a.jpg", "--output", "tiles", "--layout", "dzi"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(place.path("tiles/a.dzi").exists() && place.path("tiles/a_files/10/1_0.jpg").exists());
    let twice = tile(&place, &["a.jpg", "other/a.png", "--output", "tiles"]);
    assert!(twice.code == Some(2) && twice.stderr.contains("stem"), "{}", twice.stderr);
}
