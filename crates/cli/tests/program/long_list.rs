//! A list of 100,000 rows over few images: streamed, in order, in the memory of a short one.

use std::io::Write;

use imgmill_testing::http::{Answer, TestServer};

use crate::harness::{Place, Ran, jpeg};

const ROWS: usize = 100_000;
const IMAGES: u64 = 20;

/// The most memory that a process had, in KiB, as long as the system tells (Linux does).
fn watch_memory(child: &std::process::Child) -> std::thread::JoinHandle<u64> {
    let status = format!("/proc/{}/status", child.id());
    std::thread::spawn(move || {
        let mut peak = 0;
        while let Ok(text) = std::fs::read_to_string(&status) {
            let Some(line) = text.lines().find(|line| line.starts_with("VmHWM:")) else { break };
            let kibibytes = line.split_whitespace().nth(1).and_then(|number| number.parse().ok());
            peak = peak.max(kibibytes.unwrap_or(0));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        peak
    })
}

#[test]
fn a_hundred_thousand_rows() {
    let server = TestServer::start();
    for seed in 0..IMAGES {
        server.route(&format!("/{seed}"), Answer::ok(jpeg(seed)));
    }
    let place = Place::new();
    let urls: Vec<String> = (0..IMAGES).map(|seed| server.url(&format!("/{seed}"))).collect();
    let mut list = std::io::BufWriter::new(std::fs::File::create(place.path("input.csv")).unwrap());
    writeln!(list, "url").unwrap();
    for row in 0..ROWS {
        writeln!(list, "{}", urls[row * 7 % urls.len()]).unwrap();
    }
    list.into_inner().unwrap();
    let child = place
        .command()
        .args([
            "run",
            "--input",
            "input.csv",
            "--output",
            "output.csv",
            "--work-dir",
            "work",
            "--log-level",
            "warn",
        ])
        .spawn()
        .unwrap();
    let peak = watch_memory(&child);
    Ran::of(child).expect(0);
    let peak = peak.join().unwrap();
    assert!((1..250 << 10).contains(&peak), "{peak} KiB at the most");
    assert_eq!(server.total_bodies(), urls.len());
    let output = place.output();
    assert_eq!(output.len(), ROWS + 1);
    for (row, line) in output[1..].iter().enumerate() {
        assert_eq!(line[0], urls[row * 7 % urls.len()], "row {row} is out of order");
    }
}
