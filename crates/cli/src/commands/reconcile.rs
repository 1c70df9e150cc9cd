//! `imgmill reconcile`: what is to be there beside what is there.

use std::time::Instant;

use imgmill_systems::reconcile::{Counts, Ended, Finished, Observer, Reconcile, Settings};
use indicatif::ProgressBar;

use super::run::{complain, fatal, on_runtime, say};
use crate::args::ReconcileArguments;
use crate::exit::Exit;
use crate::settings::{self, Environment};
use crate::{logging, progress, signals};

/// Compares, does what is to be done about it, and tells how it ended.
pub fn run(arguments: &ReconcileArguments) -> Exit {
    match settings::reconcile(arguments, &Environment::of_process()) {
        Ok(settings) => on_runtime(reconcile(arguments, settings)),
        Err(message) => complain(&message, Exit::Usage),
    }
}

async fn reconcile(arguments: &ReconcileArguments, settings: Settings) -> Exit {
    let bar = progress::bar(&arguments.logs);
    logging::start(&arguments.logs, &bar);
    let (shutdown, signal) = match signals::listen() {
        Ok(listening) => listening,
        Err(message) => return complain(&message, Exit::Fatal),
    };
    let interrupted = || signal.get().copied().map_or(Exit::Fatal, Exit::Signal);
    let started = Instant::now();
    let prepared = tokio::select! {
        prepared = Reconcile::prepare(settings) => prepared,
        () = shutdown.cancelled() => return interrupted(),
    };
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return fatal(&error),
    };
    let address = prepared.address();
    progress::begin_counting(&bar);
    let finished = prepared.run(&mut Watched { bar: &bar, quiet: arguments.logs.quiet }, shutdown).await;
    bar.finish_and_clear();
    let finished = match finished {
        Ok(finished) => finished,
        Err(error) => return fatal(&error),
    };
    if !arguments.logs.quiet || !finished.complete {
        let seconds = started.elapsed().as_secs_f64();
        say(&format!("{}\n  in {address}, {seconds:.1} s", told(&finished.counts)));
    }
    if let Some(why) = &finished.not_pruned {
        return complain(&format!("no orphan was removed: {why}"), Exit::Fatal);
    }
    let Finished { ended, counts, complete, .. } = finished;
    match ended {
        Ended::Interrupted => {
            if arguments.checkpoint.is_some() {
                say("  stopped; the same command goes on");
            }
            interrupted()
        }
        Ended::Stopped(why) => {
            complain(&format!("stopped: {why}, more than --max-failure-rate allows"), Exit::Fatal)
        }
        Ended::Whole if complete && counts.left == 0 => Exit::Done,
        Ended::Whole => Exit::SomeFailed,
    }
}

/// For people.
fn told(counts: &Counts) -> String {
    let Counts { originals, expected, good, objects, .. } = counts;
    let mut text = format!(
        "{originals} originals, {expected} derivatives of them: {good} good; {objects} objects in the store"
    );
    let mut line = |numbers: &[(u64, &str)]| {
        let some: Vec<String> = numbers
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| format!("{number} {what}"))
            .collect();
        if !some.is_empty() {
            text.push_str(&format!("\n  {}", some.join(", ")));
        }
    };
    line(&[
        (counts.missing, "missing"),
        (counts.stale, "stale"),
        (counts.unreadable, "unreadable"),
        (counts.unverified, "not looked at"),
        (counts.conflicts, "whose key another original has"),
        (counts.unnamed, "originals without a name"),
        (counts.orphaned, "orphaned"),
    ]);
    line(&[
        (counts.fixed, "made"),
        (counts.present, "made by others meanwhile"),
        (counts.failed, "failed"),
        (counts.pruned, "orphans removed"),
        (counts.left, "orphans left, since they changed"),
    ]);
    text
}

struct Watched<'a> {
    bar: &'a ProgressBar,
    quiet: bool,
}

impl Observer for Watched<'_> {
    fn compared(&mut self, keys: u64) {
        self.bar.set_position(keys);
    }

    fn repairing(&mut self, derivatives: u64) {
        self.bar.reset();
        progress::begin(self.bar, Some(derivatives));
    }

    fn repaired(&mut self) {
        self.bar.inc(1);
    }

    fn show(&mut self, text: &str) {
        if !self.quiet {
            self.bar.suspend(|| say(text));
        }
    }
}
