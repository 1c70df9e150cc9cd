//! Lists with columns, in the formats that they come in: what goes along, and what shards, merging and enqueueing make of it.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use imgmill_testing::http::{Answer, TestServer};
use imgmill_testing::s3::S3Server;

use crate::harness::{Place, Ran, jpeg};

fn gallery(images: u64) -> TestServer {
    let server = TestServer::start();
    for seed in 0..images {
        server.route(&format!("/{seed}.jpg"), Answer::ok(jpeg(seed)).etag_of_body());
    }
    server
}

fn run(place: &Place, input: &str, flags: &[&str]) -> Ran {
    let lists = ["run", "--input", input, "--output", "out.csv", "--output-failed", "failed.csv"];
    let more = ["--report", "report.jsonl", "--work-dir", "work", "--discard", "--retries", "0"];
    Ran::of(place.command().args(lists).args(more).args(flags).spawn().unwrap())
}

fn records(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path).unwrap();
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut child = std::process::Command::new("gzip")
        .arg("-c")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child.wait_with_output().unwrap().stdout
}

/// The same three rows in each format; the second has no image.
fn lists(server: &TestServer) -> Vec<(&'static str, Vec<u8>, Vec<&'static str>)> {
    let [a, b, c] = ["/0.jpg", "/none.jpg", "/1.jpg"].map(|path| server.url(path));
    let csv = format!("title,image,input\n\"Dawn,\nat sea\",{a},x\nNone,{b},y\n\"\"\"Ö\"\"\",{c},z\n");
    let tsv =
        format!("title\timage\tinput\n\"Dawn,\nat sea\"\t{a}\tx\nNone\t{b}\ty\n\"\"\"Ö\"\"\"\t{c}\tz\n");
    let jsonl = format!(
        "{{\"title\": \"Dawn,\\nat sea\", \"image\": \"{a}\", \"input\": \"x\"}}\n\
         {{\"title\": \"None\", \"image\": \"{b}\", \"input\": \"y\"}}\n\
         {{\"input\": \"z\", \"image\": \"{c}\", \"title\": \"\\\"Ö\\\"\"}}\n"
    );
    let by_name = vec!["--url-column", "image"];
    vec![
        ("list.csv", csv.clone().into(), by_name.clone()),
        ("list.tsv", tsv.into(), by_name.clone()),
        ("list.jsonl.gz", gzip(jsonl.as_bytes()), by_name.clone()),
        ("list", jsonl.into(), [&by_name[..], &["--input-format", "jsonl"]].concat()),
    ]
}

#[test]
fn every_other_column_goes_along_in_every_format() {
    let server = gallery(2);
    for (name, bytes, flags) in lists(&server) {
        let place = Place::new();
        fs::write(place.path(name), bytes).unwrap();
        run(&place, name, &[&flags[..], &["--id-column", "title"]].concat()).expect(3);
        let out = records(&place.path("out.csv"));
        assert_eq!(out[0], ["url", "input", "output", "s3url", "title", "list_input"], "{name}");
        assert_eq!(out[1][4..], ["Dawn,\nat sea", "x"], "{name}");
        assert_eq!(
            (out[2][0].clone(), &out[2][4..]),
            (server.url("/1.jpg"), &["\"Ö\"".to_owned(), "z".to_owned()][..])
        );
        let report = place.report();
        assert_eq!(report[0]["id"], "Dawn,\nat sea");
        assert_eq!(report[1]["columns"], serde_json::json!({"title": "None", "input": "y"}), "{name}");
        // What failed can be run again as it is, with all its columns.
        let failed = records(&place.path("failed.csv"));
        assert_eq!(failed, [["title", "image", "input"], ["None", &server.url("/none.jpg"), "y"]]);
        fs::rename(place.path("failed.csv"), place.path("again.csv")).unwrap();
        run(&place, "again.csv", &["--url-column", "image"]).expect(3);
        assert_eq!(records(&place.path("failed.csv")), failed);
    }
}

