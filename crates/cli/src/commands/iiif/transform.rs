//! `iiif-transform`: go-iiif's tool that makes one derivative of each image, under the image's own name.

use std::io;

use imgmill_systems::process::instructions::InstructionSet;
use imgmill_systems::process::{Printer, Settings, Uris};

use super::super::tile::complain;
use super::setup::{self, Setup, Wrong, text};
use crate::exit::Exit;
use crate::goflags::{Flag, Parsed};

const WHAT: &str = "Makes one derivative of each image, by a request of Image API 2.1, and stores it under the image's path.\n\
    iiif-transform -config FILE [flags] URI…";

const OWN: [Flag; 6] = [
    text("region", "full, square, x,y,w,h, pct:x,y,w,h, or -1,-1,w,h for a smart crop. Default: full."),
    text("size", "full, max, w, or ,h or w,h or !w,h or pct:n. Default: full."),
    text(
        "rotation",
        "Degrees, with ! before them to mirror; -1 leaves an EXIF orientation alone. Default: 0.",
    ),
    text("quality", "default, color, gray, bitonal, and what the config adds. Default: default."),
    text("format", "jpg, png, and what the config enables. Default: jpg."),
    text("mode", "cli is all there is; for functions there is iiif-process. Default: cli."),
];

/// Transforms each image.
pub fn run(words: Vec<String>) -> Exit {
    let parsed = match setup::parse("iiif-transform", WHAT, &setup::flags(&OWN), words) {
        Ok(parsed) => parsed,
        Err(exit) => return exit,
    };
    if let Some(mode) = parsed.text("mode").filter(|mode| *mode != "cli") {
        return complain(&format!("-mode {mode}: cli is meant"), Exit::Usage);
    }
    match Setup::of(&parsed) {
        Ok(setup) => setup::block_on(async { setup::logged(&setup, transform(&setup, &parsed)).await }),
        Err(message) => complain(&message, Exit::Usage),
    }
}

async fn transform(setup: &Setup, parsed: &Parsed) -> Result<Exit, Wrong> {
    let mut config = setup.config(parsed).await?;
    // What the report is not asked for.
    config.services = Default::default();
    let request = ["region", "size", "rotation", "quality", "format"].map(|name| (name, parsed.text(name)));
    let request: serde_json::Map<_, _> =
        request.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect();
    let instructions = serde_json::json!({ "transformed": request }).to_string();
    let instructions = InstructionSet::read(&instructions, &config.features, config.services.clone())?;
    if parsed.rest.is_empty() {
        return Err("no URI is named; iiif-transform -help says how".to_owned().into());
    }
    let settings = Settings {
        config,
        instructions,
        plain: true,
        uris: Uris::All(parsed.rest.clone()),
        report: None,
        printer: Printer::new(Some(Box::new(io::stdout()))),
        objects: setup.objects.clone(),
        work_dir: std::env::temp_dir().join("imgmill"),
        isolation: setup.isolation()?,
        limits: setup.limits.clone(),
    };
    Ok(setup::process(settings, setup.logs()).await?)
}
