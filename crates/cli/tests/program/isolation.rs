//! Images that hurt: each fails alone, and nothing else is lost.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use imgmill_testing::samples::{encode, kinds, photo};

use crate::harness::{Place, Ran, jpeg};

/// An image whose derive process will do what `how` says.
fn poison(seed: u64, how: &str) -> Vec<u8> {
    [jpeg(seed), format!("imgmill-poison:{how}").into_bytes()].concat()
}

/// What each poison comes to: the kind in the report, and what the message says. A door that is shut ends the
/// process with 77, one that stands open with 78.
const POISONS: [(&str, &str, &str); 9] = [
    ("abort", "crashed", "signal 6"),
    ("segfault", "crashed", "signal 11"),
    ("stack", "crashed", "stack overflow"),
    ("spin", "timeout", "--job-timeout"),
    ("allocate", "memory", "memory"),
    ("write", "too_large", "--max-output"),
    ("socket", "crashed", "exit status: 77"),
    ("passwd", "crashed", "exit status: 77"),
    ("fork", "crashed", "exit status: 77"),
];

#[test]
fn poison_fails_itself_and_nothing_else() {
    let good = 500 / if cfg!(debug_assertions) { 2 } else { 1 };
    for threads in ["1", "4"] {
        let place = Place::new();
        let mut files = Vec::new();
        let mut expected = BTreeMap::new();
        for seed in 0..good {
            files.push((format!("good{seed}.jpg"), jpeg(seed)));
        }
        for number in 0..27 {
            let (how, kind, says) = POISONS[number % POISONS.len()];
            let name = format!("poison{number}-{how}.jpg");
            files
                .insert((number * 37 + 5) % files.len(), (name.clone(), poison(10_000 + number as u64, how)));
            expected.insert(name, (kind, says));
        }
        for (name, bytes) in &files {
            fs::write(place.path(name), bytes).unwrap();
        }
        place.list(files.iter().map(|(name, _)| name));
        let started = Instant::now();
        let ran = place
            .run(&[
                "--isolate",
                "process",
                "--threads",
                threads,
                "--job-timeout",
                "1",
                "--max-output",
                "16MiB",
                "--quiet",
            ])
            .expect(3);
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
        assert_eq!(place.stored().len(), good as usize, "{}", ran.stderr);
        let mut failed = 0;
        for row in place.report() {
            let name = row["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            match expected.get(&name) {
                None => assert_eq!(row["status"], "done", "{row}"),
                Some((kind, says)) => {
                    failed += 1;
                    assert_eq!(row["status"], "failed", "{row}");
                    assert_eq!(row["kind"], *kind, "{row}");
                    assert!(row["message"].as_str().unwrap().contains(says), "{row}");
                }
            }
        }
        assert_eq!(failed, 27);
    }
}

#[test]
fn processes_give_the_bytes_that_threads_give() {
    let stored = |isolate: &str| {
        let place = Place::new();
        let images = kinds(3, 120, 90);
        for (name, bytes) in &images {
            fs::write(place.path(name), bytes).unwrap();
        }
        place.list(images.iter().map(|(name, _)| name));
        let ran = place.run(&[
            "--isolate",
            isolate,
            "--key",
            "{stem}-{label}.{ext}",
            "--derive",
            "gray=full/max/0/gray.jpg",
            "--derive",
            "small=square/30,/0/default.png",
        ]);
        let files = place
            .stored()
            .into_iter()
            .map(|file| (file.file_name().unwrap().to_owned(), fs::read(file).unwrap()));
        let errors: Vec<_> = place.report().iter().map(|row| row["message"].clone()).collect();
        (ran.code, files.collect::<BTreeMap<_, _>>(), errors)
    };
    let (here, there) = (stored("none"), stored("process"));
    assert!(here.1.len() > 20, "{}", here.1.len());
    assert!(
        here == there,
        "{:?}\n{:?}",
        (here.0, here.1.keys(), &here.2),
        (there.0, there.1.keys(), &there.2)
    );
}

