//! go-iiif's tools, under their own names, with the files that their users have.

mod failures;
mod modes;
mod neighbours;
mod process;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{Place, Ran};

/// The published example.
pub const CONFIG: &str = include_str!("../../../../systems/tests/go-iiif/config.json");
pub const INSTRUCTIONS: &str = include_str!("../../../../systems/tests/go-iiif/instructions.json");
/// Something quicker to make.
pub const SMALL: &str =
    r#"{"s": {"size": "!20,20"}, "t": {"region": "square", "size": "8,8", "format": "png"}}"#;

/// A folder with the example's files and a link to the program, `iiif-process`.
pub fn place() -> Place {
    with_files(Place::new(), &serde_json::from_str(CONFIG).unwrap())
}

pub fn with_files(place: Place, config: &Value) -> Place {
    fs::write(place.path("config.json"), config.to_string()).unwrap();
    fs::write(place.path("instructions.json"), INSTRUCTIONS).unwrap();
    fs::write(place.path("small.json"), SMALL).unwrap();
    fs::create_dir_all(place.path("images/source")).unwrap();
    for name in ["iiif-process", "iiif-transform"] {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_imgmill"), place.path(name)).unwrap();
    }
    place
}

/// The example's config with other places.
pub fn config(source: Value, cache: Value) -> Value {
    let mut config: Value = serde_json::from_str(CONFIG).unwrap();
    config["images"]["source"] = source;
    config["derivatives"]["cache"] = cache;
    config
}

/// The program by its link's name.
pub fn command(place: &Place, name: &str) -> Command {
    let mut command = Command::new(place.path(name));
    let ours = place.command();
    command.current_dir(ours.get_current_dir().unwrap()).env_clear();
    command.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    command
}

/// `iiif-process` with this command line.
pub fn process(place: &Place, line: &str) -> Ran {
    Ran::of(command(place, "iiif-process").args(words(line)).spawn().unwrap())
}

/// Words of a command line; quotes keep them together.
pub fn words(line: &str) -> Vec<String> {
    let part = |(at, part): (usize, &str)| match at % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    };
    line.split('\'').enumerate().flat_map(part).collect()
}

/// What was printed.
pub fn printed(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}\n{}", ran.stdout, ran.stderr))
}

pub fn read(path: PathBuf) -> Value {
    serde_json::from_slice(&fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .unwrap()
}

/// All files below a folder, by their paths in it.
pub fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}
