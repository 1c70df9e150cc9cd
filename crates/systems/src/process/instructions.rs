//! go-iiif's `instructions.json`: what is made of every source, and how each part of it is spelled in paths.

use imgmill_image::{Edition, Entries, Recipe, Services};
use serde_json::{Map, Value};

use super::features::{Features, Parameter};

/// What is made of every source.
#[derive(Debug, Clone)]
pub struct InstructionSet {
    /// As the engine takes it.
    pub recipe: Recipe,
    /// The same, as paths have it: one for each derivative, in order.
    pub spellings: Vec<Spelling>,
}

/// One instruction as it was written, with nothing missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelling {
    /// Its label.
    pub label: String,
    /// `region/size/rotation/quality.format`, with `color` for `default`.
    pub path: String,
    /// Its format alone.
    pub format: String,
}

/// What `defaults://` stands for.
pub const DEFAULT: &str = r#"{
  "o": {"size": "full", "rotation": "-1"},
  "b": {"size": "!2048,1536"},
  "d": {"region": "-1,-1,320,320", "quality": "dither"}
}"#;

impl InstructionSet {
    /// Reads instructions, as far as `features` allow them.
    ///
    /// # Errors
    /// One sentence with the label and what is wrong with it.
    pub fn read(text: &str, features: &Features, services: Services) -> Result<InstructionSet, String> {
        let Entries::<Value>(entries) = serde_json::from_str(text)
            .map_err(|error| format!("the instructions are no JSON object of labels: {error}"))?;
        let (mut spellings, mut recipe) = (Vec::new(), Vec::new());
        for (label, value) in entries {
            let mut entry = match value {
                Value::Object(entry) => entry,
                other => return Err(super::json::wrong(&label, "an object", &other)),
            };
            let [region, size, rotation, quality, format] = given(&label, &entry)?;
            for (parameter, value) in
                Parameter::ALL.into_iter().zip([&region, &size, &rotation, &quality, &format])
            {
                features.check(parameter, value).map_err(|why| format!("instruction {label:?}: {why}"))?;
            }
            entry.insert("quality".to_owned(), known_quality(&quality).into());
            entry.insert("format".to_owned(), known_format(&format).into());
            let stored = if quality == "default" { "color" } else { &quality };
            let path = format!("{region}/{size}/{rotation}/{stored}.{format}");
            spellings.push(Spelling { label: label.clone(), path, format });
            recipe.push(format!("{}:{}", Value::from(label), Value::Object(entry)));
        }
        // Written piece by piece, so that order is kept and a label given twice is seen.
        let recipe = format!("{{{}}}", recipe.join(","));
        let recipe =
            Recipe::parse_json_as(&recipe, Edition::V2).map_err(|error| format!("instructions: {error}"))?;
        Ok(InstructionSet { recipe: recipe.with_services(services), spellings })
    }
}

/// The five values, with what stands for those that are missing or empty.
fn given(label: &str, entry: &Map<String, Value>) -> Result<[String; 5], String> {
    let value = |parameter: Parameter, default: &str| match entry.get(parameter.as_str()) {
        None | Some(Value::Null) => Ok(default.to_owned()),
        Some(Value::String(text)) if text.is_empty() => Ok(default.to_owned()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(other) => Err(super::json::wrong(&format!("{label}.{}", parameter.as_str()), "a string", other)),
    };
    Ok([
        value(Parameter::Region, "full")?,
        value(Parameter::Size, "full")?,
        value(Parameter::Rotation, "0")?,
        value(Parameter::Quality, "default")?,
        value(Parameter::Format, "jpg")?,
    ])
}

/// go-iiif takes two spellings of some words.
fn known_quality(quality: &str) -> &str {
    match quality {
        "colour" => "color",
        "grey" => "gray",
        other => other,
    }
}

fn known_format(format: &str) -> &str {
    match format {
        "jpeg" => "jpg",
        "tiff" => "tif",
        other => other,
    }
}
