//! `imgmill worker`: messages worked on until a signal comes; and `imgmill worker redrive`: its dead letters.

use std::io::Write as _;
use std::time::SystemTime;

use imgmill_pipeline::report::Summary;
use imgmill_pipeline::{End, Error, redact};
use imgmill_systems::worker::redrive::DeadLetters;
use imgmill_systems::worker::{Finished, QueueSettings, Settings, Worker};
use indicatif::ProgressBar;

use super::run::{complain, fatal, on_runtime, say};
use crate::args::{LogArguments, RedriveAction, RedriveArguments, WorkerArguments, WorkerCommand};
use crate::exit::Exit;
use crate::settings::{self, Environment};
use crate::{logging, signals};

/// Dead letters looked through for those with given ids.
const LOOKED_THROUGH: usize = 10_000;
/// What a line of a list shows of a message.
const SHOWN: usize = 100;

/// Runs the worker, or what is to be done with its dead letters.
pub fn run(mut arguments: WorkerArguments) -> Exit {
    let environment = Environment::of_process();
    arguments.logs.log_level = match settings::log_level(arguments.logs.log_level, &environment) {
        Ok(level) => level,
        Err(message) => return complain(&message, Exit::Usage),
    };
    if let Some(WorkerCommand::Redrive(redrive)) = &arguments.command {
        return dead_letters(redrive, &environment);
    }
    match settings::worker(&arguments, &environment) {
        Ok(settings) => on_runtime(work(&arguments.logs, settings)),
        Err(message) => complain(&message, Exit::Usage),
    }
}

async fn work(logs: &LogArguments, settings: Settings) -> Exit {
    logging::start(logs, &ProgressBar::hidden());
    let (shutdown, signal) = match signals::listen() {
        Ok(listening) => listening,
        Err(message) => return complain(&message, Exit::Fatal),
    };
    if !settings.postback.has_secret() {
        tracing::warn!("POSTBACK_SECRET_KEY is not set: postbacks have no postback_secret_key");
    }
    if !settings.postback.is_signed() {
        tracing::warn!("POSTBACK_SIGNING_KEY is not set: postbacks are not signed");
    }
    let prepared = tokio::select! {
        prepared = Worker::prepare(settings) => prepared,
        () = shutdown.cancelled() => return signal.get().copied().map_or(Exit::Fatal, Exit::Signal),
    };
    let worker = match prepared {
        Ok(worker) => worker,
        Err(error) => return fatal(&error),
    };
    let mut summary = Summary::default();
    let finished = worker.run(Box::new(&mut summary), shutdown).await;
    let Finished { end, messages } = match finished {
        Ok(finished) => finished,
        Err(error) => return fatal(&error),
    };
    let counts: Vec<String> = messages.iter().map(|(how, count)| format!("{count} {how}")).collect();
    let images =
        format!("{} made, {} already stored, {} failed", summary.done, summary.reused, summary.failed);
    tracing::info!(
        "messages: {}; images: {images}",
        if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
    );
    match end {
        End::SourceFailed(error) => fatal(&error),
        End::FailedTooOften(why) => {
            complain(&format!("stopped: {why}, more than --max-failure-rate allows"), Exit::Fatal)
        }
        End::Interrupted => signal.get().copied().map_or(Exit::Fatal, Exit::Signal),
        End::Exhausted => Exit::Done,
    }
}

fn dead_letters(arguments: &RedriveArguments, environment: &Environment) -> Exit {
    let (RedriveAction::List { queue, .. }
    | RedriveAction::Show { queue, .. }
    | RedriveAction::Return { queue, .. }) = &arguments.action;
    let mut queue = match settings::queue(queue, environment) {
        Ok(queue) => queue,
        Err(message) => return complain(&message, Exit::Usage),
    };
    // Whoever stands before the screen waits for this; an empty queue is soon known to be.
    queue.wait = queue.wait.min(std::time::Duration::from_secs(1));
    on_runtime(async {
        match redrive(&queue, &arguments.action).await {
            Ok(exit) => exit,
            Err(error) => fatal(&error),
        }
    })
}

async fn redrive(settings: &QueueSettings, action: &RedriveAction) -> Result<Exit, Error> {
    let queue = settings.open().await?.queue;
    let most = match action {
        RedriveAction::List { limit, .. } => *limit,
        _ => LOOKED_THROUGH,
    };
    let mut dead = DeadLetters::of(&*queue, most).await?;
    let exit = match action {
        RedriveAction::List { .. } => {
            dead.letters().iter().for_each(|letter| print(&line(letter)));
            say(&format!("{} dead letters of {}", dead.letters().len(), queue.name()));
            Exit::Done
        }
        RedriveAction::Show { ids, .. } => {
            let wanted: Vec<_> = dead.letters().iter().filter(|letter| ids.contains(&letter.id)).collect();
            wanted.iter().for_each(|letter| print(&letter.body));
            found(ids, wanted.len())
        }
        RedriveAction::Return { ids, .. } => {
            let returned = dead.send_back(&*queue, ids).await;
            let returned = match returned {
                Ok(returned) => returned,
                Err(error) => {
                    dead.let_go().await?;
                    return Err(error);
                }
            };
            say(&format!("{returned} messages returned to {}", queue.name()));
            found(ids, returned)
        }
    };
    dead.let_go().await?;
    Ok(exit)
}

fn found(ids: &[String], found: usize) -> Exit {
    match ids.len().checked_sub(found) {
        None | Some(0) => Exit::Done,
        Some(missing) => {
            complain(&format!("{missing} of the ids are not among the dead letters"), Exit::SomeFailed)
        }
    }
}

fn line(letter: &imgmill_pipeline::source::queue::Received) -> String {
    let age = letter.sent.and_then(|sent| SystemTime::now().duration_since(sent).ok());
    let age = age.map_or_else(|| "-".to_owned(), |age| format!("{} s", age.as_secs()));
    let text: String = redact::text(&letter.body).chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    format!("{}\t{}\t{age}\t{text}", letter.id, letter.receives)
}

/// Nobody may be listening any more; that is no reason to end otherwise.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
