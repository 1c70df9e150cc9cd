//! Keys are taken as they are.

use serde_json::json;

use super::{Buckets, jpeg, server};

#[test]
fn odd_keys_are_taken_character_by_character() {
    let long = {
        let mut key = "k".repeat(199);
        for _ in 0..3 {
            key = format!("{key}/{}", "ü".repeat(99));
        }
        format!("{key}/{}.jpg", "z".repeat(1000 - key.len() - 5))
    };
    assert_eq!(long.len(), 1000);
    let odd = [
        "a b/c d.jpg",
        "1+1=2.jpg",
        "100%25.jpg",
        "Ü/für ü.jpg",
        "q?&#;.jpg",
        "a.b.c.jpg",
        "it's [x]{y}.jpg",
    ];
    let s3 = server();
    // The S3 server of the tests puts a whole key into one file's name; moto is asked about long ones.
    for (buckets, keys) in
        [(Buckets::folders(), [&odd[..], &[long.as_str()]].concat()), (Buckets::of(&s3), odd.to_vec())]
    {
        for (index, key) in keys.iter().enumerate() {
            buckets.put_and_tell(key, "01", jpeg(index as u64, 60 + index as u32, 40));
        }
        buckets.drain(&[]).expect(0);
        for (index, key) in keys.iter().enumerate() {
            let pyramid = key.strip_suffix("jpg").unwrap().to_owned() + "tif";
            assert_eq!(buckets.size(&pyramid), (60 + index as u32, 40), "{key}");
        }
        assert_eq!(buckets.keys("pyramids").len(), keys.len());
        buckets.expect_empty();
    }
}

#[test]
fn one_stem_is_one_pyramid_and_the_second_source_is_told() {
    let s3 = server();
    for buckets in [Buckets::folders(), Buckets::of(&s3)] {
        buckets.put_and_tell("a/x.jpg", "01", jpeg(1, 60, 40));
        buckets.drain(&[]).expect(0);
        buckets.put_and_tell("a/x.jpeg", "01", jpeg(2, 70, 40));
        buckets.put_and_tell("b/x.jpeg", "01", jpeg(2, 70, 40));
        let ran = buckets.drain(&["--max-attempts", "1"]).expect(3);
        assert!(ran.stderr.contains("failed in store: key_conflict × 1"), "{}", ran.stderr);
        assert!(ran.stderr.contains("a/x.tif"), "{}", ran.stderr);
        assert_eq!((buckets.size("a/x.tif"), buckets.size("b/x.tif")), ((60, 40), (70, 40)));
        assert_eq!(buckets.status()["failed"], 1);
        // The first may change as it likes.
        buckets.put_and_tell("a/x.jpg", "02", jpeg(3, 80, 40));
        buckets.drain(&[]).expect(0);
        assert_eq!(buckets.size("a/x.tif"), (80, 40));
        // Once it is gone, the second has the name.
        buckets.remove("a/x.jpg");
        buckets.put_and_tell("a/x.jpeg", "02", jpeg(2, 70, 40));
        let ran = buckets.drain(&[]).expect(0);
        assert!(ran.stderr.contains("a/x.jpg is gone"), "{}", ran.stderr);
        assert_eq!(buckets.size("a/x.tif"), (70, 40));
    }
}

#[test]
fn a_pyramid_of_the_system_before_is_replaced() {
    let buckets = Buckets::folders();
    buckets.write("pyramids", "a/x.tif", b"made by another program");
    buckets.put("a/x.jpg", jpeg(1, 60, 40));
    buckets.note("x", &json!({"key": "a/x.jpg", "path": "a/"}));
    buckets.drain(&[]).expect(0);
    assert_eq!(buckets.size("a/x.tif"), (60, 40));
}
