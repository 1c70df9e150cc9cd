//! `iiif-process`: go-iiif's tool that makes the derivatives of an instructions file of each image.

use std::io;

use imgmill_systems::lambda::Handler;
use imgmill_systems::process::instructions::{self, InstructionSet};
use imgmill_systems::process::place::Place;
use imgmill_systems::process::report::{NAME, TEMPLATE};
use imgmill_systems::process::{Printer, ReportSettings, Settings, Uris, list};

use super::super::tile::complain;
use super::setup::{self, Setup, Wrong, switch, text};
use crate::exit::Exit;
use crate::goflags::{Flag, Kind, Parsed};

const WHAT: &str = "Makes the derivatives of an instructions file of one or more images, and reports on them.\n\
    iiif-process -config FILE -instructions FILE [flags] URI…\n\
    A URI is a path below images.source, file:///PATH?target=…, rewrite:///PATH?target=… or idsecret:///PATH?id=….\n\
    A report on each URI is printed as JSON. Ends with 0: all done, 1: could not run, 2: wrong usage or config,\n\
    3: some URIs failed. Each flag is also read as IIIF_PROCESS_NAME and IIIF_NAME.";

const OWN: [Flag; 12] = [
    text("instructions", "Path to a go-iiif instructions file; or the JSON itself."),
    text("instructions-source", "A bucket's URI that -instructions-name is in, or defaults://."),
    text(
        "instructions-name",
        "The name of the instructions file in -instructions-source. Default: instructions.json.",
    ),
    Flag { name: "uri", kind: Kind::List, help: "A URI to process; may be repeated." },
    text(
        "mode",
        "cli: URIs are named here; csv: they are in CSV files, in the column uri; fsnotify: files that arrive in the \
                  folder of images.source are processed, until somebody ends it; lambda: keys of S3 events are, as a function of \
                  AWS Lambda. Default: cli.",
    ),
    text("csv-source", "A bucket's URI, or a folder, that CSV files are in. Default: here."),
    switch("report", "Store a process report (JSON) for each URI beside its derivatives."),
    text("report-name", "The name of process reports. Default: process.json."),
    text("report-template", "The same with {sha256_origin} in it, for the image's name hashed."),
    text(
        "report-source",
        "A bucket's URI that reports go to, all in one place. Their names then have {sha256_origin}.",
    ),
    text("report-bucket-uri", "The same by its newer name."),
    switch("report-html", "Not done here: reports are JSON."),
];

/// All its flags.
pub fn flags() -> Vec<Flag> {
    setup::flags(&OWN)
}

/// Processes each URI.
pub fn run(words: Vec<String>) -> Exit {
    let parsed = match setup::parse("iiif-process", WHAT, &flags(), words.clone()) {
        Ok(parsed) => parsed,
        Err(exit) => return exit,
    };
    if parsed.text("mode") == Some("lambda") {
        return crate::commands::lambda::run(Some((Handler::Process, words)));
    }
    match Setup::of(&parsed) {
        Ok(setup) => setup::block_on(async { setup::logged(&setup, process(&setup, &parsed)).await }),
        Err(message) => complain(&message, Exit::Usage),
    }
}

async fn process(setup: &Setup, parsed: &Parsed) -> Result<Exit, Wrong> {
    let uris = uris(setup, parsed).await?;
    let prints = matches!(uris, Uris::All(_));
    let printer = Printer::new(prints.then(|| Box::new(io::stdout()) as Box<_>));
    Ok(setup::process(settings(setup, parsed, uris, printer).await?, setup.logs()).await?)
}

/// What the flags mean, for these URIs.
pub async fn settings(
    setup: &Setup,
    parsed: &Parsed,
    uris: Uris,
    printer: Printer,
) -> Result<Settings, String> {
    if parsed.is_on("report-html") {
        tracing::warn!("-report-html is not done here; reports are JSON");
    }
    let config = setup.config(parsed).await?;
    let (name, text) = match setup.file(parsed, "instructions", instructions::DEFAULT).await? {
        Some(named) => named,
        None => {
            tracing::warn!("no instructions are named, so the built-in ones are followed: o, b and d");
            ("defaults://".to_owned(), instructions::DEFAULT.to_owned())
        }
    };
    let set = InstructionSet::read(&text, &config.features, config.services.clone());
    Ok(Settings {
        config,
        instructions: set.map_err(|why| format!("{name}: {why}"))?,
        plain: false,
        uris,
        report: report(parsed)?,
        printer,
        objects: setup.objects.clone(),
        work_dir: std::env::temp_dir().join("imgmill"),
        isolation: setup.isolation()?,
        limits: setup.limits.clone(),
    })
}

async fn uris(setup: &Setup, parsed: &Parsed) -> Result<Uris, String> {
    let named = || parsed.list_and_rest("uri").cloned();
    let all = match parsed.text("mode").unwrap_or("cli") {
        "cli" | "-" => named().collect(),
        "csv" => {
            let mut all = Vec::new();
            for name in named() {
                let text = match parsed.text("csv-source") {
                    Some(source) => setup.read(source, &name).await,
                    None => std::fs::read_to_string(&name).map_err(|error| error.to_string()),
                };
                all.extend(text.and_then(|text| list::uris(&text)).map_err(|why| format!("{name}: {why}"))?);
            }
            all
        }
        "fsnotify" => return Ok(Uris::Arriving),
        other => return Err(format!("-mode {other}: cli, csv, fsnotify or lambda is meant")),
    };
    match all.is_empty() {
        true => Err("no URI is named; iiif-process -help says how".to_owned()),
        false => Ok(Uris::All(all)),
    }
}

fn report(parsed: &Parsed) -> Result<Option<ReportSettings>, String> {
    let place = parsed.text("report-source").or(parsed.text("report-bucket-uri"));
    let named =
        ["report-template", "report-name"].into_iter().find_map(|flag| Some((flag, parsed.text(flag)?)));
    if !parsed.is_on("report") {
        return Ok(None);
    }
    let (flag, name) = named.unwrap_or(("report-name", if place.is_some() { TEMPLATE } else { NAME }));
    let name = name.parse().map_err(|why| format!("-{flag}: {why}"))?;
    let place = place.map(|uri| match Place::of_uri(uri) {
        Ok(Place::Web(_)) => Err(format!("-report-source {uri}: nothing can be put there")),
        Ok(place) => Ok(place),
        Err(why) => Err(format!("-report-source: {why}")),
    });
    Ok(Some(ReportSettings { name, place: place.transpose()? }))
}
