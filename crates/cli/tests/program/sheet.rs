//! The contact sheet of a run, as a file; what a browser makes of it, `make test-view` looks at.

use std::fs;

use imgmill_testing::http::{Answer, TestServer};
use imgmill_testing::samples::{encode, photo};
use serde_json::Value;

use crate::harness::Place;

/// Facts and pictures of all rows, by their elements.
fn read(place: &Place) -> (String, Vec<Value>, Vec<Value>) {
    let page = fs::read_to_string(place.path("sheet.html")).unwrap();
    let all = |class: &str| -> Vec<Value> {
        let opened = format!("<script type=\"application/json\" class=\"{class}\"");
        let texts = page.split(&opened).skip(1).map(|rest| rest.split_once("</script>").unwrap().0);
        let texts = texts.map(|text| text.split_once('>').unwrap().1);
        texts.flat_map(|text| serde_json::from_str::<Vec<Value>>(text).unwrap()).collect()
    };
    let (rows, pictures) = (all("rows"), all("pictures"));
    assert_eq!(rows.len(), pictures.len());
    (page, rows, pictures)
}

#[test]
fn every_row_is_there_with_its_pictures() {
    let server = TestServer::start();
    let jpeg = encode::jpeg(&photo(1, 300, 200), Default::default());
    server.route("/good.jpg", Answer::ok(&jpeg));
    server.route("/gone.jpg", Answer::status(404));
    let place = Place::new();
    // Another one: of two rows with the same bytes the later one is answered from the store, and either may be later.
    let other = encode::jpeg(&photo(2, 300, 200), Default::default());
    fs::write(place.path("local.jpg"), other).unwrap();
    let hostile = "/gone.jpg?</script><script>alert(1)</script>&token=geheim";
    place.list([server.url("/good.jpg"), server.url(hostile), "local.jpg".into(), "missing.jpg".into()]);
    let ran = place.run(&["--contact-sheet", "sheet.html", "--derive", "s=full/90,/0/default.png"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let (page, rows, pictures) = read(&place);
    assert!(!page.contains("geheim") && !page.contains("<script>alert") && page.ends_with("</html>\n"));
    let row = |number: u64| rows.iter().position(|row| row["n"] == number).unwrap();
    let good = row(1);
    assert_eq!(rows[good]["status"], "done");
    assert_eq!(rows[good]["source"], serde_json::json!([jpeg.len(), 300, 200]));
    assert_eq!(rows[good]["made"][0]["size"][1], 90);
    let failed = &rows[row(2)];
    assert_eq!(
        (failed["status"].as_str(), failed["stage"].as_str(), failed["kind"].as_str()),
        (Some("failed"), Some("fetch"), Some("http_status"))
    );
    assert!(failed["why"].as_str().unwrap().contains("404"));
    assert_eq!(pictures[row(2)], serde_json::json!([null, null]));
    for place in [good, row(3)] {
        for picture in pictures[place].as_array().unwrap() {
            // RIFF in base64: a WebP.
            assert!(picture.as_str().is_some_and(|data| data.starts_with("UklGR") && data.len() < 12_000));
        }
    }
}

#[test]
fn what_is_not_at_hand_is_not_fetched_for_a_picture() {
    let server = TestServer::start();
    let jpeg = encode::jpeg(&photo(1, 300, 200), Default::default());
    server.route("/good.jpg", Answer::ok(&jpeg));
    let place = Place::new();
    place.list([server.url("/good.jpg")]);
    for more in [&["--discard"][..], &["--discard", "--isolate", "process", "--refresh"]] {
        let ran = place.run(&[&["--contact-sheet", "sheet.html"], more].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let (_, _, pictures) = read(&place);
        // The rendition is in a folder; of the source nothing was kept.
        assert!(pictures[0][0].is_null() && pictures[0][1].is_string(), "{pictures:?}");
    }
    assert_eq!(server.total_hits(), 2);
    fs::write(place.path("sheet.html"), "before").unwrap();
    let dry = place.run(&["--contact-sheet", "sheet.html", "--dry-run"]);
    assert_eq!(
        (dry.code, fs::read_to_string(place.path("sheet.html")).unwrap().as_str()),
        (Some(0), "before")
    );
    let twice = place.run(&["--contact-sheet", "output.csv"]);
    assert!(twice.code == Some(2) && twice.stderr.contains("are the same file"), "{}", twice.stderr);
}