#[test]
fn ids_name_objects_and_columns_are_said_of_them() {
    let s3 = S3Server::start("pictures");
    let server = gallery(2);
    let place = Place::new().with_environment(s3.environment());
    let [a, b] = ["/0.jpg", "/1.jpg"].map(|path| server.url(path));
    let rows = [("inv/1", &a, "Dämmerung"), ("2", &b, "Dawn"), ("3", &a, "")];
    let list: String = rows
        .iter()
        .map(|(id, url, title)| format!("{}\n", serde_json::json!({"inv": id, "url": url, "title": title})))
        .collect();
    let list_file = s3.object_file("pictures", "lists/works.jsonl.gz");
    fs::create_dir_all(list_file.parent().unwrap()).unwrap();
    fs::write(&list_file, gzip(list.as_bytes())).unwrap();
    let flags = ["--id-column", "inv", "--key", "{id}_{label}.{ext}", "--metadata-column", "title"];
    let store = ["--store", "s3://pictures/made"];
    run(&place, "s3://pictures/lists/works.jsonl.gz", &[&flags[..], &store].concat()).expect(0);
    let made: Vec<String> =
        s3.keys("pictures").into_iter().filter(|key| key.ends_with("_gray.jpg")).collect();
    assert_eq!(made, ["made/2_gray.jpg", "made/3_gray.jpg", "made/inv/1_gray.jpg"], "an object for each id");
    let title = |key: &str| {
        let requests = s3.requests();
        let put =
            requests.iter().find(|request| request.method == "PUT" && request.path.ends_with(key)).unwrap();
        put.header("x-amz-meta-title").map(str::to_owned)
    };
    assert_eq!(title("/made/2_gray.jpg").as_deref(), Some("Dawn"));
    assert_eq!(title("/made/inv/1_gray.jpg").as_deref(), Some("=?UTF-8?Q?D=C3=A4mmerung?="));
    assert_eq!(title("/made/3_gray.jpg"), None);
    // A folder has no place for it, and says so once.
    fs::write(place.path("works.jsonl"), list).unwrap();
    let ran = run(&place, "works.jsonl", &flags).expect(0);
    assert_eq!(ran.stderr.matches("a local folder keeps no metadata").count(), 1, "{}", ran.stderr);
}

#[test]
fn shards_of_such_lists_are_merged_to_what_one_run_gives() {
    let server = gallery(8);
    let place = Place::new();
    let rows = (0..20).map(|row| format!("{},\"n {row}\nx\"\n", server.url(&format!("/{}.jpg", row % 9))));
    fs::write(place.path("list.csv"), format!("image,note\n{}", rows.collect::<String>())).unwrap();
    let column = ["--url-column", "image"];
    for shard in ["0/3", "1/3", "2/3"] {
        run(&place, "list.csv", &[&column[..], &["--shard", shard]].concat());
    }
    let merging = place
        .command()
        .args(["merge", "--input", "list.csv", "--output", "all.csv", "--output-failed", "sorry.csv"])
        .args(column)
        .args([0, 1, 2].map(|index| format!("out.{index}-of-3.csv")))
        .spawn();
    Ran::of(merging.unwrap()).expect(3);
    run(&place, "list.csv", &column).expect(3);
    for (merged, single) in [("all.csv", "out.csv"), ("sorry.csv", "failed.csv")] {
        let [merged, single] = [merged, single].map(|name| fs::read_to_string(place.path(name)).unwrap());
        assert_eq!(merged, single);
    }
    assert_eq!(records(&place.path("sorry.csv")).len(), 3);
}

#[test]
fn columns_become_fields_of_messages() {
    let place = Place::new();
    fs::create_dir(place.path("messages")).unwrap();
    fs::write(place.path("list.tsv"), "url\tepisode\thttps\nhttps://example.org/a.jpg\t7\tx\n").unwrap();
    let sending = place
        .command()
        .args(["enqueue", "--input", "list.tsv", "--queue", "dir:messages", "--redirect-queue", "done"])
        .spawn();
    Ran::of(sending.unwrap()).expect(0);
    let message = fs::read_dir(place.path("messages"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|ending| ending == "json"))
        .unwrap();
    let text = fs::read_to_string(message).unwrap();
    assert!(
        text.contains("\"episode\":\"7\"") && text.contains("\"image_url\":\"https://example.org/a.jpg\""),
        "{text}"
    );
}

#[test]
fn what_is_wrong_with_columns_is_one_helpful_line() {
    let place = Place::new();
    fs::write(place.path("l.csv"), "image,note\na.jpg,x\nb.jpg\n").unwrap();
    for (flags, says) in [
        (&[][..], "say which one the URL's is: --url-column"),
        (&["--url-column", "picture"], "there is no column named \"picture\"; there are image, note"),
        (&["--url-column", "image"], "l.csv, line 3: 1 fields; the header has 2"),
        (&["--key", "{id}.jpg"], "{id} wants --id-column"),
        (&["--url-column", "image", "--metadata-column", "x"], "no column named \"x\""),
        (&["--input-format", "jsonl"], "l.csv, line 1: expected a JSON object"),
    ] {
        let ran = run(&place, "l.csv", flags).expect(2);
        assert!(ran.stderr.contains(says) && ran.stderr.lines().count() == 1, "{flags:?}: {}", ran.stderr);
    }
}
