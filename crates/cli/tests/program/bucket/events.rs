//! What becomes of events: their order, their repetition, and objects that go away.

use std::io::Write as _;
use std::process::Stdio;

use imgmill_testing::http::{Answer, Behaviour, TestServer};
use serde_json::json;

use super::{Buckets, event, jpeg, server, wait_until};
use crate::harness::Ran;

#[test]
fn one_key_is_one_image_however_often_it_is_told_of() {
    let buckets = Buckets::folders();
    buckets.put("a/x.jpg", jpeg(1, 60, 40));
    // The newest first, older ones late, one of them twice: what a storage gateway and S3 make of a few saves.
    for (sequencer, known) in [
        ("0055AED6DCD90281E7", 0),
        ("0055AED6DCD90281E5", 0),
        ("0055AED6DCD90281E6", 0),
        ("0055AED6DCD90281E5", 1),
    ] {
        let ran = buckets.record(&event("a/x.jpg", sequencer)).expect(0);
        assert!(
            ran.stderr.contains(&format!("{} recorded, {known} recorded before", 1 - known)),
            "{}",
            ran.stderr
        );
    }
    let mut rights = event("a/x.jpg", "0055AED6DCD90281E4");
    rights["Records"][0]["s3"]["object"]["copyrightStatus"] = "copyright".into();
    buckets.record(&rights).expect(0);
    let status = buckets.status();
    assert_eq!((&status["waiting"], &status["images"]), (&4.into(), &1.into()));
    let ran = buckets.drain(&[]).expect(0);
    assert!(ran.stderr.contains("1 attempted") && ran.stderr.contains("1 made"), "{}", ran.stderr);
    buckets.expect_empty();
}

#[test]
fn messages_come_through_a_pipe() {
    let buckets = Buckets::folders();
    buckets.put("a/x.jpg", jpeg(1, 60, 40));
    buckets.put("b/x.jpg", jpeg(1, 60, 40));
    let mut child = buckets.command(&["record"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for key in ["a/x.jpg", "b/x.jpg"] {
        let message = json!({"Messages": [{"Body": event(key, "01").to_string()}]});
        writeln!(input, "{message}").unwrap();
    }
    drop(input);
    let ran = Ran::of(child).expect(0);
    assert!(ran.stderr.contains("2 recorded"), "{}", ran.stderr);
    assert_eq!(buckets.status()["images"], 2, "one stem in two folders is two images");
}

#[test]
fn a_source_that_is_gone_takes_its_record_along() {
    let s3 = server();
    for buckets in [Buckets::folders(), Buckets::of(&s3)] {
        buckets.put_and_tell("New Image.jpg", "01", jpeg(1, 60, 40));
        // A rename through a storage gateway: a copy under the new name, and the old one is deleted.
        buckets.put_and_tell("lantern.jpg", "02", jpeg(1, 60, 40));
        buckets.remove("New Image.jpg");
        let ran = buckets.drain(&[]).expect(0);
        assert!(ran.stderr.contains("1 made, 1 skipped, 0 failed"), "{}", ran.stderr);
        assert!(ran.stderr.contains("skipped: the source is gone × 1"), "{}", ran.stderr);
        assert_eq!(buckets.keys("pyramids"), ["lantern.tif"]);
        buckets.expect_empty();
    }
}

#[test]
fn a_source_replaced_while_it_is_made_ends_as_its_newest_version() {
    let web = TestServer::start();
    let buckets = Buckets::folders();
    let record = json!({"key": "a/x.jpg", "sourceUri": web.url("/x.jpg")});
    let old = Answer::ok(jpeg(1, 60, 40));
    web.route("/x.jpg", Behaviour::delayed(std::time::Duration::from_secs(1), old));
    buckets.note_v2("a/x.jpg", "01", &record);
    let child = buckets.start_drain(&[]);
    wait_until("the drain does not fetch", || web.hits("/x.jpg") == 1);
    web.route("/x.jpg", Answer::ok(jpeg(2, 80, 50)));
    buckets.note_v2("a/x.jpg", "02", &record);
    let ran = Ran::of(child).expect(0);
    assert!(ran.stderr.contains("2 made"), "the same drain makes it again: {}", ran.stderr);
    assert_eq!(buckets.size("a/x.tif"), (80, 50));
    buckets.expect_empty();
}

#[test]
fn a_watching_drainer_makes_what_comes() {
    let buckets = Buckets::folders();
    let child = buckets.start_drain(&["--watch", "--interval", "0.05"]);
    for (sequencer, width) in [("01", 60), ("02", 70), ("03", 60)] {
        buckets.put_and_tell("a/x.jpg", sequencer, jpeg(1, width, 40));
        wait_until("the record is not drained", || buckets.status()["waiting"] == 0);
        wait_until("the claim is not taken back", || buckets.status()["claimed"] == 0);
        assert_eq!(
            buckets.size("a/x.tif"),
            (width, 40),
            "the same bytes as before may not be there any more"
        );
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .unwrap();
    let ran = Ran::of(child).expect(143);
    assert!(ran.stderr.contains("3 made"), "{}", ran.stderr);
}

#[test]
fn a_drain_that_is_stopped_gives_back_what_it_claimed() {
    let web = TestServer::start();
    web.route("/x.jpg", Behaviour::Silence);
    let buckets = Buckets::folders();
    for number in 0..30 {
        let key = format!("{number}.jpg");
        buckets.note_v2(&key, "01", &json!({"key": key, "sourceUri": web.url("/x.jpg")}));
    }
    let child = buckets.start_drain(&["--per-host", "2"]);
    wait_until("the drain does not fetch", || web.hits("/x.jpg") > 0);
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .unwrap();
    Ran::of(child).expect(143);
    let status = buckets.status();
    assert_eq!((&status["waiting"], &status["failed_before"]), (&30.into(), &0.into()));
    assert_eq!(status["claimed"], 0, "{status}");
}
