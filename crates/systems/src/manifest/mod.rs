//! `imgmill iiif manifest`: Presentation 3.0 manifests, and a collection of them, from a list of images.
//!
//! [`list`] reads the rows and puts them to the manifests that they are pages of; [`image`] reads how large each image is
//! and what serves it, from the store; [`presentation`] says it in the API's words, with [`ranges`]. A manifest gets its
//! name when it is whole.

mod image;
mod list;
mod presentation;
mod ranges;

use std::path::PathBuf;

use futures::StreamExt as _;
use imgmill_pipeline::objects::{Bucket, ObjectOptions};
use imgmill_pipeline::{Error, Kind, Stage};
use serde_json::Value;

use crate::view::Place;
use crate::view::store::Store;
use image::Image;

pub use list::rights;
pub use presentation::statement;

/// Images that are looked at at once.
const AT_ONCE: usize = 16;

/// Everything that decides what is written.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The list: a CSV or TSV file with a header.
    pub list: PathBuf,
    /// Where the images, pyramids or tiles are.
    pub images: Place,
    /// How buckets are reached.
    pub objects: ObjectOptions,
    /// The folder that manifests go into.
    pub output: PathBuf,
    /// The URL that this folder will be served at.
    pub base: String,
    /// The URL that images will be served at.
    pub image_base: String,
    /// Which edition of the Image API pyramids are served by there.
    pub image_api: ImageApi,
    /// What is said of every manifest.
    pub about: About,
}

/// An edition of the Image API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImageApi {
    /// 2.1.
    Second,
    /// 3.0.
    #[default]
    Third,
}

/// What is said of every manifest, and of the collection.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// The title, where the list names none; of the collection where there are several manifests.
    pub label: Option<String>,
    /// The language that texts are in (BCP 47); `none` where they are in none.
    pub language: String,
    /// The URI of a licence or a rights statement.
    pub rights: Option<String>,
    /// What has to be shown with the images: a label and a value.
    pub required_statement: Option<(String, String)>,
    /// `paged`, `individuals`, `continuous` and the like.
    pub behavior: Vec<String>,
    /// `left-to-right`, `right-to-left` and the like.
    pub viewing_direction: Option<String>,
}

/// What was written.
#[derive(Debug, Default)]
pub struct Written {
    /// Manifests, and the collection if there is one.
    pub files: Vec<PathBuf>,
    /// Canvases of all manifests.
    pub canvases: usize,
    /// Images that are not in the store or cannot be read, and why.
    pub missing: Vec<(String, String)>,
}

/// Writes the manifests of a list. Where an image is missing, its manifest is not written.
///
/// # Errors
/// A list that cannot be read or names no images, a store that is not there, a folder that cannot be written.
pub async fn write(settings: &Settings) -> Result<Written, Error> {
    let manifests = list::read(&settings.list, settings.about.label.as_deref())?;
    let store = match &settings.images {
        Place::Folder(folder) => Store::folder(folder)?,
        Place::Bucket(url) => Store::bucket(Bucket::connect(Stage::Source, url, &settings.objects).await?),
    };
    let failed = |error: std::io::Error| {
        let message = format!("manifests cannot be written to {}", settings.output.display());
        Error::new(Stage::Report, Kind::Io, message).caused_by(error)
    };
    std::fs::create_dir_all(&settings.output).map_err(failed)?;
    let mut written = Written::default();
    let mut members = Vec::new();
    for manifest in &manifests {
        let looking = manifest.pages.iter().map(|page| Image::find(&store, &page.id));
        let found: Vec<_> = futures::stream::iter(looking).buffered(AT_ONCE).collect().await;
        let mut images = Vec::with_capacity(found.len());
        for (page, found) in manifest.pages.iter().zip(found) {
            match found {
                Ok(image) => images.push(image),
                Err(why) => written.missing.push((page.id.clone(), why)),
            }
        }
        if images.len() < manifest.pages.len() {
            continue;
        }
        let made = presentation::manifest(settings, manifest, &images);
        members.push(presentation::member(settings, manifest, &made));
        let path = settings.output.join(format!("{}.json", manifest.name));
        put(&path, &made).map_err(failed)?;
        written.canvases += images.len();
        written.files.push(path);
    }
    if manifests.len() > 1 && written.missing.is_empty() {
        let path = settings.output.join(format!("{COLLECTION}.json"));
        put(&path, &presentation::collection(settings, members)).map_err(failed)?;
        written.files.push(path);
    }
    Ok(written)
}

/// The name of the collection.
const COLLECTION: &str = "collection";

fn put(path: &std::path::Path, value: &Value) -> std::io::Result<()> {
    use std::io::Write as _;
    let folder = path.parent().unwrap_or_else(|| std::path::Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".part-").tempfile_in(folder)?;
    serde_json::to_writer_pretty(&mut file, value)?;
    file.write_all(b"\n")?;
    open_to_all(file.as_file())?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// A temporary file is its owner's alone; a web server is somebody else.
fn open_to_all(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}
