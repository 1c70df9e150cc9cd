//! `iiif-transform` and `imgmill iiif info`.

use std::fs;

use serde_json::Value;

use super::{command, files, place, words};
use crate::harness::{Ran, jpeg};

#[test]
fn a_transformation_takes_the_images_own_name() {
    let place = place();
    fs::write(place.path("images/source/a.jpg"), jpeg(1)).unwrap();
    let transform =
        |line: &str| Ran::of(command(&place, "iiif-transform").args(words(line)).spawn().unwrap());
    transform("-config config.json -region -1,-1,20,10 -quality dither source/a.jpg").expect(0);
    transform("-config config.json -size 9, -format png file:///source/a.jpg?target=b/c.png").expect(0);
    assert_eq!(files(&place.path("cache")), ["b/c.png", "source/a.jpg"]);
    assert_eq!(image::image_dimensions(place.path("cache/source/a.jpg")).unwrap(), (20, 10));
    assert_eq!(image::image_dimensions(place.path("cache/b/c.png")).unwrap().0, 9);
    transform("-config config.json -quality bitonal source/a.jpg").expect(2);
    let same = format!(
        "-config config.json -size 9, -config-derivatives-cache-uri file://{}",
        place.path("images").display()
    );
    let ran = transform(&format!("{same} source/a.jpg")).expect(2);
    assert!(ran.stderr.contains("images would be replaced"), "{}", ran.stderr);
    assert_eq!(fs::read(place.path("images/source/a.jpg")).unwrap(), jpeg(1));
}

#[test]
fn info_says_what_a_server_would() {
    let place = place();
    fs::write(place.path("images/source/a.jpg"), jpeg(1)).unwrap();
    let info =
        |line: &str| Ran::of(place.command().args(["iiif", "info"]).args(words(line)).spawn().unwrap());
    let ran = info("-config config.json -endpoint https://example.org/iiif/ source/a.jpg").expect(0);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(found["@id"], "https://example.org/iiif/source%2Fa.jpg");
    assert_eq!((&found["width"], &found["height"]), (&64.into(), &48.into()));
    let profile = &found["profile"];
    assert_eq!(profile[0], "http://iiif.io/api/image/2/level2.json");
    let has = |list: &Value, name: &str| list.as_array().unwrap().contains(&name.into());
    assert!(has(&profile[1]["formats"], "webp") && !has(&profile[1]["formats"], "jp2"));
    assert!(has(&profile[1]["qualities"], "dither") && !has(&profile[1]["qualities"], "bitonal"));
    assert!(has(&profile[1]["supports"], "sizeByW") && !has(&profile[1]["supports"], "rotationArbitrary"));
    let services = found["service"].as_array().unwrap();
    assert_eq!(services.len(), 3);
    assert_eq!(services[1]["@context"], "x-urn:service:go-iiif#blurhash");
    assert!(services[1]["hash"].is_string() && services[2]["average"].is_string());
    assert!(services[0]["palette"].is_array());
    assert!(!place.path("cache").exists(), "nothing is stored");
    let failed = info("-config config.json source/a.jpg none.jpg").expect(3);
    assert!(
        failed.stderr.contains("none.jpg: ") && failed.stdout.contains("source%2Fa.jpg"),
        "{}",
        failed.stderr
    );
}
