//! URIs from lists and from a folder that is watched.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use super::{command, files, place, printed, process, words};
use crate::harness::{Place, Ran, jpeg};

#[test]
fn uris_come_from_lists() {
    let place = place();
    for seed in [1, 2, 3] {
        fs::write(place.path(&format!("images/{seed}.jpg")), jpeg(seed)).unwrap();
    }
    fs::create_dir(place.path("lists")).unwrap();
    fs::write(place.path("lists/a.csv"), "uri,note\n1.jpg,one\n2.jpg?target=two,\n").unwrap();
    fs::write(place.path("lists/b.csv"), "source_id,alternate_id\n3.jpg,drei\n").unwrap();
    let line = "-config config.json -instructions small.json -mode csv -csv-source lists a.csv b.csv";
    let ran = process(&place, line).expect(0);
    assert_eq!(printed(&ran).as_object().unwrap().len(), 3);
    for path in ["1.jpg", "two", "drei"] {
        assert!(place.path("cache").join(path).join("square/8,8/0/color.png").is_file(), "{path}");
    }
    let wrong =
        process(&place, "-config config.json -instructions small.json -mode csv config.json").expect(2);
    assert!(wrong.stderr.contains("column uri"), "{}", wrong.stderr);
}

fn watch(place: &Place) -> Child {
    // Quiet, because nobody reads what it says before its end, and a pipe that is full would stop it.
    let line = "-config config.json -instructions small.json -report -mode fsnotify -quiet";
    let child = command(place, "iiif-process").args(words(line)).spawn().unwrap();
    // It watches when something that arrives is processed.
    let mut probes = 0;
    until(|| {
        if (0..probes).any(|probe| is_processed(place, &format!("probe-{probe}.jpg"))) {
            return true;
        }
        fs::write(place.path(&format!("images/probe-{probes}.jpg")), jpeg(9)).unwrap();
        probes += 1;
        std::thread::sleep(Duration::from_millis(300));
        false
    });
    child
}

fn until(mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        // Only to end where something is wrong: many times what a busy machine takes.
        assert!(begun.elapsed() < Duration::from_secs(300), "it does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn end(child: Child) -> Ran {
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    Ran::of(child).expect(143)
}

fn is_processed(place: &Place, name: &str) -> bool {
    place.path("cache").join(name).join("process.json").is_file()
}

#[test]
fn what_arrives_is_processed_once_it_is_whole() {
    let place = place();
    fs::write(place.path("images/before.jpg"), jpeg(0)).unwrap();
    let child = watch(&place);
    // Written slowly; moved in; linked; in a folder of its own; by a name that means unfinished.
    let bytes = jpeg(1);
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    let mut slow = fs::File::create(place.path("images/slow.jpg")).unwrap();
    slow.write_all(first).unwrap();
    slow.flush().unwrap();
    fs::write(place.path("moved.jpg"), jpeg(2)).unwrap();
    fs::rename(place.path("moved.jpg"), place.path("images/moved.jpg")).unwrap();
    fs::write(place.path("linked.jpg"), jpeg(3)).unwrap();
    fs::hard_link(place.path("linked.jpg"), place.path("images/linked.jpg")).unwrap();
    fs::create_dir_all(place.path("images/new/deep")).unwrap();
    fs::write(place.path("images/new/deep/in.jpg"), jpeg(4)).unwrap();
    fs::write(place.path("images/.part.jpg"), jpeg(5)).unwrap();
    fs::write(place.path("images/page.jpg"), "<html>").unwrap();
    for name in ["moved.jpg", "linked.jpg", "new/deep/in.jpg"] {
        until(|| is_processed(&place, name));
    }
    assert!(!is_processed(&place, "slow.jpg"), "its writer has it open");
    slow.write_all(rest).unwrap();
    drop(slow);
    until(|| is_processed(&place, "slow.jpg"));
    let report = super::read(place.path("cache/slow.jpg/process.json"));
    assert!(report["errors"].is_null(), "{report}");
    // Another image by the same name.
    fs::write(place.path("images/slow.jpg"), jpeg(6)).unwrap();
    until(|| sha1_of(&place, "slow.jpg") != report["origin_fingerprint"]);
    let ran = end(child);
    assert!(!is_processed(&place, "before.jpg") && !is_processed(&place, ".part.jpg"));
    assert!(ran.stderr.contains("page.jpg"), "what is no image is told of: {}", ran.stderr);
    assert_eq!(ran.stdout, "");
}

/// What the report of an image says of its file, as soon as it is whole.
fn sha1_of(place: &Place, name: &str) -> serde_json::Value {
    super::read(place.path("cache").join(name).join("process.json"))["origin_fingerprint"].clone()
}

#[test]
fn a_burst_is_processed_to_the_last_file() {
    let place = place();
    let child = watch(&place);
    let bytes = jpeg(1);
    for folder in 0..10 {
        fs::create_dir(place.path(&format!("images/{folder}"))).unwrap();
        for number in 0..40 {
            fs::write(place.path(&format!("images/{folder}/{number}.jpg")), &bytes).unwrap();
        }
    }
    until(|| (0..10).all(|folder| count(&place.path(&format!("cache/{folder}"))) == 40));
    let of_burst = |path: &&String| path.ends_with("process.json") && !path.starts_with("probe");
    until(|| files(&place.path("cache")).iter().filter(of_burst).count() == 400);
    let ran = end(child);
    assert!(!ran.stderr.contains("ERROR"), "{}", ran.stderr);
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn derivatives_must_not_go_where_they_would_be_processed() {
    let place = place();
    let line = "-config config.json -instructions small.json -mode fsnotify";
    let inside =
        format!("{line} -config-derivatives-cache-uri file://{}", place.path("images/cache").display());
    let ran = process(&place, &inside).expect(2);
    assert!(ran.stderr.contains("lies in the folder that is watched"), "{}", ran.stderr);
    let ran = process(&place, &format!("{line} -config-images-source-uri s3://x?region=y")).expect(2);
    assert!(ran.stderr.contains("images.source has to be one"), "{}", ran.stderr);
}
