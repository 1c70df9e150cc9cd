//! Servers that misbehave: each row fails by itself, with its kind, in bounded time.

use std::time::{Duration, Instant, SystemTime};

use imgmill_testing::http::{Answer, Behaviour, TestServer};

use crate::harness::{Place, expect_failure, jpeg};

/// Limits short enough for a test.
const HASTY: &[&str] = &["--idle-timeout", "0.4", "--fetch-timeout", "1.2", "--retries", "0"];

#[test]
fn each_way_to_fail_has_its_kind() {
    let server = TestServer::start();
    let image = jpeg(1);
    let answer = || Answer::ok(jpeg(1));
    let cases: Vec<(&str, Behaviour, (&str, &str))> = vec![
        ("/404", Answer::status(404).into(), ("fetch", "http_status")),
        ("/204", Answer::status(204).into(), ("fetch", "http_status")),
        ("/500", Answer::status(500).into(), ("fetch", "http_status")),
        (
            "/page.jpg",
            Answer::html("<html>no</html>").content_type("image/jpeg").into(),
            ("fetch", "not_an_image"),
        ),
        (
            "/text.jpg",
            Answer::ok("just text, long enough to be looked at for sure").into(),
            ("fetch", "not_an_image"),
        ),
        ("/empty.jpg", Answer::ok("").into(), ("fetch", "not_an_image")),
        ("/short", Behaviour::Truncated(answer(), image.len() / 2), ("fetch", "truncated")),
        ("/short-chunked", Behaviour::Truncated(answer().chunked(), image.len() / 2), ("fetch", "truncated")),
        ("/cut.jpg", Answer::ok(&image[..image.len() / 2]).into(), ("derive", "truncated")),
        ("/drip", Behaviour::Drip(answer(), Duration::from_millis(100)), ("fetch", "timeout")),
        ("/silence", Behaviour::Silence, ("fetch", "timeout")),
        ("/endless", Behaviour::Endless(answer()), ("fetch", "too_large")),
        ("/claims", answer().claiming_length(10 << 20).into(), ("fetch", "too_large")),
        ("/reset", Behaviour::ResetAtOnce, ("fetch", "reset")),
        ("/reset-later", Behaviour::ResetAfter(answer(), 100), ("fetch", "reset")),
    ];
    let place = Place::new();
    for (path, behaviour, _) in &cases {
        server.route(path, behaviour.clone());
    }
    server.redirect_loop(&["/loop", "/loop2"]);
    server.route("/good", answer());
    let mut urls: Vec<String> = cases.iter().map(|(path, ..)| server.url(path)).collect();
    urls.extend([
        server.url("/loop"),
        "http://127.0.0.1:1/refused".into(),
        "http://".into(),
        server.url("/good"),
    ]);
    place.list(&urls);

    let started = Instant::now();
    place.run(&[HASTY, &["--max-bytes", "1MiB", "--per-host", "32"]].concat()).expect(3);
    assert!(started.elapsed() < Duration::from_secs(15), "took {:?}", started.elapsed());
    let report = place.report();
    for (row, (_, _, (stage, kind))) in report.iter().zip(&cases) {
        expect_failure(row, stage, kind);
    }
    let rest = &report[cases.len()..];
    expect_failure(&rest[0], "fetch", "redirect_loop");
    expect_failure(&rest[1], "fetch", "connect");
    expect_failure(&rest[2], "fetch", "invalid_url");
    assert_eq!(rest[3]["status"], "done");
    assert_eq!(place.failed().len(), urls.len() - 1);
}

#[test]
fn what_may_pass_is_tried_again_and_nothing_else() {
    let server = TestServer::start();
    let good = || Answer::ok(jpeg(1));
    server.route("/500", Behaviour::failing_first(1, 500, good()));
    server.route("/408", Behaviour::failing_first(1, 408, good()));
    server.route("/reset", Behaviour::sequence([Behaviour::ResetAtOnce, good().into()]));
    server.route("/short", Behaviour::sequence([Behaviour::Truncated(good(), 100), good().into()]));
    server.route("/403", Behaviour::failing_first(1, 403, good()));
    server.route("/503", Answer::status(503));
    let place = Place::new();
    place.list(["/500", "/408", "/reset", "/short", "/403", "/503"].map(|path| server.url(path)));
    place.run(&["--retries", "2"]).expect(3);
    assert_eq!(place.failed(), [server.url("/403"), server.url("/503")]);
    assert_eq!((server.hits("/403"), server.hits("/503")), (1, 3));
    let report = place.report();
    assert_eq!((&report[0]["attempts"], &report[5]["attempts"]), (&2.into(), &3.into()));
}

