//! The program against moto's S3, SQS and STS, whose conditional puts are atomic: `make test-aws` starts it
//! and names it in `MOTO_ENDPOINT`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic is how a test says that something is wrong"
)]

#[path = "../program/harness.rs"]
#[allow(dead_code, reason = "the other test binary uses the rest")]
mod harness;

mod bucket;
#[cfg(feature = "fleet")]
mod dispatch;
#[cfg(feature = "fleet")]
mod ecs;
#[cfg(feature = "mongodb")]
mod mongodb;
#[cfg_attr(not(feature = "fleet"), allow(dead_code, reason = "tests of fleets use the rest"))]
mod proxy;
mod sqs;
mod worker;

use std::process::Command;

use imgmill_testing::http::{Answer, TestServer};

use crate::harness::{Place, Ran, jpeg};

fn endpoint() -> String {
    std::env::var("MOTO_ENDPOINT").expect("make test-aws sets MOTO_ENDPOINT")
}

fn environment(bucket: &str, more: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mut environment = vec![
        ("AWS_ENDPOINT_URL", endpoint()),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "testing".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "testing".to_owned()),
        ("S3_BUCKET", bucket.to_owned()),
    ];
    environment.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    environment
}

/// Moto takes unsigned requests, so a plain client will do.
fn make_bucket(name: &str) {
    let made = Command::new("curl")
        .args(["-sf", "-X", "PUT", &format!("{}/{name}", endpoint())])
        .args(["-d", "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"])
        .status()
        .unwrap();
    assert!(made.success(), "moto made no bucket");
}

fn gallery(images: u64) -> (TestServer, Vec<String>) {
    let server = TestServer::start();
    for seed in 0..images {
        server.route(&format!("/{seed}.jpg"), Answer::ok(jpeg(seed)).etag_of_body());
    }
    let urls = (0..images).map(|seed| server.url(&format!("/{seed}.jpg"))).collect();
    (server, urls)
}

#[test]
fn two_runs_at_once_share_a_bucket() {
    make_bucket("shared");
    let (_server, urls) = gallery(30);
    for flags in [&[][..], &["--key", "{stem}.{ext}"]] {
        let places = [0, 1].map(|_| Place::new().with_environment(environment("shared", &[])));
        places.iter().for_each(|place| place.list(&urls));
        let children = places.each_ref().map(|place| place.spawn(flags));
        for child in children {
            Ran::of(child).expect(0);
        }
        let stored =
            |place: &Place| place.output().into_iter().map(|mut row| row.remove(3)).collect::<Vec<_>>();
        assert_eq!(stored(&places[0]), stored(&places[1]));
    }
}

#[test]
fn two_images_that_race_for_a_key_do_not_mix() {
    make_bucket("race");
    let server = TestServer::start();
    server.route("/one/a.jpg", Answer::ok(jpeg(1)));
    server.route("/two/a.jpg", Answer::ok(jpeg(2)));
    for round in 0..5 {
        let store = format!("s3://race/{round}");
        let places = ["/one/a.jpg", "/two/a.jpg"].map(|path| {
            let place = Place::new().with_environment(environment("race", &[]));
            place.list([server.url(path)]);
            place
        });
        let children =
            places.each_ref().map(|place| place.spawn(&["--key", "{stem}.{ext}", "--store", &store]));
        let mut codes = children.map(|child| Ran::of(child).code.unwrap());
        codes.sort_unstable();
        assert_eq!(codes, [0, 3], "one has the key, the other is told");
    }
}

#[test]
fn a_role_is_assumed_by_either_name() {
    make_bucket("roles");
    let (_server, urls) = gallery(2);
    for name in ["AWS_ROLE_ARN", "AWS_ROLE_URN"] {
        let role = "arn:aws:iam::123456789012:role/GoCourseLambdaUserReadWriteS3";
        let place = Place::new().with_environment(environment("roles", &[(name, role)]));
        place.list(&urls);
        place.run(&["--refresh"]).expect(0);
        assert_eq!(place.output().len(), 3);
    }
}