#[cfg(target_os = "linux")]
#[test]
fn killed_processes_cost_nothing() {
    let place = Place::new();
    let picture = photo(1, 1200, 900);
    let bytes = encode::jpeg(&picture, Default::default());
    for number in 0..60 {
        // Different bytes, so that each is made.
        fs::write(place.path(&format!("{number}.jpg")), [&bytes[..], &[number]].concat()).unwrap();
    }
    place.list((0..60).map(|number| format!("{number}.jpg")));
    let mut child = place.spawn(&["--isolate", "process", "--derive", "a=full/1000,/0/default.png"]);
    let mut killed = 0;
    while child.try_wait().unwrap().is_none() {
        // Now the oldest, now the newest; and seldom enough that a busy machine finishes an image in between.
        let children = children_of(child.id());
        let victim = if killed % 2 == 0 { children.first() } else { children.last() };
        if let Some(pid) = victim.filter(|_| killed < 10) {
            killed += i32::from(rustix::process::kill_process(*pid, rustix::process::Signal::KILL).is_ok());
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    Ran::of(child).expect(0);
    assert!(killed > 2, "{killed} were killed");
    assert_eq!(place.stored().len(), 60);
}

#[cfg(target_os = "linux")]
fn children_of(parent: u32) -> Vec<rustix::process::Pid> {
    let list = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let texts = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let mut pids: Vec<i32> = list
        .into_iter()
        .chain(texts)
        .flat_map(|text| text.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<i32>>())
        .collect();
    pids.sort_unstable();
    pids.dedup();
    pids.into_iter().filter_map(rustix::process::Pid::from_raw).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn memory_stays_under_its_budget() {
    let place = Place::new();
    let bytes = encode::png(&photo(1, 3000, 2500));
    for number in 0..16 {
        fs::write(place.path(&format!("{number}.png")), [&bytes[..], &[number]].concat()).unwrap();
    }
    place.list((0..16).map(|number| format!("{number}.png")));
    let budget = 300 << 20;
    let mut child = place.spawn(&[
        "--isolate",
        "process",
        "--threads",
        "4",
        "--memory",
        "300MiB",
        "--derive",
        "a=full/500,/0/default.jpg",
    ]);
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let own = resident(&child.id().to_string());
        let children = children_of(child.id());
        let theirs = children.iter().map(|pid| resident(&pid.as_raw_nonzero().to_string()));
        most = theirs.sum::<u64>().saturating_add(own).max(most);
        std::thread::sleep(Duration::from_millis(2));
    }
    Ran::of(child).expect(0);
    assert_eq!(place.stored().len(), 16);
    assert!(most < budget, "{} MiB", most >> 20);
}

/// Bytes that a process has in memory, mapped files (which the system can take back) not counted; 0 of one that is
/// gone.
#[cfg(target_os = "linux")]
fn resident(pid: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0) << 10
}

#[test]
fn an_image_past_the_memory_budget_is_refused_by_name() {
    let place = Place::new();
    fs::write(place.path("large.png"), encode::png(&photo(1, 4000, 3000))).unwrap();
    place.list(["large.png"]);
    place.run(&["--memory", "128MiB"]).expect(3);
    let row = &place.report()[0];
    assert_eq!(row["kind"], "memory", "{row}");
    assert!(row["message"].as_str().unwrap().contains("give --memory more"), "{row}");
}

#[test]
fn too_many_failures_of_one_kind_stop_the_run() {
    let place = Place::new();
    let mut rows = Vec::new();
    // More rows than may be under way when the breaker trips, 1,024.
    for number in 0..2000 {
        let name = format!("{number}.jpg");
        let bytes = if number < 30 { jpeg(number) } else { b"GIF89a and nothing more".to_vec() };
        fs::write(place.path(&name), bytes).unwrap();
        rows.push(name);
    }
    place.list(&rows);
    let ran = place.run(&["--max-failure-rate", "50%", "--concurrency", "1"]).expect(1);
    assert!(ran.stderr.contains("stopped: 31 of the last 61 rows failed in derive with"), "{}", ran.stderr);
    assert_eq!(place.stored().len(), 30);
    assert_eq!(place.output().len(), 31, "what was done is told");
    assert!((31..1200).contains(&place.failed().len()), "{}", place.failed().len());
    // Mended, the same command goes on.
    for number in 30..200 {
        fs::write(place.path(&format!("{number}.jpg")), jpeg(number)).unwrap();
    }
    place.list(&rows[..200]);
    let ran = place.run(&["--max-failure-rate", "50%"]).expect(0);
    assert!(ran.stderr.contains("170 made, 30 already stored"), "{}", ran.stderr);
}
