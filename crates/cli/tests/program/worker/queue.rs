//! A worker and its queue: killed, stopped, watched; messages sent to it and returned from the dead.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime};

use imgmill_testing::http::{Answer, Behaviour};
use imgmill_testing::s3::{Fault, S3Server};
use rustix::process::{Pid, Signal, kill_process};

use super::harness::Office;
use crate::harness::Ran;

/// Waits for something that comes sooner or later.
#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn killed_at_work_it_makes_nothing_twice() {
    let office = Office::new();
    office.server.route("/slow", Behaviour::sequence([Behaviour::Silence, Answer::ok("").into()]));
    let (image, slow) = (office.url("/1.jpg"), office.url("/slow"));
    office.message("a", &format!(r#"{{"image_url":"{image}","postback_url":"{slow}"}}"#));
    let mut child = office.spawn(&["--visibility", "1"]);
    // Stored, and in the middle of telling about it.
    wait_until("the postback does not come", || office.server.hits("/slow") == 1);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(office.left(), ["q/.taken/1~a.json"]);
    let ran = office.work(&["--visibility", "1", "--wait", "2"]);
    assert!(ran.stderr.contains("0 made, 1 already stored"), "{}", ran.stderr);
    assert_eq!((office.server.hits("/slow"), office.left().len()), (2, 0));
}

#[test]
fn killed_in_the_middle_of_an_upload_it_stores_and_tells_once() {
    let (office, s3) = (Office::new(), S3Server::start("images"));
    let spawn = |flags: &[&str]| {
        let mut command = office.command(&[&["--store", "s3://images", "--visibility", "1"], flags].concat());
        // Stores are reached by way of proxies, strangers are not.
        command.env_remove("http_proxy").envs(s3.environment()).spawn().unwrap()
    };
    // What the store's labels stand for is noted before there is any image.
    Ran::of(spawn(&["--until-empty"])).expect(0);
    let noted = s3.keys("images");
    s3.fail_next("PutObject", 1, Fault::Silence);
    office.about("a", &office.url("/1.jpg"));
    let mut child = spawn(&[]);
    let puts = || s3.count("PutObject");
    let before = puts();
    wait_until("nothing is uploaded", || puts() > before);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(office.server.hits("/heard"), 0, "nobody was told of what is not stored");
    assert!(s3.keys("images").len() < noted.len() + 3, "not all of it was stored");
    Ran::of(spawn(&["--until-empty", "--wait", "2"])).expect(0);
    let told = office.heard_of("a");
    let told = told["image_url_info"].as_object().unwrap();
    let key =
        |info: &serde_json::Value| info["url"].as_str().unwrap().split_once("/images/").unwrap().1.to_owned();
    let mut keys: Vec<String> = told.values().map(key).collect();
    keys.sort_unstable();
    let stored: Vec<String> = s3.keys("images").into_iter().filter(|key| !noted.contains(key)).collect();
    assert_eq!((keys.len(), &keys), (3, &stored));
    for key in keys {
        assert!(s3.object("images", &key).unwrap().starts_with(&[0xFF, 0xD8]), "{key}");
    }
    assert!(office.left().is_empty());
}

#[test]
fn a_message_is_held_as_long_as_it_is_worked_on() {
    let office = Office::new();
    let late = Behaviour::delayed(Duration::from_secs(3), Answer::ok(crate::harness::jpeg(30)));
    office.server.route("/late.jpg", late);
    office.about("a", &office.url("/late.jpg"));
    // Two workers, and a visibility that ends thrice before the image comes.
    let workers = [0; 2].map(|_| office.spawn(&["--visibility", "1"]));
    wait_until("it is not done", || office.server.hits("/heard") == 1);
    wait_until("it is not removed", || office.left().is_empty());
    for worker in workers {
        kill_process(Pid::from_child(&worker), Signal::TERM).unwrap();
        Ran::of(worker).expect(143);
    }
    assert_eq!((office.server.hits("/late.jpg"), office.server.hits("/heard")), (1, 1), "nobody else had it");
}

#[test]
fn stopped_it_gives_back_what_is_not_done() {
    let office = Office::new();
    office.server.route("/never.jpg", Behaviour::Silence);
    office.about("a", &office.url("/never.jpg"));
    let child = office.spawn(&["--grace", "0.2"]);
    wait_until("the image is not asked for", || office.server.hits("/never.jpg") == 1);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ran = Ran::of(child).expect(143);
    assert!(ran.stderr.contains("1 released"), "{}", ran.stderr);
    let back = office.place.path("q/.taken/1~a.json");
    assert!(fs::metadata(back).unwrap().modified().unwrap() <= SystemTime::now(), "anybody may have it now");
    assert_eq!(office.server.hits("/heard"), 0);
}

#[test]
fn it_can_be_watched() {
    let office = Office::new();
    office.server.route("/stuck.jpg", Behaviour::Silence);
    office.about("a", &office.url("/1.jpg"));
    office.about("b", &office.url("/stuck.jpg"));
    let mut child = office.spawn(&["--metrics-addr", "127.0.0.1:0", "--grace", "0.2"]);
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("/metrics at http://") {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "it does not say where");
    }
    let address = line.trim().rsplit_once("http://").unwrap().1.to_owned();
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    let get = |path: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    wait_until("it is not done", || get("/metrics").contains("messages_total{outcome=\"done\"} 1\n"));
    let metrics = get("/metrics");
    for line in [
        "imgmill_worker_in_flight 1",
        "imgmill_worker_images_total{status=\"done\"} 1",
        "imgmill_worker_stage_seconds_count{stage=\"tell\"} 1",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line} is missing in\n{metrics}");
    }
    assert!(metrics.contains("imgmill_worker_queue_messages{state=\"waiting\"} "));
    assert!(!metrics.contains("http:") && !metrics.contains(".jpg"), "no URL is in it");
    assert!(get("/healthz").starts_with("HTTP/1.1 200") && get("/readyz").starts_with("HTTP/1.1 200"));
    assert!(get("/secrets").starts_with("HTTP/1.1 404"));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    Ran::of(child).expect(143);
}

