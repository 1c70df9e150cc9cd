//! The main job: URLs in, gray images stored, lists out.

use std::fs;

use imgmill_testing::http::{Answer, TestServer};
use imgmill_testing::samples::{encode, photo, sample_set};

use crate::harness::{Place, Ran, expect_failure, jpeg};

#[test]
fn every_format_becomes_gray_and_bad_rows_stand_apart() {
    let server = TestServer::start();
    let samples = sample_set();
    for sample in &samples {
        server
            .route(&format!("/{}", sample.name), Answer::ok(&sample.bytes).content_type(sample.content_type));
    }
    server.route("/page.jpg", Answer::html("<!doctype html><p>Sign in").content_type("image/jpeg"));
    let mut urls: Vec<String> =
        samples.iter().map(|sample| server.url(&format!("/{}", sample.name))).collect();
    urls.insert(2, server.url("/page.jpg"));
    urls.insert(0, server.url("/missing.jpg"));
    let place = Place::new();
    place.list(&urls);

    let ran = place.run(&[]).expect(3);
    assert!(ran.stderr.contains("10 rows"), "{}", ran.stderr);
    assert_eq!(place.failed(), [server.url("/missing.jpg"), server.url("/page.jpg")]);
    let output = place.output();
    assert_eq!(output[0], ["url", "input", "output", "s3url"]);
    let good: Vec<&String> = urls.iter().filter(|url| !place.failed().contains(url)).collect();
    assert_eq!(output[1..].iter().map(|row| &row[0]).collect::<Vec<_>>(), good, "input order");
    for (row, sample) in output[1..].iter().zip(&samples) {
        assert_eq!(fs::read(&row[1]).unwrap(), sample.bytes, "the kept source");
        let stored = row[3].strip_prefix("file://").unwrap();
        assert_eq!(
            fs::read(&row[2]).unwrap(),
            fs::read(stored).unwrap(),
            "the kept rendition is the stored one"
        );
        let gray = image::open(stored).unwrap();
        assert_eq!(gray.color(), image::ColorType::L8, "{}", sample.name);
    }
    let report = place.report();
    assert_eq!(report.len(), 10);
    expect_failure(&report[0], "fetch", "http_status");
    expect_failure(&report[3], "fetch", "not_an_image");
    assert_eq!(report[1]["width"], 1200);
    assert_eq!(report[1]["renditions"][0]["label"], "gray");
}

#[test]
fn gray_is_luma_within_rounding() {
    let picture = photo(5, 200, 150);
    let server = TestServer::start();
    server.route("/a.png", Answer::ok(encode::png(&picture)));
    let place = Place::new();
    place.list([server.url("/a.png")]);
    place.run(&["--derive", "g=full/max/0/gray.png"]).expect(0);
    let made = image::open(&place.stored()[0]).unwrap().into_luma8().into_raw();
    let most = made.iter().zip(encode::luma(&picture)).map(|(a, b)| a.abs_diff(b)).max();
    assert!(most <= Some(1), "off by {most:?}");
}

#[test]
fn several_derivatives_have_a_row_each() {
    let server = TestServer::start();
    server.route("/a.jpg", Answer::ok(encode::jpeg(&photo(1, 400, 300), Default::default())));
    let place = Place::new();
    place.list([server.url("/a.jpg")]);
    place
        .run(&["--derive", "small=square/!50,50/0/default.jpg", "--derive", "wide=full/200,/0/gray.png"])
        .expect(0);
    let output = place.output();
    assert_eq!(output[0], ["url", "input", "output", "s3url", "derivative"]);
    assert_eq!(output[1..].iter().map(|row| &row[4]).collect::<Vec<_>>(), ["small", "wide"]);
    let size = |row: &[String]| image::image_dimensions(row[3].strip_prefix("file://").unwrap()).unwrap();
    assert_eq!((size(&output[1]), size(&output[2])), ((50, 50), (200, 150)));
    assert_eq!(server.bodies("/a.jpg"), 1, "one download for both");
}

