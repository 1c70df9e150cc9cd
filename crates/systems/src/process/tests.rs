//! Configs and instructions as people have them, and what is said of those that are not as they must be.

use imgmill_image::{BlurHash, ColourList};
use imgmill_pipeline::objects::CredentialSource;

use super::config::{self, Config, Overrides};
use super::instructions::{self, InstructionSet};
use super::place::{Bucket, Place};

const PLACES: &str = r#""images": {"source": {"name": "Disk", "path": "/srv/images"}},
    "derivatives": {"cache": {"name": "Null"}}"#;

fn config(inside: &str) -> Result<Config, String> {
    Config::read(&format!("{{{inside}}}"), &Overrides::default())
}

fn with(inside: &str) -> Result<Config, String> {
    config(&format!("{PLACES}, {inside}"))
}

fn source(inside: &str) -> Result<Place, String> {
    let inside =
        format!(r#""images": {{"source": {inside}}}, "derivatives": {{"cache": {{"name": "null"}}}}"#);
    config(&inside).map(|config| config.source)
}

fn bucket(url: &str, region: Option<&str>, credentials: CredentialSource) -> Place {
    Place::Bucket(Bucket { url: url.into(), region: region.map(Into::into), credentials })
}

/// The example that go-iiif's users begin with, in both generations' spellings.
const EXAMPLE: &str = include_str!("../../tests/go-iiif/config.json");
const EXAMPLE_INSTRUCTIONS: &str = include_str!("../../tests/go-iiif/instructions.json");

#[test]
fn the_published_example_is_read_without_a_word() {
    let config = Config::read(EXAMPLE, &Overrides::default()).unwrap();
    assert_eq!(config.warnings, [""; 0]);
    assert_eq!(config.services.palette, Some(5));
    assert_eq!(config.services.blurhash, Some(BlurHash { across: 8, down: 8, longest: 200 }));
    assert!(config.services.image_hash && config.services.sha1);
    assert_eq!(config.colour_lists, [ColourList::Crayola, ColourList::Css4]);
    assert!(config.source.folder().unwrap().ends_with("images"));
    assert!(config.derivatives.folder().unwrap().ends_with("cache"));
    let set = InstructionSet::read(EXAMPLE_INSTRUCTIONS, &config.features, config.services).unwrap();
    let paths: Vec<_> = set.spellings.iter().map(|one| (one.label.as_str(), one.path.as_str())).collect();
    let expected = [
        ("o", "full/full/-1/color.jpg"),
        ("b", "full/!2048,1536/0/color.jpg"),
        ("d", "-1,-1,320,320/full/0/dither.jpg"),
    ];
    assert_eq!(paths, expected);
}

#[test]
fn the_built_in_defaults_want_places_and_nothing_else() {
    let refused = Config::read(config::DEFAULT, &Overrides::default()).unwrap_err();
    assert!(refused.contains("-config-images-source-uri"), "{refused}");
    let overrides = Overrides {
        source: Some("file:///in".into()),
        derivatives: Some("s3blob://out?region=eu-west-1".into()),
    };
    let config = Config::read(config::DEFAULT, &overrides).unwrap();
    assert_eq!(config.warnings, [""; 0]);
    assert_eq!(config.derivatives, bucket("s3://out", Some("eu-west-1"), CredentialSource::Chain));
    assert!(InstructionSet::read(instructions::DEFAULT, &config.features, config.services).is_ok());
}

#[test]
fn places_go_by_name_or_by_url() {
    use CredentialSource::{Chain, Environment};
    let profile = |name: &str, file: Option<&str>| CredentialSource::Profile {
        name: name.into(),
        file: file.map(Into::into),
    };
    for (written, place) in [
        (r#"{"name": "disk", "path": "/a b/c?metadata=skip"}"#, bucket("file:///a%20b/c", None, Chain)),
        (r#"{"name": "Disk", "path": "file:///a/"}"#, bucket("file:///a", None, Chain)),
        (
            r#"{"name": "S3", "path": "pix", "prefix": "a b/", "region": "us-east-1", "credentials": "iam:"}"#,
            bucket("s3://pix/a%20b", Some("us-east-1"), Chain),
        ),
        (
            r#"{"name": "s3blob", "path": "pix", "credentials": "env:"}"#,
            bucket("s3://pix", None, Environment),
        ),
        (
            r#"{"name": "S3", "path": "pix", "credentials": "me"}"#,
            bucket("s3://pix", None, profile("me", None)),
        ),
        (
            r#"{"name": "Blob", "path": "s3blob://pix?prefix=x/y/&region=r&credentials=/etc/aws:me"}"#,
            bucket("s3://pix/x/y", Some("r"), profile("me", Some("/etc/aws"))),
        ),
        (r#"{"uri": "s3blob:///pix/deep?region=r"}"#, bucket("s3://pix/deep", Some("r"), Chain)),
        (r#"{"uri": "file:///srv/x", "name": "Flickr"}"#, bucket("file:///srv/x", None, Chain)),
    ] {
        assert_eq!(source(written).unwrap(), place, "{written}");
    }
    let web = source(r#"{"name": "URI", "path": "https://example.org/{id}"}"#).unwrap();
    let newer = source(r#"{"uri": "rfc6570://?template=https://example.org/{id}"}"#).unwrap();
    assert!(web == newer && matches!(web, Place::Web(_)));
}

#[test]
fn what_is_wrong_is_named_with_its_path() {
    for (read, says) in [
        (config("[]"), "no JSON"),
        (config(r#""images": []"#), "images: an object is meant, and there is a list"),
        (
            config(r#""images": {"source": {"name": "Disk", "path": "/a"}}"#),
            "derivatives.cache: a place is meant",
        ),
        (config(r#""derivatives": {"cache": {"name": "Null"}}"#), "images.source: a place is meant"),
        (source(r#"{"name": 7}"#).map(drop_place), "images.source.name: a string is meant, and there is 7"),
        (source(r#"{"path": "/a"}"#).map(drop_place), "images.source.name: a name is meant"),
        (source(r#"{"name": "Disk"}"#).map(drop_place), "images.source.path: a path is meant"),
        (source(r#"{"name": "Tape", "path": "/a"}"#).map(drop_place), "\"Tape\" is not one of Disk"),
        (source(r#"{"name": "Flickr"}"#).map(drop_place), "Flickr is not read here"),
        (source(r#"{"name": "S3", "path": "{S3_BUCKET}"}"#).map(drop_place), "{S3_BUCKET} is a placeholder"),
        (source(r#"{"name": "S3", "path": "b", "credentials": "x:"}"#).map(drop_place), "PATH:PROFILE"),
        (source(r#"{"uri": "ftp://h"}"#).map(drop_place), "images.source.uri: ftp:// is not known"),
        (source(r#"{"name": "Memory"}"#).map(drop_place), "nothing can be read from there"),
        (
            with(r#""profile": {"services": {"enable": ["faces"]}}"#),
            "profile.services.enable[0]: \"faces\" is not one of",
        ),
        (
            with(r#""profile": {"services": {"enable": ["blurhash"]}}, "blurhash": {"x": 4, "size": 32}"#),
            "blurhash.y: a whole number",
        ),
        (
            with(
                r#""profile": {"services": {"enable": ["blurhash"]}}, "blurhash": {"x": 40, "y": 3, "size": 32}"#,
            ),
            "blurhash.x: a whole number from 1 to 9",
        ),
        (with(r#""palette": {"extruder": {"name": "marekm4"}}"#), "palette.extruder.name"),
        (
            with(r#""palette": {"palettes": ["pantone"]}"#),
            "palette.palettes[0]: \"pantone\" is not one of crayola",
        ),
        (with(r#""graphics": {"source": {"name": "magick"}}"#), "graphics.source.name: \"magick\""),
        (
            with(r#""features": {"enable": {"size": ["huge"]}}"#),
            "features.enable.size: there is no feature \"huge\"",
        ),
        (with(r#""features": {"disable": {"size": "max"}}"#), "features.disable.size: a list is meant"),
        (
            with(r#""features": {"append": {"quality": {"x": {"supported": true}}}}"#),
            "features.append.quality.x.match: a regular expression",
        ),
        (
            with(r#""features": {"append": {"quality": {"x": {"match": "("}}}}"#),
            "features.append.quality.x.match",
        ),
        (with(r#""level": {"compliance": true}"#), "level.compliance"),
    ] {
        let error = read.unwrap_err();
        assert!(error.contains(says), "{error}\nshould say {says}");
    }
}

fn drop_place(_: Place) -> Config {
    Config::read(EXAMPLE, &Overrides::default()).unwrap()
}

#[test]
fn keys_that_nobody_knows_are_named() {
    let config = with(
        r#""level": {"compliance": "2", "strict": true}, "flickr": {"apikey": "x"},
           "palette": {"extruder": {"nmae": "vibrant"}}, "features": {"enabled": {}}, "graphics": {"driver": "vips://"}"#,
    );
    let mut warnings = config.unwrap().warnings;
    warnings.sort();
    let named: Vec<_> = warnings.iter().map(|warning| warning.split(':').next().unwrap()).collect();
    assert_eq!(named, ["features.enabled", "flickr", "level.strict", "palette.extruder.nmae"]);
    let cached = r#""images": {"source": {"name": "Disk", "path": "/a"}, "cache": {"name": "Disk", "path": "/b"}},
        "derivatives": {"cache": {"name": "Null"}}"#;
    assert!(
        super::config::Config::read(&format!("{{{cached}}}"), &Overrides::default()).unwrap().warnings[0]
            .contains("images.cache")
    );
}

#[test]
fn newer_files_are_read_too() {
    let config = with(
        r#""palette_service": {"palettes": [{"name": "css3"}, "crayola://"]}, "graphics": {"driver": "native://"}"#,
    );
    assert_eq!(config.unwrap().colour_lists, [ColourList::Css3, ColourList::Crayola]);
}

fn instructions(features: &str, inside: &str) -> Result<InstructionSet, String> {
    let config = with(&format!(r#""features": {features}"#)).unwrap();
    InstructionSet::read(&format!(r#"{{"a": {inside}}}"#), &config.features, config.services)
}

#[test]
fn features_decide_what_may_be_asked() {
    let dither = r#"{"append": {"quality": {"dither": {"syntax": "dither", "required": false, "supported": true, "match": "^dither$"}}}}"#;
    for (features, inside, says) in [
        ("{}", r#"{"quality": "dither"}"#, "instruction \"a\": quality \"dither\" is no feature of quality"),
        (
            r#"{"disable": {"quality": ["gray"]}}"#,
            r#"{"quality": "gray"}"#,
            "needs the feature gray, which is not",
        ),
        ("{}", r#"{"format": "webp"}"#, "needs the feature webp"),
        (
            r#"{"disable": {"rotation": ["rotationArbitrary"]}}"#,
            r#"{"rotation": "22.5"}"#,
            "rotationArbitrary",
        ),
        (r#"{"disable": {"size": ["sizeByConfinedWh"]}}"#, r#"{"size": "!20,20"}"#, "sizeByConfinedWh"),
        ("{}", r#"{"size": "^20,20"}"#, "no feature of size"),
        ("{}", r#"{"rotation": true}"#, "a.rotation: a string is meant, and there is true"),
        (r#"{"enable": {"format": ["jp2"]}}"#, r#"{"format": "jp2"}"#, "jp2"),
        ("{}", r#"{"region": "0,0,0,0"}"#, "derivative “a”"),
        ("{}", r#"{"colour": "red"}"#, "colour"),
    ] {
        let error = instructions(features, inside).unwrap_err();
        assert!(error.contains(says), "{error}\nshould say {says}");
    }
    for (features, inside, path) in [
        (dither, r#"{"quality": "dither"}"#, "full/full/0/dither.jpg"),
        (r#"{"disable": {"size": ["sizeByDistortedWh"]}}"#, r#"{"size": "20,20"}"#, "full/20,20/0/color.jpg"),
        (
            r#"{"enable": {"format": ["webp"]}}"#,
            r#"{"quality": "grey", "format": "webp"}"#,
            "full/full/0/grey.webp",
        ),
        ("{}", r#"{"format": "jpeg", "rotation": -1, "q": 70}"#, "full/full/-1/color.jpeg"),
    ] {
        assert_eq!(instructions(features, inside).unwrap().spellings[0].path, path);
    }
    let twice = with("\"level\": {}").unwrap();
    assert!(InstructionSet::read(r#"{"a": {}, "a": {}}"#, &twice.features, twice.services.clone()).is_err());
    assert!(
        InstructionSet::read("[]", &twice.features, twice.services).unwrap_err().contains("object of labels")
    );
}
