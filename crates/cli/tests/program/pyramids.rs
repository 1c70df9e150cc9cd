//! Pyramids from a list, and static tiles.

use std::fs;

use imgmill_testing::http::{Answer, TestServer};
use imgmill_testing::s3::{Fault, S3Server};
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

/// Larger than one part of an upload is.
const LARGE: &str = r#"{"p": {"format": "ptif", "compression": "none"}}"#;

fn place_with_large_photo(s3: &S3Server) -> Place {
    let mut environment = s3.environment();
    environment.push(("S3_BUCKET", "pyramids".to_owned()));
    let place = Place::new().with_environment(environment);
    fs::write(place.path("page.jpg"), encode::jpeg(&photo(1, 2300, 1900), Default::default())).unwrap();
    fs::write(place.path("large.json"), LARGE).unwrap();
    place.list([place.path("page.jpg").display().to_string()]);
    place
}

#[test]
fn a_large_pyramid_goes_to_the_bucket_in_parts_the_first_one_last() {
    let s3 = S3Server::start("pyramids");
    let place = place_with_large_photo(&s3);
    place.run(&["--recipe", "large.json", "--key", "{stem}.{ext}", "--discard"]).expect(0);
    let uploaded = s3.object("pyramids", "page.tif").unwrap();
    assert!(uploaded.starts_with(b"II*\0") && uploaded[4..8] != [0; 4], "the first directory has its place");
    let numbers: Vec<u32> = s3
        .requests()
        .iter()
        .filter(|request| request.operation.as_deref() == Some("UploadPart"))
        .map(|request| {
            let query = request.query.split('&').find_map(|part| part.strip_prefix("partNumber="));
            query.unwrap().parse().unwrap()
        })
        .collect();
    assert!(numbers.len() > 2 && numbers.last() == Some(&1), "{numbers:?}");
    let begun =
        s3.requests().into_iter().find(|r| r.operation.as_deref() == Some("CreateMultipartUpload")).unwrap();
    for (name, value) in
        [("width", "2300"), ("height", "1900"), ("pages", "4"), ("levels", "4"), ("tilesize", "512")]
    {
        assert_eq!(begun.header(&format!("x-amz-meta-{name}")), Some(value), "{name}");
    }
    assert_eq!(begun.header("content-type"), Some("image/tiff"));
    // The same as in a folder, and with a copy kept here.
    let folder = url::Url::from_directory_path(place.path("here")).unwrap();
    place
        .run(&["--recipe", "large.json", "--key", "{stem}.{ext}", "--store", folder.as_str(), "--refresh"])
        .expect(0);
    assert!(fs::read(place.path("here/page.tif")).unwrap() == uploaded);
    assert_eq!(fs::read_dir(place.path("here/.imgmill/unfinished")).unwrap().count(), 0);
    place.run(&["--recipe", "large.json", "--refresh"]).expect(0);
    let kept = place.report()[0]["renditions"][0].clone();
    assert!(s3.object("pyramids", kept["key"].as_str().unwrap()).unwrap() == uploaded);
}

#[test]
fn an_upload_that_fails_half_way_is_taken_back() {
    let s3 = S3Server::start("pyramids");
    let place = place_with_large_photo(&s3);
    s3.fail_next("CompleteMultipartUpload", 1, Fault::AccessDenied);
    place.run(&["--recipe", "large.json", "--key", "{stem}.{ext}", "--discard"]).expect(3);
    let report = place.report();
    assert_eq!((report[0]["stage"].as_str(), report[0]["kind"].as_str()), (Some("store"), Some("denied")));
    assert!(s3.object("pyramids", "page.tif").is_none());
    assert_eq!(s3.count("AbortMultipartUpload"), 1);
    // A part that fails in a way that may pass is sent again.
    s3.fail_next("UploadPart", 1, Fault::SlowDown);
    place.run(&["--recipe", "large.json", "--key", "{stem}.{ext}", "--discard"]).expect(0);
    assert!(s3.object("pyramids", "page.tif").is_some());
    // A source that breaks off after most of it was sent.
    let whole = fs::read(place.path("page.jpg")).unwrap();
    fs::write(place.path("cut.jpg"), &whole[..whole.len() * 9 / 10]).unwrap();
    place.list([place.path("cut.jpg").display().to_string()]);
    place.run(&["--recipe", "large.json", "--key", "{stem}.{ext}", "--discard"]).expect(3);
    assert_eq!(place.report()[0]["kind"], "truncated");
    assert_eq!((s3.object("pyramids", "cut.tif"), s3.count("AbortMultipartUpload")), (None, 2));
}