#[test]
fn a_recipe_file_names_derivatives() {
    let server = TestServer::start();
    server.route("/a.jpg", Answer::ok(jpeg(1)));
    let place = Place::new();
    place.list([server.url("/a.jpg")]);
    let recipe = r#"{"t": {"size": "!20,20", "format": "png"}, "g": {"quality": "gray"}}"#;
    fs::write(place.path("recipe.json"), recipe).unwrap();
    place.run(&["--recipe", "recipe.json"]).expect(0);
    assert_eq!(place.output()[1..].iter().map(|row| &row[4]).collect::<Vec<_>>(), ["t", "g"]);
}

#[test]
fn files_and_paths_are_sources_too() {
    let place = Place::new();
    fs::write(place.path("a.jpg"), jpeg(1)).unwrap();
    fs::write(place.path("b c.jpg"), jpeg(2)).unwrap();
    let url = format!("file://{}/b%20c.jpg", place.path("").display().to_string().trim_end_matches('/'));
    place.list(["a.jpg", &url, "nothing.jpg", "/dev/zero", "ftp://h/x.jpg"]);
    place.run(&[]).expect(3);
    assert_eq!(place.output().len(), 3);
    let report = place.report();
    expect_failure(&report[2], "fetch", "not_found");
    expect_failure(&report[3], "fetch", "invalid_url");
    expect_failure(&report[4], "fetch", "invalid_url");
}

#[test]
fn the_failed_list_is_valid_input() {
    let server = TestServer::start();
    server.route("/a,b.jpg", imgmill_testing::http::Behaviour::failing_first(1, 404, Answer::ok(jpeg(1))));
    let place = Place::new();
    place.list([format!("\"{}\"", server.url("/a,b.jpg"))]);
    place.run(&[]).expect(3);
    fs::copy(place.path("failed.csv"), place.path("input.csv")).unwrap();
    place.run(&[]).expect(0);
    assert_eq!(place.output()[1][0], server.url("/a,b.jpg"));
    assert_eq!(fs::read_to_string(place.path("failed.csv")).unwrap(), "url\n");
}

#[test]
fn nothing_is_kept_when_asked() {
    let server = TestServer::start();
    server.route("/a.jpg", Answer::ok(jpeg(1)));
    let place = Place::new();
    place.list([server.url("/a.jpg")]);
    place.run(&["--discard"]).expect(0);
    assert_eq!(place.output()[1][1..3], ["", ""]);
    assert_eq!(fs::read_dir(place.path("work")).unwrap().count(), 0);
}

#[test]
fn keys_follow_a_template_and_never_collide() {
    let server = TestServer::start();
    server.route("/x/a.jpg", Answer::ok(jpeg(1)));
    server.route("/y/a.jpg", Answer::ok(jpeg(2)));
    server.route("/z/a.jpg", Answer::ok(jpeg(1)));
    let place = Place::new();
    let flags = ["--key", "pages/{stem}_{label}.{ext}"];
    // Whoever comes first owns the key, so the owner comes alone.
    place.list([server.url("/x/a.jpg")]);
    place.run(&flags).expect(0);
    place.list([server.url("/x/a.jpg"), server.url("/z/a.jpg"), server.url("/y/a.jpg")]);
    place.run(&flags).expect(3);
    assert_eq!(place.stored(), [place.path("outputs/pages/a_gray.jpg")]);
    let before = fs::read(&place.stored()[0]).unwrap();
    assert_eq!(place.output().len(), 3, "the same image from two URLs shares its key");
    expect_failure(&place.report()[2], "store", "key_conflict");

    // The row that owns the key may bring a new version; the others still may not.
    server.route("/x/a.jpg", Answer::ok(jpeg(3)).etag("\"3\""));
    place.list([server.url("/x/a.jpg"), server.url("/y/a.jpg")]);
    place.run(&["--key", "pages/{stem}_{label}.{ext}", "--refresh"]).expect(3);
    assert_ne!(fs::read(&place.stored()[0]).unwrap(), before);
    assert_eq!(place.failed(), [server.url("/y/a.jpg")]);
}

