//! Bucket to pyramids: records, drains, reruns and counts, over folders and over S3.

mod events;
mod failing;
mod keys;
mod sharing;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use imgmill_pipeline::identity::text_hash;
use imgmill_testing::s3::S3Server;
use imgmill_testing::samples::{encode, photo};
use serde_json::{Value, json};

use crate::harness::{Place, Ran};

/// Three buckets, or folders that play them.
pub struct Buckets<'a> {
    pub place: Place,
    s3: Option<&'a S3Server>,
}

const NAMES: [&str; 3] = ["originals", "process", "pyramids"];

impl Buckets<'static> {
    pub fn folders() -> Self {
        let place = Place::new();
        let folder = |name: &str| format!("file://{}", place.path(name).display());
        let [sources, records, images] = NAMES.map(folder);
        NAMES.iter().for_each(|name| fs::create_dir(place.path(name)).unwrap());
        let environment =
            vec![("RBSC_BUCKET", sources), ("PROCESS_BUCKET", records), ("IMAGE_BUCKET", images)];
        Buckets { place: place.with_environment(environment), s3: None }
    }
}

pub fn server() -> S3Server {
    let builder = NAMES.into_iter().fold(S3Server::builder(), |builder, name| builder.bucket(name));
    builder.start()
}

impl<'a> Buckets<'a> {
    pub fn of(s3: &'a S3Server) -> Self {
        let mut environment = s3.environment();
        let [sources, records, images] = NAMES.map(str::to_owned);
        environment.extend([("RBSC_BUCKET", sources), ("PROCESS_BUCKET", records), ("IMAGE_BUCKET", images)]);
        Buckets { place: Place::new().with_environment(environment), s3: Some(s3) }
    }

    fn file(&self, bucket: &str, key: &str) -> PathBuf {
        match self.s3 {
            Some(s3) => s3.object_file(bucket, key),
            None => self.place.path(bucket).join(key),
        }
    }

    /// Puts a source without anybody being told.
    pub fn put(&self, key: &str, bytes: impl AsRef<[u8]>) {
        self.write("originals", key, bytes);
    }

    pub fn write(&self, bucket: &str, key: &str, bytes: impl AsRef<[u8]>) {
        let file = self.file(bucket, key);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }

    pub fn remove(&self, key: &str) {
        fs::remove_file(self.file("originals", key)).unwrap();
    }

    /// Writes an old record.
    pub fn note(&self, name: &str, record: &Value) {
        self.write("process", &format!("rbsc/{name}.json"), record.to_string());
    }

    /// Writes a new record that no event tells of.
    pub fn note_v2(&self, key: &str, sequencer: &str, record: &Value) {
        self.write("process", &format!("rbsc/v2/{}/{sequencer}.json", text_hash(key)), record.to_string());
    }

    pub fn pyramid(&self, key: &str) -> Option<Vec<u8>> {
        fs::read(self.file("pyramids", key)).ok()
    }

    /// Pixels of a pyramid, which has to be whole.
    #[track_caller]
    pub fn size(&self, key: &str) -> (u32, u32) {
        let bytes = self.pyramid(key).unwrap_or_else(|| panic!("there is no {key}"));
        assert_eq!(&bytes[..4], b"II*\0", "{key}");
        let whole = imgmill_image::Recipe::gray();
        let mut nowhere = Vec::new();
        imgmill_image::derive(&bytes, &whole, &mut nowhere, &imgmill_image::Limits::default()).unwrap();
        let header = imgmill_image::probe(&bytes).unwrap();
        (header.width, header.height)
    }

    /// All keys of a bucket but those that imgmill keeps for itself.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        fn below(root: &std::path::Path, folder: &std::path::Path, keys: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => below(root, &path, keys),
                    false => keys.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()),
                }
            }
        }
        let (root, mut keys) = (self.file(bucket, ""), Vec::new());
        below(&root, &root, &mut keys);
        keys.retain(|key| !key.starts_with(".imgmill"));
        keys.sort();
        keys
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = self.place.command();
        command.arg("bucket").args(words);
        command
    }

    /// Hands events to `record`.
    pub fn record(&self, events: &Value) -> Ran {
        fs::write(self.place.path("event.json"), events.to_string()).unwrap();
        Ran::of(self.command(&["record", "event.json"]).spawn().unwrap())
    }

    /// Puts a source and tells of it.
    pub fn put_and_tell(&self, key: &str, sequencer: &str, bytes: impl AsRef<[u8]>) {
        self.put(key, bytes);
        self.record(&event(key, sequencer)).expect(0);
    }

    pub fn start_drain(&self, flags: &[&str]) -> Child {
        let common = ["drain", "--work-dir", "work", "--retries", "1"];
        self.command(&common).args(flags).spawn().unwrap()
    }

    pub fn drain(&self, flags: &[&str]) -> Ran {
        Ran::of(self.start_drain(flags))
    }

    pub fn status(&self) -> Value {
        let ran = Ran::of(self.command(&["status", "--json"]).spawn().unwrap()).expect(0);
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// No record waits, nobody works on any, none was given up.
    #[track_caller]
    pub fn expect_empty(&self) {
        let mut left = self.keys("process");
        left.retain(|key| !key.starts_with("rights/"));
        assert_eq!(left, [""; 0]);
    }
}

