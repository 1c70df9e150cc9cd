//! `iiif-tile-seed`: go-iiif's tool that makes the tiles of images beforehand, a level-0 IIIF 2.1 service each.

use std::fs;
use std::path::{Path, PathBuf};

use imgmill_image::{EncoderOptions, Layout, OutputFormat, Quality, TileSettings};
use imgmill_systems::process::config::{Config, Overrides};
use imgmill_systems::process::place::Place;
use imgmill_systems::tiles::{self, Settings, Wanted};

use super::super::tile::{complain, distinct, image_limits, make_all, say};
use super::setup::{switch, text};
use crate::exit::Exit;
use crate::goflags::{self, Flag, Parsed, Stop};
use crate::settings::isolation_for;

/// go-iiif's own.
const TILE: u32 = 256;
/// Bytes of one source, and pixels.
const MAX_BYTES: u64 = 16 << 30;
const MAX_PIXELS: u64 = 1_000_000_000;

const WHAT: &str = "Makes the tiles of images, as files that any web server serves to a zooming viewer.\n\
    imgmill iiif tile-seed [flags] SOURCE[,NAME]…, or with -mode csv: FILE.csv…, with columns source_id, alternate_id.";

const FLAGS: [Flag; 15] = [
    text(
        "config",
        "A go-iiif config file: images.source and derivatives.cache, both of the name Disk, say where.",
    ),
    text("config-source", "A folder, or its file:// URL, that -config-name is in."),
    text("config-name", "The name of the config file in -config-source. Default: config.json."),
    text("mode", "cli: sources are named on the command line; csv: they are in CSV files. Default: cli."),
    text("csv-source", "A folder, or its file:// URL, that CSV files are in. Default: here."),
    text("scale-factors", "How many times smaller, separated by commas: powers of two. Default: 4."),
    text("quality", "default, color, gray or bitonal. Default: default."),
    text("format", "jpg, png or webp. Default: jpg."),
    text("processes", "Threads that tiles are made on. Default: the number of cores."),
    text("endpoint", "The URL that tiles will be served at. Default: http://localhost:8080."),
    switch("noextension", "Names without the extension of their source."),
    switch("no-extension", "The same by its newer name."),
    switch("refresh", "Make again what is there."),
    switch("verbose", "Say more."),
    switch("generate-tiles-html", "Not done here: any viewer opens info.json."),
];

/// Makes the tiles of each source and tells where they are.
pub fn run(words: Vec<String>) -> Exit {
    let parsed = match goflags::parse(&FLAGS, words, "IIIF_", |name| std::env::var(name).ok()) {
        Ok(parsed) => parsed,
        Err(Stop::Help) => {
            say(&goflags::usage("iiif-tile-seed", WHAT, &FLAGS));
            return Exit::Done;
        }
        Err(Stop::Wrong(message)) => return complain(&message, Exit::Usage),
    };
    if parsed.is_on("generate-tiles-html") {
        say("imgmill: -generate-tiles-html is not done here; any IIIF viewer opens info.json");
    }
    match prepared(&parsed) {
        Ok((wanted, settings)) => make_all(&wanted, &settings, MAX_BYTES, false),
        Err(message) => complain(&message, Exit::Usage),
    }
}

fn prepared(parsed: &Parsed) -> Result<(Vec<Wanted>, Settings), String> {
    let places = Places::read(parsed)?;
    let wanted = match parsed.text("mode").unwrap_or("cli") {
        "cli" | "-" => {
            let without = parsed.is_on("noextension") || parsed.is_on("no-extension");
            parsed.rest.iter().map(|word| of_word(word, without)).collect()
        }
        "csv" => listed(parsed)?,
        other => return Err(format!("-mode {other}: cli or csv is meant")),
    };
    let wanted: Vec<Wanted> = wanted.into_iter().map(|wanted| places.below(wanted)).collect();
    if wanted.is_empty() {
        return Err("no source is named; iiif-tile-seed -help says how".to_owned());
    }
    distinct(&wanted)?;
    let format = match parsed.text("format").unwrap_or("jpg") {
        "jpg" | "jpeg" => OutputFormat::Jpg,
        "png" => OutputFormat::Png,
        "webp" => OutputFormat::Webp,
        other => return Err(format!("-format {other}: jpg, png or webp is meant")),
    };
    let quality: Quality =
        parsed.text("quality").unwrap_or("default").parse().map_err(|error| format!("-quality: {error}"))?;
    let threads = match parsed.text("processes").map(str::parse) {
        Some(Ok(threads)) => Some(threads),
        Some(Err(_)) => return Err("-processes: a whole number is meant".to_owned()),
        None => None,
    };
    let settings = Settings {
        output: places.output,
        base: parsed.text("endpoint").unwrap_or("http://localhost:8080").to_owned(),
        tiles: TileSettings {
            layout: Layout::Iiif2,
            tile: TILE,
            format,
            options: EncoderOptions::default(),
            factors: Some(factors(parsed.text("scale-factors").unwrap_or("4"))?),
            quality,
            id: String::new(),
            name: String::new(),
        },
        refresh: parsed.is_on("refresh"),
        limits: image_limits(MAX_PIXELS, threads),
        isolation: isolation_for(tiles::SOURCES)?,
    };
    Ok((wanted, settings))
}

