//! `imgmill ecs`, or a link `iiif-process-ecs`: go-iiif-aws's tool that has `iiif-process` run as a task of ECS; and
//! `imgmill ecs report`, what became of a task.

mod report;

#[cfg(all(feature = "fleet", feature = "lambda"))]
mod launcher;
#[cfg(feature = "fleet")]
mod settings;
#[cfg(feature = "fleet")]
mod task;

#[cfg(all(feature = "fleet", feature = "lambda"))]
pub use launcher::Launcher;

use crate::exit::Exit;

/// What a link to this program is called.
const LINK: &str = "iiif-process-ecs";

/// Whether a program of this name is this tool.
pub fn is_meant(program: &str) -> bool {
    std::path::Path::new(program).file_stem().is_some_and(|name| name == LINK)
}

/// Runs it with its own command line.
pub fn run(words: Vec<String>) -> Exit {
    match words.first().map(String::as_str) {
        Some("report") => report::run(&words[1..]),
        _ => tool(words),
    }
}

#[cfg(feature = "fleet")]
fn tool(words: Vec<String>) -> Exit {
    task::run(words)
}

#[cfg(not(feature = "fleet"))]
fn tool(_: Vec<String>) -> Exit {
    let message =
        "this build has no ECS, only `imgmill ecs report`; build it with: make build FEATURES=fleet";
    super::run::complain(message, Exit::Usage)
}
