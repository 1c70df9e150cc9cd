//! `info.json` of Image API 2.1, as go-iiif's server answers it: level 2, the features of a config, and its services.

use imgmill_image::Recipe;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::config::Config;
use super::features::Parameter;
use super::instructions::{InstructionSet, Spelling};

/// The label of the derivative whose size is the image's.
const LABEL: &str = "info";

/// What has to be made of an image to know what `info.json` says: it upright, and what services find.
///
/// # Errors
/// Never, as long as JPEG is written.
pub fn instructions(config: &Config) -> Result<InstructionSet, String> {
    let recipe = Recipe::parse_json(&json!({ LABEL: {} }).to_string()).map_err(|error| error.to_string())?;
    let recipe = recipe.with_services(config.services.clone());
    let spelling =
        Spelling { label: LABEL.into(), path: "full/full/0/color.jpg".into(), format: "jpg".into() };
    Ok(InstructionSet { recipe, spellings: vec![spelling] })
}

/// The `info.json` of an image whose report this is, to be served below `endpoint`; or what the report says went wrong.
///
/// # Errors
/// The report's own error.
pub fn info(report: &Value, config: &Config, endpoint: &str) -> Result<Value, String> {
    if let Some(error) = report.get("error") {
        return Err(error["message"].as_str().unwrap_or("it cannot be read").to_owned());
    }
    let origin = report["origin"].as_str().unwrap_or_default();
    let id = utf8_percent_encode(origin, &UNRESERVED);
    let size = &report["dimensions"][LABEL];
    let names = |parameter: Parameter| config.features.enabled(parameter);
    let supports = [Parameter::Region, Parameter::Size, Parameter::Rotation].map(names).concat();
    let mut info = json!({
        "@context": "http://iiif.io/api/image/2/context.json",
        "@id": format!("{}/{id}", endpoint.trim_end_matches('/')),
        "@type": "iiif:Image",
        "protocol": "http://iiif.io/api/image",
        "width": size[0],
        "height": size[1],
        "profile": ["http://iiif.io/api/image/2/level2.json", {
            "formats": names(Parameter::Format),
            "qualities": names(Parameter::Quality),
            "supports": supports,
        }],
    });
    let services: Vec<Value> = ["palette", "blurhash", "imagehash"]
        .into_iter()
        .filter_map(|name| Some(service(name, report.get(name)?)))
        .collect();
    if !services.is_empty() {
        info["service"] = services.into();
    }
    Ok(info)
}

/// The name is one part of a path.
const UNRESERVED: percent_encoding::AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn service(name: &str, found: &Value) -> Value {
    let urn = format!("x-urn:service:go-iiif#{name}");
    let mut service = Map::new();
    for key in ["@context", "profile", "label"] {
        service.insert(key.to_owned(), urn.clone().into());
    }
    match (name, found) {
        ("blurhash", hash) => {
            service.insert("hash".to_owned(), hash.clone());
        }
        (_, Value::Object(values)) => service.extend(values.clone()),
        (_, values) => {
            service.insert(name.to_owned(), values.clone());
        }
    }
    service.into()
}
