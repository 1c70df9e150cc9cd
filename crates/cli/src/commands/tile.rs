//! `imgmill tile`: static tiles of image files.

use std::collections::HashMap;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use imgmill_image::{EncoderOptions, Layout, Limits, OutputFormat, TileSettings};
use imgmill_systems::tiles::{self, Outcome, Settings};

use crate::args::{TileArguments, TileFormat, TileLayout};
use crate::exit::Exit;

/// Makes the tiles of each source and tells where they are.
pub fn run(arguments: &TileArguments) -> Exit {
    if let Err(message) = distinct(&arguments.sources) {
        return complain(&message, Exit::Usage);
    }
    let settings = settings(arguments);
    let mut failed = 0;
    for source in &arguments.sources {
        match tiles::make(source, &settings) {
            Ok(outcome) if !arguments.quiet => say(&told(&outcome)),
            Ok(_) => {}
            Err(error) => {
                failed += 1;
                say(&format!("imgmill: {}: {}", source.display(), error.chain()));
            }
        }
    }
    if failed > 0 { Exit::SomeFailed } else { Exit::Done }
}

fn settings(arguments: &TileArguments) -> Settings {
    let threads = arguments.threads.and_then(NonZeroUsize::new);
    let threads = threads.or_else(|| std::thread::available_parallelism().ok());
    let (layout, format) = match (arguments.layout, arguments.format) {
        (layout, TileFormat::Jpg) => (layout, OutputFormat::Jpg),
        (layout, TileFormat::Png) => (layout, OutputFormat::Png),
        (layout, TileFormat::Webp) => (layout, OutputFormat::Webp),
    };
    let layout = match layout {
        TileLayout::Iiif3 => Layout::Iiif3,
        TileLayout::Iiif2 => Layout::Iiif2,
        TileLayout::Dzi => Layout::Dzi,
    };
    Settings {
        output: arguments.output.clone(),
        base: arguments.base.clone(),
        tiles: TileSettings {
            layout,
            tile: arguments.tile,
            format,
            options: EncoderOptions { q: arguments.q, ..EncoderOptions::default() },
            id: String::new(),
            name: String::new(),
        },
        refresh: arguments.refresh,
        limits: Limits {
            max_pixels: arguments.max_pixels,
            threads: threads.unwrap_or(NonZeroUsize::MIN),
            ..Limits::default()
        },
    }
}

/// Two images must not want the same name.
fn distinct(sources: &[PathBuf]) -> Result<(), String> {
    let mut seen: HashMap<String, &Path> = HashMap::new();
    for source in sources {
        if let Some(other) = seen.insert(tiles::name(source)?, source) {
            let (other, source) = (other.display(), source.display());
            return Err(format!(
                "{other} and {source} would both be called after their stem; make them one by one into different \
                 folders"
            ));
        }
    }
    Ok(())
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Made(path, tiled) => format!(
            "{}: {} files, {} levels of {}×{}",
            path.display(),
            tiled.files,
            tiled.levels,
            tiled.width,
            tiled.height
        ),
        Outcome::Present(path) => format!("{}: is there; --refresh makes it again", path.display()),
    }
}

fn complain(message: &str, exit: Exit) -> Exit {
    say(&format!("imgmill: {message}"));
    exit
}

/// Nobody may be listening any more; that is no reason to end otherwise.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
