//! Manifests and collections in the words of the IIIF Presentation API 3.0.

use serde_json::{Map, Value, json};

use super::image::{Image, Served};
use super::list::{Manifest, Page};
use super::{COLLECTION, ImageApi, Settings, ranges};
use crate::view::key;

const CONTEXT: &str = "http://iiif.io/api/presentation/3/context.json";
/// Pixels of a thumbnail's longer side, at the least where there is a choice.
const THUMBNAIL: u32 = 300;

/// Texts of one language.
pub(super) struct Words<'a>(&'a str);

impl Words<'_> {
    /// A text as a language map.
    pub(super) fn of(&self, text: &str) -> Value {
        json!({ self.0: [text] })
    }

    fn pairs(&self, metadata: &[(String, String)]) -> Vec<Value> {
        metadata
            .iter()
            .map(|(label, value)| json!({"label": self.of(label), "value": self.of(value)}))
            .collect()
    }
}

/// A manifest's URL without its ending, which its parts' are below.
fn base_of(settings: &Settings, manifest: &Manifest) -> String {
    format!("{}/{}", settings.base, key::as_identifier(&manifest.name))
}

/// The manifest of these pages, and of these images in the same order.
pub(super) fn manifest(settings: &Settings, manifest: &Manifest, images: &[Image]) -> Value {
    let about = &settings.about;
    let words = Words(&about.language);
    let base = base_of(settings, manifest);
    let pages = || manifest.pages.iter().zip(images).enumerate();
    let canvases: Vec<Value> =
        pages().map(|(number, (page, image))| canvas(settings, &base, number, page, image)).collect();
    let mut made = Map::new();
    let mut say = |name: &str, value: Value| made.insert(name.to_owned(), value);
    say("@context", json!(CONTEXT));
    say("id", json!(format!("{base}.json")));
    say("type", json!("Manifest"));
    say("label", words.of(&manifest.label));
    if let Some(summary) = &manifest.summary {
        say("summary", words.of(summary));
    }
    if !manifest.metadata.is_empty() {
        say("metadata", json!(words.pairs(&manifest.metadata)));
    }
    if let Some(rights) = manifest.rights.as_ref().or(about.rights.as_ref()) {
        say("rights", json!(rights));
    }
    let asked = manifest.required_statement.as_deref().map(statement);
    if let Some((label, value)) = asked.or_else(|| about.required_statement.clone()) {
        say("requiredStatement", json!({"label": words.of(&label), "value": words.of(&value)}));
    }
    if !about.behavior.is_empty() {
        say("behavior", json!(about.behavior));
    }
    if let Some(direction) = &about.viewing_direction {
        say("viewingDirection", json!(direction));
    }
    if let Some(first) = images.first() {
        say("thumbnail", json!([thumbnail(settings, first)]));
    }
    say("items", json!(canvases));
    let paths: Vec<&[String]> = manifest.pages.iter().map(|page| page.range.as_slice()).collect();
    let structures = ranges::structures(&paths, &base, &words);
    if !structures.is_empty() {
        say("structures", json!(structures));
    }
    Value::Object(made)
}

/// What a collection says of a manifest.
pub(super) fn member(settings: &Settings, manifest: &Manifest, made: &Value) -> Value {
    json!({
        "id": format!("{}.json", base_of(settings, manifest)),
        "type": "Manifest",
        "label": made["label"],
        "thumbnail": made["thumbnail"],
    })
}

/// The collection of all manifests.
pub(super) fn collection(settings: &Settings, members: Vec<Value>) -> Value {
    let words = Words(&settings.about.language);
    json!({
        "@context": CONTEXT,
        "id": format!("{}/{COLLECTION}.json", settings.base),
        "type": "Collection",
        "label": words.of(settings.about.label.as_deref().unwrap_or("Collection")),
        "items": members,
    })
}

/// A label and a value: `Label: value`, or a value under the usual label.
pub fn statement(text: &str) -> (String, String) {
    match text.split_once(": ") {
        Some((label, value)) if !label.trim().is_empty() => {
            (label.trim().to_owned(), value.trim().to_owned())
        }
        _ => ("Attribution".to_owned(), text.to_owned()),
    }
}

/// The URL of a canvas, counted from 0.
pub(super) fn canvas_id(base: &str, number: usize) -> String {
    format!("{base}/canvas/{}", number + 1)
}

