//! `imgmill bucket record`: events in, records written.

use std::io::Read as _;
use std::path::Path;

use imgmill_pipeline::Kind;
use imgmill_systems::bucket::ledger::Ledger;
use imgmill_systems::bucket::note::{self, Noted, Recorder};

use super::{complain, fatal, say};
use crate::args::RecordArguments;
use crate::exit::Exit;
use crate::settings::{Environment, bucket};
use crate::{logging, progress};

pub async fn run(arguments: &RecordArguments) -> Exit {
    let environment = Environment::of_process();
    let settings = match bucket::record(arguments, &environment) {
        Ok(settings) => settings,
        Err(message) => return complain(&message, Exit::Usage),
    };
    logging::start(&arguments.logs, &progress::bar(&arguments.logs));
    let name = arguments.event.display();
    let text = match read(&arguments.event) {
        Ok(text) => text,
        Err(error) => {
            return complain(&format!("{name}: {error}; expected an event of S3 as JSON"), Exit::Usage);
        }
    };
    let events = match note::events(&text) {
        Ok(events) => events,
        Err(error) => return complain(&format!("{name}: {}", error.chain()), Exit::Usage),
    };
    let ledger = match Ledger::open(&settings.records, &bucket::objects(&environment)).await {
        Ok(ledger) => ledger,
        Err(error) => return fatal(&error),
    };
    let recorder = Recorder::new(ledger, settings.bucket, arguments.copyright_status.clone());
    let mut noted = Noted::default();
    for event in &events {
        match recorder.note(event, &mut noted).await {
            Ok(()) => {}
            Err(error) if error.kind() == Kind::Corrupt => {
                return complain(&format!("{name}: {}", error.chain()), Exit::Usage);
            }
            Err(error) => return fatal(&error),
        }
    }
    if !arguments.logs.quiet {
        say(&told(&noted));
    }
    Exit::Done
}

fn read(path: &Path) -> std::io::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path)
}

fn told(noted: &Noted) -> String {
    let mut text = format!("{} recorded, {} recorded before", noted.recorded, noted.known);
    let skipped: u64 = noted.skipped.values().sum();
    text.push_str(&format!(", {skipped} skipped"));
    for (why, count) in &noted.skipped {
        text.push_str(&format!("\n  skipped: {why} × {count}"));
    }
    text
}
