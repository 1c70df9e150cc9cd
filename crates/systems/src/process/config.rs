//! go-iiif's `config.json`: what of it is used here, checked.

use std::cell::RefCell;

use imgmill_image::{BlurHash, ColourList, Services};
use serde_json::Value;

use super::features::Features;
use super::json::{Object, wrong};
use super::place::Place;

/// What a config says.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where sources are.
    pub source: Place,
    /// Where derivatives go.
    pub derivatives: Place,
    /// What may be asked for.
    pub features: Features,
    /// What is found out about each source.
    pub services: Services,
    /// The lists that colours of a palette get names from.
    pub colour_lists: Vec<ColourList>,
    /// What somebody should know of the file that is no error, a sentence each.
    pub warnings: Vec<String>,
}

/// Places that are named elsewhere than in the file, and win.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// For `images.source`, as a URL.
    pub source: Option<String>,
    /// For `derivatives.cache`, as a URL.
    pub derivatives: Option<String>,
}

/// What `defaults://` stands for. Places are to be named by flags.
pub const DEFAULT: &str = r#"{
  "level": {"compliance": "2"},
  "profile": {"services": {"enable": ["palette", "blurhash", "imagehash"]}},
  "palette": {"extruder": {"name": "vibrant", "count": 5}, "grid": {"name": "euclidian"}, "palettes": ["crayola", "css4"]},
  "blurhash": {"x": 8, "y": 8, "size": 200},
  "features": {
    "enable": {"size": ["max"], "format": ["webp", "tif", "gif"], "rotation": ["noAutoRotate"]},
    "disable": {"rotation": ["rotationArbitrary"], "quality": ["bitonal"]},
    "append": {"quality": {
      "dither": {"syntax": "dither", "required": false, "supported": true, "match": "^dither$"},
      "crisp": {"syntax": "crisp", "required": false, "supported": true,
                "match": "^crisp(?::\\d+\\.\\d+,\\d+\\.\\d+,\\d+\\.\\d+)?$"}
    }}
  },
  "images": {"source": {"uri": "mem://"}},
  "derivatives": {"cache": {"uri": "mem://"}}
}"#;

impl Config {
    /// Reads a config.
    ///
    /// # Errors
    /// One sentence with the path of what is not as it must be.
    pub fn read(text: &str, overrides: &Overrides) -> Result<Config, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| format!("this is no JSON: {error}"))?;
        let warnings = RefCell::default();
        let root = Object::root(&value, &warnings)?;
        level(root.object("level")?)?;
        graphics(root.object("graphics")?)?;
        let (services, colour_lists) = services(&root)?;
        let features = root.object("features")?;
        let allowed = Features::read(&features)?;
        features.close();
        let (images, derivatives) = (root.object("images")?, root.object("derivatives")?);
        let source = place(&images, "source", overrides.source.as_deref(), "-config-images-source-uri")?;
        let cache =
            place(&derivatives, "cache", overrides.derivatives.as_deref(), "-config-derivatives-cache-uri")?;
        images_cache(&images)?;
        images.close();
        derivatives.close();
        if source == Place::Nowhere {
            let at = "images.source";
            return Err(format!(
                "{at}: nothing can be read from there; name a place in the file or with -config-images-source-uri"
            ));
        }
        if matches!(cache, Place::Web(_)) {
            return Err("derivatives.cache: nothing can be put to a URI; Disk, S3, S3Blob, Blob, Memory or Null is meant".to_owned());
        }
        root.close();
        let warnings = warnings.into_inner();
        Ok(Config { source, derivatives: cache, features: allowed, services, colour_lists, warnings })
    }
}

fn level(level: Object<'_>) -> Result<(), String> {
    match level.value("compliance") {
        None => {}
        Some(Value::String(text)) if text == "2" => {}
        Some(Value::Number(number)) if number.as_u64() == Some(2) => {}
        Some(Value::String(_) | Value::Number(_)) => {
            level.warn("compliance", "level 2 is what requests are held to here");
        }
        Some(other) => return Err(wrong("level.compliance", "a level, \"2\",", other)),
    }
    level.close();
    Ok(())
}

/// All engines mean ours.
fn graphics(graphics: Object<'_>) -> Result<(), String> {
    let source = graphics.object("source")?;
    let name = source.text("name")?.or(graphics.text("driver")?);
    source.text("tmpdir")?;
    source.close();
    let name = name.map(|name| name.trim_end_matches("://").to_ascii_lowercase());
    if let Some(name) = name.filter(|name| !matches!(name.as_str(), "vips" | "native")) {
        return Err(format!("graphics.source.name: {name:?} is not one of VIPS, native"));
    }
    graphics.close();
    Ok(())
}

