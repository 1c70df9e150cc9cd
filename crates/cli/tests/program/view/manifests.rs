//! `imgmill iiif manifest`, and its manifests in `imgmill view`.

use std::fs;

use imgmill_testing::samples::{encode, photo};
use serde_json::{Value, json};

use super::harness::Viewer;
use crate::harness::{Place, Ran};

/// A store with a pyramid, a set of tiles and a plain image, of known sizes.
fn place() -> Place {
    let place = Place::new();
    for (name, width, height) in [("one", 700, 500), ("two", 640, 480), ("three", 90, 60)] {
        let photo = encode::jpeg(&photo(1, width, height), Default::default());
        fs::write(place.path(&format!("{name}.jpg")), photo).unwrap();
    }
    place.list([place.path("one.jpg").display().to_string()]);
    let ran = place.run(&["--derive", "p=full/max/0/default.ptif", "--key", "{stem}.{ext}"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let tiles =
        place.command().args(["tile", "two.jpg", "--output", "outputs", "--tile", "256"]).output().unwrap();
    assert!(tiles.status.success());
    fs::copy(place.path("three.jpg"), place.path("outputs/three.jpg")).unwrap();
    place
}

fn manifest(place: &Place, list: &str, more: &[&str]) -> Ran {
    fs::write(place.path("book.csv"), list).unwrap();
    let mut command = place.command();
    command.args(["iiif", "manifest", "book.csv", "--images", "outputs", "--output", "manifests"]);
    command.args(["--base", "https://example.org/m", "--image-base", "https://example.org/i"]);
    Ran::of(command.args(more).spawn().unwrap())
}

fn read(place: &Place, name: &str) -> Value {
    serde_json::from_slice(&fs::read(place.path(name)).unwrap()).unwrap()
}

#[test]
fn a_list_becomes_a_manifest() {
    let place = place();
    let list = "id,label,order,range,Shelf mark\n\
        two,2r,2,Chapter 1,MS 7\n\
        one,1v,1,Preface,MS 7\n\
        three.jpg,3,3,Chapter 1 > End,MS 7\n";
    let more = ["--label", "A book", "--language", "en", "--behavior", "paged"];
    let rights = [
        "--rights",
        "https://creativecommons.org/publicdomain/zero/1.0/",
        "--required-statement",
        "Held by: Us",
    ];
    let ran = manifest(&place, list, &[&more[..], &rights].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let made = read(&place, "manifests/book.json");
    assert_eq!(made["id"], "https://example.org/m/book.json");
    assert_eq!(made["label"], json!({"en": ["A book"]}));
    assert_eq!(made["rights"], "http://creativecommons.org/publicdomain/zero/1.0/");
    assert_eq!(made["requiredStatement"], json!({"label": {"en": ["Held by"]}, "value": {"en": ["Us"]}}));
    assert_eq!(made["metadata"], json!([{"label": {"en": ["Shelf mark"]}, "value": {"en": ["MS 7"]}}]));
    let sizes: Vec<_> =
        made["items"].as_array().unwrap().iter().map(|c| (c["width"].clone(), c["height"].clone())).collect();
    assert_eq!(sizes, [(json!(700), json!(500)), (json!(640), json!(480)), (json!(90), json!(60))]);
    let body = |page: usize| &made["items"][page]["items"][0]["items"][0]["body"];
    assert_eq!(
        body(0)["service"][0],
        json!({"id": "https://example.org/i/one", "type": "ImageService3", "profile": "level2"})
    );
    assert_eq!(body(1)["service"][0]["profile"], "level0");
    assert_eq!(body(2)["id"], "https://example.org/i/three.jpg");
    assert!(body(2).get("service").is_none());
    // What a thumbnail of tiles asks for is there.
    let small = made["items"][1]["thumbnail"][0]["id"].as_str().unwrap();
    assert!(
        place.path("outputs").join(small.strip_prefix("https://example.org/i/").unwrap()).exists(),
        "{small}"
    );
    let ranges = &made["structures"];
    assert_eq!(
        (ranges[0]["label"]["en"][0].as_str(), ranges[1]["label"]["en"][0].as_str()),
        (Some("Preface"), Some("Chapter 1"))
    );
    assert_eq!(ranges[1]["items"][0], json!({"id": made["items"][1]["id"], "type": "Canvas"}));
    assert_eq!(ranges[1]["items"][1]["label"]["en"][0], "End");

    let second = manifest(&place, "id\none\n", &["--image-api", "2"]);
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    let made = read(&place, "manifests/book.json");
    let body = &made["items"][0]["items"][0]["items"][0]["body"];
    assert_eq!(
        (body["id"].as_str(), body["service"][0]["@type"].as_str()),
        (Some("https://example.org/i/one/full/full/0/default.jpg"), Some("ImageService2"))
    );
}

#[test]
fn several_manifests_are_a_collection() {
    let place = place();
    let ran = manifest(&place, "manifest,id\nx,one\ny y,two\n", &["--label", "All"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let all = read(&place, "manifests/collection.json");
    assert_eq!((all["type"].as_str(), all["label"].clone()), (Some("Collection"), json!({"none": ["All"]})));
    assert_eq!(all["items"][1]["id"], "https://example.org/m/y%20y.json");
    assert_eq!(read(&place, "manifests/y y.json")["id"], all["items"][1]["id"]);
}

#[test]
fn an_image_that_is_missing_leaves_its_manifest_out() {
    let place = place();
    fs::write(place.path("outputs/broken.tif"), b"II*\0\x08\0\0\0").unwrap();
    let ran = manifest(&place, "manifest,id\nx,one\ny,nothing\ny,broken\nz,../one\n", &[]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("nothing: it is not in the store"), "{}", ran.stderr);
    assert!(ran.stderr.contains("broken: the TIFF ends before"), "{}", ran.stderr);
    assert!(place.path("manifests/x.json").exists() && !place.path("manifests/y.json").exists());
    assert!(!place.path("manifests/collection.json").exists());
    for (list, more, says) in [
        ("url\nx\n", &[][..], "no column `id`"),
        ("id\none\n", &["--behavior", "flipped"], "one of"),
        ("id\none\n", &["--rights", "mine"], "--rights"),
        ("id\none\n", &["--viewing-direction", "down"], "left-to-right"),
    ] {
        let ran = manifest(&place, list, more);
        assert!(ran.code == Some(2) && ran.stderr.contains(says), "{says}: {:?} {}", ran.code, ran.stderr);
    }
}

#[test]
fn manifests_of_a_store_are_listed_first() {
    let place = place();
    let ran = manifest(&place, "manifest,id\nx,one\ny,two\n", &["--output", "outputs/manifests"]);
    assert_eq!(ran.code, Some(2), "two outputs");
    let ran = manifest(&place, "manifest,id\nx,one\ny,two\n", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    fs::rename(place.path("manifests"), place.path("outputs/manifests")).unwrap();
    let viewer = Viewer::of(&place, &["outputs"]);
    let list = viewer.get("/list.json").json();
    let found: Vec<_> = list["entries"].as_array().unwrap()[..3]
        .iter()
        .map(|e| (e["kind"].clone(), e["key"].clone()))
        .collect();
    let expected = [
        ("collection", "manifests/collection.json"),
        ("manifest", "manifests/x.json"),
        ("manifest", "manifests/y.json"),
    ];
    assert_eq!(found, expected.map(|(kind, key)| (json!(kind), json!(key))));
}
