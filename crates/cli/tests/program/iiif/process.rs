//! What is made, where it goes and what is told of it.

use std::fs;
use std::path::Path;

use imgmill_testing::http::{Answer, TestServer};
use imgmill_testing::s3::S3Server;
use imgmill_testing::samples::{encode, photo};
use serde_json::{Value, json};

use super::{command, config, files, place, printed, process, read, with_files, words};
use crate::harness::{Place, Ran, jpeg};

fn photograph() -> Vec<u8> {
    encode::jpeg(&photo(1, 800, 600), Default::default())
}

/// As another program has it.
fn sha1(path: &Path) -> String {
    let said = std::process::Command::new("sha1sum").arg(path).output().unwrap();
    String::from_utf8_lossy(&said.stdout).split_whitespace().next().unwrap().to_owned()
}

const MADE: [&str; 4] = [
    "source/IMG_0084.JPG/-1,-1,320,320/full/0/dither.jpg",
    "source/IMG_0084.JPG/full/!2048,1536/0/color.jpg",
    "source/IMG_0084.JPG/full/full/-1/color.jpg",
    "source/IMG_0084.JPG/process.json",
];

#[track_caller]
fn check_report(report: &Value, sha1: &str) {
    let keys: Vec<_> = report.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "blurhash",
        "dimensions",
        "imagehash",
        "origin",
        "origin_fingerprint",
        "origin_uri",
        "palette",
        "uris",
    ];
    assert_eq!(keys, expected);
    assert_eq!(report["origin"], "source/IMG_0084.JPG");
    assert_eq!(report["origin_uri"], "file:///source/IMG_0084.JPG");
    assert_eq!(report["dimensions"], json!({"b": [2048, 1536], "d": [320, 320], "o": [800, 600]}));
    for (label, path) in [("d", MADE[0]), ("b", MADE[1]), ("o", MADE[2])] {
        assert_eq!(report["uris"][label], format!("file:///{path}"));
    }
    assert_eq!(report["blurhash"].as_str().unwrap().len(), 4 + 2 * 64);
    assert_eq!(report["origin_fingerprint"], sha1);
    for (name, letter) in [("average", "a:"), ("difference", "d:")] {
        let hash = report["imagehash"][name].as_str().unwrap();
        assert!(hash.starts_with(letter) && hash.len() == 18, "{hash}");
    }
    let colours = report["palette"].as_array().unwrap();
    assert!((1..=5).contains(&colours.len()));
    for colour in colours {
        assert_eq!(colour["reference"], "vibrant");
        assert_eq!(colour["name"], colour["hex"]);
        let closest = colour["closest"].as_array().unwrap();
        assert_eq!([&closest[0]["reference"], &closest[1]["reference"]], ["crayola", "css4"]);
    }
}

#[test]
fn the_published_example_on_disk() {
    let place = place();
    let source = photograph();
    fs::write(place.path("images/source/IMG_0084.JPG"), &source).unwrap();
    let line = "-config config.json -instructions instructions.json -report -uri source/IMG_0084.JPG";
    let ran = process(&place, line).expect(0);
    assert_eq!(files(&place.path("cache")), MADE, "and nothing beside it");
    let report = read(place.path("cache").join(MADE[3]));
    check_report(&report, &sha1(&place.path("images/source/IMG_0084.JPG")));
    assert_eq!(printed(&ran), json!({"source/IMG_0084.JPG": report}));
    for (path, size) in [(MADE[0], (320, 320)), (MADE[1], (2048, 1536)), (MADE[2], (800, 600))] {
        assert_eq!(image::image_dimensions(place.path("cache").join(path)).unwrap(), size, "{path}");
    }
    let dithered = image::open(place.path("cache").join(MADE[0])).unwrap().to_luma8();
    let strong = dithered.pixels().filter(|pixel| !(64..192).contains(&pixel.0[0])).count();
    assert!(strong > 320 * 320 / 2, "black and white, as far as a JPEG keeps that: {strong}");
    // Processes that are shut in find out the same, and a run replaces what the last one made.
    fs::write(place.path("cache").join(MADE[1]), "old").unwrap();
    let apart = process(&place, &format!("{line} -isolate process")).expect(0);
    assert_eq!(printed(&apart), printed(&ran));
    assert_eq!(files(&place.path("cache")), MADE);
    assert_eq!(image::image_dimensions(place.path("cache").join(MADE[1])).unwrap(), (2048, 1536));
}

