//! `imgmill iiif info`: the `info.json` that go-iiif's server would answer for an image.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use imgmill_systems::process::place::Place;
use imgmill_systems::process::{Printer, Settings, Uris, info};
use serde_json::Value;

use super::super::tile::{complain, say};
use super::setup::{self, Setup, Wrong, text};
use crate::exit::Exit;
use crate::goflags::{Flag, Parsed};

const WHAT: &str = "Prints the info.json (Image API 2.1) of each image, with the services of the config.\n\
    imgmill iiif info -config FILE [flags] URI…";

const OWN: [Flag; 1] =
    [text("endpoint", "The URL that images will be served at. Default: http://localhost:8080.")];

/// Prints what is known of each image.
pub fn run(words: Vec<String>) -> Exit {
    let parsed = match setup::parse("imgmill iiif info", WHAT, &setup::flags(&OWN), words) {
        Ok(parsed) => parsed,
        Err(exit) => return exit,
    };
    match Setup::of(&parsed) {
        Ok(setup) => setup::block_on(async { setup::logged(&setup, print(&setup, &parsed)).await }),
        Err(message) => complain(&message, Exit::Usage),
    }
}

async fn print(setup: &Setup, parsed: &Parsed) -> Result<Exit, Wrong> {
    let mut config = setup.config(parsed).await?;
    config.derivatives = Place::Nowhere;
    if parsed.rest.is_empty() {
        return Err("no URI is named; imgmill iiif info -help says how".to_owned().into());
    }
    let reports = Shared::default();
    let settings = Settings {
        config: config.clone(),
        instructions: info::instructions(&config)?,
        plain: false,
        uris: Uris::All(parsed.rest.clone()),
        report: None,
        printer: Printer::new(Some(Box::new(reports.clone()))),
        objects: setup.objects.clone(),
        work_dir: std::env::temp_dir().join("imgmill"),
        isolation: setup.isolation()?,
        limits: setup.limits.clone(),
    };
    let exit = setup::process(settings, setup.logs()).await?;
    let endpoint = parsed.text("endpoint").unwrap_or("http://localhost:8080");
    let reports: Value = serde_json::from_slice(&reports.take()).unwrap_or_default();
    // In the order that they were named in; each once.
    for uri in &parsed.rest {
        let Some(report) = reports.get(uri) else { continue };
        match info::info(report, &config, endpoint) {
            // Who stops reading needs no more.
            Ok(info) => drop(writeln!(io::stdout(), "{info:#}")),
            Err(why) => say(&format!("imgmill: {uri}: {why}")),
        }
    }
    Ok(exit)
}

/// What was written, for who comes later.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
