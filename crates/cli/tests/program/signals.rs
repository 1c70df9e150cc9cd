//! Ctrl-C and SIGTERM.

use std::process::Child;
use std::time::{Duration, Instant};

use imgmill_testing::http::{Answer, Behaviour, TestServer};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Place, Ran, jpeg};

/// Ten rows that answer, then as many that never do.
fn half_stuck() -> (TestServer, Place) {
    let server = TestServer::start();
    for seed in 0..10 {
        server.route(&format!("/{seed}"), Answer::ok(jpeg(seed)));
        server.route(&format!("/{}", seed + 10), Behaviour::Silence);
    }
    let place = Place::new();
    place.list((0..20).map(|seed| server.url(&format!("/{seed}"))));
    (server, place)
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn wait_for_rows(place: &Place, rows: usize) {
    let started = Instant::now();
    while std::fs::read_to_string(place.path("output.csv.partial")).map_or(0, |text| text.lines().count())
        <= rows
    {
        assert!(started.elapsed() < Duration::from_secs(20), "the rows do not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_first_signal_writes_the_files() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (_server, place) = half_stuck();
        let child = place.spawn(&["--per-host", "20"]);
        wait_for_rows(&place, 10);
        let asked = Instant::now();
        send(&child, signal);
        Ran::of(child).expect(code);
        assert!(asked.elapsed() < Duration::from_secs(10), "took {:?}", asked.elapsed());
        assert_eq!(place.output().len(), 11);
        assert!(place.failed().is_empty(), "rows that were not finished did not fail");
        assert!(!place.path("output.csv.partial").exists());
    }
}

#[test]
fn the_second_signal_leaves_at_once() {
    let (_server, place) = half_stuck();
    let child = place.spawn(&["--per-host", "20"]);
    wait_for_rows(&place, 10);
    send(&child, Signal::INT);
    std::thread::sleep(Duration::from_millis(300));
    let asked = Instant::now();
    send(&child, Signal::INT);
    Ran::of(child).expect(130);
    assert!(asked.elapsed() < Duration::from_secs(2), "took {:?}", asked.elapsed());
    let rows = std::fs::read_to_string(place.path("output.csv.partial")).unwrap();
    assert_eq!(rows.lines().count(), 11, "nothing reported is lost");
}

#[test]
fn no_download_begins_after_a_signal() {
    let server = TestServer::start();
    server.fallback(|request| {
        let seed = request.path.trim_start_matches('/').parse().ok()?;
        Some(Behaviour::delayed(Duration::from_millis(300), Answer::ok(jpeg(seed))))
    });
    let place = Place::new();
    place.list((0..200).map(|seed| server.url(&format!("/{seed}"))));
    let child = place.spawn(&["--per-host", "4"]);
    while server.total_hits() < 8 {
        std::thread::sleep(Duration::from_millis(5));
    }
    send(&child, Signal::INT);
    let asked = Instant::now();
    std::thread::sleep(Duration::from_millis(100));
    let begun = server.total_hits();
    Ran::of(child).expect(130);
    assert!(asked.elapsed() < Duration::from_secs(3), "took {:?}", asked.elapsed());
    assert_eq!(server.total_hits(), begun);
    assert_eq!(place.output().len() - 1, begun, "what was under way finished");
}

#[test]
fn a_signal_while_waiting_to_try_again_is_prompt() {
    let server = TestServer::start();
    server.route("/a", Answer::status(429).retry_after(Duration::from_secs(100)));
    let place = Place::new();
    place.list([server.url("/a")]);
    let child = place.spawn(&[]);
    while server.hits("/a") == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let asked = Instant::now();
    send(&child, Signal::INT);
    Ran::of(child).expect(130);
    assert!(asked.elapsed() < Duration::from_secs(10));
}
