//! Never twice: within a run, from run to run, after a kill, and for two runs at once.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use imgmill_testing::http::{Answer, Behaviour, TestServer};

use crate::harness::{Place, Ran, expect_failure, jpeg};

/// Twenty different images at `/0` … `/19`, each with an ETag.
fn gallery() -> (TestServer, Vec<String>) {
    let server = TestServer::start();
    for seed in 0..20 {
        server.route(&format!("/{seed}"), Answer::ok(jpeg(seed)).etag_of_body());
    }
    let urls = (0..20).map(|seed| server.url(&format!("/{seed}"))).collect();
    (server, urls)
}

/// What tells whether a file was written again.
fn written(files: &[PathBuf]) -> Vec<SystemTime> {
    files.iter().map(|file| fs::metadata(file).unwrap().modified().unwrap()).collect()
}

#[test]
fn one_url_is_downloaded_once_and_one_image_made_once() {
    let server = TestServer::start();
    for path in ["/a", "/b"] {
        server.route(path, Behaviour::delayed(Duration::from_millis(50), Answer::ok(jpeg(1))));
    }
    server.route("/gone", Answer::status(404));
    let place = Place::new();
    place.list(["/a", "/b", "/a", "/gone", "/a", "/gone"].map(|path| server.url(path)));
    place.run(&[]).expect(3);
    assert_eq!((server.hits("/a"), server.hits("/b"), server.hits("/gone")), (1, 1, 1));
    assert_eq!(place.stored().len(), 1);
    assert_eq!(place.output().len(), 5);
    assert_eq!(place.failed().len(), 2);
    let report = place.report();
    let count = |status: &str| report.iter().filter(|row| row["status"] == status).count();
    assert_eq!((count("done"), count("reused"), count("failed")), (1, 3, 2));
}

#[test]
fn a_second_run_transfers_and_makes_nothing() {
    let (server, urls) = gallery();
    let place = Place::new();
    place.list(&urls);
    place.run(&[]).expect(0);
    let first = place.output();
    let (stored, before) = (place.stored(), written(&place.stored()));
    let ran = place.run(&[]).expect(0);
    assert!(ran.stderr.contains("0 made, 20 already stored"), "{}", ran.stderr);
    assert_eq!((server.total_bodies(), server.total_hits()), (20, 40));
    assert_eq!((place.stored(), written(&stored)), (stored.clone(), before));
    let second = place.output();
    assert!(second[1..].iter().all(|row| row[1].is_empty() && row[2].is_empty()));
    let stored_at = |rows: &[Vec<String>]| rows[1..].iter().map(|row| row[3].clone()).collect::<Vec<_>>();
    assert_eq!(stored_at(&first), stored_at(&second));

    place.run(&["--revalidate", "never"]).expect(0);
    assert_eq!(server.total_hits(), 40, "nothing was asked");
    place.run(&["--refresh"]).expect(0);
    assert_eq!(server.total_bodies(), 40, "everything began again");
}

#[test]
fn origins_without_validators_are_not_asked() {
    let server = TestServer::start();
    server.route("/a", Answer::ok(jpeg(1)));
    let place = Place::new();
    place.list([server.url("/a")]);
    place.run(&[]).expect(0);
    place.run(&[]).expect(0);
    assert_eq!(server.total_hits(), 1);
}

#[test]
fn a_server_that_ignores_conditions_sends_no_body_twice() {
    let server = TestServer::start();
    // Large enough that a body left unread shows in what the server could send.
    let big = imgmill_testing::samples::encode::bmp(&imgmill_testing::samples::photo(1, 2000, 2000));
    let length = big.len() as u64;
    server.route("/a", Answer::ok(big).etag("\"1\"").ignoring_conditions());
    let place = Place::new();
    place.list([server.url("/a")]);
    place.run(&[]).expect(0);
    place.run(&[]).expect(0);
    let exchanges = server.exchanges();
    assert_eq!(exchanges[0].body_bytes, length);
    assert!(exchanges[1].body_bytes < length, "the second body was not read to its end");
    assert_eq!(place.report()[0]["status"], "reused");
}

