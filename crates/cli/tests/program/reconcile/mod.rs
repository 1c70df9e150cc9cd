//! What is to be in a store beside what is there: holes, cut and stale objects and orphans that were planted, found exactly,
//! made good exactly, and nothing else touched.

mod corners;
mod planted;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, SystemTime};

use imgmill_testing::s3::S3Server;
use serde_json::Value;

use crate::harness::{Place, Ran, jpeg};

/// Originals, and a store that was made of them.
struct Gallery {
    place: Place,
    /// Keeps both buckets, where they are no folders.
    s3: Option<S3Server>,
}

const RECIPE: [&str; 4] = ["--derive", "s=full/16,/0/default.jpg", "--derive", "p=full/8,/0/default.png"];
const KEY: [&str; 2] = ["--key", "{stem}_{label}.{ext}"];

impl Gallery {
    /// So many originals and all their derivatives.
    fn new(originals: usize, in_bucket: bool) -> Gallery {
        let s3 = in_bucket.then(|| S3Server::builder().bucket("originals").bucket("made").start());
        let environment = s3.as_ref().map(S3Server::environment).unwrap_or_default();
        let gallery = Gallery { place: Place::new().with_environment(environment), s3 };
        fs::create_dir_all(gallery.original("in")).unwrap();
        let before = SystemTime::now() - Duration::from_secs(3600);
        for number in 0..originals {
            let file = gallery.original(&format!("in/{}", name(number)));
            // Few different ones: drawing takes longer than all else.
            fs::write(&file, jpeg(number as u64 % 5)).unwrap();
            File::options().write(true).open(&file).unwrap().set_modified(before).unwrap();
        }
        gallery.place.list((0..originals).map(|number| gallery.original_url(number)));
        gallery.make_as(KEY[1]);
        gallery.age();
        gallery
    }

    /// Makes all objects older than they are: one that is newer than the listing of originals is no orphan yet.
    fn age(&self) {
        let before = SystemTime::now() - Duration::from_secs(1800);
        let root = self.object("");
        for file in files(&root).into_iter().filter(|file| !file.starts_with(root.join(".imgmill"))) {
            File::options().write(true).open(file).unwrap().set_modified(before).unwrap();
        }
    }

    fn make_as(&self, key: &str) {
        let run = [
            "run",
            "--input",
            "input.csv",
            "--output",
            "out.csv",
            "--work-dir",
            "work",
            "--discard",
            "--quiet",
        ];
        let mut making = self.place.command();
        making.args(run).args(["--store", self.store(), "--key", key]).args(RECIPE);
        // A long one where many are asked for.
        let mut child =
            making.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        assert!(child.wait().unwrap().success());
    }

    fn original(&self, key: &str) -> PathBuf {
        match &self.s3 {
            Some(s3) => s3.object_file("originals", key),
            None => self.place.path("originals").join(key),
        }
    }

    fn original_url(&self, number: usize) -> String {
        format!("{}/{}", self.originals(), name(number))
    }

    fn originals(&self) -> &'static str {
        if self.s3.is_some() { "s3://originals/in" } else { "originals/in" }
    }

    fn store(&self) -> &'static str {
        if self.s3.is_some() { "s3://made/here" } else { "made/here" }
    }

    fn object(&self, key: &str) -> PathBuf {
        match &self.s3 {
            Some(s3) => s3.object_file("made", &format!("here/{key}")),
            None => self.place.path("made/here").join(key),
        }
    }

    /// All objects but our own, by key, each with what tells whether it was touched.
    fn objects(&self) -> Vec<(String, SystemTime, Vec<u8>)> {
        let root = self.object("");
        let mut objects: Vec<_> = files(&root)
            .into_iter()
            .filter(|path| !path.starts_with(root.join(".imgmill")) && !is_half_written(path))
            .map(|path| {
                let key = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                (key, path.metadata().unwrap().modified().unwrap(), fs::read(path).unwrap())
            })
            .collect();
        objects.sort();
        objects
    }

    fn spawn(&self, flags: &[&str]) -> Child {
        let compare =
            ["reconcile", "--store", self.store(), "--report", "report.jsonl", "--work-dir", "work"];
        let mut command = self.place.command();
        command.args(compare).args(["--log-level", "error"]).args(flags);
        if !flags.iter().any(|flag| ["--input", "--inventory", "--originals"].contains(flag)) {
            command.args(["--originals", self.originals()]);
        }
        if !flags.contains(&"--key") {
            command.args(KEY);
        }
        if !flags.contains(&"--derive") {
            command.args(RECIPE);
        }
        command.spawn().unwrap()
    }

    fn reconcile(&self, flags: &[&str]) -> Ran {
        Ran::of_patient(self.spawn(flags))
    }

    /// Keys that were found to be so, without the store's prefix.
    fn found(&self, status: &str) -> Vec<String> {
        let report = self.place.report();
        let keys =
            report.iter().filter(|line| line["status"] == status).map(|line| match line["key"].as_str() {
                Some(key) => key.trim_start_matches("here/").to_owned(),
                None => line["url"].as_str().unwrap().to_owned(),
            });
        keys.collect()
    }

    fn summary(&self) -> Value {
        self.place.report().pop().unwrap()["summary"].clone()
    }
}

fn name(number: usize) -> String {
    format!("{number:05}.jpg")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files
}

fn cut(file: &Path) {
    let bytes = fs::read(file).unwrap();
    fs::write(file, &bytes[..bytes.len() * 2 / 3]).unwrap();
}

/// Whoever is killed while a folder is written to leaves `NAME#NUMBER`, which is no object and in no listing.
fn is_half_written(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    name.rsplit_once('#').is_some_and(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()))
}
