//! What reconcile must not do, and what it says instead.

use std::fs;

use imgmill_testing::http::{Answer, TestServer};
use imgmill_testing::s3::S3Server;
use serde_json::json;

use super::{Gallery, cut};
use crate::harness::{Place, Ran, jpeg};

#[test]
fn a_dry_run_touches_nothing_and_says_what_would_be() {
    let gallery = Gallery::new(3, false);
    fs::remove_file(gallery.object("00001_s.jpg")).unwrap();
    fs::copy(gallery.object("00000_s.jpg"), gallery.object("nobodys.jpg")).unwrap();
    gallery.age();
    let before = gallery.objects();
    let ran = gallery.reconcile(&["--fix", "--prune", "--dry-run"]).expect(3);
    assert!(ran.stderr.contains("1 orphans:") && ran.stderr.contains("nobodys.jpg"), "{}", ran.stderr);
    assert!(ran.stderr.contains("5 good") && ran.stderr.contains("1 missing, 1 orphaned"), "{}", ran.stderr);
    assert_eq!(gallery.objects(), before);
    // Orphans alone are no failure, and stay unless somebody asks.
    let ran = gallery.reconcile(&["--fix"]).expect(0);
    assert!(ran.stderr.contains("1 made"), "{}", ran.stderr);
    assert!(gallery.object("nobodys.jpg").exists());
}

#[test]
fn notes_tell_a_changed_recipe_and_another_length() {
    let gallery = Gallery::new(4, true);
    gallery.reconcile(&["--notes"]).expect(0);
    let other = ["--notes", "--derive", "s=full/12,/0/default.jpg", "--derive", "p=full/8,/0/default.png"];
    gallery.reconcile(&other).expect(3);
    assert_eq!(gallery.found("stale").len(), 4, "the one that is made otherwise now");
    assert!(gallery.place.report()[0]["reason"].as_str().unwrap().contains("another recipe"));
    cut(&gallery.object("00002_p.png"));
    gallery.reconcile(&["--notes"]).expect(3);
    assert_eq!(gallery.found("unreadable"), ["00002_p.png"]);
    let png = fs::read(gallery.object("00001_p.png")).unwrap();
    gallery.reconcile(&[&other[..], &["--fix"]].concat()).expect(0);
    assert_eq!(fs::read(gallery.object("00001_p.png")).unwrap(), png);
    gallery.reconcile(&other).expect(0);
}

#[test]
fn keys_of_bytes_are_known_by_notes() {
    let gallery = Gallery::new(0, false);
    let place = &gallery.place;
    fs::create_dir_all(gallery.original("in")).unwrap();
    for number in 0..5u64 {
        fs::write(gallery.original(&format!("in/{number}.jpg")), jpeg(number)).unwrap();
    }
    place.list((0..5).map(|number| format!("originals/in/{number}.jpg")));
    gallery.make_as("{hash}.{ext}");
    let flags = ["--key", "{hash}.{ext}"];
    gallery.age();
    gallery.reconcile(&flags).expect(0);
    let whole = gallery.objects();
    let (gone, damaged) = (&whole[2].0, &whole[5].0);
    fs::remove_file(gallery.object(gone)).unwrap();
    cut(&gallery.object(damaged));
    fs::write(gallery.original("in/9.jpg"), jpeg(9)).unwrap();
    gallery.reconcile(&flags).expect(3);
    let mut missing = gallery.found("missing");
    missing.sort();
    assert_eq!(missing, [gone.as_str(), "originals/in/9.jpg"], "one by its key, one without a note");
    assert_eq!(gallery.found("unreadable"), [damaged.as_str()]);
    gallery.reconcile(&[&flags[..], &["--fix"]].concat()).expect(0);
    let after = gallery.objects();
    assert_eq!(after.len(), 12);
    for (key, time, bytes) in &whole {
        let now = after.iter().find(|(known, ..)| known == key).expect(key);
        assert!([gone, damaged].contains(&key) || (now.1, &now.2) == (*time, bytes), "{key} was good");
        image::load_from_memory(&now.2).expect(key);
    }
    fs::write(gallery.object("x.jpg"), "x").unwrap();
    gallery.age();
    let ran = gallery.reconcile(&[&flags[..], &["--prune"]].concat()).expect(1);
    assert!(ran.stderr.contains("no orphan was removed: keys with {hash}"), "{}", ran.stderr);
    assert!(gallery.object("x.jpg").exists());
}

