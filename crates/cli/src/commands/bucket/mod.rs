//! `imgmill bucket`: notes, pyramids, and how far they are.

mod drain;
mod now;
mod record;
mod rerun;
mod status;

use std::io::Write as _;
use std::process;

use imgmill_pipeline::Error;

use crate::args::BucketCommand;
use crate::exit::Exit;

/// Runs one of its commands and tells how it ended.
pub fn run(command: BucketCommand) -> Exit {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // Files are read and written by these; each that ever held a body keeps some memory.
        .max_blocking_threads(32)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("the runtime could not start: {error}"), Exit::Fatal),
    };
    let exit = runtime.block_on(async {
        match command {
            BucketCommand::Record(arguments) => record::run(&arguments).await,
            BucketCommand::Drain(arguments) => drain::run(*arguments).await,
            BucketCommand::Rerun(arguments) => rerun::run(&arguments).await,
            BucketCommand::Status(arguments) => status::run(&arguments).await,
        }
    });
    // Not waiting for threads that compute what nobody wants any more.
    runtime.shutdown_background();
    process::exit(exit.code().into())
}

fn fatal(error: &Error) -> Exit {
    complain(&error.chain(), Exit::Fatal)
}

fn complain(message: &str, exit: Exit) -> Exit {
    say(&format!("imgmill: {message}"));
    exit
}

/// Nobody may be listening any more; that is no reason to end otherwise.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