/// An event of S3 as Lambda gets it.
pub fn event(key: &str, sequencer: &str) -> Value {
    let encoded: String = key
        .bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    json!({"Records": [{
        "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": "2026-01-02T03:04:05.678Z",
        "s3": {"bucket": {"name": "originals"},
               "object": {"key": encoded, "size": 1, "eTag": sequencer, "sequencer": sequencer}}
    }]})
}

pub fn jpeg(seed: u64, width: u32, height: u32) -> Vec<u8> {
    encode::jpeg(&photo(seed, width, height), Default::default())
}

pub fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < Duration::from_secs(50), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The whole way, with every kind of source.
fn every_source_becomes_a_pyramid(buckets: &Buckets<'_>) {
    let drawn = photo(1, 300, 200);
    let files = [
        ("digital/a/photo.jpg", encode::jpeg(&drawn, Default::default())),
        ("digital/a/shot.JPEG", encode::jpeg(&drawn, Default::default())),
        ("digital/b/photo.png", encode::png(&drawn)),
        ("digital/b/scan.tiff", encode::tiff(&drawn)),
        ("screen.bmp", encode::bmp(&drawn)),
    ];
    let mut events = Vec::new();
    for (index, (key, bytes)) in files.iter().enumerate() {
        buckets.put(key, bytes);
        events.push(event(key, &format!("0{index}")));
    }
    buckets.put("digital/b/page.pdf", crate::isolation::PDF);
    events.push(event("digital/b/page.pdf", "01"));
    events.push(event("digital/b/.hidden.png", "01"));
    events.push(event("digital/b/notes.txt", "01"));
    events.push(json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "originals"}));
    let noted = buckets.record(&Value::Array(events)).expect(0);
    assert!(noted.stderr.contains("6 recorded, 0 recorded before, 3 skipped"), "{}", noted.stderr);
    let status = buckets.status();
    assert_eq!(
        (&status["waiting"], &status["images"], &status["claimed"]),
        (&6.into(), &6.into(), &0.into())
    );

    let ran = buckets.drain(&["--report", "report.jsonl"]).expect(0);
    let report = buckets.place.report();
    assert_eq!(report.len(), 6);
    assert!(report.iter().all(|row| row["status"] == "done" && row["renditions"][0]["label"] == "pyramid"));
    assert!(
        ran.stderr.contains("6 attempted in ") && ran.stderr.contains(": 6 made, 0 skipped, 0 failed"),
        "{}",
        ran.stderr
    );
    for key in [
        "digital/a/photo.tif",
        "digital/a/shot.tif",
        "digital/b/photo.tif",
        "digital/b/scan.tif",
        "screen.tif",
    ] {
        assert_eq!(buckets.size(key), (300, 200), "{key}");
    }
    // 90 by 60 points at 300 dots an inch.
    assert_eq!(buckets.size("digital/b/page.tif"), (375, 250));
    assert_eq!(buckets.pyramid("digital/b/page.pdf").unwrap(), crate::isolation::PDF.as_bytes());
    buckets.expect_empty();
    let again = buckets.drain(&[]).expect(0);
    assert!(again.stderr.contains("0 attempted"), "{}", again.stderr);
}

#[test]
fn folders_need_no_account() {
    let buckets = Buckets::folders();
    every_source_becomes_a_pyramid(&buckets);
    assert!(!buckets.place.path("pyramids/.imgmill/by-url").exists(), "nothing is noted of URLs");

    // What is there can be made again, all of it or what is missing.
    fs::remove_file(buckets.place.path("pyramids/screen.tif")).unwrap();
    let rerun = |flags: &[&str]| {
        let words = [&["rerun"], flags].concat();
        Ran::of(buckets.command(&words).spawn().unwrap()).expect(0).stderr
    };
    let dry = rerun(&["--missing-only", "--dry-run"]);
    assert!(dry.contains("6 of 6 objects are selected") && dry.contains("1 would be recorded"), "{dry}");
    assert!(dry.contains("5 have a pyramid"), "{dry}");
    buckets.expect_empty();
    let some = rerun(&["--prefix", "digital/b", "--prefix", "none/", "--ext", "png", "--ext", ".pdf"]);
    assert!(some.contains("2 of 5 objects are selected") && some.contains("2 recorded, 0 wait"), "{some}");
    assert!(rerun(&["--since", "2999-01-01"]).contains("0 of 6 objects are selected"));
    assert!(rerun(&[]).contains("4 recorded, 2 wait already"), "one is known, whoever tells of it");
    buckets.drain(&[]).expect(0);
    assert_eq!(buckets.size("screen.tif"), (300, 200));
    buckets.expect_empty();
}

