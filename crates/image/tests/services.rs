//! Services by way of `derive`: they see the upright image, whatever else is made of it.
#![allow(clippy::unwrap_used)] // in tests' own helpers too

mod support;

use imgmill_image::{BlurHash, Findings, Limits, Recipe, Rendition, Services, derive, memory_need, probe};
use support::*;

fn services() -> Services {
    let blurhash = Some(BlurHash { across: 4, down: 3, longest: 32 });
    Services { palette: Some(5), blurhash, image_hash: true, sha1: true }
}

fn found(source: &[u8], recipe: &str) -> (Findings, Vec<Rendition>) {
    let recipe = Recipe::parse_json(recipe).unwrap().with_services(services());
    let mut renditions: Vec<Rendition> = Vec::new();
    let derived = derive(source, &recipe, &mut renditions, &Limits::default()).unwrap();
    (derived.findings, renditions)
}

const SMALL: &str = r#"{"a": {"size": "16,"}}"#;

#[test]
fn what_else_is_made_changes_nothing() {
    let source = jpeg(&quarters(640, 480), "");
    let (whole, renditions) =
        found(&source, r#"{"b": {"size": "200,"}, "a": {}, "c": {"region": "square"}}"#);
    assert_eq!(
        renditions.iter().map(|rendition| rendition.label.as_str()).collect::<Vec<_>>(),
        ["b", "a", "c"]
    );
    let plain = Recipe::parse_json(r#"{"b": {"size": "200,"}, "a": {}, "c": {"region": "square"}}"#).unwrap();
    let sizes = |all: &[Rendition]| all.iter().map(|one| (one.width, one.height)).collect::<Vec<_>>();
    assert_eq!(sizes(&renditions), sizes(&all(&source, &plain).unwrap()));
    for recipe in [SMALL, r#"{"a": {"lossless": true}}"#, r#"{"a": {"format": "ptif"}}"#] {
        let (findings, _) = found(&source, recipe);
        assert_eq!(findings.image_hash, whole.image_hash, "{recipe}");
        assert_eq!(findings.palette.map(|palette| palette.len()), whole.palette.as_ref().map(Vec::len));
    }
    assert_eq!(found(&png(&quarters(640, 480)), SMALL).0.image_hash, whole.image_hash);
}

#[test]
fn they_see_the_upright_image() {
    let stored = jpeg(&quarters(64, 48), r#""q": 95"#);
    let turned = with_segment(&stored, 0xE1, &exif(6));
    let upright = rgb(&turned, "full/max/0/default.png");
    assert_eq!((upright.width, upright.height), (48, 64));
    let (of_turned, of_upright) = (found(&turned, SMALL).0, found(&png(&upright), SMALL).0);
    let of_pixels = |findings: &Findings| Findings { sha1: None, ..findings.clone() };
    assert_eq!(of_pixels(&of_turned), of_pixels(&of_upright));
    assert_ne!(of_turned.image_hash, found(&stored, SMALL).0.image_hash);
    assert_eq!(of_turned, found(&turned, r#"{"a": {"rotation": "-1"}}"#).0, "whatever a derivative wants");
}

#[test]
fn every_format_has_findings_and_transparency_is_white() {
    for (name, source) in every_format(&picture(60, 44)) {
        let findings = found(&source, SMALL).0;
        assert!(findings.can_be_of(&services()), "{name}");
        assert!(!findings.palette.unwrap().is_empty(), "{name}");
    }
    let clear = png_of(16, 8, png::ColorType::Rgba, png::BitDepth::Eight, &[10; 16 * 8 * 4], |_| {});
    let white = png_of(16, 8, png::ColorType::Rgb, png::BitDepth::Eight, &[245; 16 * 8 * 3], |_| {});
    assert_eq!(found(&clear, SMALL).0.blurhash, found(&white, SMALL).0.blurhash);
}

#[test]
fn nothing_is_found_that_was_not_asked_for_and_memory_counts_what_was() {
    let source = png(&picture(2000, 1500));
    let recipe = Recipe::parse_json(SMALL).unwrap();
    let mut renditions: Vec<Rendition> = Vec::new();
    let derived = derive(&source, &recipe, &mut renditions, &Limits::default()).unwrap();
    assert_eq!(derived.findings, Findings::default());
    let header = probe(&source).unwrap();
    assert!(memory_need(&header, &recipe.clone().with_services(services())) > memory_need(&header, &recipe));
}
