//! Each behaviour of the test web server, seen by a client as plain as the server itself.

// In tests a panic is the message.
#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime};

use imgmill_testing::http::{Answer, Behaviour, TestServer};

/// Sends one request and reads until the server closes, or for half a second; says how it ended.
fn ask(server: &TestServer, method: &str, path: &str, headers: &str) -> (String, std::io::Result<()>) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let patience = Duration::from_millis(500);
    stream.set_read_timeout(Some(patience)).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let began = Instant::now();
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    let ended = loop {
        match stream.read(&mut piece) {
            _ if began.elapsed() >= patience => break Err(ErrorKind::TimedOut.into()),
            Ok(0) => break Ok(()),
            Ok(length) => answer.extend_from_slice(&piece[..length]),
            Err(error) => break Err(error),
        }
    };
    (String::from_utf8_lossy(&answer).into_owned(), ended)
}

fn get(server: &TestServer, path: &str) -> String {
    ask(server, "GET", path, "").0
}

#[test]
fn an_answer_has_its_status_headers_and_body() {
    let server = TestServer::start();
    server.route("/a", Answer::ok("pixels").content_type("image/jpeg"));
    let answer = get(&server, "/a?query=ignored");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("Content-Type: image/jpeg\r\nContent-Length: 6\r\n\r\npixels"), "{answer}");
    assert!(get(&server, "/elsewhere").starts_with("HTTP/1.1 404"));
    assert_eq!((server.hits("/a"), server.bodies("/a"), server.total_hits()), (1, 1, 2));
    assert_eq!(server.exchanges()[0].request.query.as_deref(), Some("query=ignored"));
    assert_eq!(server.exchanges()[0].body_bytes, 6);
}

#[test]
fn head_has_the_length_and_no_body() {
    let server = TestServer::start();
    server.route("/a", Answer::ok("pixels"));
    let (answer, _) = ask(&server, "HEAD", "/a", "");
    assert!(answer.ends_with("Content-Length: 6\r\n\r\n"), "{answer}");
    assert_eq!((server.hits("/a"), server.bodies("/a")), (1, 0));
}

#[test]
fn one_connection_carries_several_requests() {
    let server = TestServer::start();
    server.route("/a", Answer::ok("first").chunked());
    server.route("/b", Answer::ok("second"));
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert!(answers.contains("5\r\nfirst\r\n0\r\n\r\nHTTP/1.1 200 OK"), "{answers}");
    assert!(answers.ends_with("second"), "{answers}");
}

#[test]
fn a_client_that_knows_the_body_gets_304() {
    let server = TestServer::start();
    let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let answer = Answer::ok("pixels").etag("\"v1\"").last_modified(changed);
    server.route("/a", answer.clone());
    server.route("/stubborn", answer.ignoring_conditions());
    for (condition, expected) in [
        ("If-None-Match: \"v1\"\r\n", "304"),
        ("If-None-Match: \"v0\", W/\"v1\"\r\n", "304"),
        ("If-None-Match: \"v2\"\r\n", "200"),
        ("If-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT\r\n", "304"),
        ("If-Modified-Since: Sun, 09 Sep 2001 01:46:39 GMT\r\n", "200"),
        ("If-None-Match: \"v2\"\r\nIf-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT\r\n", "200"),
    ] {
        let (answer, _) = ask(&server, "GET", "/a", condition);
        assert_eq!(&answer[9..12], expected, "{condition}");
        assert!(
            answer.contains("ETag: \"v1\"\r\nLast-Modified: Sun, 09 Sep 2001 01:46:40 GMT\r\n"),
            "{answer}"
        );
        let (answer, _) = ask(&server, "GET", "/stubborn", condition);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("ETag: \"v1\""), "{answer}");
    }
    assert_eq!((server.hits("/a"), server.bodies("/a"), server.bodies("/stubborn")), (6, 3, 6));
}

#[test]
fn a_sequence_takes_a_step_a_request_and_stays_on_the_last() {
    let server = TestServer::start();
    server.route("/a", Behaviour::failing_first(2, 503, Answer::ok("pixels")));
    let statuses: Vec<String> = (0..4).map(|_| get(&server, "/a")[9..12].to_owned()).collect();
    assert_eq!(statuses, ["503", "503", "200", "200"]);
    assert_eq!(server.bodies("/a"), 2);
}

#[test]
fn retry_after_comes_in_seconds_or_as_a_date() {
    let server = TestServer::start();
    server.route("/seconds", Answer::status(429).retry_after(Duration::from_secs(2)));
    server.route("/date", Answer::status(429).retry_at(SystemTime::UNIX_EPOCH));
    assert!(get(&server, "/seconds").contains("Retry-After: 2\r\n"));
    assert!(get(&server, "/date").contains("Retry-After: Thu, 01 Jan 1970 00:00:00 GMT\r\n"));
}

#[test]
fn bodies_can_stop_short() {
    let server = TestServer::start();
    server.route("/length", Behaviour::Truncated(Answer::ok("0123456789"), 4));
    server.route("/chunked", Behaviour::Truncated(Answer::ok("0123456789").chunked(), 4));
    server.route("/claim", Answer::ok("0123").claiming_length(1_000_000));
    let (answer, ended) = ask(&server, "GET", "/length", "");
    assert!(answer.ends_with("Content-Length: 10\r\n\r\n0123") && ended.is_ok(), "{answer}");
    let (answer, ended) = ask(&server, "GET", "/chunked", "");
    assert!(answer.ends_with("4\r\n0123\r\n") && ended.is_ok(), "{answer}");
    assert!(get(&server, "/claim").ends_with("Content-Length: 1000000\r\n\r\n0123"));
}

