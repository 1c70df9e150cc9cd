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