fn canvas(settings: &Settings, base: &str, number: usize, page: &Page, image: &Image) -> Value {
    let words = Words(&settings.about.language);
    let id = canvas_id(base, number);
    let (width, height) = image.size;
    let mut canvas = json!({
        "id": id,
        "type": "Canvas",
        "label": words.of(&page.label),
        "width": width,
        "height": height,
        "thumbnail": [thumbnail(settings, image)],
        "items": [{
            "id": format!("{id}/page"),
            "type": "AnnotationPage",
            "items": [{
                "id": format!("{id}/image"),
                "type": "Annotation",
                "motivation": "painting",
                "body": body(settings, image),
                "target": id,
            }],
        }],
    });
    if !page.metadata.is_empty() {
        canvas["metadata"] = json!(words.pairs(&page.metadata));
    }
    canvas
}

/// The image of a canvas, and the service that gives its parts.
fn body(settings: &Settings, image: &Image) -> Value {
    let address = Address::of(settings, image);
    let (width, height) = image.size;
    let mut body = json!({
        "id": address.whole(),
        "type": "Image",
        "format": address.media_type(),
        "width": width,
        "height": height,
    });
    if let Some(service) = address.service() {
        body["service"] = json!([service]);
    }
    body
}

fn thumbnail(settings: &Settings, image: &Image) -> Value {
    let address = Address::of(settings, image);
    let (width, height) = address.small();
    let mut thumbnail = json!({
        "id": address.sized((width, height)),
        "type": "Image",
        "format": address.media_type(),
        "width": width,
        "height": height,
    });
    if let Some(service) = address.service() {
        thumbnail["service"] = json!([service]);
    }
    thumbnail
}

/// Where an image and its parts are.
struct Address<'a> {
    base: String,
    image: &'a Image,
    api: ImageApi,
}

impl<'a> Address<'a> {
    fn of(settings: &Settings, image: &'a Image) -> Self {
        let (name, api) = match &image.served {
            Served::Pyramid { identifier, .. } => (identifier, settings.image_api),
            Served::Tiles { path, is_second: true, .. } => (path, ImageApi::Second),
            Served::Tiles { path, is_second: false, .. } => (path, ImageApi::Third),
            Served::File { path, .. } => (path, settings.image_api),
        };
        Address { base: format!("{}/{name}", settings.image_base), image, api }
    }

    fn media_type(&self) -> &'static str {
        match self.image.served {
            Served::File { media_type, .. } => media_type,
            _ => "image/jpeg",
        }
    }

    /// The image as large as it is given.
    fn whole(&self) -> String {
        match (&self.image.served, self.api) {
            (Served::File { .. }, _) => self.base.clone(),
            (Served::Pyramid { .. }, ImageApi::Second) => format!("{}/full/full/0/default.jpg", self.base),
            _ => format!("{}/full/max/0/default.jpg", self.base),
        }
    }

    /// The image at a size.
    fn sized(&self, (width, height): (u32, u32)) -> String {
        match (&self.image.served, self.api) {
            (Served::File { .. }, _) => self.base.clone(),
            (_, ImageApi::Second) => format!("{}/full/{width},/0/default.jpg", self.base),
            (_, ImageApi::Third) => format!("{}/full/{width},{height}/0/default.jpg", self.base),
        }
    }

    /// The smallest of the sizes that are there which is no smaller than a thumbnail.
    fn small(&self) -> (u32, u32) {
        let sizes = match &self.image.served {
            Served::Pyramid { sizes, .. } | Served::Tiles { sizes, .. } => sizes.as_slice(),
            Served::File { .. } => &[],
        };
        let longer = |(w, h): &(u32, u32)| (*w).max(*h);
        let enough = sizes.iter().filter(|size| longer(size) >= THUMBNAIL).min_by_key(|size| longer(size));
        enough.or_else(|| sizes.iter().max_by_key(|size| longer(size))).copied().unwrap_or(self.image.size)
    }

    fn service(&self) -> Option<Value> {
        let level = match self.image.served {
            Served::Pyramid { .. } => 2,
            Served::Tiles { .. } => 0,
            Served::File { .. } => return None,
        };
        Some(match self.api {
            ImageApi::Third => {
                json!({"id": self.base, "type": "ImageService3", "profile": format!("level{level}")})
            }
            ImageApi::Second => json!({
                "@id": self.base,
                "@type": "ImageService2",
                "profile": format!("http://iiif.io/api/image/2/level{level}.json"),
            }),
        })
    }
}
