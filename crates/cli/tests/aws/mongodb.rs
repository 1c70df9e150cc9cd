//! `imgmill collect` on SecantusDB, which speaks MongoDB's protocol: documents to messages to the worker.

use std::process::Command;

use crate::harness::Ran;
use crate::worker::Office;

/// Runs Python with a collection at hand: `documents`.
fn in_collection(name: &str, script: &str) {
    let python = std::env::var("TEST_PYTHON").expect("make test-aws sets TEST_PYTHON");
    let url = std::env::var("MONGO_TEST_URL").expect("make test-aws sets MONGO_TEST_URL");
    let begin = format!(
        "from pymongo import MongoClient\nfrom bson import ObjectId\n\
         documents = MongoClient('{url}').get_default_database()['{name}']\n"
    );
    let ran = Command::new(python).args(["-c", &format!("{begin}{script}")]).status().unwrap();
    assert!(ran.success());
}

#[test]
fn documents_without_resized_images_become_messages() {
    let office = Office::new("collected.fifo", 5);
    let url = std::env::var("MONGO_TEST_URL").unwrap();
    let base = office.server.url("");
    in_collection(
        "channels",
        &format!(
            "documents.drop()\n\
             documents.insert_many([{{'_id': ObjectId('%024x' % n), 'name': 'c%d' % n, 'other': n, \
             'image_url': '{base}/%d.jpg' % (n % 9)}} for n in range(1, 241)])\n\
             documents.insert_one({{'name': 'no image'}})\n\
             documents.insert_one({{'name': 'empty', 'image_url': ''}})\n\
             documents.insert_one({{'name': 'done', 'image_url': '{base}/1.jpg', 'image_url_info': {{'50x50': {{}}}}}})"
        ),
    );
    let heard = office.server.url("/heard");
    let collect = |flags: &[&str]| {
        let mut command = office.place.command();
        command.args(["collect", "channels", "--field", "name", "--postback-url", &heard, "--batch", "50"]);
        command.env("MONGO_URL_DEVELOP", &url).env("DB_ENVIRONMENT", "DEVELOP");
        Ran::of(command.args(flags).spawn().unwrap()).expect(0)
    };
    let shown = collect(&["--dry-run", "--limit", "2"]);
    let first: serde_json::Value = serde_json::from_str(shown.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(first["_id"]["$oid"], format!("{:024x}", 1));
    assert_eq!((&first["redirect_queue"], &first["name"]), (&"ChannelImages".into(), &"c1".into()));
    assert!(first.get("other").is_none(), "only the fields that are asked for");
    assert_eq!(shown.stdout.lines().count(), 2);
    // Cut short twice, and gone on with.
    assert!(collect(&["--limit", "100", "--state", "state.json"]).stderr.contains("100 messages sent"));
    assert!(office.place.path("state.json").exists());
    assert!(collect(&["--state", "state.json"]).stderr.contains("140 messages sent"));
    assert!(!office.place.path("state.json").exists(), "all was sent");
    let after = format!(r#"{{"$oid":"{:024x}"}}"#, 238);
    assert_eq!(collect(&["--dry-run", "--after", &after]).stdout.lines().count(), 2);
    office.work();
    let mut heard = office.heard();
    heard.sort_unstable();
    heard.dedup();
    assert_eq!(heard.len(), 240);
}

#[test]
fn episodes_by_a_filter_with_fields_of_every_kind() {
    let office = Office::new("chosen", 5);
    let url = std::env::var("MONGO_TEST_URL").unwrap();
    in_collection(
        "shows",
        "import datetime\nfrom bson import Decimal128, Int64\n\
         documents.drop()\n\
         documents.insert_one({'_id': 'by name', 'kind': 'a', 'itunes_image': 'http://example.org/1.jpg', \
         'when': datetime.datetime(2024, 1, 2, 3, 4, 5, 678000), 'price': Decimal128('1.10'), \
         'big': Int64(9007199254740993), 'nested': {'ü': [None, 1.5, '🎧']}, 'none': None})\n\
         documents.insert_one({'kind': 'a', 'itunes_image': 'http://example.org/2.jpg', \
         'when': datetime.datetime(2020, 1, 2)})\n\
         documents.insert_one({'kind': 'b', 'itunes_image': 'http://example.org/3.jpg'})",
    );
    let collect = |flags: &[&str], variables: &[(&str, &str)]| {
        let mut command = office.place.command();
        command.args(["collect", "episodes", "--collection", "shows", "--dry-run"]).args(flags);
        Ran::of(command.envs(variables.iter().copied()).spawn().unwrap())
    };
    let filter = r#"{"kind":"a","when":{"$gt":{"$date":"2023-01-01T00:00:00Z"}}}"#;
    let fields = ["when", "price", "big", "nested", "none"].map(|name| ["--field", name]).concat();
    let flags = [&["--filter", filter, "--bucket-name", "B"][..], &fields].concat();
    let shown = collect(&flags, &[("ENVIRONMENT", "PRODUCTION"), ("MONGO_URL_PRODUCTION", &url)]).expect(0);
    let shown: Vec<serde_json::Value> =
        shown.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = serde_json::json!({
        "_id": "by name", "itunes_image": "http://example.org/1.jpg", "redirect_queue": "EpisodeImages",
        "bucket_name": "B", "when": {"$date": "2024-01-02T03:04:05.678Z"}, "price": {"$numberDecimal": "1.10"},
        "big": 9_007_199_254_740_993_i64, "nested": {"ü": [null, 1.5, "🎧"]}, "none": null,
    });
    assert_eq!(shown, [expected]);
    let all = collect(&["--redirect-queue", "Elsewhere"], &[("MONGO_URL", &url)]).expect(0);
    assert_eq!(all.stdout.matches("\"redirect_queue\":\"Elsewhere\"").count(), 3);

    let nobody = "mongodb://user:hush@127.0.0.1:1/db?serverSelectionTimeoutMS=300";
    let unnamed = url.trim_end_matches("/imgmill");
    for (flags, variables, code, says) in [
        (&[][..], &[][..], 2, "set MONGO_URL, or MONGO_URL_DEVELOP"),
        (&[], &[("DB_ENVIRONMENT", "MARS")], 2, "MARS is not known"),
        (&[], &[("MONGO_URL", nobody)], 2, "no server answered; check MONGO_URL"),
        (&[], &[("MONGO_URL", "localhost")], 2, "check MONGO_URL"),
        (&[], &[("MONGO_URL", unnamed)], 2, "MONGO_URL names no database"),
        (&["--filter", "[1]"], &[("MONGO_URL", &url)], 2, "expected a JSON object"),
        (&["--filter", r#"{"a":{"$oid":"x"}}"#], &[("MONGO_URL", &url)], 2, "not extended JSON"),
    ] {
        let ran = collect(flags, variables);
        assert!(ran.stderr.contains(says) && !ran.stderr.contains("hush"), "{flags:?}: {}", ran.stderr);
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
    }
}
