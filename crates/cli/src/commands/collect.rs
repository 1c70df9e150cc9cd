//! `imgmill collect`: messages made of MongoDB's documents.

use std::io::Write as _;

use imgmill_systems::collect::{Settings, collect};
use indicatif::ProgressBar;

use super::run::{complain, fatal, on_runtime, say};
use crate::args::{CollectArguments, Collection, LogArguments};
use crate::exit::Exit;
use crate::settings::{self, Environment};
use crate::{logging, signals};

/// Collects, and says how much came together.
pub fn run(mut arguments: CollectArguments) -> Exit {
    let environment = Environment::of_process();
    let prepared = settings::collect(&arguments.what, &environment);
    let (Collection::Channels(options) | Collection::Episodes(options)) = &mut arguments.what;
    let prepared = prepared.and_then(|settings| {
        options.logs.log_level = settings::log_level(options.logs.log_level, &environment)?;
        Ok(settings)
    });
    match prepared {
        Ok(settings) => on_runtime(work(&options.logs, settings)),
        Err(message) => complain(&message, Exit::Usage),
    }
}

async fn work(logs: &LogArguments, settings: Settings) -> Exit {
    logging::start(logs, &ProgressBar::hidden());
    let (shutdown, signal) = match signals::listen() {
        Ok(listening) => listening,
        Err(message) => return complain(&message, Exit::Fatal),
    };
    let show = |message: &str| {
        // Nobody may be listening any more; that is no reason to end otherwise.
        let _ = writeln!(std::io::stdout(), "{message}");
    };
    let collected = match collect(&settings, &shutdown, show).await {
        Ok(collected) => collected,
        Err(error) => return fatal(&error),
    };
    let sent = if settings.queue.is_some() { "sent" } else { "would be sent" };
    say(&format!("{} messages {sent}, {} documents passed over", collected.messages, collected.passed_over));
    if collected.interrupted { signal.get().copied().map_or(Exit::Fatal, Exit::Signal) } else { Exit::Done }
}
