//! Static tiles: images in, a folder of tiles each, which any web server serves to a zooming viewer.
//!
//! A set of tiles is made beside its name and gets it when whole, so that a viewer never meets half of one.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use imgmill_image::{Layout, Limits, Recipe, SNIFF_LEN, ScratchFile, TileSettings, TileSink, Tiled};
use imgmill_pipeline::body::Body;
use imgmill_pipeline::derive::{Content, Deriver, Isolation};
use imgmill_pipeline::error::is_disk_full;
use imgmill_pipeline::fetch::{Fetched, Fetcher};
use imgmill_pipeline::{Error, Kind, Stage, machine};
use tokio_util::sync::CancellationToken;

use crate::Sources;

/// Files and URLs that were named one by one.
pub const SOURCES: Sources = Sources::Own;

/// Everything that decides what is made of each image.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder that sets of tiles go into, each under its image's name.
    pub output: PathBuf,
    /// The URL that this folder will be served at.
    pub base: String,
    /// How tiles are made; `id` and `name` are set for each image.
    pub tiles: TileSettings,
    /// Whether a set that is there is made again.
    pub refresh: bool,
    /// What one image may cost.
    pub limits: Limits,
    /// How processes are started for images whose decoders may end theirs.
    pub isolation: Isolation,
}

/// An image and the name that its set of tiles goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// A path, or a URL: http, https, file, s3, gs, az.
    pub source: String,
    /// Parts separated by `/`, a folder each but the last.
    pub name: String,
}

/// What became of an image.
#[derive(Debug)]
pub enum Outcome {
    /// Its tiles were made, here.
    Made(PathBuf, Tiled),
    /// They were there.
    Present(PathBuf),
}

impl Wanted {
    /// An image whose tiles go by its file's name, without the extension.
    ///
    /// # Errors
    /// When it has none that can stand in a URL's path as one part.
    pub fn by_its_name(source: &str) -> Result<Wanted, String> {
        let path = match source.split_once("://") {
            Some((_, address)) => {
                let path = address.split(['?', '#']).next().unwrap_or_default();
                let encoded = path.split_once('/').map_or("", |(_, path)| path);
                percent_encoding::percent_decode_str(encoded).decode_utf8_lossy().into_owned()
            }
            None => source.to_owned(),
        };
        match Path::new(&path).file_stem().and_then(|stem| stem.to_str()) {
            Some(name) if !name.starts_with('.') => {
                Ok(Wanted { source: source.to_owned(), name: name.to_owned() })
            }
            _ => Err(format!("{source} has no name that its tiles could go by")),
        }
    }

    /// The name, if it stays below the output folder and its parts are no hidden files.
    fn checked_name(&self) -> Result<&str, Error> {
        let parts = Path::new(&self.name).components();
        let is_plain = |part: Component<'_>| matches!(part, Component::Normal(part) if !part.as_encoded_bytes().starts_with(b"."));
        if self.name.is_empty() || !parts.into_iter().all(is_plain) {
            let message =
                format!("tiles cannot go by the name {:?}: it has to lie below the output folder", self.name);
            return Err(Error::new(Stage::Source, Kind::InvalidUrl, message));
        }
        Ok(&self.name)
    }
}

/// Makes the tiles of one image.
///
/// # Errors
/// What the image is or cannot give, and what the disk refuses. Nothing is left of the set then.
pub async fn make(wanted: &Wanted, fetcher: &Fetcher, settings: &Settings) -> Result<Outcome, Error> {
    let name = wanted.checked_name()?.to_owned();
    let places = Places::of(&settings.output, &name, settings.tiles.layout);
    if places.are_taken() && !settings.refresh {
        return Ok(Outcome::Present(places.main()));
    }
    let fetched = fetcher.fetch(&wanted.source, None, &CancellationToken::new()).await?;
    let Fetched::New(body, _) = fetched.fetched else {
        let message = "the origin says unchanged, though it was not asked";
        return Err(Error::new(Stage::Fetch, Kind::HttpStatus, message));
    };
    let source = drawable(Arc::new(body), settings).await?;
    let settings = settings.clone();
    let making = tokio::task::spawn_blocking(move || make_of(&source, &name, places, &settings));
    making.await.map_err(|join| {
        let message = "the image engine failed; please report this image as a defect";
        Error::new(Stage::Derive, Kind::Internal, message).caused_by(join)
    })?
}

