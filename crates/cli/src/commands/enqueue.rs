//! `imgmill enqueue`: a list spread over a worker's queue.

use imgmill_pipeline::objects::ObjectOptions;
use imgmill_pipeline::{Error, Limits};
use imgmill_systems::batch::list_input;
use imgmill_systems::batch::place::Place;
use imgmill_systems::worker::QueueSettings;
use imgmill_systems::worker::enqueue::{Enqueue, Enqueued};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::run::{complain, fatal, on_runtime, say};
use crate::args::EnqueueArguments;
use crate::exit::Exit;
use crate::settings::{self, Environment};
use crate::{logging, progress, signals};

/// Checks the whole list, then sends a message for each row.
pub fn run(arguments: &EnqueueArguments) -> Exit {
    let environment = Environment::of_process();
    let queue = settings::queue(&arguments.queue, &environment);
    let (queue, added) = match queue.and_then(|queue| Ok((queue, added(arguments)?))) {
        Ok(meant) => meant,
        Err(message) => return complain(&message, Exit::Usage),
    };
    let objects = settings::read_objects(&Limits::default(), &environment);
    on_runtime(async {
        let (shutdown, signal) = match signals::listen() {
            Ok(listening) => listening,
            Err(message) => return complain(&message, Exit::Fatal),
        };
        match enqueue(arguments, &queue, added, &objects, &shutdown).await {
            Ok(Enqueued { sent, interrupted: false, .. }) => {
                say(&format!("{sent} messages sent"));
                Exit::Done
            }
            Ok(Enqueued { sent, up_to, .. }) => {
                say(&format!("{sent} messages sent; go on with --after {up_to}"));
                signal.get().copied().map_or(Exit::Fatal, Exit::Signal)
            }
            Err(error) => fatal(&error),
        }
    })
}

async fn enqueue(
    arguments: &EnqueueArguments,
    queue: &QueueSettings,
    added: Map<String, Value>,
    objects: &ObjectOptions,
    shutdown: &CancellationToken,
) -> Result<Enqueued, Error> {
    let bar = progress::bar(&arguments.logs);
    logging::start(&arguments.logs, &bar);
    let folder = std::env::temp_dir().join(format!("imgmill-enqueue-{}", std::process::id()));
    let input = list_input(&Place::of(&arguments.input), &folder, objects).await?;
    let input = input.read_as(settings::reading(&arguments.list, &[]));
    let enqueue = Enqueue { input, added, after: arguments.after };
    let messages = enqueue.check()?;
    let queue = queue.open().await?.queue;
    progress::begin(&bar, Some(messages));
    let enqueued = enqueue.send(&*queue, shutdown, |count| bar.inc(count)).await;
    bar.finish_and_clear();
    let _ = std::fs::remove_dir_all(&folder);
    enqueued
}

/// What every message has besides its row.
fn added(arguments: &EnqueueArguments) -> Result<Map<String, Value>, String> {
    if arguments.input.as_os_str() == "-" {
        return Err("--input -: the list is read twice, so let it be a file".to_owned());
    }
    let mut added = Map::new();
    for field in &arguments.field {
        let (name, value) = field
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| format!("--field {field}: expected NAME=VALUE"))?;
        added.insert(name.to_owned(), Value::from(value));
    }
    for (name, value) in [
        ("redirect_queue", &arguments.redirect_queue),
        ("postback_url", &arguments.postback_url),
        ("bucket_name", &arguments.bucket_name),
    ] {
        if let Some(value) = value {
            added.insert(name.to_owned(), Value::from(value.as_str()));
        }
    }
    Ok(added)
}
