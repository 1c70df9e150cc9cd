//! URLs from strangers: nothing that only this machine can reach is reached through a worker.

use imgmill_testing::http::{Answer, TestServer};

use super::harness::Office;
use crate::harness::jpeg;

#[test]
fn no_url_leads_inside() {
    let office = Office::new();
    let inside = TestServer::start();
    inside.route("/secret.jpg", Answer::ok(jpeg(1)));
    let port = inside.address().port();
    let secret = inside.url("/secret.jpg");
    office.server.route("/to-inside", Answer::redirect(&secret));
    office.server.route("/to-metadata", Answer::redirect("http://169.254.169.254/latest/meta-data/"));
    office.server.route("/to-file", Answer::redirect("file:///etc/passwd"));
    let table = [
        ("http://127.0.0.1/a.jpg".to_owned(), "127.0.0.1 is a loopback address"),
        ("http://0x7f000001/a.jpg".to_owned(), "127.0.0.1 is a loopback address"),
        ("http://2130706433/a.jpg".to_owned(), "loopback"),
        ("http://[::1]/a.jpg".to_owned(), "::1 is a loopback address"),
        ("http://[::ffff:10.0.0.1]/a.jpg".to_owned(), "is a private address"),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), "is a cloud's metadata address"),
        ("http://localhost/a.jpg".to_owned(), "localhost resolves to a loopback address"),
        (format!("http://localhost:{port}/secret.jpg"), "is not open"),
        (secret.clone(), "is not open"),
        (office.url("/to-inside"), "a redirect was refused"),
        (office.url("/to-metadata"), "a redirect was refused: 169.254.169.254"),
        (office.url("/to-file"), "the server answered 302 Found"),
        ("file:///etc/passwd".to_owned(), "is not an http or https URL"),
        ("/etc/passwd".to_owned(), "is not an http or https URL"),
        ("s3://bucket/key".to_owned(), "is not an http or https URL"),
        ("gopher://127.0.0.1/".to_owned(), "gopher"),
    ];
    for (index, (url, _)) in table.iter().enumerate() {
        office.about(&format!("{index:02}"), url);
    }
    office.work(&[]);
    assert_eq!(office.left(), [""; 0]);
    for (index, (url, says)) in table.iter().enumerate() {
        let error = &office.heard_of(&format!("{index:02}"))["error"];
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains(says), "{url}: {error}");
        assert_eq!((&error["stage"], &error["attempts"]), (&"fetch".into(), &1.into()), "{url}: {error}");
    }
    assert_eq!(inside.total_hits(), 0, "nothing inside was asked");
    let proxied = office.server.exchanges().iter().any(|exchange| exchange.request.path.contains("://"));
    assert!(!proxied, "the environment's proxy was not used");
}

#[test]
fn postbacks_pass_the_same_guard() {
    let office = Office::new();
    let inside = TestServer::start();
    inside.route("/hook", Answer::ok(""));
    let image = office.url("/1.jpg");
    for (name, to) in
        [("a", inside.url("/hook")), ("b", "http://localhost/hook".into()), ("c", "ftp://h/".into())]
    {
        office.message(name, &format!(r#"{{"image_url":"{image}","postback_url":"{to}"}}"#));
    }
    let ran = office.work(&[]);
    assert_eq!((inside.total_hits(), office.left().len()), (0, 0));
    for says in
        ["is not open to messages", "localhost resolves to a loopback address", "ftp: is not a scheme"]
    {
        assert!(ran.stderr.contains(says), "{says}: {}", ran.stderr);
    }
}

#[test]
fn who_means_it_may_reach_anything() {
    let office = Office::new();
    let inside = TestServer::start();
    inside.route("/a.jpg", Answer::ok(jpeg(5)));
    office.about("a", &inside.url("/a.jpg"));
    office.work(&["--allow-private-network"]);
    assert!(office.heard_of("a").get("error").is_none());
    let port = inside.address().port().to_string();
    office.about("b", &format!("http://localhost:{port}/a.jpg"));
    office.work(&["--allow-host", "localhost", "--allow-port", &port]);
    assert!(office.heard_of("b").get("error").is_none());
}

#[test]
fn one_bad_image_does_not_stop_the_worker() {
    let office = Office::new();
    let mut cut = jpeg(6);
    cut.truncate(cut.len() / 2);
    let mut bomb = jpeg(7);
    // 65,500 × 65,500 pixels, says the frame header.
    let frame = bomb.windows(2).position(|pair| matches!(pair, [0xff, 0xc0 | 0xc2])).unwrap();
    bomb[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    for (name, bytes) in [("cut", cut), ("bomb", bomb), ("empty", Vec::new())] {
        office.server.route(&format!("/{name}"), Answer::ok(bytes));
        office.about(name, &office.url(&format!("/{name}")));
    }
    office.about("good", &office.url("/1.jpg"));
    office.work(&[]);
    assert_eq!(office.heard_of("cut")["error"]["kind"], "truncated");
    assert_eq!(office.heard_of("bomb")["error"]["kind"], "too_many_pixels");
    assert!(office.heard_of("empty")["error"]["kind"].is_string());
    assert!(office.heard_of("good").get("error").is_none());
}
