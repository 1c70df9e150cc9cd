//! What fleets have without an account: a list as messages, what became of a task, and what a build without SDKs says.

use std::io::Write as _;

use imgmill_testing::http::{Answer, TestServer};

use crate::harness::{Place, Ran, jpeg};

const EVENT: &str = r#"{"version": "0", "detail-type": "ECS Task State Change", "source": "aws.ecs", "detail": {
    "taskArn": "arn:aws:ecs:eu-west-1:123456789012:task/c/0b69d5c0", "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/c",
    "lastStatus": "STOPPED", "stopCode": "TaskFailedToStart",
    "stoppedReason": "CannotPullContainerError: pull image manifest has been retried 5 time(s): not found",
    "containers": [{"name": "iiif", "lastStatus": "STOPPED"}]}}"#;

#[test]
fn a_list_becomes_messages_that_a_worker_does() {
    let server = TestServer::start();
    for seed in 0..3 {
        server.route(&format!("/{seed}.jpg"), Answer::ok(jpeg(seed)));
    }
    let place = Place::new();
    ["messages", "done"].iter().for_each(|folder| std::fs::create_dir(place.path(folder)).unwrap());
    place.list((0..25).map(|row| server.url(&format!("/{}.jpg?{row}", row % 3))));
    let enqueue = |more: &[&str]| {
        let mut command = place.command();
        command.args([
            "enqueue",
            "--input",
            "input.csv",
            "--queue",
            "dir:messages",
            "--redirect-queue",
            "done",
        ]);
        Ran::of(command.args(more).spawn().unwrap())
    };
    let ran = enqueue(&["--bucket-name", "T", "--field", "batch=7"]).expect(0);
    assert!(ran.stderr.contains("25 messages sent"), "{}", ran.stderr);
    assert!(enqueue(&["--after", "20"]).expect(0).stderr.contains("5 messages sent"));
    let host = server.url("").trim_start_matches("http://").trim_end_matches('/').to_owned();
    let worker = place
        .command()
        .args(["worker", "--queue", "dir:messages", "--store", "images", "--until-empty", "--wait", "1"])
        .args(["--work-dir", "work", "--allow-host", &host])
        .spawn();
    Ran::of(worker.unwrap()).expect(0);
    let stored: Vec<_> = std::fs::read_dir(place.path("images/images-resized/T")).unwrap().collect();
    assert_eq!(stored.len(), 9, "three sizes of three images");

    std::fs::write(place.path("input.csv"), "url\nhttp://a/b.jpg\n/srv/a.jpg\n").unwrap();
    let before = std::fs::read_dir(place.path("messages")).unwrap().count();
    let ran = enqueue(&[]).expect(2);
    assert!(ran.stderr.contains("row 2: image_url is not a URL"), "{}", ran.stderr);
    assert_eq!(
        std::fs::read_dir(place.path("messages")).unwrap().count(),
        before,
        "nothing is sent of a list with a mistake"
    );
    assert!(enqueue(&["--field", "x"]).expect(2).stderr.contains("expected NAME=VALUE"));
}

#[test]
fn what_became_of_a_task_is_said() {
    let place = Place::new();
    std::fs::write(place.path("event.json"), EVENT).unwrap();
    let ran = Ran::of(place.command().args(["ecs", "report", "event.json"]).spawn().unwrap()).expect(1);
    assert!(ran.stderr.contains("task 0b69d5c0 did not start: CannotPullContainerError"), "{}", ran.stderr);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&report["outcome"], &report["stopCode"]),
        (&"not_started".into(), &"TaskFailedToStart".into())
    );
    let described =
        format!("{{\"tasks\": [{}]}}", serde_json::from_str::<serde_json::Value>(EVENT).unwrap()["detail"]);
    let mut child =
        place.command().args(["ecs", "report"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(described.as_bytes()).unwrap();
    assert_eq!(Ran::of(child).expect(1).stdout, ran.stdout, "describe-tasks has the same");
    std::fs::write(place.path("event.json"), "{}").unwrap();
    let ran = Ran::of(place.command().args(["ecs", "report", "event.json"]).spawn().unwrap()).expect(2);
    assert!(ran.stderr.contains("expected an ECS Task State Change"), "{}", ran.stderr);
}

#[test]
#[cfg(not(any(feature = "fleet", feature = "lambda")))]
fn a_build_without_sdks_says_how_to_have_them() {
    let place = Place::new();
    let fails = |words: &[&str], variables: &[(&str, &str)], says: &str| {
        let ran =
            Ran::of(place.command().args(words).envs(variables.iter().copied()).spawn().unwrap()).expect(2);
        assert!(ran.stderr.contains(says) && ran.stderr.lines().count() == 1, "{}", ran.stderr);
    };
    fails(&["ecs", "-mode", "task", "-uri", "a.jpg"], &[], "make build FEATURES=fleet");
    fails(&["lambda"], &[], "make build FEATURES=lambda");
    fails(&[], &[("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")], "make build FEATURES=lambda");
    let list = ["--input", "s3://a/b", "--output", "s3://a/c", "--state-machine", "arn"];
    fails(
        &[&["dispatch", "--engine", "stepfunctions"][..], &list[..]].concat(),
        &[],
        "make build FEATURES=fleet",
    );
}
