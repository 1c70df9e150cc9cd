//! Sources that cannot become pyramids: what is written of them, when they are given up, and that nobody waits.

use std::fs;

use imgmill_pipeline::identity::text_hash;
use imgmill_testing::s3::Fault;
use serde_json::{Value, json};

use super::{Buckets, jpeg, server, wait_until};
use crate::harness::Ran;

fn json_of(buckets: &Buckets<'_>, key: &str) -> Value {
    serde_json::from_slice(&fs::read(buckets.place.path("process").join(key)).unwrap()).unwrap()
}

#[test]
fn what_always_fails_ends_in_failed_and_blocks_nobody() {
    let buckets = Buckets::folders();
    let bad = [
        ("empty.png", &b""[..]),
        ("letter.png", b"Dear Sir or Madam"),
        ("cut.jpg", &jpeg(1, 200, 100)[..900]),
    ];
    for (key, bytes) in bad {
        buckets.put_and_tell(key, "01", bytes);
    }
    buckets.put_and_tell("good.jpg", "01", jpeg(2, 60, 40));
    let ran = buckets.drain(&["--max-attempts", "2"]).expect(3);
    assert!(
        ran.stderr.contains("4 attempted") && ran.stderr.contains("1 made, 0 skipped, 3 failed"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("failed in fetch: not_an_image × 2"), "{}", ran.stderr);
    assert!(ran.stderr.contains("failed in derive: truncated × 1"), "{}", ran.stderr);
    assert_eq!(buckets.keys("pyramids"), ["good.tif"]);
    let status = buckets.status();
    assert_eq!(
        (&status["images"], &status["failed_before"], &status["failed"]),
        (&3.into(), &3.into(), &0.into())
    );
    let note = format!("rbsc/v2/{}/01.json.attempts", text_hash("letter.png"));
    let note = json_of(&buckets, &note);
    assert_eq!((&note["attempts"], &note["kind"]), (&1.into(), &"not_an_image".into()));

    let ran = buckets.drain(&["--max-attempts", "2"]).expect(3);
    assert!(ran.stderr.contains("given up, and moved to failed/: 3"), "{}", ran.stderr);
    let status = buckets.status();
    assert_eq!((&status["waiting"], &status["failed"]), (&0.into(), &3.into()));
    assert_eq!(
        (&status["reasons"][0]["kind"], &status["reasons"][0]["count"]),
        (&"not_an_image".into(), &2.into())
    );
    let failed = json_of(&buckets, &format!("failed/{}.json", text_hash("cut.jpg")));
    assert_eq!((&failed["key"], &failed["failure"]["attempts"]), (&"cut.jpg".into(), &2.into()));
    buckets.drain(&[]).expect(0);

    // A version that is good takes the memory of the bad one along.
    buckets.put_and_tell("letter.png", "02", jpeg(3, 50, 40));
    buckets.drain(&[]).expect(0);
    assert_eq!(buckets.size("letter.tif"), (50, 40));
    assert_eq!(buckets.status()["failed"], 2);
}

#[test]
fn a_new_version_begins_to_count_anew() {
    let buckets = Buckets::folders();
    buckets.put_and_tell("a.png", "01", b"nothing");
    buckets.drain(&["--max-attempts", "2"]).expect(3);
    buckets.put_and_tell("a.png", "02", b"still nothing");
    buckets.drain(&["--max-attempts", "2"]).expect(3);
    let status = buckets.status();
    assert_eq!((&status["waiting"], &status["failed"]), (&1.into(), &0.into()), "the newest stands for both");
    buckets.drain(&["--max-attempts", "2"]).expect(3);
    assert_eq!(buckets.status()["failed"], 1);
}

#[test]
fn records_that_ask_for_what_cannot_be_are_named() {
    let buckets = Buckets::folders();
    buckets.put("good.jpg", jpeg(1, 60, 40));
    buckets.note("broken", &json!("no record"));
    buckets.note("keyless", &json!({"path": "a/"}));
    buckets.note("climbing", &json!({"key": "../../etc/passwd.png"}));
    buckets.note("reading", &json!({"key": "a.png", "sourceUri": "file:///etc/passwd"}));
    buckets.note("missing", &json!({"key": "none.png"}));
    buckets.note("good", &json!({"key": "good.jpg"}));
    let ran = buckets.drain(&["--max-attempts", "1"]).expect(3);
    assert!(ran.stderr.contains("1 made") && ran.stderr.contains("5 failed"), "{}", ran.stderr);
    for says in
        ["cannot be read", "a part of it is . or ..", "only http and https are read", "there is no file"]
    {
        assert!(ran.stderr.contains(says), "{says}: {}", ran.stderr);
    }
    assert_eq!(buckets.status()["failed"], 5);
    assert_eq!(buckets.keys("pyramids"), ["good.tif"]);
}

#[test]
fn a_store_that_fails_is_not_the_records_fault() {
    let buckets = Buckets::folders();
    buckets.put_and_tell("a/x.jpg", "01", jpeg(1, 60, 40));
    buckets.put_and_tell("b/x.jpg", "01", jpeg(2, 60, 40));
    // A file where a folder would have to be.
    buckets.write("pyramids", "a", b"");
    let ran = buckets.drain(&["--max-attempts", "1"]).expect(3);
    assert!(ran.stderr.contains("1 made") && ran.stderr.contains("1 failed"), "{}", ran.stderr);
    let status = buckets.status();
    assert_eq!((&status["waiting"], &status["failed"]), (&1.into(), &0.into()), "{}", ran.stderr);
    fs::remove_file(buckets.place.path("pyramids/a")).unwrap();
    buckets.drain(&["--max-attempts", "1"]).expect(0);
    assert_eq!(buckets.size("a/x.tif"), (60, 40));
}

#[test]
fn who_watches_outlives_a_listing_that_fails() {
    let s3 = server();
    let buckets = Buckets::of(&s3);
    let child = buckets.start_drain(&["--watch", "--interval", "0.05"]);
    buckets.put_and_tell("a.jpg", "01", jpeg(1, 60, 40));
    wait_until("the record is not drained", || buckets.pyramid("a.tif").is_some());
    s3.fail_next("ListObjectsV2", 4, Fault::InternalError);
    buckets.put_and_tell("b.jpg", "01", jpeg(2, 60, 40));
    wait_until("the drain gave up", || buckets.pyramid("b.tif").is_some());
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .unwrap();
    let ran = Ran::of(child).expect(143);
    assert!(ran.stderr.contains("it is tried again"), "{}", ran.stderr);
}
