//! `imgmill tile`: static tiles of images.

use std::collections::HashMap;
use std::io::Write as _;
use std::num::NonZeroUsize;

use imgmill_image::{EncoderOptions, Layout, Limits, OutputFormat, Quality, TileSettings};
use imgmill_pipeline::fetch::Fetcher;
use imgmill_systems::tiles::{self, Outcome, Settings, Wanted};

use crate::args::{TileArguments, TileFormat, TileLayout};
use crate::exit::Exit;
use crate::settings::{self, Environment};

/// Makes the tiles of each source and tells where they are.
pub fn run(arguments: &TileArguments) -> Exit {
    let wanted: Result<Vec<_>, _> =
        arguments.sources.iter().map(|source| Wanted::by_its_name(source)).collect();
    match wanted.and_then(|wanted| distinct(&wanted).map(|()| wanted)) {
        Ok(wanted) => match settings(arguments) {
            Ok(settings) => make_all(&wanted, &settings, arguments.max_bytes, arguments.quiet),
            Err(message) => complain(&message, Exit::Fatal),
        },
        Err(message) => complain(&message, Exit::Usage),
    }
}

/// Makes the tiles of each image, one after another; an image is made by all threads.
pub fn make_all(wanted: &[Wanted], settings: &Settings, max_bytes: u64, quiet: bool) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("the runtime could not start: {error}"), Exit::Fatal),
    };
    let limits = imgmill_pipeline::Limits { max_bytes, ..Default::default() };
    let objects = settings::read_objects(&limits, &Environment::of_process());
    let fetcher = match Fetcher::new(&limits, std::env::temp_dir(), objects) {
        Ok(fetcher) => fetcher,
        Err(error) => return complain(&error.chain(), Exit::Fatal),
    };
    let mut failed = 0;
    for wanted in wanted {
        match runtime.block_on(tiles::make(wanted, &fetcher, settings)) {
            Ok(outcome) if !quiet => say(&told(&outcome)),
            Ok(_) => {}
            Err(error) => {
                failed += 1;
                let source = imgmill_pipeline::redact::url(&wanted.source);
                say(&format!("imgmill: {source}: {}", error.chain()));
            }
        }
    }
    if failed > 0 { Exit::SomeFailed } else { Exit::Done }
}

fn settings(arguments: &TileArguments) -> Result<Settings, String> {
    let format = match arguments.format {
        TileFormat::Jpg => OutputFormat::Jpg,
        TileFormat::Png => OutputFormat::Png,
        TileFormat::Webp => OutputFormat::Webp,
    };
    let layout = match arguments.layout {
        TileLayout::Iiif3 => Layout::Iiif3,
        TileLayout::Iiif2 => Layout::Iiif2,
        TileLayout::Dzi => Layout::Dzi,
    };
    Ok(Settings {
        output: arguments.output.clone(),
        base: arguments.base.clone(),
        tiles: TileSettings {
            layout,
            tile: arguments.tile,
            format,
            options: EncoderOptions { q: arguments.q, ..EncoderOptions::default() },
            factors: None,
            quality: Quality::Default,
            id: String::new(),
            name: String::new(),
        },
        refresh: arguments.refresh,
        limits: image_limits(arguments.max_pixels, arguments.threads),
        isolation: settings::isolation_for(tiles::SOURCES)?,
    })
}

/// What one image may cost, on so many threads, or as many as there are cores.
pub fn image_limits(max_pixels: u64, threads: Option<usize>) -> Limits {
    let threads = threads.and_then(NonZeroUsize::new);
    let threads = threads.or_else(|| std::thread::available_parallelism().ok());
    // Bytes are counted as they come.
    let max_bytes = u64::MAX;
    Limits { max_pixels, max_bytes, threads: threads.unwrap_or(NonZeroUsize::MIN), ..Limits::default() }
}

/// Two images must not want the same name.
pub fn distinct(wanted: &[Wanted]) -> Result<(), String> {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for Wanted { source, name } in wanted {
        if let Some(other) = seen.insert(name, source) {
            return Err(format!(
                "{other} and {source} would both be called {name}, after their stem; make them one by one into \
                 different folders"
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

/// Says why nothing could be done.
pub fn complain(message: &str, exit: Exit) -> Exit {
    say(&format!("imgmill: {message}"));
    exit
}

/// Nobody may be listening any more; that is no reason to end otherwise.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
