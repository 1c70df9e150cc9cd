//! A worker on a folder, a web server with images that hears its postbacks too, and what both leave behind.

use std::fs;
use std::process::{Child, Command};
use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use imgmill_testing::http::{Answer, Exchange, TestServer};
use serde_json::Value;
use sha2::Sha256;

use crate::harness::{Place, Ran, jpeg};

pub const SECRET: &str = "47/:6WT?hush";
pub const SIGNING_KEY: &str = "signing-hush";

/// A queue `q` in a folder of its own, and a server whose address the worker may reach.
pub struct Office {
    pub place: Place,
    pub server: TestServer,
}

impl Office {
    /// `/1.jpg` to `/9.jpg` are images; `/heard` takes postbacks.
    pub fn new() -> Self {
        let server = TestServer::start();
        for seed in 1..10 {
            server.route(&format!("/{seed}.jpg"), Answer::ok(jpeg(seed)));
        }
        server.route("/heard", Answer::ok("thanks"));
        let environment = vec![
            ("POSTBACK_SECRET_KEY", SECRET.to_owned()),
            ("POSTBACK_SIGNING_KEY", SIGNING_KEY.to_owned()),
            ("http_proxy", server.url("/proxy")),
        ];
        let place = Place::new().with_environment(environment);
        fs::create_dir(place.path("q")).unwrap();
        Office { place, server }
    }

    pub fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    /// Puts a message into the queue.
    pub fn message(&self, name: &str, text: &str) {
        fs::write(self.place.path(&format!("q/{name}.json")), text).unwrap();
    }

    /// A message about an image, to be posted back.
    pub fn about(&self, name: &str, image: &str) {
        let postback = self.url("/heard");
        self.message(
            name,
            &format!(r#"{{"name":"{name}","image_url":"{image}","postback_url":"{postback}"}}"#),
        );
    }

    pub fn command(&self, flags: &[&str]) -> Command {
        let host = self.server.address().to_string();
        let mut command = self.place.command();
        command.args([
            "worker",
            "--queue",
            "dir:q",
            "--wait",
            "0.1",
            "--retry-delay",
            "0.05",
            "--retries",
            "0",
        ]);
        command.args(["--work-dir", "work", "--allow-host", &host]).args(flags);
        command
    }

    pub fn spawn(&self, flags: &[&str]) -> Child {
        self.command(flags).spawn().unwrap()
    }

    /// Works until the queue is empty; no secret may be told.
    pub fn work(&self, flags: &[&str]) -> Ran {
        let ran = Ran::of(self.spawn(&[&["--until-empty"], flags].concat())).expect(0);
        assert!(!ran.stderr.contains("hush"), "a secret was told:\n{}", ran.stderr);
        ran
    }

    /// The bodies that were posted to a path, with a signature that is right.
    pub fn heard(&self, path: &str) -> Vec<Value> {
        let exchanges = self.server.exchanges();
        let posts = exchanges.iter().filter(|exchange| exchange.request.path == path);
        posts.map(|exchange| serde_json::from_str(&verified(exchange)).unwrap()).collect()
    }

    /// What was posted about a message of this name, which is one thing.
    #[track_caller]
    pub fn heard_of(&self, name: &str) -> Value {
        let mut heard = self.heard("/heard");
        heard.retain(|body| body["name"] == name);
        assert_eq!(heard.len(), 1, "{name}: {heard:?}");
        heard.remove(0)
    }

    /// Files of the queue, in work and dead ones included.
    pub fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for folder in ["q", "q/.taken", "q/dead"] {
            let Ok(entries) = fs::read_dir(self.place.path(folder)) else { continue };
            for entry in entries.map(Result::unwrap).filter(|entry| entry.path().is_file()) {
                left.push(format!("{folder}/{}", entry.file_name().into_string().unwrap()));
            }
        }
        left.sort_unstable();
        left
    }
}

/// Checks a postback as its receiver should, and gives its body.
#[track_caller]
pub fn verified(exchange: &Exchange) -> String {
    let request = &exchange.request;
    assert_eq!(request.method, "POST");
    let signature = request.header("x-imgmill-signature").unwrap();
    let (time, hash) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert!(now - Duration::from_secs(time.parse().unwrap()) < Duration::from_secs(300));
    let body = String::from_utf8(request.body.clone()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(SIGNING_KEY.as_bytes()).unwrap();
    mac.update(format!("{time}.{body}").as_bytes());
    let bytes: Vec<u8> =
        (0..hash.len()).step_by(2).map(|at| u8::from_str_radix(&hash[at..at + 2], 16).unwrap()).collect();
    mac.verify_slice(&bytes).unwrap();
    body
}