#[test]
fn transparency_that_is_lost_is_said() {
    let place = Place::new();
    let mut encoder = Vec::new();
    image::DynamicImage::new_rgba8(90, 70)
        .write_to(&mut std::io::Cursor::new(&mut encoder), image::ImageFormat::Png)
        .unwrap();
    fs::write(place.path("a.png"), encoder).unwrap();
    fs::write(place.path("r.json"), r#"{"p": {"format": "ptif", "compression": "jpeg"}}"#).unwrap();
    place.list([place.path("a.png").display().to_string()]);
    let ran = place.run(&["--recipe", "r.json"]).expect(0);
    assert!(ran.stderr.contains("no transparency"), "{}", ran.stderr);
}

#[test]
fn a_disk_that_is_full_is_named_and_nothing_is_left() {
    let place = with_photo("page.jpg");
    place.list([place.path("page.jpg").display().to_string()]);
    fs::write(place.path("r.json"), LARGE).unwrap();
    // No file may have more than 100 KB, which is what writing to a full disk is like.
    let limited = |arguments: &str| {
        let script = format!("trap '' XFSZ; ulimit -f 100; exec \"$0\" {arguments}");
        let mut command = std::process::Command::new("sh");
        command.current_dir(place.path(".")).env_clear().args(["-c", &script, env!("CARGO_BIN_EXE_imgmill")]);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        Ran::of(command.spawn().unwrap())
    };
    let ran =
        limited("run --input input.csv --output output.csv --recipe r.json --report report.jsonl --discard");
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(place.report()[0]["kind"], "io", "{}", ran.stderr);
    assert!(place.stored().is_empty());
    assert_eq!(fs::read_dir(place.path("outputs/.imgmill/unfinished")).unwrap().count(), 0);
    let ran = limited("tile page.jpg --output tiles --format png --tile 512");
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("could not be written"), "{}", ran.stderr);
    assert_eq!(fs::read_dir(place.path("tiles")).unwrap().count(), 0);
}

#[test]
fn more_pixels_than_allowed_are_refused_by_name() {
    let place = with_photo("page.jpg");
    place.list([place.path("page.jpg").display().to_string()]);
    let ran = place.run(&["--derive", "p=full/max/0/default.ptif", "--max-pixels", "300000"]).expect(3);
    assert_eq!(place.report()[0]["kind"], "too_many_pixels", "{}", ran.stderr);
    let ran = tile(&place, &["page.jpg", "--output", "tiles", "--max-pixels", "300000"]);
    assert!(ran.code == Some(3) && ran.stderr.contains("350000"), "{}", ran.stderr);
    assert!(!place.path("tiles/page").exists());
}

