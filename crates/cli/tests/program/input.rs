//! What is refused before anything is downloaded, and how it is said.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use imgmill_testing::http::{Answer, TestServer};

use crate::harness::{Place, Ran, jpeg};

#[test]
fn bad_lists_are_refused_before_any_download() {
    let server = TestServer::start();
    server.route("/a.jpg", Answer::ok(jpeg(1)));
    let good = server.url("/a.jpg");
    let cases: &[(Vec<u8>, &str)] = &[
        (b"".to_vec(), "input.csv, line 1: the file is empty"),
        (format!("link\n{good}\n").into(), "line 1: the header is \"link\"; expected one column named url"),
        (format!("url,name\n{good},x\n").into(), "line 1: 2 columns"),
        (format!("url\n{good}\n{good},x\n").into(), "line 3: 2 columns"),
        ([format!("url\n{good}\n").as_bytes(), b"\xff\xfe\n"].concat(), "line 3: "),
    ];
    for (bytes, says) in cases {
        let place = Place::new();
        fs::write(place.path("input.csv"), bytes).unwrap();
        let ran = place.run(&[]).expect(2);
        assert!(ran.stderr.contains(says) && ran.stderr.lines().count() == 1, "{}", ran.stderr);
        assert!(!place.path("output.csv").exists() && !place.path("output.csv.partial").exists());
    }
    let ran = Place::new().run(&[]).expect(2);
    assert!(ran.stderr.contains("input.csv: there is no such file"), "{}", ran.stderr);
    assert_eq!(server.total_hits(), 0);
}

#[test]
fn lists_as_people_save_them_are_fine() {
    let server = TestServer::start();
    server.route("/a.jpg", Answer::ok(jpeg(1)));
    let url = server.url("/a.jpg?x=1,2");
    let place = Place::new();
    fs::write(place.path("input.csv"), format!("\u{feff}url\r\n\r\n\"{url}\"\r\n\r\n")).unwrap();
    place.run(&[]).expect(0);
    assert_eq!(place.output()[1][0], url);
}

#[test]
fn standard_input_and_output_are_dashes() {
    let server = TestServer::start();
    server.route("/a.jpg", Answer::ok(jpeg(1)));
    let place = Place::new();
    let through = |list: &str| {
        let mut child = place
            .command()
            .args(["run", "--input", "-", "--output", "-", "--work-dir", "work"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
        Ran::of(child)
    };
    let url = server.url("/a.jpg");
    let ran = through(&format!("url\n{url}\n")).expect(0);
    assert!(
        ran.stdout.starts_with("url,input,output,s3url\n") && ran.stdout.contains(&url),
        "{}",
        ran.stdout
    );
    // A bad header is known before any row; a bad line ends the run after the rows before it.
    through("name\nx\n").expect(2);
    let ran = through(&format!("url\n{url}\na,b\n{url}?2\n")).expect(2);
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
    assert!(ran.stderr.contains("standard input, line 3: 2 columns"), "{}", ran.stderr);
}

#[test]
fn wrong_usage_is_one_helpful_line() {
    let place = Place::new();
    place.list(["a.jpg"]);
    for (flags, says) in [
        (&["--derive", "g=full/max/0/grey.jpg"][..], "grey"),
        (&["--store", "ftp://x/y"], "ftp:// is not a store"),
        (&["--key", "{nope}.jpg"], "{hash} {stem}"),
        (&["--max-bytes", "lots"], "64MiB"),
        (&["--output-faild", "x"], "--output-failed"),
    ] {
        let ran = place.run(flags);
        assert_eq!(ran.code, Some(2), "{flags:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{flags:?}: {}", ran.stderr);
    }
    let ran = Ran::of(
        place.command().args(["run", "--input", "input.csv", "--output", "no/such/o.csv"]).spawn().unwrap(),
    );
    assert!(ran.expect(1).stderr.contains("no/such/o.csv"));
}
