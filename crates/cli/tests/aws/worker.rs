//! `imgmill worker` on moto's SQS and S3: heartbeat, dead letters, order, and that each message ends once.

use std::collections::HashMap;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use imgmill_testing::http::{Answer, Behaviour, TestServer};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Place, Ran, jpeg};
use crate::proxy::Proxy;
use crate::sqs::Sqs;
use crate::{endpoint, environment, make_bucket};

/// Queues of a test's own, a bucket, and a server with images that hears postbacks.
pub struct Office {
    pub sqs: Sqs,
    pub server: TestServer,
    pub place: Place,
    pub queue: String,
}

impl Office {
    pub fn new(name: &str, redrive: u32) -> Self {
        let suffix = if name.ends_with(".fifo") { ".fifo" } else { "" };
        let bucket = name.trim_end_matches(".fifo").to_lowercase();
        let sqs = Sqs::new();
        let dead = format!("{}-dead{suffix}", name.trim_end_matches(".fifo"));
        sqs.make(&dead, None);
        let queue = sqs.make(name, Some((&dead, redrive)));
        make_bucket(&bucket);
        let server = TestServer::start();
        server.fallback(|request| match request.path.trim_start_matches('/').split_once('.') {
            _ if request.method == "POST" => Some(Answer::ok("thanks").into()),
            Some((seed, "jpg")) => Some(Answer::ok(jpeg(seed.parse().ok()?)).into()),
            _ => None,
        });
        let place = Place::new().with_environment(environment(&bucket, &[("QUEUE_URL", &queue)]));
        Office { sqs, server, place, queue }
    }

    pub fn command(&self, flags: &[&str]) -> Command {
        let mut command = self.place.command();
        let host = self.server.address().to_string();
        command.args(["worker", "--wait", "1", "--retry-delay", "1", "--retries", "0", "--work-dir", "work"]);
        command.args(["--allow-host", &host]).args(flags);
        command
    }

    pub fn spawn(&self, flags: &[&str]) -> Child {
        self.command(flags).spawn().unwrap()
    }

    pub fn work(&self) -> Ran {
        Ran::of(self.spawn(&["--until-empty"])).expect(0)
    }