#[test]
fn a_changed_source_is_made_again() {
    let server = TestServer::start();
    server.route(
        "/a",
        Answer::ok(jpeg(1)).last_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)),
    );
    let place = Place::new();
    place.list([server.url("/a")]);
    place.run(&[]).expect(0);
    let first = place.stored();
    server.route(
        "/a",
        Answer::ok(jpeg(2)).last_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000)),
    );
    place.run(&[]).expect(0);
    assert_eq!(place.stored().len(), 2);
    assert!(!place.output()[1][3].ends_with(first[0].file_name().unwrap().to_str().unwrap()));
}

#[test]
fn the_stored_image_is_the_proof() {
    let (server, urls) = gallery();
    let place = Place::new();
    place.list(&urls);
    place.run(&[]).expect(0);
    let stored = place.stored();
    let whole: Vec<Vec<u8>> = stored.iter().map(|file| fs::read(file).unwrap()).collect();
    fs::remove_file(&stored[3]).unwrap();
    fs::write(&stored[7], &whole[7][..whole[7].len() / 2]).unwrap();
    fs::write(&stored[11], "").unwrap();
    let ran = place.run(&[]).expect(0);
    assert!(ran.stderr.contains("3 made, 17 already stored"), "{}", ran.stderr);
    assert_eq!(server.total_bodies(), 23);
    assert_eq!(stored.iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>(), whole);
}

#[test]
fn the_same_bytes_at_a_new_url_are_not_made_again() {
    let server = TestServer::start();
    server.route("/a", Answer::ok(jpeg(1)));
    server.route("/b", Answer::ok(jpeg(1)));
    let place = Place::new();
    place.list([server.url("/a")]);
    place.run(&[]).expect(0);
    let before = written(&place.stored());
    place.list([server.url("/b")]);
    let ran = place.run(&[]).expect(0);
    assert!(ran.stderr.contains("0 made, 1 already stored"), "{}", ran.stderr);
    assert_eq!(written(&place.stored()), before);
    // A pointer that is lost costs a download, and a damaged object behind it is found all the same.
    fs::remove_dir_all(place.path("outputs/.imgmill")).unwrap();
    let whole = fs::read(&place.stored()[0]).unwrap();
    fs::write(&place.stored()[0], &whole[..whole.len() / 2]).unwrap();
    let ran = place.run(&[]).expect(0);
    assert!(ran.stderr.contains("damaged; replacing it"), "{}", ran.stderr);
    assert_eq!(fs::read(&place.stored()[0]).unwrap(), whole);
}

#[test]
fn another_recipe_makes_only_what_is_new() {
    let (_server, urls) = gallery();
    let place = Place::new();
    place.list(&urls);
    place.run(&[]).expect(0);
    let before = written(&place.stored());
    let gray = place.stored();
    place.run(&["--derive", "gray=full/max/0/gray.jpg", "--derive", "t=full/20,/0/default.png"]).expect(0);
    assert_eq!(place.stored().len(), 40);
    assert_eq!(written(&gray), before, "gray stayed as it was");
    let ran = place.run(&[]).expect(0);
    assert!(ran.stderr.contains("20 already stored"), "the first recipe is still known: {}", ran.stderr);
}

