//! S3 as the store and as a source, on a server that checks signatures.

use std::time::Duration;

use imgmill_testing::http::{Answer, Behaviour, TestServer};
use imgmill_testing::s3::{Fault, S3Server};

use crate::harness::{Place, Ran, expect_failure, jpeg};

/// A place that stores in `bucket` of `s3`, and a web server with three images.
fn place_for(s3: &S3Server, bucket: &str) -> (Place, TestServer) {
    let mut environment = s3.environment();
    environment.push(("S3_BUCKET", bucket.to_owned()));
    let place = Place::new().with_environment(environment);
    let server = TestServer::start();
    for seed in 0..3 {
        server.route(&format!("/{seed}.jpg"), Answer::ok(jpeg(seed)).etag_of_body());
    }
    place.list((0..3).map(|seed| server.url(&format!("/{seed}.jpg"))));
    (place, server)
}

fn images(s3: &S3Server, bucket: &str) -> Vec<String> {
    s3.keys(bucket).into_iter().filter(|key| !key.contains(".imgmill")).collect()
}

#[test]
fn images_go_to_the_bucket_once() {
    let s3 = S3Server::start("pictures");
    let (place, server) = place_for(&s3, "pictures");
    place
        .run(&[
            "--cache-control",
            "max-age=60",
            "--storage-class",
            "STANDARD_IA",
            "--tag",
            "team=press",
            "--sse",
            "AES256",
        ])
        .expect(0);
    let keys = images(&s3, "pictures");
    assert_eq!(keys.len(), 3);
    let mut listed: Vec<String> = place.output()[1..].iter().map(|row| row[3].clone()).collect();
    listed.sort();
    let expected: Vec<String> = keys.iter().map(|key| format!("{}/pictures/{key}", s3.endpoint())).collect();
    assert_eq!(listed, expected);
    let requests = s3.requests();
    let put =
        requests.iter().find(|request| request.method == "PUT" && request.path.contains(&keys[0])).unwrap();
    for (name, value) in [
        ("content-type", "image/jpeg"),
        ("cache-control", "max-age=60"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-tagging", "team=press"),
        ("x-amz-server-side-encryption", "AES256"),
        ("if-none-match", "*"),
    ] {
        assert_eq!(put.header(name), Some(value));
    }
    assert!(put.header("x-amz-checksum-sha256").is_some());

    let puts = s3
        .requests()
        .iter()
        .filter(|request| request.method == "PUT" && !request.path.contains(".imgmill"))
        .count();
    place.run(&[]).expect(0);
    let puts_later = s3
        .requests()
        .iter()
        .filter(|request| request.method == "PUT" && !request.path.contains(".imgmill"))
        .count();
    assert_eq!(puts, puts_later, "a second run uploads nothing");
    assert_eq!(server.total_bodies(), 3, "and downloads nothing");
}

#[test]
fn a_missing_or_cut_object_is_made_again() {
    let s3 = S3Server::start("pictures");
    let (place, server) = place_for(&s3, "pictures");
    place.run(&[]).expect(0);
    let keys = images(&s3, "pictures");
    let whole = s3.object("pictures", &keys[1]).unwrap();
    std::fs::remove_file(s3.object_file("pictures", &keys[0])).unwrap();
    std::fs::write(s3.object_file("pictures", &keys[1]), &whole[..100]).unwrap();
    place.run(&[]).expect(0);
    assert_eq!(server.total_bodies(), 5);
    assert_eq!(images(&s3, "pictures"), keys);
    assert_eq!(s3.object("pictures", &keys[1]).unwrap(), whole);
}

#[test]
fn uploads_are_tried_again() {
    let s3 = S3Server::start("pictures");
    let (place, _server) = place_for(&s3, "pictures");
    s3.fail_next("PutObject", 2, Fault::SlowDown);
    s3.fail_next("GetObject", 1, Fault::InternalError);
    place.run(&[]).expect(0);
    // The work was done but nobody heard: looked for, not done twice.
    let (place, _server) = place_for(&s3, "pictures");
    s3.fail_next("PutObject", 1, Fault::AnswerLost);
    place.run(&["--refresh"]).expect(0);
    assert_eq!(images(&s3, "pictures").len(), 3);
}

#[test]
fn an_upload_that_is_refused_fails_its_row_only() {
    let s3 = S3Server::start("pictures");
    let (place, server) = place_for(&s3, "pictures");
    // Slow enough that the fault is in place before the first image is, and after the check of the bucket.
    for seed in 0..3 {
        let later = Behaviour::delayed(Duration::from_secs(1), Answer::ok(jpeg(seed)));
        server.route(&format!("/{seed}.jpg"), later);
    }
    let child = place.spawn(&["--concurrency", "1"]);
    while s3.count("PutObject") == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    s3.fail_next("PutObject", 1, Fault::AccessDenied);
    Ran::of(child).expect(3);
    let report = place.report();
    let failed: Vec<_> = report.iter().filter(|row| row["status"] == "failed").collect();
    assert_eq!((failed.len(), place.output().len()), (1, 3));
    expect_failure(failed[0], "store", "denied");
}

#[test]
fn a_store_that_cannot_be_used_stops_the_run_before_the_first_download() {
    let s3 = S3Server::builder().bucket("pictures").closed_bucket("closed").start();
    let fails = |bucket: &str, change: &[(&'static str, &str)], says: &str| {
        let mut environment = s3.environment();
        environment.push(("S3_BUCKET", bucket.to_owned()));
        for (name, value) in change {
            environment.retain(|(known, _)| known != name);
            if !value.is_empty() {
                environment.push((*name, (*value).to_owned()));
            }
        }
        let server = TestServer::start();
        server.route("/a.jpg", Answer::ok(jpeg(1)));
        let place = Place::new().with_environment(environment);
        place.list([server.url("/a.jpg")]);
        let ran = place.run(&[]).expect(1);
        assert!(ran.stderr.contains(says), "{bucket} {change:?}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert_eq!(server.total_hits(), 0);
        assert!(!ran.stderr.contains("wrong-secret"));
    };
    fails("missing", &[], "there is no such bucket; check S3_BUCKET");
    fails("closed", &[], "access denied");
    fails("pictures", &[("AWS_SECRET_ACCESS_KEY", "wrong-secret")], "check AWS_SECRET_ACCESS_KEY");
    fails("pictures", &[("AWS_ACCESS_KEY_ID", "AKIAWRONG")], "AWS_ACCESS_KEY_ID");
    fails(
        "pictures",
        &[("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")],
        "no AWS credentials were found",
    );
    fails("pictures", &[("AWS_REGION", ""), ("AWS_ENDPOINT_URL", "")], "set AWS_REGION");
}

#[test]
fn objects_are_sources_too() {
    let s3 = S3Server::start("originals");
    std::fs::write(s3.object_file("originals", "a b.jpg"), jpeg(1)).unwrap();
    let place = Place::new().with_environment(s3.environment());
    place.list(["s3://originals/a%20b.jpg", "s3://originals/none.jpg"]);
    place.run(&[]).expect(3);
    assert_eq!(place.stored().len(), 1);
    expect_failure(&place.report()[1], "fetch", "not_found");
    let gets = s3.requests().len();
    place.run(&[]).expect(3);
    assert_eq!(place.report()[0]["status"], "reused");
    assert!(s3.requests().len() > gets, "it was asked whether it changed");
}

#[test]
fn a_prefix_goes_before_every_key() {
    let s3 = S3Server::start("pictures");
    let (place, _server) = place_for(&s3, "other");
    place.run(&["--store", "s3://pictures/season/2"]).expect(0);
    assert!(s3.keys("pictures").iter().all(|key| key.starts_with("season/2/")));
    assert!(place.report()[0]["renditions"][0]["key"].as_str().unwrap().starts_with("season/2/"));
}
