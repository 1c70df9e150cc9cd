//! `imgmill view`, asked as browsers and image viewers ask it, and as those ask who should not.

mod harness;
mod manifests;

use std::fs;

use imgmill_testing::s3::S3Server;
use imgmill_testing::samples::{encode, photo};

use harness::Viewer;

use crate::harness::Place;

/// A store with pyramids of one photograph: `page.tif` of deflate, `sub/jpeg.tif` of JPEG tiles.
fn place() -> Place {
    let place = Place::new();
    fs::write(place.path("page.jpg"), encode::jpeg(&photo(1, 700, 500), Default::default())).unwrap();
    fs::write(place.path("jpeg.jpg"), encode::jpeg(&photo(1, 700, 500), Default::default())).unwrap();
    for (name, recipe, key) in [
        ("page.jpg", r#"{"p": {"format": "ptif", "tile": 256}}"#, "{stem}.{ext}"),
        ("jpeg.jpg", r#"{"p": {"format": "ptif", "tile": 256, "compression": "jpeg"}}"#, "sub/{stem}.{ext}"),
    ] {
        fs::write(place.path("recipe.json"), recipe).unwrap();
        place.list([place.path(name).display().to_string()]);
        let ran = place.run(&["--recipe", "recipe.json", "--key", key]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    place
}

#[test]
fn images_are_described_by_both_editions() {
    let place = place();
    let viewer = Viewer::of(&place, &["outputs"]);
    let base = viewer.base();
    let third = viewer.get("/iiif/3/page/info.json");
    assert_eq!((third.status, third.header("content-type")), (200, "application/json"));
    assert_eq!(third.header("access-control-allow-origin"), "*");
    let info = third.json();
    assert_eq!(info["id"], format!("{base}/iiif/3/page"));
    assert_eq!((info["type"].as_str(), info["profile"].as_str()), (Some("ImageService3"), Some("level2")));
    assert_eq!((info["width"].as_u64(), info["height"].as_u64()), (Some(700), Some(500)));
    assert_eq!(info["tiles"][0]["scaleFactors"], serde_json::json!([1, 2, 4]));
    let second = viewer.get("/iiif/2/sub%2Fjpeg.tif/info.json").json();
    assert_eq!(second["@id"], format!("{base}/iiif/2/sub%2Fjpeg.tif"));
    assert_eq!(second["profile"][0], "http://iiif.io/api/image/2/level2.json");
    let linked = viewer.ask("GET", "/iiif/3/page/info.json", &[("Accept", "application/ld+json")]);
    assert_eq!(
        linked.header("content-type"),
        "application/ld+json;profile=\"http://iiif.io/api/image/3/context.json\""
    );
    let moved = viewer.get("/iiif/3/page");
    assert_eq!((moved.status, moved.header("location")), (303, &*format!("{base}/iiif/3/page/info.json")));
}

#[test]
fn images_are_what_was_asked_for() {
    let place = place();
    let viewer = Viewer::of(&place, &["outputs"]);
    for (path, size, canonical) in [
        (
            "/iiif/3/page/0,0,256,256/256,256/0/default.jpg",
            (256, 256),
            "3/page/0,0,256,256/max/0/default.jpg",
        ),
        ("/iiif/3/page/full/max/0/default.jpg", (700, 500), "3/page/full/max/0/default.jpg"),
        ("/iiif/3/page/full/350,/90/color.png", (250, 350), "3/page/full/350,250/90/default.png"),
        ("/iiif/3/page/square/^600,/0/gray.jpg", (600, 600), "3/page/100,0,500,500/^600,600/0/gray.jpg"),
        ("/iiif/3/page/full/!900,900/0/default.jpg", (700, 500), "3/page/full/max/0/default.jpg"),
        ("/iiif/2/page/full/full/!180/default.jpg", (700, 500), "2/page/full/full/!180/default.jpg"),
        (
            "/iiif/2/page/pct:50,50,50,50/175,/0/bitonal.png",
            (175, 125),
            "2/page/350,250,350,250/175,/0/bitonal.png",
        ),
        ("/iiif/2/page/full/100,300/0/default.jpg", (100, 300), "2/page/full/100,300/0/default.jpg"),
        (
            "/iiif/3/sub%2Fjpeg/0,0,256,256/256,/0/default.jpg",
            (256, 256),
            "3/sub%2Fjpeg/0,0,256,256/max/0/default.jpg",
        ),
        (
            "/iiif/3/sub%2Fjpeg/512,256,188,244/94,/0/default.jpg",
            (94, 122),
            "3/sub%2Fjpeg/512,256,188,244/94,122/0/default.jpg",
        ),
    ] {
        let answer = viewer.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let image = image::load_from_memory(&answer.body).unwrap();
        assert_eq!((image.width(), image.height()), size, "{path}");
        let link = answer.header("link");
        assert!(
            link.contains(&format!("<{}/iiif/{canonical}>;rel=\"canonical\"", viewer.base())),
            "{path}: {link}"
        );
        assert!(link.contains("level2.json>;rel=\"profile\""), "{link}");
        // Once more, from what was kept.
        assert!(viewer.get(path).body == answer.body);
    }
}

#[test]
fn an_image_that_changes_is_noticed() {
    let place = place();
    let viewer = Viewer::of(&place, &["outputs"]);
    let path = "/iiif/3/page/full/max/0/default.jpg";
    let first = viewer.get(path);
    let tag = first.header("etag").to_owned();
    assert_eq!(viewer.ask("GET", path, &[("If-None-Match", &tag)]).status, 304);
    fs::copy(place.path("outputs/sub/jpeg.tif"), place.path("outputs/page.tif")).unwrap();
    // Nobody looks more than once in a second.
    let changed = viewer.until(path, |answer| answer.header("etag") != tag);
    assert!(changed.body != first.body);
}

#[test]
fn what_is_wrong_is_said() {
    let place = place();
    fs::write(place.path("outputs/plain.tif"), b"no TIFF").unwrap();
    let whole = fs::read(place.path("outputs/page.tif")).unwrap();
    fs::write(place.path("outputs/cut.tif"), &whole[..whole.len() / 2]).unwrap();
    fs::write(place.path("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(place.path("secret"), place.path("outputs/link.txt")).unwrap();
    let viewer = Viewer::of(&place, &["outputs"]);
    for (path, status, says) in [
        ("/iiif/3/page/full/max/0/nonsense.jpg", 400, "quality"),
        ("/iiif/3/page/900,0,10,10/max/0/default.jpg", 400, "holds no pixel"),
        ("/iiif/3/page/full/800,/0/default.jpg", 400, "enlarge"),
        ("/iiif/3/page/full/!2000,3000/0/default.jpg", 400, "enlarge"),
        ("/iiif/3/page/full/^9000,9000/0/default.jpg", 400, "the limit is"),
        ("/iiif/3/page/full/max/0/default.jp2", 501, "jp2"),
        ("/iiif/3/nothing/info.json", 404, "no such image"),
        ("/iiif/3/plain/info.json", 500, "no TIFF by its first bytes"),
        ("/iiif/3/cut/info.json", 500, "ends before"),
        ("/iiif/3/..%2Fsecret/info.json", 404, "no such image"),
        ("/files/../secret", 404, "no such file"),
        ("/files/%2e%2e/secret", 404, "no such file"),
        ("/files/link.txt", 404, "no such file"),
        ("/files/.imgmill/by-url", 404, "no such file"),
        ("/originals/page.jpg", 404, "--originals"),
        ("/nothing", 404, "no such page"),
    ] {
        let answer = viewer.get(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.text().contains(says), "{path}: {}", answer.text());
    }
    assert_eq!(viewer.ask("POST", "/iiif/3/page/info.json", &[]).status, 405);
    assert_eq!(viewer.ask("OPTIONS", "/iiif/3/page/info.json", &[]).status, 204);
}

#[test]
fn a_stranger_with_a_name_of_its_own_is_refused() {
    let place = place();
    let viewer = Viewer::of(&place, &["outputs", "--host", "atlas"]);
    for host in ["evil.example", "localhost.evil.example", ""] {
        let answer = viewer.ask("GET", "/list.json", &[("Host", host)]);
        assert_eq!(answer.status, 421, "{host}");
    }
    let ours = viewer.ask("GET", "/iiif/3/page/info.json", &[("Host", "atlas:81")]);
    assert_eq!(ours.json()["id"], "http://atlas:81/iiif/3/page");
    // What there is, other sites' pages cannot read.
    assert_eq!(viewer.get("/list.json").header("access-control-allow-origin"), "");
}

#[test]
fn results_are_listed_beside_their_originals() {
    let place = place();
    fs::create_dir(place.path("scans")).unwrap();
    fs::copy(place.path("page.jpg"), place.path("scans/a b.jpg")).unwrap();
    place.list([place.path("scans/a b.jpg").display().to_string()]);
    let ran = place.run(&["--derive", "small=full/90,/0/default.jpg", "--key", "{stem}_{label}.{ext}"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let tiles = place.command().args(["tile", "page.jpg", "--output", "outputs/tiles"]).output().unwrap();
    assert!(tiles.status.success());
    fs::write(place.path("outputs/book.json"), r#"{"type": "Manifest", "items": []}"#).unwrap();
    let viewer = Viewer::of(&place, &["outputs", "--originals", "scans"]);
    let list = viewer.get("/list.json").json();
    let entries = list["entries"].as_array().unwrap();
    let kinds: Vec<_> = entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["manifest", "set", "set", "set", "tiles"]);
    let set = entries.iter().find(|entry| entry["renditions"][0]["key"] == "a b_small.jpg").unwrap();
    assert_eq!(set["original"], "/originals/a%20b.jpg");
    assert!(viewer.get("/originals/a%20b.jpg").body == fs::read(place.path("page.jpg")).unwrap());
    assert_eq!(viewer.get("/files/a%20b_small.jpg").header("content-type"), "image/jpeg");
    let info = viewer.get("/files/tiles/page/info.json").json();
    assert_eq!(info["id"], format!("{}/files/tiles/page", viewer.base()));
    assert_eq!(viewer.get("/list.json?search=BOOK").json()["total"], 1);
    for path in ["/", "/view.js", "/view.css", "/openseadragon.js", "/openseadragon-licence.txt"] {
        let answer = viewer.get(path);
        assert!(
            answer.status == 200 && answer.header("content-security-policy").contains("script-src 'self'")
        );
    }
}

#[test]
fn a_bucket_is_shown_as_a_folder_is() {
    let s3 = S3Server::start("pyramids");
    let place = Place::new().with_environment(s3.environment());
    fs::write(place.path("page.jpg"), encode::jpeg(&photo(1, 700, 500), Default::default())).unwrap();
    place.list([place.path("page.jpg").display().to_string()]);
    for store in ["outputs", "s3://pyramids/a"] {
        let pyramid = ["--derive", "p=full/max/0/default.ptif", "--key", "{stem}.{ext}", "--store", store];
        let ran = place.run(&pyramid);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    let viewer = Viewer::of(&place, &["s3://pyramids/a"]);
    assert_eq!(viewer.get("/list.json").json()["entries"][0]["renditions"][0]["key"], "page.tif");
    let folder = Viewer::of(&place, &["outputs"]);
    let path = "/iiif/3/page/256,0,300,300/150,/0/default.jpg";
    assert!(viewer.get(path).body == folder.get(path).body);
    assert_eq!(viewer.get("/iiif/3/nothing/info.json").status, 404);
}

#[test]
fn it_says_where_it_is_and_ends_when_it_is_told() {
    let place = Place::new();
    let ran = place.command().args(["view", "nothing"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("the folder nothing cannot be shown"));
    fs::create_dir(place.path("outputs")).unwrap();
    let viewer = Viewer::of(&place, &["outputs"]);
    assert!(viewer.base().starts_with("http://127.0.0.1:"));
    assert_eq!(viewer.stop(), Some(143));
}