    pub fn about(&self, name: &str, image: &str) -> String {
        let heard = self.server.url("/heard");
        format!(r#"{{"name":"{name}","image_url":"{image}","postback_url":"{heard}"}}"#)
    }

    /// The names of the messages that were posted back, in the order that they came.
    pub fn heard(&self) -> Vec<String> {
        let posts = self.server.exchanges().into_iter().filter(|exchange| exchange.request.method == "POST");
        let bodies = posts.map(|exchange| serde_json::from_slice::<Value>(&exchange.request.body).unwrap());
        bodies.map(|body| body["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[track_caller]
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(55), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn stop(child: Child) -> Ran {
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    Ran::of(child).expect(143)
}

#[test]
fn a_message_goes_to_queue_and_caller() {
    let office = Office::new("whole", 5);
    let next = office.sqs.make("ChannelImages.fifo", None);
    let (image, heard) = (office.server.url("/1.jpg"), office.server.url("/heard"));
    let unknown = r#""_id":{"$oid":"5f"},"big":123456789012345678901234567890,"text":"ü 🎧","none":null"#;
    let message = |queue: &str| {
        format!(
            r#"{{"name":"{queue}","image_url":"{image}","bucket_name":"TEST",{unknown},"redirect_queue":"{queue}","postback_url":"{heard}"}}"#
        )
    };
    office.sqs.send(&office.queue, &message("ChannelImages"), None);
    office.sqs.send(&office.queue, &message("Nowhere"), None);
    office.work();
    assert_eq!(office.sqs.depth(&office.queue), (0, 0));
    let mut heard = office.heard();
    heard.sort_unstable();
    assert_eq!(heard, ["ChannelImages", "Nowhere"]);
    let sent = office.sqs.drain(&next);
    assert_eq!(sent.len(), 1);
    assert_eq!((&sent[0]["_id"]["$oid"], &sent[0]["text"]), (&"5f".into(), &"ü 🎧".into()));
    let info = &sent[0]["image_url_info"]["250X250"];
    let url = info["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{}/whole/images-resized/TEST/", endpoint())), "{url}");
    assert!(url.ends_with("_250X250.jpeg"), "{url}");
    let fetched = Command::new("curl")
        .args(["-sf", "--aws-sigv4", "aws:amz:eu-west-1:s3", "--user", "testing:testing", url])
        .output()
        .unwrap();
    assert!(image::load_from_memory(&fetched.stdout).is_ok(), "it is there, as its URL says");
}

#[test]
fn a_heartbeat_outlasts_a_long_job() {
    let office = Office::new("heartbeat", 2);
    let late = Behaviour::delayed(Duration::from_secs(30), Answer::ok(jpeg(1)));
    office.server.route("/late.jpg", late);
    office.sqs.send(&office.queue, &office.about("late", &office.server.url("/late.jpg")), None);
    let workers = [0; 2].map(|_| office.spawn(&["--visibility", "10", "--idle-timeout", "60"]));
    wait_until("it is not done", || office.heard().len() == 1);
    wait_until("it is not removed", || office.sqs.depth(&office.queue) == (0, 0));
    workers.into_iter().for_each(|worker| drop(stop(worker)));
    assert_eq!((office.server.hits("/late.jpg"), office.heard().len()), (1, 1), "nobody else had it");
}

#[test]
fn poison_goes_to_the_dead_letters_and_comes_back_when_told() {
    let office = Office::new("poison", 2);
    office.server.route("/ill.jpg", Answer::status(503));
    office.sqs.send(&office.queue, &office.about("ill", &office.server.url("/ill.jpg")), None);
    office.sqs.send(&office.queue, "{not json", None);
    office.work();
    assert_eq!(office.heard(), [""; 0], "what may pass is not reported as final");
    assert_eq!(office.server.hits("/ill.jpg"), 2);
    let redrive = |arguments: &[&str]| {
        Ran::of(office.place.command().args(["worker", "redrive"]).args(arguments).spawn().unwrap()).expect(0)
    };
    let listed = redrive(&["list"]).stdout;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let id =
        listed.lines().find(|line| line.contains("ill.jpg")).unwrap().split('\t').next().unwrap().to_owned();
    assert!(redrive(&["show", &id]).stdout.contains("\"name\":\"ill\""));
    redrive(&["return", &id]);
    office.server.route("/ill.jpg", Answer::ok(jpeg(2)));
    office.work();
    assert_eq!(office.heard(), ["ill"]);
    assert_eq!(redrive(&["list"]).stdout.lines().count(), 1);
}

#[test]
fn every_group_keeps_its_order() {
    let office = Office::new("order.fifo", 9);
    // The third of each group fails once: what comes behind it has to wait until it comes again.
    for group in ["a", "b", "c"] {
        let path = format!("/{group}2.jpg");
        office.server.route(&path, Behaviour::failing_first(1, 503, Answer::ok(jpeg(3))));
    }
    for number in 0..6 {
        for group in ["a", "b", "c"] {
            let image = if number == 2 { format!("/{group}2.jpg") } else { format!("/{number}.jpg") };
            let message = office.about(&format!("{group}{number}"), &office.server.url(&image));
            office.sqs.send(&office.queue, &message, Some(group));
        }
    }
    office.work();
    let heard = office.heard();
    for group in ["a", "b", "c"] {
        let of_group: Vec<&String> = heard.iter().filter(|name| name.starts_with(group)).collect();
        let expected: Vec<String> = (0..6).map(|number| format!("{group}{number}")).collect();
        assert_eq!(of_group, expected.iter().collect::<Vec<_>>(), "{heard:?}");
    }
}

#[test]
fn of_two_hundred_messages_each_ends_once() {
    let office = Office::new("mixed", 3);
    let dead = office.sqs.make("mixed-dead", None);
    for number in 0..200 {
        let name = format!("{number}");
        let message = match number % 8 {
            0..=3 => office.about(&name, &office.server.url(&format!("/{}.jpg", number % 40))),
            4 => office.about(&name, &office.server.url("/gone")),
            5 => office.about(&name, "http://169.254.169.254/latest/meta-data/"),
            6 => r#"{"image_url":"http://example.org/a.jpg"}"#.to_owned(),
            _ => format!("no json {number}"),
        };
        office.sqs.send(&office.queue, &message, None);
    }
    let proxy = Proxy::before(&endpoint()).one_receive_at_a_time();
    let queue = office.queue.replace(&endpoint(), proxy.endpoint());
    let workers = [0; 2].map(|_| {
        let mut command = office.command(&["--until-empty"]);
        command.env("AWS_ENDPOINT_URL", proxy.endpoint()).env("QUEUE_URL", &queue).spawn().unwrap()
    });
    let said = workers.map(|worker| Ran::of(worker).expect(0).stderr);
    let mut heard: HashMap<String, u32> = HashMap::new();
    for name in office.heard() {
        *heard.entry(name).or_default() += 1;
    }
    assert_eq!(heard.len(), 150, "good, bad and hostile ones were told of");
    heard.retain(|_, times| *times > 1);
    assert!(heard.is_empty(), "more than once: {heard:?}\n{}", said.join("\n---\n"));
    assert_eq!(office.sqs.depth(&office.queue), (0, 0));
    assert_eq!(office.sqs.drain(&dead).len(), 25, "what cannot be read is kept");
}

#[test]
fn stopping_gives_messages_back_and_loses_none() {
    let office = Office::new("stopping", 10);
    for number in 0..8 {
        office.server.route(&format!("/stuck{number}.jpg"), Behaviour::Silence);
        let image = office.server.url(&format!("/stuck{number}.jpg"));
        office.sqs.send(&office.queue, &office.about(&format!("{number}"), &image), None);
    }
    for round in 1..=2 {
        let worker = office.spawn(&["--grace", "0.2"]);
        wait_until("the images are not asked for", || office.server.total_hits() >= 8 * round);
        stop(worker);
        assert_eq!(office.sqs.depth(&office.queue), (8, 0), "anybody may have them at once");
    }
    for number in 0..8 {
        office.server.route(&format!("/stuck{number}.jpg"), Answer::ok(jpeg(number)));
    }
    office.work();
    assert_eq!(office.heard().len(), 8);
    assert_eq!(office.sqs.drain(&office.sqs.make("stopping-dead", None)).len(), 0);
}

#[test]
fn killed_in_the_middle_it_loses_nothing() {
    let office = Office::new("killed", 10);
    for number in 0..20 {
        let image = office.server.url(&format!("/{number}.jpg"));
        office.sqs.send(&office.queue, &office.about(&format!("{number}"), &image), None);
    }
    let mut worker = office.spawn(&["--visibility", "2"]);
    wait_until("it does not begin", || office.heard().len() >= 4);
    worker.kill().unwrap();
    worker.wait().unwrap();
    office.work();
    let mut heard = office.heard();
    heard.sort_unstable();
    heard.dedup();
    assert_eq!(heard.len(), 20);
    assert_eq!(office.sqs.depth(&office.queue), (0, 0));
}

#[test]
fn what_producers_send_arrives() {
    let office = Office::new("producers.fifo", 5);
    let image = office.server.url("/1.jpg");
    let lines: String =
        (0..12).map(|number| format!("{}\n", office.about(&format!("{number}"), &image))).collect();
    std::fs::write(office.place.path("messages.jsonl"), lines).unwrap();
    let send = office.place.command().args(["send", "--file", "messages.jsonl"]).spawn().unwrap();
    Ran::of(send).expect(0);
    let python = std::env::var("TEST_PYTHON").expect("make test-aws sets TEST_PYTHON");
    let package = concat!(env!("CARGO_MANIFEST_DIR"), "/../../clients/python");
    let script = format!(
        "from bson import ObjectId\nfrom imageservice.services.sqs import SQS\n\
         SQS().send_message_to_topic({{'_id': ObjectId('5f9f1b9b9b9b9b9b9b9b9b9b'), 'name': 'python', \
         'image_url': '{image}', 'postback_url': '{}'}})",
        office.server.url("/heard")
    );
    let mut command = Command::new(&python);
    command.args(["-c", &script]).env("PYTHONPATH", package).env("QUEUE_URL", &office.queue);
    command
        .env("AWS_ACCESS_KEY_SQS", "testing")
        .env("AWS_SECRET_KEY_SQS", "testing")
        .env("AWS_REGION", "eu-west-1");
    assert!(command.status().unwrap().success());
    let tests =
        Command::new(&python).args(["-m", "unittest", "tests/test_sqs.py"]).current_dir(package).status();
    assert!(tests.unwrap().success(), "the package's own tests");
    office.work();
    assert_eq!(office.heard().len(), 13);
    let posts = office.server.exchanges().into_iter().filter(|exchange| exchange.request.method == "POST");
    let bodies: Vec<Value> =
        posts.map(|exchange| serde_json::from_slice(&exchange.request.body).unwrap()).collect();
    let python = bodies.iter().find(|body| body["name"] == "python").unwrap();
    assert_eq!(python["_id"]["$oid"], "5f9f1b9b9b9b9b9b9b9b9b9b");
}
