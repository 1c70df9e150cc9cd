//! Small pictures of sources and renditions, of what is at hand: local copies, and files of this machine.
//!
//! Nothing is fetched for a picture, and a source whose decoder may end the process is left alone. What cannot be drawn has
//! no picture; the row says the rest.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use imgmill_image::{
    Edition, Limits, Pyramid, Recipe, Rendition, Request, derive, memory_need, probe, sniff,
};

use crate::local::LocalFile;
use crate::outcome::Outcome;

/// What is drawn.
const RECIPE: &str = r#"{"p": {"size": "!112,112", "format": "webp", "q": 50}}"#;
const REQUEST: &str = "full/!112,112/0/default.webp";

/// Bytes of a file, and of memory, that a picture may take.
const MOST_BYTES: u64 = 64 << 20;
const MOST_MEMORY: u64 = 64 << 20;
const PATIENCE: Duration = Duration::from_secs(20);

/// How pictures are made.
#[derive(Debug)]
pub(super) struct Pictures {
    pub of_sources: bool,
}

/// Files that pictures are wanted of.
pub(super) struct Wanted {
    source: Option<PathBuf>,
    rendition: Option<PathBuf>,
}

impl Wanted {
    pub(super) fn of(outcome: &Outcome) -> Self {
        let Ok(derived) = &outcome.result else {
            return Wanted { source: here(&outcome.job.url), rendition: None };
        };
        let source = derived.source.kept.clone().or_else(|| here(&outcome.job.url));
        let largest =
            derived.renditions.iter().max_by_key(|made| u64::from(made.width) * u64::from(made.height));
        let rendition = largest.and_then(|made| made.kept.clone().or_else(|| here(&made.url)));
        Wanted { source, rendition }
    }
}

/// The file of this machine that a URL or a path names.
fn here(url: &str) -> Option<PathBuf> {
    match url.split_once("://") {
        Some(("file", _)) => url::Url::parse(url).ok()?.to_file_path().ok(),
        Some(_) => None,
        None => Some(url.into()),
    }
}

impl Pictures {
    /// Pictures of a source and of what was made of it, in base64.
    pub(super) fn make(&self, wanted: &Wanted) -> (Option<String>, Option<String>) {
        let source = wanted.source.as_deref().filter(|_| self.of_sources);
        let encoded = |bytes: Vec<u8>| base64::engine::general_purpose::STANDARD.encode(bytes);
        (source.and_then(picture).map(encoded), wanted.rendition.as_deref().and_then(picture).map(encoded))
    }
}

fn picture(path: &Path) -> Option<Vec<u8>> {
    let limits = Limits::default().within(PATIENCE);
    let file = LocalFile::open(path).ok()?;
    if let Ok(pyramid) = Pyramid::open(&file) {
        let request = Request::parse(REQUEST, Edition::V3).ok()?;
        let limits = Limits { max_pixels: 4_000_000, ..limits };
        let resolved = pyramid.resolve(&request, &limits).ok()?;
        return pyramid.draw(&file, &resolved, &limits).ok().map(|rendition| rendition.bytes);
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MOST_BYTES + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > MOST_BYTES || sniff(&bytes).is_none_or(|format| format.may_abort()) {
        return None;
    }
    let recipe = Recipe::parse_json(RECIPE).ok()?;
    if memory_need(&probe(&bytes).ok()?, &recipe) > MOST_MEMORY {
        return None;
    }
    let mut made: Vec<Rendition> = Vec::new();
    derive(&bytes, &recipe, &mut made, &limits).ok()?;
    made.pop().map(|rendition| rendition.bytes)
}