#[test]
fn bodies_can_go_on_for_ever() {
    let server = TestServer::start();
    server.route("/drip", Behaviour::Drip(Answer::ok("ab"), Duration::from_millis(20)));
    server.route("/endless", Behaviour::Endless(Answer::ok("ab").until_close()));
    let (answer, ended) = ask(&server, "GET", "/drip", "");
    assert!(answer.contains("1\r\na\r\n1\r\nb\r\n1\r\n\0\r\n"), "{answer:?}");
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::TimedOut);

    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"GET /endless HTTP/1.1\r\n\r\n").unwrap();
    let mut much = vec![0; 50_000_000];
    stream.read_exact(&mut much).unwrap();
    drop(stream);
    let sent = server.exchanges().into_iter().find(|exchange| exchange.request.path == "/endless").unwrap();
    assert!(sent.body_bytes > 49_000_000);
}

#[test]
fn silence_lasts_until_the_client_leaves() {
    let server = TestServer::start();
    server.route("/a", Behaviour::Silence);
    let (answer, ended) = ask(&server, "GET", "/a", "");
    assert_eq!(answer, "");
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::TimedOut);
    let patience = Instant::now();
    while server.exchanges()[0].ended.is_none() {
        assert!(patience.elapsed() < Duration::from_secs(5), "the server never noticed");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(server.exchanges()[0].status, None);
}

#[test]
fn connections_can_be_reset_before_or_within_a_body() {
    let server = TestServer::start();
    server.route("/before", Behaviour::ResetAtOnce);
    server.route("/within", Behaviour::ResetAfter(Answer::ok("0123456789"), 4));
    let (answer, ended) = ask(&server, "GET", "/before", "");
    assert_eq!((answer.as_str(), ended.unwrap_err().kind()), ("", ErrorKind::ConnectionReset));
    let (answer, ended) = ask(&server, "GET", "/within", "");
    assert!(answer.ends_with("\r\n\r\n0123"), "{answer}");
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn redirects_lead_on_or_round_in_circles() {
    let server = TestServer::start();
    server.redirect_loop(&["/a", "/b", "/c"]);
    for (path, next) in [("/a", "/b"), ("/b", "/c"), ("/c", "/a")] {
        let answer = get(&server, path);
        assert!(answer.starts_with("HTTP/1.1 302") && answer.contains(&format!("Location: {next}\r\n")));
    }
}

#[test]
fn answers_can_be_late_or_slow() {
    let server = TestServer::start();
    let wait = Duration::from_millis(60);
    server.route("/late", Behaviour::delayed(wait, Answer::ok("pixels")));
    server.route("/slow", Behaviour::Slow(Answer::ok("pixels"), 2, wait / 3));
    for path in ["/late", "/slow"] {
        let began = Instant::now();
        assert!(get(&server, path).ends_with("pixels"));
        assert!(began.elapsed() >= wait, "{path}");
    }
}

#[test]
fn the_most_requests_at_once_are_counted() {
    let server = TestServer::start();
    for path in ["/a", "/b"] {
        server.route(path, Behaviour::delayed(Duration::from_millis(200), Answer::ok("pixels")));
    }
    std::thread::scope(|threads| {
        for path in ["/a", "/a", "/b"] {
            threads.spawn(|| get(&server, path));
        }
    });
    get(&server, "/b");
    assert_eq!(
        (server.most_at_once(), server.most_at_once_on("/a"), server.most_at_once_on("/b")),
        (3, 2, 1)
    );
}

#[test]
fn a_directory_is_served_with_validators() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a b.jpg"), "pixels").unwrap();
    std::fs::write(directory.path().join("secret"), "").unwrap();
    let server = TestServer::start();
    server.serve_directory(directory.path().to_owned());
    let answer = get(&server, "/a%20b.jpg");
    assert!(answer.contains("image/jpeg") && answer.ends_with("pixels"), "{answer}");
    let etag = answer.lines().find(|line| line.starts_with("ETag")).unwrap().replace("ETag", "If-None-Match");
    let (again, _) = ask(&server, "GET", "/a%20b.jpg", &format!("{etag}\r\n"));
    assert!(again.starts_with("HTTP/1.1 304"), "{again}");
    let name = directory.path().file_name().unwrap().to_str().unwrap();
    assert!(get(&server, &format!("/../{name}/secret")).starts_with("HTTP/1.1 404"));
    assert!(get(&server, "/none.jpg").starts_with("HTTP/1.1 404"));
}

#[test]
fn a_dropped_server_is_gone() {
    let server = TestServer::start();
    let address = server.address();
    server.route("/a", Behaviour::Silence);
    let mut open = TcpStream::connect(address).unwrap();
    open.write_all(b"GET /a HTTP/1.1\r\n\r\n").unwrap();
    drop(server);
    assert!(TcpStream::connect(address).is_err());
    assert!(matches!(open.read(&mut [0; 8]), Ok(0) | Err(_)));
}
