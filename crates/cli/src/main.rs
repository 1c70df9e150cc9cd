//! `imgmill`, the program: what was typed ([`args`]) becomes what is meant ([`settings`]), a system runs,
//! and its end becomes an exit code ([`exit`]).

mod args;
mod commands;
mod exit;
mod goflags;
mod logging;
mod progress;
mod settings;
mod signals;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Arguments, Command};

/// The argument that makes this program a derive process; for itself alone, so no help mentions it.
const DERIVE_PROCESS: &str = "derive-process";

/// The argument that makes this program shut itself in and become a delegate.
const DELEGATE: &str = "delegate-guard";

fn main() -> ExitCode {
    // This program is its own derive process and its delegates' guard, and then nothing else.
    match std::env::args_os().nth(1) {
        Some(argument) if argument == DERIVE_PROCESS => {
            return imgmill_pipeline::derive::isolated::process::serve();
        }
        Some(argument) if argument == DELEGATE => {
            return imgmill_pipeline::delegate::guard::serve(std::env::args_os().skip(2));
        }
        _ => {}
    }
    // A link to this program can be one of go-iiif's tools.
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let program = std::env::args_os().next().unwrap_or_default();
    if commands::lambda::is_meant(&program.to_string_lossy(), std::env::args_os().len() - 1) {
        return commands::lambda::run(None).into();
    }
    if commands::ecs::is_meant(&program.to_string_lossy()) {
        return commands::ecs::run(words.skip(1).collect()).into();
    }
    if let Some(tool) = words.next().as_deref().and_then(commands::iiif::tool_of) {
        return commands::iiif::run(tool, words.collect()).into();
    }
    // Prints help, versions and usage errors by itself, and ends with 2 for the latter.
    let arguments = Arguments::parse();
    let code = match arguments.command {
        Command::Run(run) => commands::run::run(*run),
        Command::Dispatch(dispatch) => commands::dispatch::run(&dispatch),
        Command::Ecs { words } => commands::ecs::run(words),
        Command::Lambda => commands::lambda::run(None),
        Command::Merge(merge) => commands::merge::run(&merge),
        Command::Reconcile(reconcile) => commands::reconcile::run(&reconcile),
        Command::Tile(tile) => commands::tile::run(&tile),
        Command::View(view) => commands::view::run(&view),
        Command::Bucket { command } => commands::bucket::run(command),
        Command::Worker(worker) => commands::worker::run(*worker),
        Command::Send(send) => commands::send::run(&send),
        Command::Enqueue(enqueue) => commands::enqueue::run(&enqueue),
        #[cfg(feature = "mongodb")]
        Command::Collect(collect) => commands::collect::run(*collect),
        #[cfg(not(feature = "mongodb"))]
        Command::Collect { .. } => {
            let message =
                "collect reads MongoDB, which this build leaves out; `make collector` builds one that has it";
            commands::run::complain(message, exit::Exit::Usage)
        }
        Command::Iiif { tool, words } => commands::iiif::run(&tool, words),
        Command::Completions { shell } => commands::documents::completions(shell),
        Command::Man => commands::documents::man(),
    };
    code.into()
}