#[test]
fn a_killed_run_loses_nothing_and_the_next_does_what_is_left() {
    for reported_before in [0, 1, 7, 15, 22] {
        let server = TestServer::start();
        // Those that are not waited for take so long that no run is over before a busy machine gets to kill it.
        let (rows_in_all, quick) = (60, 30);
        let serve = |seed: u64, delay: u64| {
            let answer = Answer::ok(jpeg(seed)).etag_of_body();
            server.route(&format!("/{seed}"), Behaviour::delayed(Duration::from_millis(delay), answer));
        };
        (0..quick).for_each(|seed| serve(seed, 30));
        (quick..rows_in_all).for_each(|seed| serve(seed, 1000));
        let place = Place::new();
        place.list((0..rows_in_all).map(|seed| server.url(&format!("/{seed}"))));
        let mut child = place.spawn(&["--per-host", "2"]);
        let rows =
            || fs::read_to_string(place.path("output.csv.partial")).map_or(0, |text| text.lines().count());
        while rows() <= reported_before {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let partial = fs::read_to_string(place.path("output.csv.partial")).unwrap_or_default();
        let reported: Vec<&str> = partial
            .lines()
            .skip(1)
            .filter_map(|line| line.rsplit_once("file://").map(|(_, path)| path))
            .collect();
        let rows_in_all = rows_in_all as usize;
        assert!(
            (reported_before..rows_in_all).contains(&reported.len()),
            "killed in the middle: {}",
            reported.len()
        );
        for path in &reported {
            let image = image::open(path).expect("what was reported is stored, whole");
            assert_eq!(image.color(), image::ColorType::L8);
        }
        server.wait_until_quiet();
        (quick..rows_in_all as u64).for_each(|seed| serve(seed, 30));
        let bodies = server.total_bodies();
        place.run(&["--per-host", "8"]).expect(0);
        assert_eq!(place.output().len(), rows_in_all + 1);
        assert_eq!(place.stored().len(), rows_in_all);
        let again = server.total_bodies() - bodies;
        let left = rows_in_all - reported.len();
        assert!(again <= left, "{again} downloads for {left} rows left");
    }
}

#[test]
fn two_runs_at_once_share_a_store() {
    let (_server, urls) = gallery();
    let places = [Place::new(), Place::new()];
    let store = places[0].path("outputs").display().to_string();
    places.iter().for_each(|place| place.list(&urls));
    for flags in [&[][..], &["--key", "{stem}.{ext}", "--refresh"]] {
        let flags = [flags, &["--store", &store]].concat();
        let children = [places[0].spawn(&flags), places[1].spawn(&flags)];
        for child in children {
            Ran::of(child).expect(0);
        }
    }
    for file in places[0].stored() {
        image::open(&file).expect("every stored image is whole");
    }
    assert_eq!(places[0].stored().len(), 40, "20 by hash, 20 by name");
    assert_eq!(places[0].output().len(), 21);
}

#[test]
fn what_a_cut_image_gave_is_never_taken_for_the_whole_one() {
    let server = TestServer::start();
    let whole = jpeg(3);
    server.route("/cut.jpg", Answer::ok(&whole[..whole.len() * 2 / 3]));
    server.route("/whole.jpg", Answer::ok(&whole));
    let place = Place::new();
    place.list([server.url("/cut.jpg"), server.url("/whole.jpg")]);
    let accept = ["--on-truncated", "accept"];

    place.run(&accept).expect(0);
    let report = place.report();
    assert_eq!(report[0]["truncated"], true, "{}", report[0]);
    assert_eq!(report[1].get("truncated"), None, "{}", report[1]);
    let (cut, good) = (report[0]["renditions"][0]["key"].clone(), report[1]["renditions"][0]["key"].clone());
    // The same again: both stand, and the one is still known for what it is.
    place.run(&accept).expect(0);
    let report = place.report();
    assert_eq!((&report[0]["status"], &report[0]["truncated"]), (&"reused".into(), &true.into()));
    assert_eq!(report[0]["renditions"][0]["key"], cut);
    assert_eq!((&report[1]["status"], &report[1]["renditions"][0]["key"]), (&"reused".into(), &good));
    // From another URL the same bytes are recognised.
    server.route("/again.jpg", Answer::ok(&whole[..whole.len() * 2 / 3]));
    place.list([server.url("/again.jpg")]);
    place.run(&accept).expect(0);
    let report = place.report();
    assert_eq!((&report[0]["status"], &report[0]["truncated"]), (&"reused".into(), &true.into()));
    // Without the flag the cut image is an error, whatever was stored of it.
    place.list([server.url("/cut.jpg"), server.url("/whole.jpg")]);
    place.run(&[]).expect(3);
    let report = place.report();
    expect_failure(&report[0], "derive", "truncated");
    assert_eq!((&report[1]["status"], &report[1]["renditions"][0]["key"]), (&"reused".into(), &good));
}
