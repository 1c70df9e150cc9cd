//! `imgmill`, the program: what was typed ([`args`]) becomes what is meant ([`settings`]), a system runs,
//! and its end becomes an exit code ([`exit`]).

mod args;
mod commands;
mod exit;
mod logging;
mod progress;
mod settings;
mod signals;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Arguments, Command};

fn main() -> ExitCode {
    // Prints help, versions and usage errors by itself, and ends with 2 for the latter.
    let arguments = Arguments::parse();
    let code = match arguments.command {
        Command::Run(run) => commands::run::run(*run),
        Command::Completions { shell } => commands::documents::completions(shell),
        Command::Man => commands::documents::man(),
    };
    code.into()
}