#[test]
fn orphans_stay_where_there_is_doubt() {
    let gallery = Gallery::new(4, true);
    let refused = |flags: &[&str], code: i32, says: &str| {
        let before = gallery.objects();
        let ran = gallery.reconcile(&[&["--prune", "--fix"], flags].concat()).expect(code);
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
        assert_eq!(gallery.objects(), before, "{says}");
    };
    refused(&["--originals", "s3://originals/none"], 1, "there are no originals");
    refused(&["--originals", "s3://nowhere/in"], 2, "nowhere");
    // Most are orphans: these are other originals than the store was made of.
    fs::create_dir_all(gallery.original("other")).unwrap();
    fs::rename(gallery.original("in/00000.jpg"), gallery.original("other/00000.jpg")).unwrap();
    let mut ran = gallery.reconcile(&["--prune", "--originals", "s3://originals/other"]);
    assert!(
        ran.stderr.contains("6 of 8 objects would be removed") && ran.stderr.contains("--max-prune 75%"),
        "{}",
        ran.stderr
    );
    ran = gallery
        .reconcile(&["--originals", "s3://originals/other", "--prune", "--max-prune", "75%"])
        .expect(0);
    assert!(ran.stderr.contains("6 orphans removed"), "{}", ran.stderr);
    assert_eq!(gallery.objects().len(), 2);
    let ours =
        gallery.s3.as_ref().unwrap().keys("made").iter().filter(|key| key.contains("/.imgmill/")).count();
    assert!(ours >= 4 + 8, "what is the store's own stays: {ours}");
}

#[test]
fn originals_beside_derivatives_are_not_taken_for_each_other() {
    let place = Place::new();
    fs::create_dir_all(place.path("both/in")).unwrap();
    fs::write(place.path("both/in/a.jpg"), jpeg(1)).unwrap();
    let run = |originals: &str, store: &str, flags: &[&str]| {
        let words = ["reconcile", "--key", "{stem}.{ext}", "--work-dir", "work", "--log-level", "error"];
        let named = ["--originals", originals, "--store", store];
        Ran::of(place.command().args(words).args(named).args(flags).spawn().unwrap())
    };
    let ran = run("both/in", "both", &["--fix", "--prune"]).expect(0);
    assert!(ran.stderr.contains("1 made") && !ran.stderr.contains("orphan"), "{}", ran.stderr);
    assert!(place.path("both/in/a.jpg").exists() && place.path("both/a.jpg").exists());
    let ran = run("both", "both/made", &["--fix"]).expect(3);
    assert!(
        ran.stderr.contains("2 originals") && ran.stderr.contains("1 whose key another original has"),
        "{}",
        ran.stderr
    );
    let ran = run("both", "both/made", &[]).expect(3);
    assert!(ran.stderr.contains("2 originals"), "what was made is no original: {}", ran.stderr);
    let ran = run("both", "both", &[]).expect(2);
    assert!(ran.stderr.contains("are one place") && ran.stderr.lines().count() == 1, "{}", ran.stderr);
}

#[test]
fn an_inventory_stands_for_a_bucket() {
    let gallery = Gallery::new(6, true);
    let s3 = gallery.s3.as_ref().unwrap();
    fs::remove_file(gallery.object("00003_p.png")).unwrap();
    let row = |number: usize, latest: &str| {
        format!("\"originals\",\"in/{number:05}%2Ejpg\",\"{latest}\",\"100\",\"2026-01-01T00:00:00.000Z\"\n")
    };
    let rows: String = (0..6).rev().map(|number| row(number, "true")).chain([row(77, "false")]).collect();
    let data = s3.object_file("originals", "inventory/data/one.csv");
    fs::create_dir_all(data.parent().unwrap()).unwrap();
    fs::write(&data, &rows).unwrap();
    let manifest = |size: usize, format: &str| {
        let manifest = json!({
            "sourceBucket": "originals", "destinationBucket": "arn:aws:s3:::originals", "version": "2016-11-30",
            "creationTimestamp": "1793600000000", "fileFormat": format,
            "fileSchema": "Bucket, Key, IsLatest, Size, LastModifiedDate",
            "files": [{"key": "inventory/data/one.csv", "size": size, "MD5checksum": "x"}],
        });
        fs::write(s3.object_file("originals", "inventory/manifest.json"), manifest.to_string()).unwrap();
    };
    let flags = ["--inventory", "s3://originals/inventory/manifest.json"];
    manifest(rows.len(), "CSV");
    gallery.reconcile(&flags).expect(3);
    assert_eq!(
        (gallery.found("missing"), gallery.summary()["originals"].clone()),
        (vec!["00003_p.png".into()], 6.into())
    );
    gallery.reconcile(&[&flags[..], &["--fix"]].concat()).expect(0);
    // Half of an inventory is none; nothing is removed for that.
    manifest(rows.len() + 1, "CSV");
    let ran = gallery.reconcile(&[&flags[..], &["--prune"]].concat()).expect(2);
    assert!(ran.stderr.contains("and the manifest says"), "{}", ran.stderr);
    manifest(rows.len(), "ORC");
    assert!(gallery.reconcile(&flags).expect(2).stderr.contains("CSV and Parquet are read"));
}

