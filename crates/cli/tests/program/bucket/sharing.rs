//! Several drainers at once, and drainers that die or sleep.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use imgmill_pipeline::identity::text_hash;
use imgmill_testing::http::{Answer, Behaviour, TestServer};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{Buckets, event, jpeg, server, wait_until};
use crate::harness::Ran;

fn claim(expires: SystemTime) -> String {
    let expires = expires.duration_since(UNIX_EPOCH).unwrap().as_millis();
    format!("{{\"holder\":\"somebody\",\"expires\":{expires}}}")
}

#[test]
fn what_another_works_on_is_left_alone() {
    let buckets = Buckets::folders();
    buckets.put_and_tell("a.jpg", "01", jpeg(1, 60, 40));
    buckets.put_and_tell("b.jpg", "01", jpeg(2, 60, 40));
    let claimed = format!("claims/{}.json", text_hash("a.jpg"));
    buckets.write("process", &claimed, claim(SystemTime::now() + Duration::from_secs(600)));
    assert_eq!(buckets.status()["claimed"], 1);
    let ran = buckets.drain(&[]).expect(0);
    assert!(ran.stderr.contains("skipped: another drainer has it"), "{}", ran.stderr);
    assert_eq!(
        (buckets.keys("pyramids"), &buckets.status()["waiting"]),
        (vec!["b.tif".to_owned()], &1.into())
    );
    // It died.
    buckets.write("process", &claimed, claim(SystemTime::now() - Duration::from_secs(1)));
    assert_eq!(buckets.status()["abandoned"], 1);
    buckets.drain(&[]).expect(0);
    assert_eq!(buckets.keys("pyramids"), ["a.tif", "b.tif"]);
    buckets.expect_empty();
}

#[test]
fn two_drainers_make_each_image_once() {
    let s3 = server();
    let buckets = Buckets::of(&s3);
    let keys: Vec<String> = (0..40).map(|number| format!("{number}.jpg")).collect();
    for (seed, key) in keys.iter().enumerate() {
        buckets.put(key, jpeg(seed as u64, 200, 100));
    }
    buckets.record(&keys.iter().map(|key| event(key, "01")).collect()).expect(0);
    let children = [0; 2].map(|_| buckets.start_drain(&[]));
    children.into_iter().for_each(|child| drop(Ran::of(child).expect(0)));
    for number in 0..40 {
        assert_eq!(buckets.size(&format!("{number}.tif")), (200, 100));
        assert_eq!(
            s3.count_at("PUT", &format!("/pyramids/{number}.tif")),
            1,
            "{number} was put more than once"
        );
    }
    buckets.expect_empty();
}

#[test]
fn a_killed_drainers_work_returns() {
    let s3 = server();
    let buckets = Buckets::of(&s3);
    let keys: Vec<String> = (0..12).map(|number| format!("{number}.jpg")).collect();
    for (seed, key) in keys.iter().enumerate() {
        buckets.put(key, jpeg(seed as u64, 900, 700));
    }
    buckets.record(&keys.iter().map(|key| event(key, "01")).collect()).expect(0);
    let puts = |s3: &imgmill_testing::s3::S3Server| {
        let is_pyramid = |path: &str| path.starts_with("/pyramids/") && path.ends_with(".tif");
        s3.requests().iter().filter(|request| request.method == "PUT" && is_pyramid(&request.path)).count()
    };
    let mut killed = buckets.start_drain(&["--claim-time", "1"]);
    // In the middle of an upload: the request is there, and its body may be or not.
    wait_until("nothing is uploaded", || puts(&s3) > 0);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let other = buckets.start_drain(&["--claim-time", "1", "--watch", "--interval", "0.1"]);
    wait_until("records are lost, or wait for ever", || buckets.status()["waiting"] == 0);
    kill_process(Pid::from_child(&other), Signal::TERM).unwrap();
    Ran::of(other).expect(143);
    for number in 0..12 {
        assert_eq!(buckets.size(&format!("{number}.tif")), (900, 700));
    }
    assert_eq!(buckets.keys("pyramids").len(), 12);
    wait_until("dead claims are not tidied away", || {
        buckets.drain(&[]).expect(0);
        buckets.keys("process").is_empty()
    });
}

#[test]
fn who_slept_past_its_claim_replaces_nothing() {
    let web = TestServer::start();
    let buckets = Buckets::folders();
    let record = json!({"key": "a/x.jpg", "sourceUri": web.url("/x.jpg")});
    let old = Answer::ok(jpeg(1, 60, 40));
    web.route("/x.jpg", Behaviour::delayed(Duration::from_secs(1), old));
    buckets.note_v2("a/x.jpg", "01", &record);
    let sleeper = buckets.start_drain(&["--claim-time", "1"]);
    wait_until("the drain does not fetch", || web.hits("/x.jpg") == 1);
    kill_process(Pid::from_child(&sleeper), Signal::STOP).unwrap();
    web.route("/x.jpg", Answer::ok(jpeg(2, 80, 50)));
    buckets.note_v2("a/x.jpg", "02", &record);
    wait_until("the claim does not run out", || buckets.status()["abandoned"] == 1);
    buckets.drain(&[]).expect(0);
    assert_eq!(buckets.size("a/x.tif"), (80, 50));
    kill_process(Pid::from_child(&sleeper), Signal::CONT).unwrap();
    let late = Ran::of(sleeper).expect(3);
    assert!(late.stderr.contains("was replaced while this was made"), "{}", late.stderr);
    assert_eq!(buckets.size("a/x.tif"), (80, 50), "what is newer stands");
    buckets.expect_empty();
}
