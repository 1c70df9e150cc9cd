//! What is wrong fails itself, by name, and nothing else.

use std::fs;

use super::{files, place, printed, process};
use crate::harness::jpeg;

#[test]
fn a_bad_uri_or_source_fails_itself() {
    let place = place();
    for seed in [1, 2] {
        fs::write(place.path(&format!("images/{seed}.jpg")), jpeg(seed)).unwrap();
    }
    fs::write(place.path("images/page.jpg"), "<html>no image</html>").unwrap();
    let cut = jpeg(3);
    fs::write(place.path("images/cut.jpg"), &cut[..cut.len() / 2]).unwrap();
    fs::write(place.path("secret.jpg"), jpeg(4)).unwrap();
    let bad = [
        "../secret.jpg",
        "none.jpg",
        "page.jpg",
        "cut.jpg",
        "gopher:///1.jpg",
        "rewrite:///1.jpg?target=x.jpg",
    ];
    let line = format!("-config config.json -instructions small.json -report 1.jpg {} 2.jpg", bad.join(" "));
    let ran = process(&place, &line).expect(3);
    let expected: Vec<String> = ["1.jpg", "2.jpg"]
        .iter()
        .flat_map(|name| {
            ["full/!20,20/0/color.jpg", "process.json", "square/8,8/0/color.png"]
                .map(|path| format!("{name}/{path}"))
        })
        .collect();
    assert_eq!(files(&place.path("cache")), expected, "nothing of the others, not even in part");
    let told = printed(&ran);
    for (uri, says) in
        bad.iter().zip(["\"..\"", "there is no file", "not an image", "ends", "gopher", "names one file"])
    {
        let message = told[*uri]["error"]["message"].as_str().unwrap_or_else(|| panic!("{uri}: {told}"));
        assert!(message.contains(says), "{uri}: {message}");
    }
    assert!(told["1.jpg"]["error"].is_null());
    let errors = ran.stderr.lines().filter(|line| line.contains("ERROR")).count();
    assert_eq!(errors, bad.len(), "a line each: {}", ran.stderr);
}

#[test]
fn a_derivative_that_cannot_be_made_is_left_out_and_told_of() {
    let place = place();
    for seed in [1, 2] {
        fs::write(place.path(&format!("images/{seed}.jpg")), jpeg(seed)).unwrap();
    }
    // Where a folder should be there is a file.
    fs::create_dir_all(place.path("cache/2.jpg")).unwrap();
    fs::write(place.path("cache/2.jpg/square"), "in the way").unwrap();
    let instructions = r#"{"s": {"size": "9,"}, "out": {"region": "5000,5000,10,10"}, "sq": {"region": "square", "size": "5,"}}"#;
    for isolate in ["none", "process"] {
        let line = format!(
            "-config config.json -instructions '{instructions}' -report -isolate {isolate} 1.jpg 2.jpg"
        );
        let ran = process(&place, &line).expect(3);
        let told = printed(&ran);
        let out = &told["1.jpg"]["errors"]["out"];
        assert!(out["message"].as_str().unwrap().contains("holds no pixel"), "{isolate}: {out}");
        assert_eq!((&out["stage"], &out["kind"]), (&"derive".into(), &"bad_request".into()));
        assert_eq!(told["1.jpg"]["dimensions"].as_object().unwrap().len(), 2, "{isolate}: {told}");
        assert_eq!(told["2.jpg"]["errors"]["sq"]["stage"], "store", "{isolate}: {told}");
        assert!(told["2.jpg"]["uris"]["sq"].is_null());
        assert!(told["1.jpg"]["blurhash"].is_string());
        assert!(place.path("cache/2.jpg/full/9,/0/color.jpg").is_file());
    }
    let all = r#"{"out": {"region": "5000,5000,10,10"}}"#;
    let ran = process(&place, &format!("-config config.json -instructions '{all}' 1.jpg")).expect(3);
    assert!(printed(&ran)["1.jpg"]["error"]["message"].as_str().unwrap().contains("holds no pixel"));
}

#[test]
fn files_that_are_not_as_they_must_be_are_named() {
    let place = place();
    fs::write(place.path("images/1.jpg"), jpeg(1)).unwrap();
    let says = |line: &str, code: i32, says: &str| {
        let ran = process(&place, line).expect(code);
        assert!(ran.stderr.contains(says), "{line}: {}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{line}: {}", ran.stderr);
    };
    says("-instructions small.json 1.jpg", 2, "no config is named");
    says("-config none.json 1.jpg", 2, "none.json");
    says("-config '{\"images\": 7}' 1.jpg", 2, "images: an object is meant, and there is 7");
    says(
        "-config config.json -instructions '{\"a\": {\"quality\": \"bitonal\"}}' 1.jpg",
        2,
        "feature bitonal, which is not enabled",
    );
    says("-config config.json -instructions small.json", 2, "no URI is named");
    says("-config config.json -mode lambda 1.jpg", 2, "Lambda");
    says("-config config.json -instructions small.json -mode tape 1.jpg", 2, "-mode tape");
    says("-config config.json -instructions small.json -report -report-name a/b 1.jpg", 2, "-report-name");
    says("-config config.json -nosuch 1.jpg", 2, "flag provided but not defined: -nosuch");
    says("-config config.json -instructions small.json -memory 1MiB 1.jpg", 2, "--memory");
    says(
        "-config config.json -instructions small.json -config-images-source-uri file:///no/such/folder 1.jpg",
        2,
        "there is no folder /no/such/folder",
    );
    let warned = r#"{"images": {"source": {"name": "Disk", "path": "images"}, "cahce": {}},
        "derivatives": {"cache": {"name": "Null"}}}"#;
    let ran = process(&place, &format!("-config '{warned}' -instructions small.json 1.jpg")).expect(0);
    assert!(ran.stderr.contains("images.cahce"), "{}", ran.stderr);
    assert_eq!(files(&place.path("cache")).len(), 0, "Null keeps nothing");
    assert_eq!(printed(&ran)["1.jpg"]["dimensions"]["t"], serde_json::json!([8, 8]));
}
