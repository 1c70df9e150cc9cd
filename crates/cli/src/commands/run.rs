//! `imgmill run`: the batch, from the command line.

use std::io::Write as _;
use std::process;
use std::time::Instant;

use imgmill_pipeline::{End, Error, Stage};
use imgmill_systems::batch::{Batch, Finished};

use crate::args::{LogFormat, RunArguments};
use crate::exit::Exit;
use crate::progress::{self, BarReporter};
use crate::settings::{self, Environment};
use crate::{logging, signals};

/// Runs the batch and tells how it ended.
pub fn run(arguments: RunArguments) -> Exit {
    let settings = match settings::batch(&arguments, &Environment::of_process()) {
        Ok(settings) => settings,
        Err(message) => return complain(&message, Exit::Usage),
    };
    on_runtime(batch(&arguments, settings))
}

/// Runs `work` to its end, and with it the program: whatever else is still going on is left.
pub(super) fn on_runtime(work: impl Future<Output = Exit>) -> Exit {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // Files are read and written by these; each that ever held a body keeps some memory.
        .max_blocking_threads(32)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("the runtime could not start: {error}"), Exit::Fatal),
    };
    let exit = runtime.block_on(work);
    // Not waiting for threads that read standard input or compute what nobody wants any more.
    runtime.shutdown_background();
    process::exit(exit.code().into())
}

async fn batch(arguments: &RunArguments, settings: imgmill_systems::batch::Settings) -> Exit {
    let bar = progress::bar(&arguments.logs);
    logging::start(&arguments.logs, &bar);
    let (shutdown, signal) = match signals::listen() {
        Ok(listening) => listening,
        Err(message) => return complain(&message, Exit::Fatal),
    };
    let started = Instant::now();
    let prepared = tokio::select! {
        prepared = Batch::prepare(settings) => prepared,
        () = shutdown.cancelled() => return signal.get().copied().map_or(Exit::Fatal, Exit::Signal),
    };
    let batch = match prepared {
        Ok(batch) => batch,
        Err(error) => return fatal(&error),
    };
    let address = batch.address().to_owned();
    tracing::info!(rows = batch.rows(), store = address, "starting");
    progress::begin(&bar, batch.rows());
    let finished = batch.run(Box::new(BarReporter::new(bar.clone())), shutdown).await;
    bar.finish_and_clear();
    let Finished { end, summary } = match finished {
        Ok(finished) => finished,
        Err(error) => return fatal(&error),
    };
    match arguments.logs.log_format {
        _ if arguments.logs.quiet => {}
        LogFormat::Json => progress::log_closing(&summary, started.elapsed()),
        LogFormat::Text => say(&progress::closing(&summary, started.elapsed(), &address)),
    }
    match end {
        End::SourceFailed(error) => fatal(&error),
        End::FailedTooOften(why) => complain(
            &format!(
                "stopped: {why}, more than --max-failure-rate allows; when that is mended, the same command goes on"
            ),
            Exit::Fatal,
        ),
        End::Interrupted => signal.get().copied().map_or(Exit::Fatal, Exit::Signal),
        End::Exhausted if summary.failed > 0 => Exit::SomeFailed,
        End::Exhausted => Exit::Done,
    }
}

pub(super) fn fatal(error: &Error) -> Exit {
    let exit = if error.stage() == Stage::Source { Exit::Usage } else { Exit::Fatal };
    complain(&error.chain(), exit)
}

/// The same of services and fleets: only what was asked for wrongly is wrong usage.
#[cfg(feature = "fleet")]
pub fn failed(error: &Error) -> Exit {
    use imgmill_pipeline::Kind;

    let is_asked_wrongly = matches!(error.kind(), Kind::BadRequest | Kind::InvalidUrl | Kind::Corrupt);
    complain(&error.chain(), if is_asked_wrongly { Exit::Usage } else { Exit::Fatal })
}

pub fn complain(message: &str, exit: Exit) -> Exit {
    say(&format!("imgmill: {message}"));
    exit
}

/// Nobody may be listening any more; that is no reason to end otherwise.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
