//! Thousands of objects, of which every tenth or so is wrong in a way that is known.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use super::{Gallery, cut, name};
use crate::harness::{Ran, jpeg};

/// Objects of the long test; `make test-reconcile` has 20,000.
fn objects() -> usize {
    std::env::var("TEST_RECONCILE_OBJECTS").map_or(400, |objects| objects.parse().unwrap())
}

/// What was planted: keys by what is wrong with them.
type Planted = BTreeMap<&'static str, BTreeSet<String>>;

fn keys(number: usize) -> [String; 2] {
    [format!("{number:05}_s.jpg"), format!("{number:05}_p.png")]
}

fn plant(gallery: &Gallery, originals: usize) -> Planted {
    let mut planted = Planted::new();
    let mut note = |what, key: &str| {
        planted.entry(what).or_default().insert(key.to_owned());
    };
    for number in 0..originals {
        let [small, png] = keys(number);
        match number % 20 {
            3 => {
                fs::remove_file(gallery.object(&small)).unwrap();
                note("missing", &small);
            }
            7 => {
                cut(&gallery.object(&png));
                note("unreadable", &png);
            }
            11 => {
                fs::write(gallery.object(&small), "<html>not found</html>").unwrap();
                note("unreadable", &small);
            }
            13 => {
                fs::write(gallery.original(&format!("in/{}", name(number))), jpeg(100 + number as u64 % 5))
                    .unwrap();
                note("stale", &small);
                note("stale", &png);
            }
            17 => {
                // Its original is gone: both derivatives are nobody's.
                fs::remove_file(gallery.original(&format!("in/{}", name(number)))).unwrap();
                note("orphaned", &small);
                note("orphaned", &png);
            }
            19 => {
                fs::remove_file(gallery.object(&small)).unwrap();
                fs::remove_file(gallery.object(&png)).unwrap();
                note("missing", &small);
                note("missing", &png);
            }
            _ => {}
        }
    }
    planted
}

fn found(gallery: &Gallery) -> Planted {
    ["missing", "unreadable", "stale", "orphaned"]
        .into_iter()
        .map(|status| (status, gallery.found(status).into_iter().collect()))
        .collect()
}

/// Waits until enough of what was missing is there again, and ends the program the hard way. Where the machine was too busy to
/// get to it in time, it has ended by itself.
fn kill_in_the_middle(gallery: &Gallery, missing: &BTreeSet<String>, flags: &[&str]) -> bool {
    let mut child = gallery.spawn(flags);
    let started = Instant::now();
    loop {
        let there = missing.iter().filter(|key| gallery.object(key).exists()).count();
        if there >= missing.len() / 4 || child.try_wait().unwrap().is_some() {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(300), "it does not get on");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap().code().is_none()
}

fn everything_is_found_and_mended(in_bucket: bool) {
    let originals = objects() / 2;
    let gallery = Gallery::new(originals, in_bucket);
    gallery.reconcile(&["--verify"]).expect(0);
    assert_eq!(gallery.summary()["good"], originals * 2);

    let planted = plant(&gallery, originals);
    let before = gallery.objects();
    for depth in ["--verify", "--verify=full"] {
        gallery.reconcile(&[depth]).expect(3);
        assert_eq!(found(&gallery), planted, "{depth}");
    }
    assert_eq!(gallery.objects(), before, "who only looks touches nothing");

    let flags = [
        "--verify",
        "--fix",
        "--prune",
        "--checkpoint",
        "state.json",
        "--concurrency",
        "2",
        "--threads",
        "1",
    ];
    if kill_in_the_middle(&gallery, &planted["missing"], &flags) {
        assert!(gallery.place.path("state.json").exists());
        let ran = Ran::of_patient(gallery.spawn(&flags)).expect(0);
        assert!(ran.stderr.contains("going on from the checkpoint"), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("{} orphans:", planted["orphaned"].len())), "{}", ran.stderr);
    }
    assert_eq!(found(&gallery), planted, "the report tells of both runs");
    assert!(!gallery.place.path("state.json").exists(), "nothing is left of what is done");

    let bad: BTreeSet<&String> = planted.values().flatten().collect();
    let after: BTreeMap<String, _> =
        gallery.objects().into_iter().map(|(key, time, bytes)| (key, (time, bytes))).collect();
    let mut good = 0;
    for (key, time, bytes) in before.into_iter().filter(|(key, ..)| !bad.contains(key)) {
        assert!(after.get(&key) == Some(&(time, bytes)), "{key} was good and is another now");
        good += 1;
    }
    let mended: BTreeSet<&String> = after.keys().filter(|key| bad.contains(key)).collect();
    let expected = bad.iter().filter(|key| !planted["orphaned"].contains(**key)).copied().collect();
    assert_eq!(mended, expected);
    assert_eq!(after.len(), good + mended.len());

    gallery.reconcile(&["--verify=full"]).expect(0);
    let summary = gallery.summary();
    let left = originals - planted["orphaned"].len() / 2;
    assert_eq!((&summary["good"], &summary["orphaned"]), (&(left * 2).into(), &0.into()), "{summary}");
    // What was stale is of the new original: it is another picture.
    let [small, _] = keys(13);
    assert_ne!(fs::read(gallery.object(&small)).unwrap(), fs::read(gallery.object(&keys(18)[0])).unwrap());
}

#[test]
fn everything_planted_is_found_and_mended_in_a_bucket() {
    everything_is_found_and_mended(true);
}

#[test]
fn everything_planted_is_found_and_mended_in_a_folder() {
    everything_is_found_and_mended(false);
}