#[test]
fn messages_are_checked_before_they_are_sent() {
    let office = Office::new();
    let send = |arguments: &[&str]| {
        Ran::of(office.place.command().args(["send", "--queue", "dir:q"]).args(arguments).spawn().unwrap())
    };
    let (image, heard) = (office.url("/1.jpg"), office.url("/heard"));
    let good = format!(r#"{{"image_url":"{image}","postback_url":"{heard}"}}"#);
    let bad = send(&[&good, r#"{"image_url":"x"}"#]).expect(2);
    assert!(
        bad.stderr.contains("message 2: it has neither redirect_queue nor postback_url"),
        "{}",
        bad.stderr
    );
    assert_eq!(office.left(), [""; 0], "of a list with a mistake nothing is sent");
    let lines: String =
        (0..12).map(|number| format!("{}\n\n", good.replace('}', &format!(r#","n":{number}}}"#)))).collect();
    fs::write(office.place.path("messages.jsonl"), lines).unwrap();
    let sent = send(&["--file", "messages.jsonl"]).expect(0);
    assert!(sent.stderr.contains("12 messages sent"), "{}", sent.stderr);
    let ran = office.work(&[]);
    let mut numbers: Vec<u64> =
        office.heard("/heard").iter().map(|body| body["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..12).collect::<Vec<_>>());
    assert!(ran.stderr.contains("12 done"), "{}", ran.stderr);
}

#[test]
fn dead_letters_are_listed_shown_and_returned() {
    let office = Office::new();
    for name in ["one", "two"] {
        office.message(name, &format!("not json {name}"));
    }
    office.work(&["--max-receives", "1"]);
    let redrive = |arguments: &[&str]| {
        Ran::of(
            office
                .place
                .command()
                .args(["worker", "redrive"])
                .args(arguments)
                .args(["--queue", "dir:q"])
                .spawn()
                .unwrap(),
        )
    };
    let listed = redrive(&["list"]).expect(0).stdout;
    assert!(listed.contains("one\t") && listed.contains("not json two"), "{listed}");
    assert_eq!(redrive(&["show", "two"]).expect(0).stdout, "not json two\n");
    assert!(redrive(&["show", "three"]).expect(3).stderr.contains("not among the dead letters"));
    redrive(&["return", "one"]).expect(0);
    let queued = office.left().into_iter().filter(|name| name.starts_with("q/0")).count();
    assert_eq!(queued, 1);
    redrive(&["return", "--all"]).expect(0);
    assert!(redrive(&["list"]).expect(0).stderr.contains("0 dead letters"));
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let office = Office::new();
    let message = r#"{"image_url":"http://example.org/a.jpg","redirect_queue":"next"}"#;
    for words in [&["worker"][..], &["worker", "redrive", "list"], &["send", message]] {
        let mut command = office.place.command();
        let ran = Ran::of(command.args(words).args(["--queue", "dir:typo"]).spawn().unwrap()).expect(2);
        assert!(ran.stderr.contains("typo; make it (mkdir -p"), "{}", ran.stderr);
    }
    assert!(!office.place.path("typo").exists());
}
