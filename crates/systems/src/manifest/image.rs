//! How large an image of the store is, and what serves it: a pyramid, a set of tiles, or itself.

use std::sync::Arc;

use imgmill_image::{ErrorKind, Pyramid, ReadAt};
use serde_json::Value;

use crate::view::key;
use crate::view::store::{Opened, Store};

/// What an image's name may leave out of its key, a description of tiles first.
const ENDINGS: [&str; 12] =
    ["/info.json", "", ".tif", ".tiff", ".ptif", ".jpg", ".jpeg", ".png", ".webp", ".jp2", ".avif", ".gif"];

/// Bytes that a header is looked for in, before all of a file is read.
const BEGINNING: u64 = 256 << 10;
/// Of a file that is read as a whole.
const MOST: u64 = 1 << 30;

/// An image.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Image {
    /// Width and height, upright.
    pub size: (u32, u32),
    pub served: Served,
}

/// What serves an image.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Served {
    /// An image server at level 2, under this identifier; with the sizes that are quickly had.
    Pyramid { identifier: String, sizes: Vec<(u32, u32)> },
    /// A folder of tiles at level 0, with the sizes that are there.
    Tiles { path: String, sizes: Vec<(u32, u32)>, is_second: bool },
    /// A web server, as a file of this media type.
    File { path: String, media_type: &'static str },
}

impl Image {
    /// Finds an image by its name in a store.
    pub(super) async fn find(store: &Store, id: &str) -> Result<Image, String> {
        for ending in ENDINGS {
            let name = format!("{id}{ending}");
            let Some(key) = key::of_segments(key::as_path(&name).split('/')) else {
                return Err("that is no key of a store: a part is empty or begins with a dot".into());
            };
            if let Some(opened) = store.open(&key).await.map_err(|refused| refused.message)? {
                return tokio::task::spawn_blocking(move || Self::read(&key, &opened))
                    .await
                    .map_err(|_| "it could not be looked at".to_owned())?;
            }
        }
        Err("it is not in the store".into())
    }

    fn read(key: &str, Opened { source, .. }: &Opened) -> Result<Image, String> {
        if let Some(folder) = key.strip_suffix("/info.json") {
            return tiles(folder, source);
        }
        match Pyramid::open(&**source) {
            Ok(pyramid) => {
                let sizes = pyramid.levels().map(|level| (level.width, level.height)).collect();
                let identifier = identifier(key);
                Ok(Image { size: pyramid.size(), served: Served::Pyramid { identifier, sizes } })
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotAnImage | ErrorKind::UnsupportedFormat) => {
                file(key, source)
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A pyramid's key without its ending, one segment of a path.
fn identifier(key: &str) -> String {
    let name = [".tif", ".tiff", ".ptif"].iter().find_map(|ending| key.strip_suffix(ending));
    key::as_identifier(name.unwrap_or(key))
}

fn whole(source: &Arc<dyn ReadAt>, most: u64) -> Result<Vec<u8>, String> {
    let length = source.length().min(most);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    source.read_at(0, &mut bytes).map_err(|error| format!("it could not be read: {error}"))?;
    Ok(bytes)
}

fn tiles(folder: &str, source: &Arc<dyn ReadAt>) -> Result<Image, String> {
    let info: Value = serde_json::from_slice(&whole(source, 1 << 20)?)
        .map_err(|error| format!("its info.json cannot be read: {error}"))?;
    let side = |value: &Value, name: &str| value[name].as_u64().and_then(|side| u32::try_from(side).ok());
    let size = |value: &Value| side(value, "width").zip(side(value, "height"));
    let full = size(&info).filter(|(w, h)| *w > 0 && *h > 0).ok_or("its info.json says no size")?;
    let sizes =
        info["sizes"].as_array().map(|sizes| sizes.iter().filter_map(size).collect()).unwrap_or_default();
    let is_second = info["@context"].as_str().is_some_and(|context| context.contains("/image/2/"));
    Ok(Image { size: full, served: Served::Tiles { path: key::as_path(folder), sizes, is_second } })
}

fn file(key: &str, source: &Arc<dyn ReadAt>) -> Result<Image, String> {
    let beginning = whole(source, BEGINNING)?;
    let header = match imgmill_image::probe(&beginning) {
        Ok(header) => header,
        // Its header lies further on.
        Err(_) if source.length() > BEGINNING && source.length() <= MOST => {
            imgmill_image::probe(&whole(source, MOST)?).map_err(|error| error.to_string())?
        }
        Err(error) => return Err(error.to_string()),
    };
    let media_type = header.format.media_type();
    Ok(Image { size: header.upright(), served: Served::File { path: key::as_path(key), media_type } })
}
