//! `imgmill bucket drain`: pyramids of what is recorded.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use imgmill_pipeline::{End, Kind, Stage};
use imgmill_systems::bucket::drain::{Drain, Finished};
use indicatif::ProgressBar;

use super::{complain, fatal, say};
use crate::args::{DrainArguments, LogFormat};
use crate::exit::Exit;
use crate::progress::{self, BarReporter, cost, seconds};
use crate::settings::{Environment, bucket};
use crate::{logging, signals};

pub async fn run(mut arguments: DrainArguments) -> Exit {
    if arguments.now {
        logging::start(&arguments.logs, &ProgressBar::hidden());
        return super::now::run(&Environment::of_process()).await;
    }
    let settings = match bucket::drain(&mut arguments, &Environment::of_process()) {
        Ok(settings) => settings,
        Err(message) => return complain(&message, Exit::Usage),
    };
    let bar = progress::bar(&arguments.logs);
    logging::start(&arguments.logs, &bar);
    let (shutdown, signal) = match signals::listen() {
        Ok(listening) => listening,
        Err(message) => return complain(&message, Exit::Fatal),
    };
    let stopped = || signal.get().copied().map_or(Exit::Fatal, Exit::Signal);
    let started = Instant::now();
    let prepared = tokio::select! {
        prepared = Drain::prepare(settings) => prepared,
        () = shutdown.cancelled() => return stopped(),
    };
    let drain = match prepared {
        Ok(drain) => drain,
        Err(error) => return fatal(&error),
    };
    let address = drain.address().to_owned();
    tracing::info!(store = address, "draining");
    progress::begin(&bar, None);
    let finished = drain.run(Box::new(BarReporter::new(bar.clone())), shutdown).await;
    bar.finish_and_clear();
    let finished = match finished {
        Ok(finished) => finished,
        Err(error) => return fatal(&error),
    };
    match arguments.logs.log_format {
        _ if arguments.logs.quiet => {}
        LogFormat::Json => log_closing(&finished, started.elapsed()),
        LogFormat::Text => say(&closing(&finished, started.elapsed(), &address)),
    }
    let failed = finished.failed();
    match finished.end {
        End::SourceFailed(error) => fatal(&error),
        End::FailedTooOften(why) => complain(
            &format!("stopped: {why}, more than --max-failure-rate allows; the records stay"),
            Exit::Fatal,
        ),
        End::Interrupted => stopped(),
        End::Exhausted if failed > 0 => Exit::SomeFailed,
        End::Exhausted => Exit::Done,
    }
}

fn failures(finished: &Finished) -> impl Iterator<Item = (&(Stage, Kind), &u64)> {
    finished.summary.failures.iter().chain(&finished.counts.outside)
}

fn closing(finished: &Finished, elapsed: Duration, address: &str) -> String {
    let Finished { summary, counts, .. } = finished;
    let skipped = counts.gone + counts.elsewhere;
    let mut text = format!(
        "{} attempted in {}: {} made, {skipped} skipped, {} failed",
        summary.rows() + skipped,
        seconds(elapsed),
        summary.done + summary.reused,
        finished.failed()
    );
    // Writing to a String cannot fail.
    for (count, why) in [(counts.gone, "the source is gone"), (counts.elsewhere, "another drainer has it")] {
        if count > 0 {
            let _ = write!(text, "\n  skipped: {why} × {count}");
        }
    }
    for ((stage, kind), count) in failures(finished) {
        let _ = write!(text, "\n  failed in {stage}: {kind} × {count}");
    }
    if counts.given_up > 0 {
        let _ = write!(text, "\n  given up, and moved to failed/: {}", counts.given_up);
    }
    text.push_str(&cost(summary, address, "images"));
    if counts.copied > 0 {
        let _ = write!(text, "\n  PDFs copied beside their pyramids: {}", counts.copied);
    }
    text
}

/// The same as log lines, for machines.
fn log_closing(finished: &Finished, elapsed: Duration) {
    let Finished { summary, counts, .. } = finished;
    tracing::info!(
        attempted = summary.rows() + counts.gone + counts.elsewhere,
        made = summary.done + summary.reused,
        gone = counts.gone,
        elsewhere = counts.elsewhere,
        failed = finished.failed(),
        given_up = counts.given_up,
        copied = counts.copied,
        downloaded = summary.downloaded,
        stored = summary.stored,
        ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        "drain finished"
    );
    for ((stage, kind), count) in failures(finished) {
        tracing::info!(%stage, %kind, count, "images that failed");
    }
}
