//! `process.json`: what was made of a URI, in go-iiif's words.

use imgmill_image::{ColourList, Findings, Rgb};
use imgmill_pipeline::identity::hex;
use imgmill_pipeline::outcome::Derived;
use imgmill_pipeline::{Error, Outcome};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::naming::Paths;
use super::uri::Uri;

/// How a report is called where nobody says otherwise.
pub const NAME: &str = "process.json";
/// And where all go to one bucket.
pub const TEMPLATE: &str = "process_{sha256_origin}.json";

const PLACEHOLDER: &str = "{sha256_origin}";

/// A report's name for one image: a name, or a template with `{sha256_origin}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportName(String);

impl std::str::FromStr for ReportName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.replace(PLACEHOLDER, "");
        if rest.contains(['{', '}']) {
            return Err(format!("{text:?}: only {PLACEHOLDER} is known"));
        }
        if text.is_empty() || text.contains(['/', '\\']) || matches!(text, "." | "..") {
            return Err(format!("{text:?} is no name of a file"));
        }
        Ok(ReportName(text.to_owned()))
    }
}

impl ReportName {
    pub(super) fn of(&self, uri: &Uri) -> String {
        if !self.0.contains(PLACEHOLDER) {
            return self.0.clone();
        }
        self.0.replace(PLACEHOLDER, &hex(&Sha256::digest(uri.origin.as_bytes())))
    }
}

/// What is told of a URI.
pub(super) fn report(paths: &Paths, outcome: &Outcome, lists: &[ColourList]) -> Value {
    let mut report = begun(&paths.uri);
    match &outcome.result {
        Ok(derived) => add(&mut report, paths, derived, lists),
        Err(error) => {
            report.insert("error".to_owned(), told(error));
        }
    }
    Value::Object(report)
}

/// What is told of a text that is no URI.
pub(super) fn refused(text: &str, why: &str) -> Value {
    json!({"origin_uri": text, "error": {"stage": "source", "kind": "invalid_url", "message": why}})
}

fn begun(uri: &Uri) -> Map<String, Value> {
    let mut report = Map::new();
    report.insert("origin".to_owned(), uri.origin.clone().into());
    report.insert("origin_uri".to_owned(), uri.to_string().into());
    report
}

fn add(report: &mut Map<String, Value>, paths: &Paths, derived: &Derived, lists: &[ColourList]) {
    let (mut uris, mut dimensions) = (Map::new(), Map::new());
    for rendition in &derived.renditions {
        if let Some(path) = paths.path(&rendition.label) {
            uris.insert(rendition.label.clone(), Uri::of_path(&path).into());
            dimensions.insert(rendition.label.clone(), json!([rendition.width, rendition.height]));
        }
    }
    report.insert("uris".to_owned(), uris.into());
    report.insert("dimensions".to_owned(), dimensions.into());
    if let Some(findings) = &derived.findings {
        report.extend(found(findings, lists));
    }
    if !derived.left_out.is_empty() {
        let errors = derived.left_out.iter().map(|(label, error)| (label.clone(), told(error)));
        report.insert("errors".to_owned(), errors.collect::<Map<_, _>>().into());
    }
}

fn told(error: &Error) -> Value {
    json!({"stage": error.stage().to_string(), "kind": error.kind().as_str(), "message": error.chain()})
}

/// What services found, each under its name.
pub(super) fn found(findings: &Findings, lists: &[ColourList]) -> Map<String, Value> {
    let Findings { palette, blurhash, image_hash, sha1 } = findings;
    let mut found = Map::new();
    if let Some(sha1) = sha1 {
        found.insert("origin_fingerprint".to_owned(), hex(sha1).into());
    }
    if let Some(colours) = palette {
        let colours: Vec<Value> = colours.iter().map(|colour| named(*colour, lists)).collect();
        found.insert("palette".to_owned(), colours.into());
    }
    if let Some(blurhash) = blurhash {
        found.insert("blurhash".to_owned(), blurhash.clone().into());
    }
    if let Some(hash) = image_hash {
        let (average, difference) = (hash.average, hash.difference);
        let hashes =
            json!({"average": format!("a:{average:016x}"), "difference": format!("d:{difference:016x}")});
        found.insert("imagehash".to_owned(), hashes);
    }
    found
}

/// A colour with what it is nearest to in each list.
fn named(rgb: Rgb, lists: &[ColourList]) -> Value {
    let written = |rgb: Rgb| format!("#{}", hex(&rgb));
    let mut colour = json!({"name": written(rgb), "hex": written(rgb), "reference": "vibrant"});
    let closest: Vec<Value> = lists
        .iter()
        .filter_map(|list| Some((list.nearest(rgb)?, list)))
        .map(|(near, list)| json!({"name": near.name, "hex": written(near.rgb), "reference": list.as_str()}))
        .collect();
    if !closest.is_empty() {
        colour["closest"] = closest.into();
    }
    colour
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_the_images() {
        let name =
            |text: &str| text.parse::<ReportName>().map(|name| name.of(&Uri::read("test.jpg").unwrap()));
        assert_eq!(name(NAME).unwrap(), "process.json");
        let hashed = "process_0d407ee6406a1216f2366674a1a9ff71361d5bef47021f8eb8b51f95e319dd56.json";
        assert_eq!(name(TEMPLATE).unwrap(), hashed, "as go-iiif's documentation has it");
        for bad in ["", "a/b.json", "..", "{id}.json", "x}"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn colours_have_the_names_of_their_neighbours() {
        let plain = named([0xb8, 0x75, 0x31], &[]);
        assert_eq!(plain, json!({"name": "#b87531", "hex": "#b87531", "reference": "vibrant"}));
        let closest = &named([102, 51, 152], &[ColourList::Crayola, ColourList::Css4])["closest"];
        assert_eq!(closest[1], json!({"name": "rebeccapurple", "hex": "#663399", "reference": "css4"}));
        assert_eq!(closest[0]["reference"], "crayola");
    }
}