#[test]
fn the_stored_pyramid_counts_whatever_its_packing() {
    let place = Place::new();
    // Long runs of one shade.
    let flat = image::RgbImage::from_pixel(1200, 1100, image::Rgb([250, 250, 250]));
    for name in ["a.png", "b.png"] {
        flat.save(place.path(name)).unwrap();
    }
    for packing in ["lzw", "deflate", "zstd", "webp", "jpeg", "none"] {
        let recipe = format!(r#"{{"p": {{"format": "ptif", "compression": "{packing}"}}}}"#);
        fs::write(place.path("r.json"), recipe).unwrap();
        place.list([place.path("a.png").display().to_string()]);
        place.run(&["--recipe", "r.json"]).expect(0);
        place.list([place.path("b.png").display().to_string()]);
        place.run(&["--recipe", "r.json"]).expect(0);
        assert_eq!(place.report()[0]["status"], "reused", "{packing}");
    }
}

#[test]
fn tiles_are_made_of_what_is_at_a_url() {
    let place = with_photo("page.jpg");
    let server = TestServer::start();
    server.route("/pages/my%20page.jpg", Answer::ok(fs::read(place.path("page.jpg")).unwrap()));
    let ran = tile(&place, &[&server.url("/pages/my%20page.jpg?size=all"), "--output", "tiles"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(place.path("tiles/my page/info.json").exists(), "{}", ran.stderr);
    let ran = tile(&place, &[&server.url("/none.jpg"), "--output", "tiles"]);
    assert!(ran.code == Some(3) && ran.stderr.contains("404"), "{}", ran.stderr);
    let s3 = S3Server::start("originals");
    fs::write(s3.object_file("originals", "deep.jpg"), fs::read(place.path("page.jpg")).unwrap()).unwrap();
    let place = Place::new().with_environment(s3.environment());
    let ran = tile(&place, &["s3://originals/deep.jpg", "--output", "tiles"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(place.path("tiles/deep/info.json").exists());
}

/// go-iiif's tool, by the name of a link.
fn seed(place: &Place, arguments: &[&str]) -> Ran {
    let link = place.path("iiif-tile-seed");
    if !link.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_imgmill"), &link).unwrap();
    }
    let mut command = std::process::Command::new(link);
    command.current_dir(place.path(".")).env_clear().args(arguments);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    Ran::of(command.spawn().unwrap())
}

#[test]
fn tiles_are_seeded_as_go_iiif_does() {
    let place = with_photo("page.jpg");
    fs::create_dir(place.path("sources")).unwrap();
    fs::copy(place.path("page.jpg"), place.path("sources/page.jpg")).unwrap();
    let config = r#"{"images": {"source": {"name": "Disk", "path": "sources"}},
        "derivatives": {"cache": {"name": "disk", "path": "cache"}}}"#;
    fs::write(place.path("config.json"), config).unwrap();
    let flags = ["-config", "config.json", "-scale-factors", "4,2,1", "-endpoint=https://example.org/tiles"];
    for without_extension in ["-noextension", "--no-extension"] {
        let ran = seed(&place, &[&flags[..], &[without_extension, "page.jpg"]].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    assert!(!place.path("cache/page.jpg").exists());
    let info = fs::read(place.path("cache/page/info.json")).unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info).unwrap();
    assert_eq!(info["@id"], "https://example.org/tiles/page");
    assert_eq!(info["tiles"][0], serde_json::json!({"width": 256, "height": 256, "scaleFactors": [1, 2, 4]}));
    assert!(place.path("cache/page/512,256,188,244/188,/0/default.jpg").exists());
    assert!(place.path("cache/page/full/175,/0/default.jpg").exists());

    fs::write(place.path("list.csv"), "source_id,alternate_id\npage.jpg,a/b\n").unwrap();
    let gray = ["-mode", "csv", "-quality", "gray", "-format", "png", "-refresh", "list.csv"];
    let ran = seed(&place, &[&flags[..2], &gray[..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(place.path("cache/a/b/full/175,/0/gray.png").exists());
    assert!(!place.path("cache/a/b/512,256,188,244").exists(), "only the scale factor 4 is the default");

    for (arguments, says) in [
        (&["-what"][..], "flag provided but not defined: -what"),
        (&["-scale-factors", "3", "page.jpg"], "power of two"),
        (&["-mode", "csv", "none.csv"], "none.csv"),
        (&[], "no source"),
        (&["page.jpg,../up"], "below the output folder"),
    ] {
        let ran = seed(&place, arguments);
        assert!(ran.code != Some(0) && ran.stderr.contains(says), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.lines().count() == 1, "{}", ran.stderr);
    }
    let same = Ran::of(place.command().args(["iiif", "tile-seed", "-help"]).spawn().unwrap());
    assert!(same.code == Some(0) && same.stderr.contains("-scale-factors"), "{}", same.stderr);
}