#[test]
fn a_foreign_object_is_never_overwritten() {
    let server = TestServer::start();
    server.route("/a.jpg", Answer::ok(jpeg(1)));
    let place = Place::new();
    fs::create_dir(place.path("outputs")).unwrap();
    fs::write(place.path("outputs/a.jpg"), "somebody's own").unwrap();
    place.list([server.url("/a.jpg")]);
    // However often it is tried.
    for _ in 0..3 {
        place.run(&["--key", "{stem}.{ext}"]).expect(3);
        assert_eq!(fs::read_to_string(place.path("outputs/a.jpg")).unwrap(), "somebody's own");
        expect_failure(&place.report()[0], "store", "key_conflict");
    }
}

#[test]
fn a_path_means_its_own_folder() {
    let place = Place::new();
    for (folder, seed) in [("one", 1), ("two", 2)] {
        fs::create_dir(place.path(folder)).unwrap();
        fs::write(place.path(folder).join("a.jpg"), jpeg(seed)).unwrap();
        fs::write(place.path(folder).join("list.csv"), "url\na.jpg\n").unwrap();
    }
    let run = |folder: &str| {
        let mut command = place.command();
        command.current_dir(place.path(folder)).args([
            "run",
            "-i",
            "list.csv",
            "-o",
            "o.csv",
            "--store",
            "../outputs",
        ]);
        Ran::of(command.args(["--key", "{stem}.{ext}", "--discard"]).spawn().unwrap())
    };
    run("one").expect(0);
    let first = fs::read(place.path("outputs/a.jpg")).unwrap();
    run("two").expect(3);
    assert_eq!(fs::read(place.path("outputs/a.jpg")).unwrap(), first);
}

#[test]
fn keys_keep_the_letters_of_their_sources() {
    let place = Place::new();
    fs::write(place.path("ü b~c%41+.jpg"), jpeg(1)).unwrap();
    place.list(["ü b~c%41+.jpg"]);
    place.run(&["--key", "{stem}_{label}.{ext}"]).expect(0);
    assert_eq!(place.stored(), [place.path("outputs/ü b~c%41+_gray.jpg")]);
    let url = &place.output()[1][3];
    assert!(url.ends_with("/%C3%BC%20b~c%2541+_gray.jpg"), "{url}");
    assert!(place.run(&["--key", "{stem}_{label}.{ext}"]).expect(0).stderr.contains("1 already stored"));
}

#[test]
fn files_that_are_two_things_at_once_are_refused() {
    let place = Place::new();
    place.list(["a.jpg"]);
    let list = fs::read(place.path("input.csv")).unwrap();
    for flags in
        [["-o", "input.csv", "--output-failed", "f.csv"], ["-o", "x.csv", "--output-failed", "x.csv"]]
    {
        let ran = Ran::of(place.command().args(["run", "-i", "input.csv"]).args(flags).spawn().unwrap());
        assert!(ran.expect(2).stderr.contains("are the same file"));
    }
    assert_eq!(fs::read(place.path("input.csv")).unwrap(), list);
}

#[test]
fn lossless_gray_keeps_the_orientation_tag() {
    let sideways = sample_set().into_iter().find(|sample| sample.name == "held-sideways.jpg").unwrap();
    let place = Place::new();
    fs::write(place.path("s.jpg"), &sideways.bytes).unwrap();
    place.list(["s.jpg"]);
    place.run(&[]).expect(0);
    let file = fs::File::open(&place.stored()[0]).unwrap();
    let mut decoder = image::ImageReader::new(std::io::BufReader::new(file))
        .with_guessed_format()
        .unwrap()
        .into_decoder()
        .unwrap();
    let orientation = image::ImageDecoder::orientation(&mut decoder).unwrap();
    assert_ne!(orientation, image::metadata::Orientation::NoTransforms);
}
