//! What the program says: help, logs, dry runs, documents.

use std::time::Instant;

use imgmill_testing::http::{Answer, TestServer};

use crate::harness::{Place, Ran, jpeg};

fn say(arguments: &[&str]) -> Ran {
    Ran::of(Place::new().command().args(arguments).spawn().unwrap())
}

#[test]
fn help_begins_with_examples() {
    for arguments in [&["--help"][..], &["run", "--help"]] {
        let help = say(arguments).expect(0).stdout;
        assert!(help.find("Examples:").unwrap() < help.find("Usage:").unwrap());
    }
    let help = say(&["run", "--help"]).stdout;
    for promised in ["--output-failed", "S3_BUCKET", "Exit codes:", "130"] {
        assert!(help.contains(promised), "{promised}");
    }
}

#[test]
fn the_readme_shows_every_flag() {
    let readme = include_str!("../../../../README.md");
    let help = say(&["run", "--help"]).stdout;
    let flags =
        help.split_whitespace().filter(|word| word.starts_with("--")).map(|word| word.trim_end_matches(','));
    for flag in flags.filter(|flag| flag.len() > 2) {
        assert!(readme.contains(flag), "the README does not mention {flag}");
    }
}

#[test]
fn documents_come_from_the_same_definitions() {
    assert!(say(&["completions", "bash"]).expect(0).stdout.contains("--output-failed"));
    assert!(say(&["man"]).expect(0).stdout.contains("output\\-failed"));
    assert!(say(&["--version"]).expect(0).stdout.starts_with("imgmill "));
    assert!(say(&["run", "--inptu", "x"]).expect(2).stderr.contains("--input"));
}

#[test]
fn a_dry_run_downloads_and_writes_nothing() {
    let server = TestServer::start();
    server.route("/a", Answer::ok(jpeg(1)));
    server.route("/b", Answer::ok(jpeg(2)));
    let place = Place::new();
    place.list([server.url("/a")]);
    place.run(&[]).expect(0);
    place.list([server.url("/a"), server.url("/b")]);
    let ran = place.run(&["--dry-run"]).expect(0);
    assert!(ran.stderr.contains("1 would be made, 1 already stored, 0 failed"), "{}", ran.stderr);
    assert_eq!((server.total_hits(), place.output().len()), (1, 2));
}

#[test]
fn every_step_of_every_row_is_logged_and_no_secret() {
    let server = TestServer::start();
    server.route("/a", Answer::ok(jpeg(1)));
    let place = Place::new();
    let url = server.url("/a").replace("http://", "http://me:hunter2@");
    place.list([format!("{url}?X-Amz-Signature=abcdef"), format!("{url}b?token=sesame")]);
    let ran = place.run(&["--log-format", "json", "--log-level", "trace"]).expect(3);
    let lines: Vec<serde_json::Value> =
        ran.stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for step in ["fetching", "fetched", "derived", "stored", "row finished", "run finished"] {
        let said = lines
            .iter()
            .any(|line| line["message"] == step && (line["span"]["row"] == 1 || step.starts_with("run")));
        assert!(said, "no line says {step}:\n{}", ran.stderr);
    }
    let report = std::fs::read_to_string(place.path("report.jsonl")).unwrap();
    for secret in ["hunter2", "abcdef", "sesame"] {
        assert!(!ran.stderr.contains(secret) && !report.contains(secret), "{secret} is told");
    }
    assert!(place.output()[1][0].contains("hunter2"), "the list keeps the caller's own data");
}

#[test]
fn quiet_says_only_what_is_wrong() {
    let server = TestServer::start();
    server.route("/a", Answer::ok(jpeg(1)));
    let place = Place::new();
    place.list([server.url("/a")]);
    assert_eq!(place.run(&["--quiet"]).expect(0).stderr, "");
    place.list([server.url("/b")]);
    assert_eq!(place.run(&["--quiet"]).expect(3).stderr.lines().count(), 1);
}

#[test]
fn the_version_is_told_without_delay() {
    // Far above the goal in bench/RESULTS.md: this only notices a start that does real work.
    let started = Instant::now();
    say(&["--version"]).expect(0);
    assert!(started.elapsed().as_millis() < 2000);
}
