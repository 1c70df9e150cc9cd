//! `imgmill send`: messages to a worker's queue.

use std::io::Read as _;
use std::path::Path;

use imgmill_pipeline::Error;
use imgmill_pipeline::source::queue::Outgoing;
use imgmill_systems::worker::QueueSettings;
use imgmill_systems::worker::send::{self, Names};

use super::run::{complain, fatal, on_runtime, say};
use crate::args::SendArguments;
use crate::exit::Exit;
use crate::settings::{self, Environment};

/// Checks all messages, then sends them: of a list with a mistake in it nothing is sent.
pub fn run(arguments: &SendArguments) -> Exit {
    let prepared = settings::queue(&arguments.queue, &Environment::of_process())
        .and_then(|queue| Ok((queue, messages(arguments)?)));
    let (queue, messages) = match prepared {
        Ok(prepared) => prepared,
        Err(message) => return complain(&message, Exit::Usage),
    };
    on_runtime(async {
        match send_all(&queue, &messages).await {
            Ok(sent) => {
                say(&format!("{sent} messages sent"));
                Exit::Done
            }
            Err(error) => fatal(&error),
        }
    })
}

async fn send_all(queue: &QueueSettings, messages: &[Outgoing]) -> Result<usize, Error> {
    let queue = queue.open().await?.queue;
    send::send(&*queue, messages).await
}

fn messages(arguments: &SendArguments) -> Result<Vec<Outgoing>, String> {
    let names = Names { group: arguments.group.clone(), deduplication: arguments.deduplication.clone() };
    if names.deduplication.is_some() && arguments.messages.len() > 1 {
        return Err("--deduplication names one message; several would be taken for the same".to_owned());
    }
    let mut ready = Vec::new();
    for (index, text) in arguments.messages.iter().enumerate() {
        ready.push(send::outgoing(text, &names).map_err(|error| format!("message {}: {error}", index + 1))?);
    }
    if let Some(file) = &arguments.file {
        let name = file.display();
        let text = read(file).map_err(|error| format!("--file {name}: {error}"))?;
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let message = send::outgoing(line, &names);
            ready.push(message.map_err(|error| format!("{name}, line {}: {error}", index + 1))?);
        }
    }
    Ok(ready)
}

fn read(file: &Path) -> std::io::Result<String> {
    if file != Path::new("-") {
        return std::fs::read_to_string(file);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}