fn factors(text: &str) -> Result<Vec<u32>, String> {
    let factor = |part: &str| {
        let number = part.trim().parse::<u32>().ok().filter(|number| number.is_power_of_two());
        number.ok_or_else(|| format!("-scale-factors {text}: {part:?} is no power of two (1, 2, 4, 8 …)"))
    };
    text.split(',').map(factor).collect()
}

/// `SOURCE` or `SOURCE,NAME`.
fn of_word(word: &str, without_extension: bool) -> Wanted {
    match word.split_once(',') {
        Some((source, name)) => Wanted { source: source.to_owned(), name: name.to_owned() },
        None => {
            let name = word.split_once("://").map_or(word, |(_, path)| path).trim_start_matches('/');
            let path = Path::new(name);
            let name = if without_extension { path.with_extension("") } else { path.to_owned() };
            Wanted { source: word.to_owned(), name: name.to_string_lossy().into_owned() }
        }
    }
}

/// The rows of the CSV files that are named.
fn listed(parsed: &Parsed) -> Result<Vec<Wanted>, String> {
    let folder = parsed.text("csv-source").map(folder_of).transpose()?.unwrap_or_default();
    let mut wanted = Vec::new();
    for name in &parsed.rest {
        let path = folder.join(name);
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        wanted.extend(rows(&text).map_err(|why| format!("{}: {why}", path.display()))?);
    }
    Ok(wanted)
}

fn rows(text: &str) -> Result<Vec<Wanted>, String> {
    let mut lines =
        text.trim_start_matches('\u{feff}').lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let header = lines.next().map(|(_, line)| fields(line)).unwrap_or_default();
    let column = |name: &str| {
        let found = header.iter().position(|field| field == name);
        found.ok_or_else(|| format!("the first line has to name the column {name}"))
    };
    let (source, name) = (column("source_id")?, column("alternate_id")?);
    lines
        .map(|(number, line)| {
            let mut fields = fields(line);
            if fields.len() <= source.max(name) {
                return Err(format!("line {} has fewer fields than the first", number + 1));
            }
            let (source, name) = (std::mem::take(&mut fields[source]), std::mem::take(&mut fields[name]));
            Ok(Wanted { source, name })
        })
        .collect()
}

/// The fields of a line of CSV (RFC 4180); none of ours goes over two lines.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => field.extend(characters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            character => field.push(character),
        }
    }
    fields.push(field);
    fields
}

/// Where sources are and tiles go.
struct Places {
    sources: Option<Place>,
    output: PathBuf,
}

impl Places {
    fn read(parsed: &Parsed) -> Result<Self, String> {
        let path = match (parsed.text("config"), parsed.text("config-source")) {
            (Some(path), _) => PathBuf::from(path),
            (None, Some(folder)) => {
                folder_of(folder)?.join(parsed.text("config-name").unwrap_or("config.json"))
            }
            (None, None) => return Ok(Places { sources: None, output: PathBuf::from(".") }),
        };
        let wrong = |why: String| format!("{}: {why}", path.display());
        let text = fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        let config = Config::read(&text, &Overrides::default()).map_err(wrong)?;
        config.warnings.iter().for_each(|warning| say(&format!("imgmill: {}", wrong(warning.clone()))));
        let output = config.derivatives.folder();
        let output = output
            .ok_or_else(|| wrong("derivatives.cache: tiles go to files, so Disk is meant".to_owned()))?;
        Ok(Places { sources: Some(config.source), output })
    }

    /// A source of the config's place, unless it says where it is.
    fn below(&self, wanted: Wanted) -> Wanted {
        match &self.sources {
            Some(place) if !wanted.source.contains("://") => {
                Wanted { source: place.url_of(wanted.source.trim_start_matches('/')), ..wanted }
            }
            _ => wanted,
        }
    }
}

/// A folder, named as such or by its URL.
fn folder_of(text: &str) -> Result<PathBuf, String> {
    match url::Url::parse(text) {
        Ok(url) if url.scheme() == "file" => {
            url.to_file_path().map_err(|()| format!("{text} names no folder of this machine"))
        }
        Ok(url) if text.contains("://") => {
            Err(format!("{}:// is not read here; name a folder", url.scheme()))
        }
        _ => Ok(PathBuf::from(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_name_sources_and_what_they_go_by() {
        let found = rows("alternate_id,source_id\r\nB/b,a.jpg\r\n\r\n\"c, \"\"d\"\"\",e.png\n").unwrap();
        let wanted = |source: &str, name: &str| Wanted { source: source.into(), name: name.into() };
        assert_eq!(found, [wanted("a.jpg", "B/b"), wanted("e.png", "c, \"d\"")]);
        assert!(rows("source_id\nx\n").unwrap_err().contains("alternate_id"));
        assert!(rows("source_id,alternate_id\nx\n").unwrap_err().contains("line 2"));
    }

    #[test]
    fn names_are_sources_with_or_without_their_extensions() {
        assert_eq!(of_word("a/b.jpg", false).name, "a/b.jpg");
        assert_eq!(of_word("a/b.jpg", true).name, "a/b");
        assert_eq!(of_word("a/b.jpg,c", true).name, "c");
        assert_eq!(of_word("http://host/b.jpg", true).name, "host/b");
    }
}