/// The image as bytes that can be decoded here: of formats whose decoders may end their process, what one that may end
/// made of them.
async fn drawable(body: Arc<Body>, settings: &Settings) -> Result<Bytes, Error> {
    let beginning = &body[..body.len().min(SNIFF_LEN)];
    if !imgmill_image::sniff(beginning).is_some_and(|format| format.may_abort()) {
        return Ok(body.shared());
    }
    let recipe = "page=full/max/0/default.tif".parse().and_then(|page| Recipe::new(vec![page]));
    let recipe = recipe.map_err(|error| {
        Error::new(Stage::Derive, Kind::Internal, "a recipe of ours is none").caused_by(error)
    })?;
    let mut limits = imgmill_pipeline::Limits {
        max_pixels: settings.limits.max_pixels,
        max_output: u64::MAX,
        threads: 1,
        ..Default::default()
    };
    limits.divide_memory(machine::memory().map_or(1 << 30, |all| all / 2));
    let deriver = Deriver::new(&limits, settings.isolation.clone())?;
    let begun = deriver.begin(Arc::clone(&body), &Arc::new(recipe)).await?;
    let made = deriver.derive(body, begun, None).await?;
    match made.renditions.into_iter().next().map(|rendition| rendition.content) {
        Some(Content::Bytes(bytes)) => Ok(bytes),
        _ => Err(Error::new(Stage::Derive, Kind::Internal, "a derive process made no picture")),
    }
}

fn make_of(source: &[u8], name: &str, places: Places, settings: &Settings) -> Result<Outcome, Error> {
    let failed = |error: io::Error| not_stored(&settings.output, error);
    fs::create_dir_all(&settings.output).map_err(failed)?;
    let unfinished =
        tempfile::Builder::new().prefix(".part-").tempdir_in(&settings.output).map_err(failed)?;
    let id = format!("{}/{}", settings.base.trim_end_matches('/'), percent_encoded(name));
    let tiles = TileSettings { id, name: name.to_owned(), ..settings.tiles.clone() };
    let folder = Folder(unfinished.path().to_owned());
    let tiled = imgmill_image::tile(source, &tiles, &folder, &settings.limits)?;
    places.take_over(unfinished).map_err(failed)?;
    Ok(Outcome::Made(places.main(), tiled))
}

/// Unreserved characters stand for themselves (RFC 3986 § 2.3), and so do the slashes between parts.
fn percent_encoded(name: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(encoded).collect()
}

fn not_stored(folder: &Path, error: io::Error) -> Error {
    let (kind, advice) = match &error {
        error if is_disk_full(error) => (Kind::DiskFull, "; free some space or name another disk"),
        _ => (Kind::Io, ""),
    };
    let message = format!("tiles cannot be written to {}{advice}", folder.display());
    Error::new(Stage::Store, kind, message).caused_by(error)
}

/// A folder that is being filled.
struct Folder(PathBuf);

impl TileSink for Folder {
    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.0.join(path);
        match fs::write(&path, bytes) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(path.parent().unwrap_or(&self.0))?;
                fs::write(&path, bytes)
            }
            written => written,
        }
    }

    fn scratch(&self, _bytes: u64) -> io::Result<Option<ScratchFile>> {
        Ok(Some(ScratchFile { file: tempfile::tempfile_in(&self.0)?.into(), start: 0 }))
    }
}

/// What a set of tiles consists of in its output folder: the last is what a viewer opens, or holds it.
struct Places {
    output: PathBuf,
    /// Names in the unfinished folder and in the output folder; an empty one is the folder itself.
    names: Vec<(String, String)>,
}

impl Places {
    fn of(output: &Path, name: &str, layout: Layout) -> Self {
        let same = |name: String| (name.clone(), name);
        let names = match layout {
            Layout::Dzi => vec![same(format!("{name}_files")), same(format!("{name}.dzi"))],
            _ => vec![(String::new(), name.to_owned())],
        };
        Self { output: output.to_owned(), names }
    }

    fn main(&self) -> PathBuf {
        self.names.last().map_or_else(|| self.output.clone(), |(_, name)| self.output.join(name))
    }

    fn are_taken(&self) -> bool {
        self.names.iter().any(|(_, name)| self.output.join(name).exists())
    }

    /// Gives what is in `unfinished` its names. What had them before goes first to a folder that is then removed.
    fn take_over(&self, unfinished: tempfile::TempDir) -> io::Result<()> {
        open_to_all(unfinished.path())?;
        let old = tempfile::Builder::new().prefix(".old-").tempdir_in(&self.output)?;
        for (number, (from, name)) in self.names.iter().enumerate() {
            let to = self.output.join(name);
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder)?;
            }
            if to.exists() {
                fs::rename(&to, old.path().join(number.to_string()))?;
            }
            fs::rename(unfinished.path().join(from), to)?;
        }
        if self.names.iter().any(|(from, _)| from.is_empty()) {
            // It has another name now.
            let _ = unfinished.keep();
        }
        Ok(())
    }
}

/// A temporary folder is its owner's alone; a web server is somebody else.
#[cfg(unix)]
fn open_to_all(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn open_to_all(_: &Path) -> io::Result<()> {
    Ok(())
}
