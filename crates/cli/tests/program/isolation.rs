//! Images that hurt: each fails alone, and nothing else is lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use imgmill_testing::samples::{encode, kinds, photo};

use crate::harness::{Place, Ran, jpeg};

/// An image whose derive process will do what `how` says.
fn poison(seed: u64, how: &str) -> Vec<u8> {
    [jpeg(seed), format!("imgmill-poison:{how}").into_bytes()].concat()
}

/// What each poison comes to: the kind in the report, and what the message says. A door that is shut ends the
/// process with 77, one that stands open with 78.
const POISONS: [(&str, &str, &str); 10] = [
    ("abort", "crashed", "signal 6"),
    ("segfault", "crashed", "signal 11"),
    ("stack", "crashed", "stack overflow"),
    ("spin", "timeout", "--job-timeout"),
    ("allocate", "memory", "memory"),
    ("write", "too_large", "--max-output"),
    ("socket", "crashed", "exit status: 77"),
    ("passwd", "crashed", "exit status: 77"),
    ("fork", "crashed", "exit status: 77"),
    ("signal", "crashed", "exit status: 77"),
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
        for number in 0..30 {
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
                "3",
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
        assert_eq!(failed, 30);
    }
}

#[test]
fn a_process_that_lies_is_not_believed() {
    let place = Place::new();
    let poisons = ["hang-up", "babble", "lie", "shorten"];
    for (seed, how) in poisons.into_iter().enumerate() {
        fs::write(place.path(&format!("{how}.jpg")), poison(seed as u64, how)).unwrap();
    }
    fs::write(place.path("good.jpg"), jpeg(9)).unwrap();
    place.list(poisons.iter().map(|how| format!("{how}.jpg")).chain(["good.jpg".to_owned()]));
    place.run(&["--isolate", "process", "--threads", "1"]).expect(3);
    let report = place.report();
    for (row, says) in report.iter().zip(["hung up", "nonsense", "nonsense", "nonsense"]) {
        assert_eq!(row["kind"], "crashed", "{row}");
        assert!(row["message"].as_str().unwrap().contains(says), "{row}");
    }
    assert_eq!(report[4]["status"], "done", "{}", report[4]);
}

#[test]
fn a_source_that_killed_twice_is_not_tried_again() {
    let place = Place::new();
    let bytes = poison(1, "segfault");
    for name in ["a.jpg", "b.jpg"] {
        fs::write(place.path(name), &bytes).unwrap();
    }
    place.list(["a.jpg", "b.jpg"]);
    // A key of its own for each, so that the second row is made and not taken from the first.
    let ran = place.run(&["--isolate", "process", "--concurrency", "1", "--key", "{row}.{ext}"]).expect(3);
    // Whichever came first.
    let report = place.report();
    let mut messages: Vec<_> = report.iter().map(|row| row["message"].as_str().unwrap()).collect();
    messages.sort_unstable();
    let again = "crashed: signal 11; this image ended two processes of this run and is not tried again";
    assert_eq!(messages, ["crashed: signal 11", again]);
    assert!(report.iter().all(|row| row["kind"] == "crashed"));
    assert_eq!(ran.stderr.matches("trying this image once more, alone").count(), 1, "{}", ran.stderr);
}

#[test]
fn a_drawing_that_kills_costs_only_its_own_tiles() {
    let place = Place::new();
    let drawing = r#"<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><circle r="40"/></svg>"#;
    fs::write(place.path("good.svg"), drawing).unwrap();
    fs::write(place.path("bad.svg"), format!("{drawing}imgmill-poison:abort")).unwrap();
    fs::write(place.path("photo.png"), encode::png(&photo(1, 90, 60))).unwrap();
    let mut tile = place.command();
    let tile = tile.args(["tile", "bad.svg", "good.svg", "photo.png", "--output", "tiles"]).spawn().unwrap();
    let ran = Ran::of(tile).expect(3);
    assert!(ran.stderr.contains("bad.svg: crashed: signal 6"), "{}", ran.stderr);
    for name in ["good", "photo"] {
        let info = fs::read_to_string(place.path(&format!("tiles/{name}/info.json"))).unwrap();
        let info: serde_json::Value = serde_json::from_str(&info).unwrap();
        assert_eq!((&info["width"], &info["height"]), (&90.into(), &60.into()));
    }
    assert!(!place.path("tiles/bad").exists());
}

/// A PDF of one page, 90 by 60 points; readers find its objects without a table of them.
pub const PDF: &str = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n\
    2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
    3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 90 60]/Contents 4 0 R>>endobj\n\
    4 0 obj<</Length 22>>stream\n1 0 0 rg 9 9 30 30 re f\nendstream endobj\n\
    trailer<</Root 1 0 R>>\n%%EOF\n";

#[test]
fn what_is_always_apart_is_made_in_little_memory() {
    let place = Place::new();
    let drawing = r#"<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"><circle r="40"/></svg>"#;
    let mut names = vec!["drawing.svg".to_owned(), "rectangle.pdf".to_owned()];
    fs::write(place.path("drawing.svg"), drawing).unwrap();
    fs::write(place.path("rectangle.pdf"), PDF).unwrap();
    for (name, bytes) in fixtures() {
        if !name.starts_with("half-") && !name.contains("12") {
            fs::write(place.path(&name), bytes).unwrap();
            names.push(name);
        }
    }
    place.list(&names);
    place.run(&["--memory", "256MiB", "--threads", "2"]).expect(0);
    assert_eq!(place.stored().len(), names.len());
}

