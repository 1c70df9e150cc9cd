//! `imgmill iiif …`: the tools of go-iiif, with their own flags, under their own names too; and manifests, which are ours.

#[cfg(feature = "lambda")]
mod event;
mod info;
mod manifest;
mod process;
mod setup;
mod tile_seed;
mod transform;

#[cfg(feature = "lambda")]
pub use event::Processor;

use crate::exit::Exit;

/// The names that a link to this program can have, and the tool that it then is.
const LINKS: [(&str, &str); 3] =
    [("iiif-process", "process"), ("iiif-transform", "transform"), ("iiif-tile-seed", "tile-seed")];

/// The tool that a program of this name is.
pub fn tool_of(program: &str) -> Option<&'static str> {
    let name = std::path::Path::new(program).file_stem()?.to_str()?;
    LINKS.iter().find(|(link, _)| *link == name).map(|(_, tool)| *tool)
}

/// Runs a tool with its own command line.
pub fn run(tool: &str, words: Vec<String>) -> Exit {
    match tool {
        "process" => process::run(words),
        "transform" => transform::run(words),
        "manifest" => manifest::run(words),
        "info" => info::run(words),
        "tile-seed" => tile_seed::run(words),
        other => super::tile::complain(
            &format!(
                "there is no tool {other:?} here; imgmill iiif has: process, transform, info, tile-seed, manifest"
            ),
            Exit::Usage,
        ),
    }
}