#[test]
fn retry_after_is_honoured_in_both_forms_and_for_the_whole_host() {
    let forms: [fn() -> Answer; 2] = [
        || Answer::status(429).retry_after(Duration::from_secs(2)),
        || Answer::status(503).retry_at(SystemTime::now() + Duration::from_secs(3)),
    ];
    for form in forms {
        let server = TestServer::start();
        let answer = form();
        server.route("/a", Behaviour::sequence([answer, Answer::ok(jpeg(1))]));
        server.route("/b", Answer::ok(jpeg(2)));
        let place = Place::new();
        place.list([server.url("/a"), server.url("/b")]);
        place.run(&["--per-host", "1"]).expect(0);
        let exchanges = server.exchanges();
        let refused = exchanges.iter().find(|exchange| exchange.status != Some(200)).unwrap();
        let later = exchanges.iter().filter(|exchange| exchange.began > refused.began);
        let earliest = later.map(|exchange| exchange.began - refused.began).min().unwrap();
        // An HTTP date has whole seconds, so the wait may be up to one shorter.
        assert!(earliest > Duration::from_millis(1900), "{earliest:?}");
    }
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    // A PNG of a few bytes that claims 60,000 × 60,000 pixels.
    let mut bomb = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = [&60_000u32.to_be_bytes()[..], &60_000u32.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    for (name, data) in [(b"IHDR", &header[..]), (b"IDAT", &[0x78, 0x01, 0x01, 0, 0, 0xFF, 0xFF])] {
        let chunk = [&name[..], data].concat();
        bomb.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        bomb.extend(&chunk);
        bomb.extend(crc32(&chunk).to_be_bytes());
    }
    let place = Place::new();
    std::fs::write(place.path("bomb.png"), bomb).unwrap();
    std::fs::write(place.path("good.jpg"), jpeg(1)).unwrap();
    place.list(["bomb.png", "good.jpg"]);
    place.run(&[]).expect(3);
    expect_failure(&place.report()[0], "derive", "too_many_pixels");
    // The bound is the user's to set.
    place.run(&["--max-pixels", "3000"]).expect(3);
    expect_failure(&place.report()[0], "derive", "too_many_pixels");
}

#[test]
fn a_host_is_asked_no_more_at_once_than_allowed() {
    let server = TestServer::start();
    server.fallback(|request| {
        let seed = request.path.trim_start_matches('/').parse().ok()?;
        Some(Behaviour::delayed(Duration::from_millis(30), Answer::ok(jpeg(seed))))
    });
    let place = Place::new();
    place.list((0..40).map(|seed| server.url(&format!("/{seed}"))));
    place.run(&["--per-host", "3"]).expect(0);
    assert_eq!(server.most_at_once(), 3);
}

#[test]
fn bodies_past_the_memory_budget_go_through_disk() {
    let server = TestServer::start();
    // 24 bodies of some 3 MB: more than the budget holds, while all arrive slowly at once.
    let big = imgmill_testing::samples::encode::bmp(&imgmill_testing::samples::photo(1, 1000, 1000));
    server.fallback(move |request| {
        let mut body = big.clone();
        let name = request.path.as_bytes();
        let at = body.len() - name.len();
        body[at..].copy_from_slice(name);
        Some(Behaviour::Slow(Answer::ok(body), 256 << 10, Duration::from_millis(10)))
    });
    let place = Place::new();
    place.list((0..32).map(|seed| server.url(&format!("/{seed:03}"))));
    let ran = place.run(&["--per-host", "64", "--log-level", "debug"]).expect(0);
    assert!(ran.stderr.contains("spooling to disk"));
    assert_eq!(place.stored().len(), 32);
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 },
        )
    })
}
