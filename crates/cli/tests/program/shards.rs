//! Several processes over one list, each with its part; then one list again, as a single run writes it.

use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use imgmill_testing::http::{Answer, Behaviour, TestServer};
use imgmill_testing::s3::S3Server;

use crate::harness::{Place, Ran, jpeg};

const SHARDS: usize = 8;
const IMAGES: usize = 24;

/// Rows of the long test; `make test-shards` has more of them.
fn rows() -> usize {
    std::env::var("TEST_SHARDS_ROWS").map_or(240, |rows| rows.parse().unwrap())
}

fn shard(place: &Place, index: usize, more: &[&str]) -> Child {
    place
        .command()
        .args(["run", "--input", "input.csv", "--output", "out.csv", "--output-failed", "failed.csv"])
        .args(["--shard", &format!("{index}/{SHARDS}"), "--discard", "--log-level", "error"])
        .args(["--concurrency", "4", "--threads", "1", "--retries", "0"])
        .args(more)
        .spawn()
        .unwrap()
}

fn part(place: &Place, index: usize) -> PathBuf {
    place.path(&format!("out.{index}-of-{SHARDS}.csv"))
}

fn merge(place: &Place, parts: &[PathBuf]) -> Ran {
    let merging = place
        .command()
        .args(["merge", "--input", "input.csv", "--output", "out.csv", "--output-failed", "failed.csv"])
        .args(["--output-missing", "missing.csv"])
        .args(parts)
        .spawn();
    Ran::of(merging.unwrap())
}

fn lines(path: PathBuf) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// Images, one of which is not there, and a list that names them over and over.
fn gallery(rows: usize) -> (TestServer, Vec<String>) {
    let server = TestServer::start();
    for image in 1..IMAGES {
        // Long enough that a shard can be met at work.
        let later =
            Behaviour::delayed(Duration::from_millis(20), Answer::ok(jpeg(image as u64)).etag_of_body());
        server.route(&format!("/{image}.jpg"), later);
    }
    // Each row is a URL of its own, so that every shard has something to ask for.
    let urls = (0..rows).map(|row| server.url(&format!("/{}.jpg?{}", row * 7 % IMAGES, row / 3))).collect();
    (server, urls)
}

#[test]
fn eight_shards_of_which_two_die_give_what_one_run_gives() {
    let rows = rows();
    let s3 = S3Server::start("pictures");
    let mut environment = s3.environment();
    environment.push(("S3_BUCKET", "pictures".to_owned()));
    let place = Place::new().with_environment(environment);
    let (_server, urls) = gallery(rows);
    place.list(&urls);
    let mut shards: Vec<Option<Child>> = (0..SHARDS).map(|index| Some(shard(&place, index, &[]))).collect();
    for index in [2, 5] {
        let unfinished = place.path(&format!("out.{index}-of-{SHARDS}.csv.partial"));
        let started = Instant::now();
        while lines(unfinished.clone()) < 4 {
            assert!(started.elapsed() < Duration::from_secs(60), "shard {index} does not get on");
            std::thread::sleep(Duration::from_millis(2));
        }
        let mut child = shards[index].take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!part(&place, index).exists(), "it had ended before it could be killed");
    }
    for child in shards.into_iter().flatten() {
        Ran::of(child);
    }
    // What the dead left is not taken for a part; what is missing is named.
    let ended: Vec<PathBuf> =
        (0..SHARDS).map(|index| part(&place, index)).filter(|part| part.exists()).collect();
    assert_eq!(ended.len(), SHARDS - 2);
    let ran = merge(&place, &ended).expect(3);
    assert!(ran.stderr.contains("no part is of the shards 2/8, 5/8"), "{}", ran.stderr);
    assert!(ran.stderr.contains("no part tells of the rows 3, 6, 11, 14,"), "{}", ran.stderr);
    assert_eq!(
        lines(place.path("missing.csv")),
        1 + (0..rows).filter(|row| [2, 5].contains(&(row % 8))).count()
    );

    for child in [2, 5].map(|index| shard(&place, index, &[])) {
        Ran::of(child);
    }
    let parts: Vec<PathBuf> = (0..SHARDS).rev().map(|index| part(&place, index)).collect();
    let ran = merge(&place, &parts).expect(3);
    assert!(
        ran.stderr.contains(&format!("{rows} rows: ")) && ran.stderr.contains(", 0 missing"),
        "{}",
        ran.stderr
    );
    let merged = ["out.csv", "failed.csv"].map(|name| std::fs::read(place.path(name)).unwrap());
    let single = place
        .command()
        .args(["run", "--input", "input.csv", "--output", "single.csv", "--output-failed", "sorry.csv"])
        .args(["--discard", "--refresh", "--retries", "0", "--log-level", "error"])
        .spawn();
    Ran::of(single.unwrap()).expect(3);
    for (merged, single) in merged.iter().zip(["single.csv", "sorry.csv"]) {
        let single = std::fs::read(place.path(single)).unwrap();
        assert!(*merged == single, "{}", String::from_utf8_lossy(merged));
    }
    assert_eq!(lines(place.path("missing.csv")), 1);
}

