//! Buckets, and a queue that hears of them, as S3 and SQS have them: what is put is told, noted, and made.

use std::fs;
use std::process::{Command, Stdio};

use imgmill_pipeline::identity::text_hash;
use imgmill_testing::samples::{encode, photo};
use serde_json::{Value, json};

use crate::harness::{Place, Ran};
use crate::{endpoint, environment};

/// Moto takes requests whose signature is nonsense, but wants to know which service they are for.
fn signed(service: &str) -> String {
    let scope = format!("testing/20260101/eu-west-1/{service}/aws4_request");
    format!("Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0")
}

fn sqs(action: &str, body: &Value) -> Value {
    let output = Command::new("curl")
        .args(["-sf", "-X", "POST", &endpoint(), "-d", &body.to_string(), "-H", &signed("sqs")])
        .args(["-H", "Content-Type: application/x-amz-json-1.0"])
        .args(["-H", &format!("X-Amz-Target: AmazonSQS.{action}")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{action}");
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// What S3 answers at this path.
fn s3(path: &str, more: &[&str]) -> Vec<u8> {
    let url = format!("{}/{path}", endpoint());
    let output = Command::new("curl").args(["-sf", "-H", &signed("s3"), &url]).args(more).output().unwrap();
    assert!(output.status.success(), "S3 does not answer {path}");
    output.stdout
}

/// A queue that is told of everything that is put into a bucket.
fn queue_of(bucket: &str) -> String {
    let url = sqs("CreateQueue", &json!({"QueueName": bucket}))["QueueUrl"].as_str().unwrap().to_owned();
    let configuration = format!(
        "<NotificationConfiguration><QueueConfiguration><Id>all</Id><Queue>arn:aws:sqs:eu-west-1:123456789012:{bucket}</Queue>\
         <Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>"
    );
    let put = ["-X", "PUT", "-H", "Content-Type: application/xml", "-d", &configuration];
    s3(&format!("{bucket}?notification"), &put);
    url
}

/// Everything that the queue holds, as a client of SQS gets it.
fn receive_all(url: &str) -> Vec<Value> {
    let mut answers = Vec::new();
    loop {
        let answer = sqs(
            "ReceiveMessage",
            &json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 600}),
        );
        if answer["Messages"].as_array().is_none_or(Vec::is_empty) {
            return answers;
        }
        answers.push(answer);
    }
}

fn encoded(key: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-._".contains(byte);
    key.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Puts the file to all keys, many over one connection.
fn put(bucket: &str, file: &std::path::Path, keys: &[String]) {
    let list = file.with_extension("curl");
    for some in keys.chunks(50) {
        let lines = some.iter().map(|key| {
            let url = format!("{}/{bucket}/{}", endpoint(), encoded(key));
            // Moto's server drops a connection now and then.
            let retry =
                format!("header = \"{}\"\nretry = 5\nretry-all-errors\nretry-delay = 1", signed("s3"));
            format!(
                "url = \"{url}\"\nupload-file = \"{}\"\noutput = /dev/null\nfail\nsilent\n{retry}\n",
                file.display()
            )
        });
        fs::write(&list, lines.collect::<Vec<_>>().join("next\n")).unwrap();
        let put = Command::new("curl").arg("-K").arg(&list).output().unwrap();
        assert!(put.status.success(), "{}", String::from_utf8_lossy(&put.stderr));
    }
}

fn place(name: &str) -> (Place, [String; 3]) {
    let buckets = ["originals", "process", "pyramids"].map(|what| format!("{name}-{what}"));
    let region = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    for bucket in &buckets {
        // A queue hears only of buckets of its own region.
        s3(bucket, &["-X", "PUT", "-H", "Content-Type: application/xml", "-d", region]);
    }
    let mut environment = environment("none", &[]);
    let variables = ["RBSC_BUCKET", "PROCESS_BUCKET", "IMAGE_BUCKET"];
    environment.extend(variables.into_iter().zip(buckets.iter().cloned()));
    (Place::new().with_environment(environment), buckets)
}

fn bucket(place: &Place, words: &[&str]) -> std::process::Child {
    place.command().arg("bucket").args(words).spawn().unwrap()
}

fn record(place: &Place, told: &[Value]) -> Ran {
    let file = place.path("told.json");
    fs::write(&file, told.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")).unwrap();
    let input = fs::File::open(&file).unwrap();
    let child = place.command().args(["bucket", "record"]).stdin(Stdio::from(input)).spawn().unwrap();
    Ran::of(child).expect(0)
}

fn status(place: &Place) -> Value {
    serde_json::from_str(&Ran::of(bucket(place, &["status", "--json"])).expect(0).stdout).unwrap()
}

fn size(bucket: &str, key: &str) -> (u32, u32) {
    let header = imgmill_image::probe(&s3(&format!("{bucket}/{}", encoded(key)), &[])).unwrap();
    (header.width, header.height)
}

#[test]
fn odd_keys_come_through_the_queue_as_they_are() {
    let (place, [originals, _, pyramids]) = place("odd");
    let queue = queue_of(&originals);
    let long = format!("{}/{}.jpg", "ü".repeat(450), "z".repeat(95));
    assert_eq!(long.len(), 1000);
    let keys = ["a b/1+1=2.jpg", "100%25.jpg", "für/ü.jpg", "c&d?e#f.jpg", &long].map(str::to_owned);
    let file = place.path("image.jpg");
    fs::write(&file, encode::jpeg(&photo(1, 60, 40), Default::default())).unwrap();
    put(&originals, &file, &keys);
    put(&originals, &file, &["a b/notes.txt".to_owned(), "a b/._1.jpg".to_owned()]);
    let ran = record(&place, &receive_all(&queue));
    assert!(
        ran.stderr.contains("5 recorded, 0 recorded before, 3 skipped"),
        "with the test event: {}",
        ran.stderr
    );
    Ran::of(bucket(&place, &["drain"])).expect(0);
    for key in &keys {
        assert_eq!(
            size(&pyramids, &(key.strip_suffix("jpg").unwrap().to_owned() + "tif")),
            (60, 40),
            "{key}"
        );
    }
    assert_eq!(status(&place)["waiting"], 0);
}

#[test]
fn thousands_of_records_two_drainers_and_a_death() {
    let (place, [originals, process, pyramids]) = place("many");
    let queue = queue_of(&originals);
    let keys: Vec<String> = (0..600).map(|number| format!("digital/{}/{number}.jpg", number % 7)).collect();
    for (seed, width) in [(1, 60), (2, 80)] {
        let file = place.path("image.jpg");
        fs::write(&file, encode::jpeg(&photo(seed, width, 40), Default::default())).unwrap();
        put(&originals, &file, &keys);
    }
    let told = receive_all(&queue);
    let ran = record(&place, &told);
    assert!(ran.stderr.contains("1200 recorded"), "{}", ran.stderr);
    assert!(
        record(&place, &told).stderr.contains("0 recorded, 1200 recorded before"),
        "at least once is no more"
    );
    let counted = status(&place);
    assert_eq!((&counted["waiting"], &counted["images"]), (&1200.into(), &600.into()));

    let drain = ["drain", "--quiet", "--claim-time", "3"];
    let mut killed = bucket(&place, &drain);
    let other = bucket(&place, &drain);
    while status(&place)["waiting"].as_u64().unwrap() > 1000 {}
    killed.kill().unwrap();
    killed.wait().unwrap();
    // Thousands of requests, and moto is one interpreter.
    Ran::of_patient(other).expect(0);
    // What the dead one had claimed when the other came by.
    while status(&place)["waiting"] != 0 {
        Ran::of_patient(bucket(&place, &drain)).expect(0);
    }
    for key in &keys {
        assert_eq!(size(&pyramids, &key.replace("jpg", "tif")), (80, 40), "the second version");
    }
    let left = String::from_utf8(s3(&format!("{process}?list-type=2&prefix=rbsc/"), &[])).unwrap();
    assert!(!left.contains("<Key>"), "records are left");
}

#[test]
fn of_two_that_replace_one_pyramid_one_wins() {
    let (place, [originals, process, pyramids]) = place("fence");
    let file = place.path("image.jpg");
    fs::write(&file, encode::jpeg(&photo(1, 60, 40), Default::default())).unwrap();
    put(&originals, &file, &["x.jpg".to_owned()]);
    let note = place.path("note.json");
    fs::write(&note, r#"{"key": "x.jpg"}"#).unwrap();
    for round in 0..5 {
        put(&process, &note, &[format!("rbsc/v2/{}/0{round}.json", text_hash("x.jpg"))]);
        let drainers = [0; 2].map(|_| bucket(&place, &["drain", "--quiet"]));
        drainers.into_iter().for_each(|child| drop(Ran::of(child).expect(0)));
        assert_eq!(size(&pyramids, "x.tif"), (60, 40));
        assert_eq!(status(&place)["waiting"], 0);
    }
}
