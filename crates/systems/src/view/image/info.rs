//! `info.json`, by both editions: §5.

use hyper::header;
use imgmill_image::{Edition, Limits, OutputFormat, Pyramid, PyramidLevel};
use serde_json::{Value, json};

use super::asked::FORMATS;
use crate::view::answer::{Answer, add, with_type};

/// What is done beyond level 2, in the words that both editions share.
const FEATURES: [&str; 5] =
    ["canonicalLinkHeader", "mirroring", "profileLinkHeader", "regionSquare", "rotationArbitrary"];

/// The description of an image.
pub(super) fn answer(edition: Edition, id: &str, pyramid: &Pyramid, limits: &Limits, linked: bool) -> Answer {
    let (described, number) = match edition {
        Edition::V2 => (second(id, pyramid, limits), 2),
        Edition::V3 => (third(id, pyramid, limits), 3),
    };
    let mut answer = with_type("application/json", described.to_string());
    let context = format!("http://iiif.io/api/image/{number}/context.json");
    if linked {
        let profile = format!("application/ld+json;profile=\"{context}\"");
        add(&mut answer, header::CONTENT_TYPE, &profile);
    } else {
        let rel = "http://www.w3.org/ns/json-ld#context";
        let link = format!("<{context}>;rel=\"{rel}\";type=\"application/ld+json\"");
        add(&mut answer, header::LINK, &link);
    }
    add(&mut answer, header::VARY, "accept");
    answer
}

fn third(id: &str, pyramid: &Pyramid, limits: &Limits) -> Value {
    let (width, height) = pyramid.size();
    let extra = FORMATS.iter().filter(|format| !matches!(format, OutputFormat::Jpg | OutputFormat::Png));
    json!({
        "@context": "http://iiif.io/api/image/3/context.json",
        "id": id,
        "type": "ImageService3",
        "protocol": "http://iiif.io/api/image",
        "profile": "level2",
        "width": width,
        "height": height,
        "maxArea": limits.max_pixels,
        "sizes": sizes(pyramid, limits),
        "tiles": tiles(pyramid),
        "preferredFormats": ["jpg"],
        "extraFormats": extra.map(|format| format.as_str()).collect::<Vec<_>>(),
        "extraQualities": ["color", "gray", "bitonal"],
        "extraFeatures": FEATURES.into_iter().chain(["sizeUpscaling"]).collect::<Vec<_>>(),
    })
}

fn second(id: &str, pyramid: &Pyramid, limits: &Limits) -> Value {
    let (width, height) = pyramid.size();
    let profile = json!({
        "formats": FORMATS.iter().map(|format| format.as_str()).collect::<Vec<_>>(),
        "qualities": ["default", "color", "gray", "bitonal"],
        "supports": FEATURES.into_iter().chain(["sizeAboveFull"]).collect::<Vec<_>>(),
        "maxArea": limits.max_pixels,
    });
    json!({
        "@context": "http://iiif.io/api/image/2/context.json",
        "@id": id,
        "protocol": "http://iiif.io/api/image",
        "profile": ["http://iiif.io/api/image/2/level2.json", profile],
        "width": width,
        "height": height,
        "sizes": sizes(pyramid, limits),
        "tiles": tiles(pyramid),
    })
}

/// The levels that can be had whole, from small to large.
fn sizes(pyramid: &Pyramid, limits: &Limits) -> Vec<Value> {
    let fits = |level: &PyramidLevel| u64::from(level.width) * u64::from(level.height) <= limits.max_pixels;
    let mut sizes: Vec<_> = pyramid.levels().filter(fits).collect();
    sizes.reverse();
    sizes.iter().map(|level| json!({"width": level.width, "height": level.height})).collect()
}

/// The full size's tiles, down to where one holds the image.
fn tiles(pyramid: &Pyramid) -> Value {
    let (width, height) = pyramid.size();
    let Some(PyramidLevel { tile_width, tile_height, .. }) = pyramid.levels().next() else {
        return json!([]);
    };
    let mut factors = vec![1u32];
    let is_cut = |factor: u32| width.div_ceil(factor) > tile_width || height.div_ceil(factor) > tile_height;
    while let Some(last) = factors.last().copied().filter(|factor| is_cut(*factor) && *factor < 1 << 30) {
        factors.push(last * 2);
    }
    json!([{"width": tile_width, "height": tile_height, "scaleFactors": factors}])
}