#[test]
fn hosts_are_one_shards_each() {
    let place = Place::new();
    let (_server, urls) = gallery(IMAGES);
    let elsewhere = urls.iter().map(|url| url.replace("127.0.0.1", "localhost"));
    place.list(urls.iter().cloned().chain(elsewhere));
    for index in 0..SHARDS {
        Ran::of(shard(&place, index, &["--shard-by", "host"]));
    }
    let mut owners = std::collections::BTreeMap::<&str, std::collections::BTreeSet<usize>>::new();
    for index in 0..SHARDS {
        let text = std::fs::read_to_string(part(&place, index)).unwrap();
        for host in ["127.0.0.1", "localhost"].into_iter().filter(|host| text.contains(*host)) {
            owners.entry(host).or_default().insert(index);
        }
    }
    assert_eq!(owners.values().map(|owners| owners.len()).collect::<Vec<_>>(), [1, 1], "{owners:?}");
    let parts: Vec<PathBuf> = (0..SHARDS).map(|index| part(&place, index)).collect();
    merge(&place, &parts).expect(3);
    assert_eq!(lines(place.path("out.csv")), 1 + 2 * (IMAGES - 1));
}

#[test]
fn lists_and_parts_may_lie_in_a_bucket() {
    let s3 = S3Server::start("lists");
    let mut environment = s3.environment();
    environment.push(("AWS_BATCH_JOB_ARRAY_SIZE", "2".to_owned()));
    let place = Place::new().with_environment(environment);
    let (_server, urls) = gallery(9);
    place.list(&urls);
    std::fs::create_dir_all(s3.object_file("lists", "monday")).unwrap();
    std::fs::copy(place.path("input.csv"), s3.object_file("lists", "monday/input.csv")).unwrap();
    for index in ["0", "1"] {
        let running = place
            .command()
            .env("AWS_BATCH_JOB_ARRAY_INDEX", index)
            .args(["run", "--input", "s3://lists/monday/input.csv", "--output", "s3://lists/monday/out.csv"])
            .args(["--shard", "auto", "--discard", "--work-dir", "work", "--retries", "0"])
            .spawn();
        Ran::of(running.unwrap());
    }
    let merging = place
        .command()
        .args(["merge", "--input", "s3://lists/monday/input.csv", "--output", "s3://lists/monday/all.csv"])
        .args([0, 1].map(|index| format!("s3://lists/monday/out.{index}-of-2.csv")))
        .spawn();
    Ran::of(merging.unwrap()).expect(3);
    let merged = String::from_utf8(s3.object("lists", "monday/all.csv").unwrap()).unwrap();
    let listed: Vec<&str> = merged.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(listed, urls[1..].iter().map(String::as_str).collect::<Vec<_>>());
    let none = place
        .command()
        .args(["run", "--input", "s3://lists/none.csv", "--output", "out.csv", "--work-dir", "work"])
        .spawn();
    assert!(Ran::of(none.unwrap()).expect(2).stderr.contains("s3://lists/none.csv"));
}

#[test]
fn what_cannot_be_sharded_is_one_helpful_line() {
    let place = Place::new();
    place.list(["a.jpg"]);
    for (flags, says) in [
        (&["--shard", "auto"][..], "write --shard I/N"),
        (&["--shard", "4/4"], "from 0 to 3"),
        (&["--shard", "0/4", "--shard-count", "5"], "--shard-count is 5, and --shard says 4"),
    ] {
        let ran = place.run(flags).expect(2);
        assert!(ran.stderr.contains(says) && ran.stderr.lines().count() == 1, "{}", ran.stderr);
    }
    place.run(&[]).expect(3);
    let ran = merge(&place, &[place.path("output.csv")]).expect(2);
    assert!(ran.stderr.contains("not a part: expected what run --shard writes"), "{}", ran.stderr);
}