#[test]
fn the_published_example_on_s3() {
    let s3 = S3Server::builder().bucket("originals").bucket("derived").start();
    let source = photograph();
    let file = s3.object_file("originals", "in/source/IMG_0084.JPG");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, &source).unwrap();
    let cache = json!({"name": "S3Blob", "path": "derived", "region": "us-east-1", "credentials": "env:"});
    let origin = json!({"name": "S3", "path": "originals", "prefix": "in", "region": "us-east-1", "credentials": "env:"});
    let place = with_files(Place::new().with_environment(s3.environment()), &config(origin, cache));
    let ran =
        process(&place, "-config config.json -instructions instructions.json -report source/IMG_0084.JPG")
            .expect(0);
    assert_eq!(s3.keys("derived"), MADE, "and nothing beside it");
    let sha1 = sha1(&s3.object_file("originals", "in/source/IMG_0084.JPG"));
    check_report(&printed(&ran)["source/IMG_0084.JPG"], &sha1);
    assert_eq!(s3.count("GetObject"), 1, "one request for the source");
    let put = s3.requests().into_iter().find(|request| request.path.contains("color.jpg")).unwrap();
    assert_eq!(put.header("content-type"), Some("image/jpeg"));
}

#[test]
fn credentials_come_from_where_the_config_says() {
    let s3 = S3Server::builder().bucket("originals").bucket("derived").start();
    fs::write(s3.object_file("originals", "a.jpg"), jpeg(1)).unwrap();
    let keep = |name: &str| !name.contains("KEY") && !name.ends_with("_FILE");
    let environment = s3.environment().into_iter().filter(|(name, _)| keep(name)).collect();
    let place = Place::new().with_environment(environment);
    let keys =
        format!("aws_access_key_id = {}\naws_secret_access_key = {}\n", s3.access_key(), s3.secret_key());
    fs::write(place.path("keys"), format!("[museum]\n{keys}")).unwrap();
    fs::create_dir(place.path(".aws")).unwrap();
    fs::write(place.path(".aws/credentials"), format!("[archive]\n{keys}")).unwrap();
    let bucket =
        |name: &str, credentials: &str| json!({"name": "S3", "path": name, "credentials": credentials});
    let of_file = format!("{}:museum", place.path("keys").display());
    let place = with_files(place, &config(bucket("originals", &of_file), bucket("derived", "archive")));
    let line = "-config config.json -instructions small.json a.jpg";
    process(&place, line).expect(0);
    assert_eq!(s3.keys("derived").len(), 2);
    let elsewhere = config(bucket("originals", &of_file), bucket("derived", "env:"));
    fs::write(place.path("config.json"), elsewhere.to_string()).unwrap();
    let ran = process(&place, line).expect(1);
    assert!(ran.stderr.contains("env:"), "{}", ran.stderr);
    let unknown = config(bucket("originals", &of_file), bucket("derived", "nobody"));
    fs::write(place.path("config.json"), unknown.to_string()).unwrap();
    let ran = process(&place, line).expect(1);
    assert!(ran.stderr.contains("[nobody] in ~/.aws/credentials"), "{}", ran.stderr);
}

#[test]
fn every_uri_names_its_derivatives_as_go_iiif_does() {
    let place = place();
    fs::write(place.path("images/a b.jpg"), jpeg(1)).unwrap();
    let line = "-config config.json -report -instructions small.json -uri 'a b.jpg' -uri file:///a%20b.jpg?target=/other/c.jpg \
                -uri idsecret:///a%20b.jpg?id=1234&secret=s33kret&secret_o=seekr3t";
    process(&place, line).expect(0);
    let expected = [
        "123/4/1234_s33kret_s.jpg",
        "123/4/1234_s33kret_t.png",
        "123/4/process.json",
        "a b.jpg/full/!20,20/0/color.jpg",
        "a b.jpg/process.json",
        "a b.jpg/square/8,8/0/color.png",
        "other/c.jpg/full/!20,20/0/color.jpg",
        "other/c.jpg/process.json",
        "other/c.jpg/square/8,8/0/color.png",
    ];
    assert_eq!(files(&place.path("cache")), expected);
    assert_eq!(
        read(place.path("cache/123/4/process.json"))["origin_uri"],
        "idsecret:///a b.jpg?id=1234&secret=s33kret&secret_o=seekr3t"
    );
    let one = r#"-config config.json -instructions '{"o": {"size": "9,"}}' rewrite:///a%20b.jpg?target=/final/name.jpg"#;
    process(&place, one).expect(0);
    assert!(place.path("cache/final/name.jpg").is_file());
}