#[test]
fn a_thread_ends_by_the_clock_where_the_engine_looks_at_it() {
    let place = Place::new();
    fs::write(place.path("large.png"), encode::png(&photo(1, 1500, 1200))).unwrap();
    place.list(["large.png"]);
    place.run(&["--isolate", "none", "--job-timeout", "0.001"]).expect(3);
    let row = &place.report()[0];
    assert_eq!(row["kind"], "timeout", "{row}");
    assert_eq!(row["message"], "making it took longer than --job-timeout allows (0.001 s)");
}

/// Files that are kept because nothing here can draw them, damaged ones and all; see `conformance/isolation.py` for
/// whole folders.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for folder in ["fuzz/seeds", "crates/image/tests/fixtures"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let bytes = fs::read(&path).unwrap();
            files.push((format!("half-{name}"), bytes[..bytes.len() / 2].to_vec()));
            files.push((name, bytes));
        }
    }
    files
}

#[test]
fn processes_give_the_bytes_that_threads_give() {
    let stored = |isolate: &str| {
        let place = Place::new();
        let images = [kinds(3, 120, 90), fixtures()].concat();
        for (name, bytes) in &images {
            fs::write(place.path(name), bytes).unwrap();
        }
        place.list(images.iter().map(|(name, _)| name));
        let ran = place.run(&[
            "--isolate",
            isolate,
            "--key",
            "{row}-{stem}-{label}.{ext}",
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
    let (mut killed, mut wait_for) = (0, 0);
    while child.try_wait().unwrap().is_none() {
        // Now the oldest, now the newest; and only when so many images were finished that the one whose process was
        // killed last, which is made alone, is among them.
        let children = children_of(child.id());
        let victim = if killed % 2 == 0 { children.first() } else { children.last() };
        let stored = place.stored().len();
        if let Some(pid) = victim.filter(|_| stored >= wait_for && killed < 10) {
            killed += i32::from(rustix::process::kill_process(*pid, rustix::process::Signal::KILL).is_ok());
            wait_for = stored + 5;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ran::of(child).expect(0);
    assert!(killed > 2, "{killed} were killed");
    assert_eq!(place.stored().len(), 60);
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_to_all_is_the_programs_to_understand() {
    use rustix::process::{Signal, kill_process};
    let place = Place::new();
    fs::write(place.path("spin.jpg"), poison(1, "spin")).unwrap();
    place.list(["spin.jpg"]);
    let child = place.spawn(&["--isolate", "process", "--job-timeout", "3"]);
    let pid = until_some(|| children_of(child.id()).into_iter().find(|pid| is_at_work(*pid)));
    // As a service manager does. (Ctrl-C and a closed terminal are like that, too.)
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        kill_process(pid, signal).unwrap();
    }
    let ran = Ran::of(child).expect(3);
    assert_eq!(place.report()[0]["kind"], "timeout", "{}", ran.stderr);
    assert!(!ran.stderr.contains("once more"), "{}", ran.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_left_of_a_program_that_is_killed() {
    let place = Place::new();
    fs::write(place.path("spin.jpg"), poison(1, "spin")).unwrap();
    place.list(["spin.jpg"]);
    let mut child = place.spawn(&["--isolate", "process"]);
    let pid = until_some(|| children_of(child.id()).into_iter().find(|pid| is_at_work(*pid)));
    child.kill().unwrap();
    child.wait().unwrap();
    until_some(|| has_ended(pid).then_some(()));
}

/// Whether it has computed for 50 ms, which it does not do before it has an image.
#[cfg(target_os = "linux")]
fn is_at_work(pid: rustix::process::Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    // utime is the 14th field, the 12th behind the name's bracket.
    let ticks = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(11)?.parse::<u64>().ok());
    ticks.is_some_and(|ticks| ticks >= 5)
}

/// Gone, or dead and not yet collected by whoever inherited it.
#[cfg(target_os = "linux")]
fn has_ended(pid: rustix::process::Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.map_or(true, |stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')))
}

#[cfg(target_os = "linux")]
fn until_some<T>(look: impl Fn() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "it never comes");
        std::thread::sleep(Duration::from_millis(10));
    }
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
        let own = resident(child.id()) + files_in_memory(child.id());
        let children = children_of(child.id());
        let theirs = children.iter().map(|pid| resident(pid.as_raw_nonzero().get().cast_unsigned()));
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
fn resident(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0) << 10
}

/// Bytes of the files that a program shares with its processes: they lie in memory and in nobody's resident set.
#[cfg(target_os = "linux")]
fn files_in_memory(pid: u32) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let shared = open.filter(|entry| {
        fs::read_link(entry.path()).is_ok_and(|file| file.to_string_lossy().starts_with("/memfd:imgmill"))
    });
    shared.filter_map(|entry| Some(fs::metadata(entry.path()).ok()?.blocks() * 512)).sum()
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
