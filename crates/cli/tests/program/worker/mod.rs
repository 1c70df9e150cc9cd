//! `imgmill worker` on a folder: what a message becomes, and that none is lost or done twice.

mod harness;
mod hostile;
mod queue;

use std::fs;

use imgmill_testing::http::{Answer, Behaviour};
use serde_json::{Value, json};

use crate::harness::jpeg;
use harness::{Office, SECRET};

#[test]
fn a_message_travels_whole() {
    let office = Office::new();
    fs::create_dir(office.place.path("ChannelImages")).unwrap();
    let unknown = r#""_id":{"$oid":"5f9f1b9b9b9b9b9b9b9b9b9b"},"big":123456789012345678901234567890,"float":1.10,"nested":{"a":[null,true,{"ü":"🎧"}]},"escaped":"\u00e9\"\\","none":null"#;
    let (image, itunes, heard) = (office.url("/1.jpg"), office.url("/2.jpg"), office.url("/heard"));
    office.message("a", &format!(
        r#"{{"image_url":"{image}","itunes_image":"{itunes}","bucket_name":"Test Bucket",{unknown},"redirect_queue":"ChannelImages","postback_url":"{heard}","postback_secret_key":"not ours"}}"#
    ));
    office.work(&[]);
    assert_eq!(office.left(), [""; 0]);

    let exchanges = office.server.exchanges();
    let post = exchanges.iter().find(|exchange| exchange.request.path == "/heard").unwrap();
    let posted = harness::verified(post);
    assert!(posted.contains(unknown), "in its very text: {posted}");
    let posted: Value = serde_json::from_str(&posted).unwrap();
    assert_eq!(posted["postback_secret_key"], SECRET);
    assert!(posted.get("error").is_none());

    let mut sent = fs::read_dir(office.place.path("ChannelImages")).unwrap().map(Result::unwrap);
    let sent = sent.find(|entry| entry.path().is_file()).unwrap();
    let sent = fs::read_to_string(sent.path()).unwrap();
    assert!(sent.contains(unknown) && !sent.contains(SECRET), "{sent}");
    let sent: Value = serde_json::from_str(&sent).unwrap();

    for (field, bytes) in [("image_url_info", jpeg(1)), ("itunes_image_info", jpeg(2))] {
        assert_eq!(posted[field], sent[field]);
        let labels: Vec<&String> = posted[field].as_object().unwrap().keys().collect();
        assert_eq!(labels, ["250X250", "50x50", "800x800"]);
        let id = &sha256(&bytes)[..32];
        // The source has 64 × 48 pixels: cut square, made smaller where it is larger, and never larger.
        for (label, side) in [("50x50", 48), ("250X250", 48), ("800x800", 48)] {
            let key = format!("images-resized/Test Bucket/{id}_{label}.jpeg");
            let file = office.place.path("outputs").join(&key).canonicalize().unwrap();
            let info = &posted[field][label];
            assert_eq!(info["bucket_path"], "images-resized/Test Bucket/");
            assert_eq!(info["url"], format!("file://{}", file.display().to_string().replace(' ', "%20")));
            let image = image::open(&file).unwrap();
            assert_eq!((image.width(), image.height()), (side, side), "{label}");
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn where_there_is_nothing_to_do_a_message_is_removed() {
    let office = Office::new();
    let (image, heard) = (office.url("/1.jpg"), office.url("/heard"));
    office.message("no image", &format!(r#"{{"postback_url":"{heard}"}}"#));
    office.message("no destination", &format!(r#"{{"image_url":"{image}"}}"#));
    office.message("no such queue", &format!(r#"{{"image_url":"{image}","redirect_queue":"Nowhere"}}"#));
    let other = office.url("/2.jpg");
    office.message("in circles", &format!(r#"{{"image_url":"{other}","redirect_queue":"q"}}"#));
    office.message("no json", r#"{"image_url":"#);
    let ran = office.work(&["--max-receives", "2"]);
    assert_eq!(office.left(), ["q/dead/no json.json"], "what cannot be read is kept for somebody to look at");
    assert!(ran.stderr.contains("neither image_url nor itunes_image"), "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no such queue"), "{}", ran.stderr);
    assert!(ran.stderr.contains("the worker's own queue"), "{}", ran.stderr);
    assert_eq!(["/heard", "/1.jpg", "/2.jpg"].map(|path| office.server.hits(path)), [0, 1, 1]);
}

#[test]
fn what_can_never_succeed_is_reported_and_removed() {
    let office = Office::new();
    office.server.route("/page", Answer::html("<html>members only</html>"));
    office.about("gone", &office.url("/nothing"));
    office.about("page", &office.url("/page"));
    office.server.route("/text", Answer::ok("no image at all"));
    let (good, text, heard) = (office.url("/1.jpg"), office.url("/text"), office.url("/heard"));
    office.message(
        "half",
        &format!(
            r#"{{"name":"half","image_url":"{good}","itunes_image":"{text}","postback_url":"{heard}"}}"#
        ),
    );
    office.message(
        "bucket",
        &format!(
            r#"{{"name":"bucket","image_url":"{good}","bucket_name":"../up","postback_url":"{heard}"}}"#
        ),
    );
    office.work(&[]);
    assert_eq!(office.left(), [""; 0]);
    let gone = office.heard_of("gone");
    assert_eq!(
        gone["error"],
        json!({"field": "image_url", "stage": "fetch", "kind": "http_status",
            "message": "the server answered 404 Not Found", "attempts": 1})
    );
    assert!(gone.get("image_url_info").is_none());
    assert_eq!(office.heard_of("page")["error"]["kind"], "not_an_image");
    let half = office.heard_of("half");
    assert_eq!(half["error"]["field"], "itunes_image");
    assert!(half["image_url_info"]["50x50"]["url"].is_string(), "the good one is there all the same");
    assert_eq!(office.heard_of("bucket")["error"]["field"], "bucket_name");
}

#[test]
fn what_may_pass_comes_again() {
    let office = Office::new();
    office.server.route("/busy.jpg", Behaviour::failing_first(2, 503, Answer::ok(jpeg(20))));
    office.server.route("/late", Behaviour::failing_first(2, 500, Answer::ok("")));
    office.server.route("/mute", Behaviour::sequence([Behaviour::Silence, Answer::ok("").into()]));
    office.about("busy", &office.url("/busy.jpg"));
    for (name, image, to) in [("late", "/2.jpg", "/late"), ("mute", "/3.jpg", "/mute")] {
        let (image, to) = (office.url(image), office.url(to));
        office.message(name, &format!(r#"{{"name":"{name}","image_url":"{image}","postback_url":"{to}"}}"#));
    }
    let ran = office.work(&["--postback-timeout", "0.5"]);
    assert_eq!(office.left(), [""; 0]);
    assert!(office.heard_of("busy").get("error").is_none());
    assert_eq!(["/busy.jpg", "/late", "/mute"].map(|path| office.server.hits(path)), [3, 3, 2]);
    assert!(ran.stderr.contains("3 made"), "an image is made once: {}", ran.stderr);
}

#[test]
fn a_postback_that_is_refused_is_final() {
    let office = Office::new();
    office.server.route("/closed", Answer::status(403));
    office.server.route("/moved", Answer::redirect("/elsewhere"));
    fs::create_dir(office.place.path("next")).unwrap();
    for (name, to) in [("closed", "/closed"), ("moved", "/moved")] {
        let (image, to) = (office.url("/1.jpg"), office.url(to));
        office.message(
            name,
            &format!(r#"{{"image_url":"{image}","postback_url":"{to}","redirect_queue":"next"}}"#),
        );
    }
    let ran = office.work(&["--retries", "2"]);
    assert_eq!(office.left(), [""; 0]);
    assert_eq!(["/closed", "/moved", "/elsewhere"].map(|path| office.server.hits(path)), [1, 1, 0]);
    assert!(ran.stderr.contains("redirects are not followed"), "{}", ran.stderr);
    let next = fs::read_dir(office.place.path("next")).unwrap().map(Result::unwrap);
    assert_eq!(next.filter(|entry| entry.path().is_file()).count(), 2, "the other destination heard");
}

#[test]
fn a_store_that_fails_is_not_the_messages_fault() {
    let office = Office::new();
    fs::create_dir(office.place.path("outputs")).unwrap();
    fs::write(office.place.path("outputs/images-resized"), "in the way of the folder").unwrap();
    office.about("a", &office.url("/1.jpg"));
    office.work(&["--max-receives", "2"]);
    assert_eq!((office.left(), office.server.hits("/heard")), (vec!["q/dead/a.json".to_owned()], 0));
    fs::remove_file(office.place.path("outputs/images-resized")).unwrap();
    fs::rename(office.place.path("q/dead/a.json"), office.place.path("q/a.json")).unwrap();
    office.work(&[]);
    assert!(office.heard_of("a").get("error").is_none());
}

#[test]
fn another_recipe_makes_other_sizes() {
    let office = Office::new();
    office.about("a", &office.url("/1.jpg"));
    office.work(&["--derive", "tiny=square/16,/0/gray.png", "--url-style", "base=https://cdn.example/x/"]);
    let info = &office.heard_of("a")["image_url_info"]["tiny"];
    let url = info["url"].as_str().unwrap();
    assert!(url.starts_with("https://cdn.example/x/images-resized/") && url.ends_with("_tiny.png"), "{url}");
    assert_eq!(info["bucket_path"], "images-resized/");
}

#[test]
fn a_label_that_stands_for_something_else_is_noticed() {
    let office = Office::new();
    let work = |name: &str, flags: &[&str]| {
        office.about(name, &office.url("/1.jpg"));
        let ran = office.work(flags);
        let info = office.heard_of(name)["image_url_info"]["s"]["url"].as_str().unwrap().to_owned();
        (image::open(url::Url::parse(&info).unwrap().to_file_path().unwrap()).unwrap().width(), ran)
    };
    let (large, small) =
        (["--derive", "s=square/16,/0/default.jpg"], ["--derive", "s=square/8,/0/default.jpg"]);
    assert_eq!(work("a", &large).0, 16);
    let (width, ran) = work("b", &small);
    assert_eq!(width, 16, "what is stored stays");
    assert!(ran.stderr.contains("made as square/16,/0/default.jpg, and stay as they are"), "{}", ran.stderr);
    let (width, ran) = work("c", &[&small[..], &["--refresh"]].concat());
    assert!(width == 8 && !ran.stderr.contains("stay as they are"), "{}", ran.stderr);
    assert!(!work("d", &small).1.stderr.contains("stay as they are"));
}