#[test]
fn the_same_over_s3() {
    let s3 = server();
    let buckets = Buckets::of(&s3);
    every_source_becomes_a_pyramid(&buckets);
    let put = s3
        .requests()
        .into_iter()
        .rfind(|request| request.path == "/pyramids/screen.tif" && request.method == "PUT");
    let put = put.unwrap();
    assert_eq!(put.header("content-type"), Some("image/tiff"));
    assert_eq!(put.header("if-none-match"), Some("*"), "nothing was there when the work began");
    assert!(put.header("x-amz-meta-levels").is_some());
    // What was there is replaced on the condition that it is still the same.
    buckets.put_and_tell("screen.bmp", "0F", encode::bmp(&photo(2, 90, 80)));
    buckets.drain(&[]).expect(0);
    assert_eq!(buckets.size("screen.tif"), (90, 80));
    let put = s3
        .requests()
        .into_iter()
        .rfind(|request| request.path == "/pyramids/screen.tif" && request.method == "PUT");
    assert!(put.unwrap().header("if-match").is_some());
}

#[test]
fn records_of_today_and_rights() {
    let buckets = Buckets::folders();
    buckets.put("digital/isaac_gala/lantern.png", encode::png(&photo(1, 1000, 900)));
    buckets.put("wide.jpg", jpeg(2, 1600, 900));
    buckets.put("four_by_three.jpg", jpeg(3, 1600, 1200));
    buckets.put("small.jpg", jpeg(4, 40, 30));
    buckets.note("lantern", &json!({"key": "digital/isaac_gala/lantern.png", "path": "digital/isaac_gala/"}));
    buckets
        .note("wide", &json!({"key": "wide.jpg", "path": "", "eTag": "x", "copyrightStatus": "Copyright"}));
    buckets.note("four_by_three", &json!({"key": "four_by_three.jpg", "copyrightStatus": "copyright"}));
    buckets.note("small", &json!({"key": "small.jpg", "copyrightStatus": "COPYRIGHT"}));
    buckets.drain(&[]).expect(0);
    assert_eq!(buckets.size("digital/isaac_gala/lantern.tif"), (1000, 900));
    assert_eq!(buckets.size("wide.tif"), (843, 474));
    assert_eq!(buckets.size("four_by_three.tif"), (747, 560));
    assert_eq!(buckets.size("small.tif"), (40, 30), "never enlarged");
    buckets.expect_empty();

    // A new version of a protected image is told of by an event, which knows nothing of rights.
    buckets.put_and_tell("wide.jpg", "01", jpeg(5, 1800, 900));
    buckets.drain(&[]).expect(0);
    assert_eq!(buckets.size("wide.tif"), (843, 422), "what was said of it stands");
    let free = ["record", "event.json", "--copyright-status", "public domain"];
    fs::write(buckets.place.path("event.json"), event("wide.jpg", "02").to_string()).unwrap();
    Ran::of(buckets.command(&free).spawn().unwrap()).expect(0);
    buckets.drain(&[]).expect(0);
    assert_eq!(buckets.size("wide.tif"), (1800, 900));
}

#[test]
fn what_is_missing_is_said_in_one_line() {
    let buckets = Buckets::folders();
    let fails = |words: &[&str], change: &[(&str, &str)], code: i32, says: &str| {
        let mut command = buckets.command(words);
        for (name, value) in change {
            command.env(name, value);
        }
        let ran = Ran::of(command.stdin(Stdio::null()).spawn().unwrap()).expect(code);
        assert!(ran.stderr.contains(says), "{words:?}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    };
    fails(&["drain"], &[("RBSC_BUCKET", "")], 2, "RBSC_BUCKET is not set");
    fails(&["drain"], &[("MAX_THREADS", "0")], 2, "MAX_THREADS=0");
    fails(&["drain"], &[("RBSC_BUCKET", "file:///no/such/folder")], 1, "there is no folder /no/such/folder");
    #[cfg(not(feature = "fleet"))]
    fails(&["drain", "--now"], &[], 2, "knows nothing of");
    #[cfg(feature = "fleet")]
    fails(&["drain", "--now"], &[], 2, "IMGMILL_DRAIN_TASK");
    fails(&["status"], &[("PROCESS_BUCKET", "")], 2, "PROCESS_BUCKET is not set");
    fails(&["rerun", "--ext", "gif"], &[], 2, "--ext gif: expected one of");
    fails(&["record"], &[], 2, "it is empty");
    fails(&["record", "none.json"], &[], 2, "none.json: No such file");
    fs::write(buckets.place.path("bad.json"), "{\"a\": 1}").unwrap();
    fails(&["record", "bad.json"], &[], 2, "not an event of S3");
    fs::write(buckets.place.path("bad.json"), "<html>").unwrap();
    fails(&["record", "bad.json"], &[], 2, "not the JSON of an event");

    let s3 = S3Server::builder().bucket("originals").bucket("pyramids").closed_bucket("process").start();
    let closed = Buckets::of(&s3);
    let ran = closed.drain(&[]).expect(1);
    assert!(ran.stderr.contains("PROCESS_BUCKET") && ran.stderr.contains("access denied"), "{}", ran.stderr);
}
