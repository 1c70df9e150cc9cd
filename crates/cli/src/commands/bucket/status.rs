//! `imgmill bucket status`: how many records wait, are worked on, were given up.

use std::io::Write as _;

use imgmill_systems::bucket::ledger::Ledger;
use imgmill_systems::bucket::status::{Status, status};

use super::{complain, fatal};
use crate::args::StatusArguments;
use crate::exit::Exit;
use crate::settings::{Environment, bucket};
use crate::{logging, progress};

pub async fn run(arguments: &StatusArguments) -> Exit {
    let environment = Environment::of_process();
    let records = match bucket::records(&arguments.records, &environment) {
        Ok(records) => records,
        Err(message) => return complain(&message, Exit::Usage),
    };
    logging::start(&arguments.logs, &progress::bar(&arguments.logs));
    let found = async { status(&Ledger::open(&records, &bucket::objects(&environment)).await?).await };
    let status = match found.await {
        Ok(status) => status,
        Err(error) => return fatal(&error),
    };
    let text = match arguments.json {
        true => serde_json::to_string(&status).unwrap_or_default(),
        false => told(&status),
    };
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => Exit::Done,
        Err(error) => complain(&format!("standard output: {error}"), Exit::Fatal),
    }
}

fn told(status: &Status) -> String {
    let mut text = format!("{} records wait, of {} images", status.waiting, status.images);
    if let Some(seconds) = status.oldest_seconds {
        text.push_str(&format!("; the oldest for {}", age(seconds)));
    }
    if status.failed_before > 0 {
        text.push_str(&format!("\n{} of them failed before and will be tried again", status.failed_before));
    }
    text.push_str(&format!("\n{} images are worked on", status.claimed));
    if status.abandoned > 0 {
        text.push_str(&format!("\n{} claims ran out: their drainer died", status.abandoned));
    }
    text.push_str(&format!("\n{} images were given up", status.failed));
    for reason in &status.reasons {
        text.push_str(&format!("\n  {} in {}: {}", reason.count, reason.stage, reason.kind));
        if let Some(key) = &reason.example {
            text.push_str(&format!("; {key}: {}", reason.message));
        }
    }
    text
}

fn age(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