#[test]
fn a_source_that_is_named_often_is_fetched_once() {
    let server = TestServer::start();
    server.route("/iiif/x/a.jpg", Answer::ok(jpeg(1)));
    let config = config(
        json!({"name": "URI", "path": server.url("/iiif/{+id}")}),
        json!({"name": "Disk", "path": "cache"}),
    );
    let place = with_files(Place::new(), &config);
    let line = "-config config.json -instructions small.json x/a.jpg x/a.jpg /x/a.jpg x/a.jpg?target=y x/a.jpg?target=z";
    let ran = process(&place, line).expect(0);
    assert_eq!(server.total_bodies(), 1);
    assert_eq!(files(&place.path("cache")).len(), 6);
    assert_eq!(printed(&ran).as_object().unwrap().len(), 3);
}

#[test]
fn reports_may_be_called_otherwise_and_lie_elsewhere() {
    let place = place();
    fs::write(place.path("images/test.jpg"), jpeg(1)).unwrap();
    let line = "-config config.json -instructions small.json -report";
    process(&place, &format!("{line} -report-name about.json test.jpg")).expect(0);
    assert!(place.path("cache/test.jpg/about.json").is_file());
    let hashed = "process_0d407ee6406a1216f2366674a1a9ff71361d5bef47021f8eb8b51f95e319dd56.json";
    process(&place, &format!("{line} -report-template=process_{{sha256_origin}}.json test.jpg")).expect(0);
    assert!(place.path("cache/test.jpg").join(hashed).is_file());
    let elsewhere = place.path("reports");
    process(&place, &format!("{line} --report-source file://{} test.jpg", elsewhere.display())).expect(0);
    assert_eq!(files(&elsewhere), [hashed]);
    assert!(!place.path("cache/test.jpg/process.json").exists());
}

#[test]
fn the_documents_own_command_lines() {
    let place = place();
    fs::write(place.path("images/IMG_0084.JPG"), jpeg(1)).unwrap();
    let help = process(&place, "-h").expect(0);
    for flag in ["  -config", "  -instructions", "  -report", "  -report-name", "  -uri"] {
        assert!(help.stderr.contains(flag), "{flag}: {}", help.stderr);
    }
    let etc = place.path("").display().to_string();
    let line = format!(
        "-config {etc}config.json -instructions {etc}instructions.json -report -report-name process.json -uri IMG_0084.JPG"
    );
    process(&place, &line).expect(0);
    assert_eq!(files(&place.path("cache")).len(), 4);
    let subcommand = place.command().args(["iiif", "process"]).args(words(&line)).spawn().unwrap();
    Ran::of(subcommand).expect(0);
    // As a container has it: everything from the environment, in either generation's names.
    fs::remove_dir_all(place.path("cache")).unwrap();
    let mut contained = command(&place, "iiif-process");
    contained
        .env("IIIF_PROCESS_CONFIG_SOURCE", format!("file://{etc}"))
        .env("IIIF_INSTRUCTIONS", "small.json");
    contained.env("IIIF_PROCESS_INSTRUCTIONS", "instructions.json").env("IIIF_PROCESS_REPORT", "true");
    contained.env("IIIF_PROCESS_URI", "IMG_0084.JPG,/IMG_0084.JPG?target=second");
    Ran::of(contained.args(["-instructions", "small.json"]).spawn().unwrap()).expect(0);
    assert_eq!(files(&place.path("cache")).len(), 6, "what is typed wins");
}