fn services(root: &Object<'_>) -> Result<(Services, Vec<ColourList>), String> {
    let profile = root.object("profile")?;
    let enabling = profile.object("services")?;
    let mut services = Services { sha1: true, ..Services::default() };
    let palette = either(root, "palette", "palette_service")?;
    let blurhash = either(root, "blurhash", "blurhash_service")?;
    either(root, "imagehash", "imagehash_service")?.close();
    let (count, lists) = palette_of(&palette)?;
    for (path, name) in enabling.names("enable")? {
        match name.trim_end_matches("://") {
            "palette" => services.palette = Some(count),
            "imagehash" => services.image_hash = true,
            "blurhash" => services.blurhash = Some(blurhash_of(&blurhash)?),
            _ => return Err(format!("{path}: {name:?} is not one of palette, blurhash, imagehash")),
        }
    }
    if services.blurhash.is_none() {
        blurhash.ignore(&["x", "y", "size"]);
    }
    [enabling, profile, palette, blurhash].into_iter().for_each(Object::close);
    Ok((services, lists))
}

/// A group by its name, or by the one that newer files have for it.
fn either<'a>(root: &Object<'a>, name: &'static str, newer: &'static str) -> Result<Object<'a>, String> {
    let group = root.object(newer)?;
    if group.is_there() { Ok(group) } else { root.object(name) }
}

fn palette_of(palette: &Object<'_>) -> Result<(u8, Vec<ColourList>), String> {
    let (extruder, grid) = (palette.object("extruder")?, palette.object("grid")?);
    if let Some(name) = extruder.text("name")?.filter(|name| name.trim_end_matches("://") != "vibrant") {
        return Err(format!("palette.extruder.name: {name:?} is not one of vibrant"));
    }
    let count = extruder.number("count", 1..=24)?.unwrap_or(5);
    let name = grid.text("name")?.map(|name| name.trim_end_matches("://"));
    if let Some(name) = name.filter(|name| !matches!(*name, "euclidian" | "euclidean")) {
        return Err(format!("palette.grid.name: {name:?} is not one of euclidian"));
    }
    extruder.close();
    grid.close();
    let mut lists = Vec::new();
    for (path, name) in [palette.names("palettes")?, palette.names("palette")?].concat() {
        let known = ColourList::ALL.into_iter().find(|list| list.as_str() == name.trim_end_matches("://"));
        lists.push(known.ok_or_else(|| format!("{path}: {name:?} is not one of crayola, css3, css4"))?);
    }
    // At most 24.
    Ok((count as u8, lists))
}

fn blurhash_of(blurhash: &Object<'_>) -> Result<BlurHash, String> {
    let required = |key: &'static str, most: u64| {
        let number = blurhash.number(key, 1..=most)?;
        let path = blurhash.path_of(key);
        number.ok_or_else(|| format!("{path}: a whole number from 1 to {most} is meant, and there is none"))
    };
    let (across, down) = (required("x", 9)?, required("y", 9)?);
    // At most 9, and 4096.
    Ok(BlurHash { across: across as u8, down: down as u8, longest: required("size", 4096)? as u32 })
}

fn place(group: &Object<'_>, key: &'static str, instead: Option<&str>, flag: &str) -> Result<Place, String> {
    let inside = group.object(key)?;
    let place = match instead {
        Some(uri) => {
            inside.ignore(&["name", "path", "prefix", "region", "credentials", "uri"]);
            Some(Place::of_uri(uri).map_err(|why| format!("{flag}: {why}"))?)
        }
        None => Place::read(&inside)?,
    };
    // What memory caches may hold and how long, which matters to a server; and where some engines kept files.
    inside.number("ttl", 0..=u64::MAX)?;
    inside.number("limit", 0..=u64::MAX)?;
    inside.text("tmpdir")?;
    inside.close();
    place.ok_or_else(|| format!("{}: a place is meant, and there is none", group.path_of(key)))
}

/// Each source is fetched once in a run, so there is nothing to cache: what a file says is checked and not used.
fn images_cache(images: &Object<'_>) -> Result<(), String> {
    let cache = images.object("cache")?;
    if cache.is_there() {
        match place(images, "cache", None, "")? {
            Place::Nowhere => {}
            _ => images.warn("cache", "each source is read once here, and nothing is kept of it"),
        }
    }
    Ok(())
}