#[test]
fn lists_with_ids_are_reconciled_and_keep_their_metadata() {
    let s3 = S3Server::start("pictures");
    let place = Place::new().with_environment(s3.environment());
    fs::write(place.path("a.jpg"), jpeg(1)).unwrap();
    fs::write(
        place.path("list.jsonl"),
        "{\"url\": \"a.jpg\", \"inv\": \"x/1\"}\n{\"url\": \"a.jpg\", \"inv\": \"2\"}\n",
    )
    .unwrap();
    let run = |flags: &[&str]| {
        let words = ["reconcile", "--input", "list.jsonl", "--store", "s3://pictures", "--work-dir", "work"];
        let more = ["--id-column", "inv", "--key", "{id}.{ext}", "--log-level", "error"];
        Ran::of(place.command().args(words).args(more).args(flags).spawn().unwrap())
    };
    run(&[]).expect(3);
    assert!(run(&["--fix", "--metadata-column", "inv"]).expect(0).stderr.contains("2 made"));
    let requests = s3.requests();
    let put = requests.iter().find(|request| request.method == "PUT" && request.path.ends_with("/x/1.jpg"));
    assert_eq!(put.unwrap().header("x-amz-meta-inv"), Some("x/1"));
    let made: Vec<String> =
        s3.keys("pictures").into_iter().filter(|key| !key.starts_with(".imgmill")).collect();
    assert_eq!(made, ["2.jpg", "x/1.jpg"]);
    run(&["--verify=full"]).expect(0);
}

#[test]
fn origins_are_asked_where_nothing_else_tells() {
    let server = TestServer::start();
    let serve = |name: &str, seed| server.route(name, Answer::ok(jpeg(seed)).etag_of_body());
    serve("/a.jpg", 1);
    serve("/b.jpg", 2);
    let place = Place::new();
    place.list([server.url("/a.jpg"), server.url("/b.jpg")]);
    let run = |flags: &[&str]| {
        let words = [
            "reconcile",
            "--input",
            "input.csv",
            "--store",
            "made",
            "--work-dir",
            "work",
            "--key",
            "{stem}.{ext}",
        ];
        let more = ["--report", "report.jsonl", "--log-level", "error"];
        Ran::of(place.command().args(words).args(more).args(flags).spawn().unwrap())
    };
    run(&["--fix"]).expect(0);
    let bodies = server.total_bodies();
    run(&["--ask-origins"]).expect(0);
    assert_eq!(server.total_bodies(), bodies, "nothing is downloaded that did not change");
    serve("/b.jpg", 3);
    run(&["--notes"]).expect(0);
    run(&["--ask-origins"]).expect(3);
    let report = place.report();
    assert_eq!((&report[0]["status"], &report[0]["url"]), (&"stale".into(), &server.url("/b.jpg").into()));
    run(&["--ask-origins", "--fix"]).expect(0);
    run(&["--ask-origins"]).expect(0);
}

#[test]
fn what_cannot_be_reconciled_is_one_helpful_line() {
    let place = Place::new();
    fs::create_dir(place.path("in")).unwrap();
    fs::write(place.path("state.json"), "x").unwrap();
    for (flags, code, says) in [
        (&["--originals", "none"][..], 2, "there is no folder"),
        (&["--originals", "in", "--key", "{row}.{ext}"], 2, "{row} is a place in a list"),
        (&["--originals", "in", "--id-column", "x"], 2, "are of lists"),
        (&["--inventory", "none.json"], 2, "none.json"),
        (
            &["--originals", "in", "--key", "{stem}.{ext}", "--checkpoint", "state.json"],
            2,
            "not a checkpoint",
        ),
    ] {
        let words = ["reconcile", "--store", "made", "--work-dir", "work", "--log-level", "error"];
        let ran = Ran::of(place.command().args(words).args(flags).spawn().unwrap()).expect(code);
        assert!(ran.stderr.contains(says) && ran.stderr.lines().count() == 1, "{flags:?}: {}", ran.stderr);
    }
}
