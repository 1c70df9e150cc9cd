//! `--engine stepfunctions`: a Distributed Map.

use std::path::Path;
use std::time::Duration;

use imgmill_aws::fleet::{Account, AccountSettings, StateMachines};
use imgmill_pipeline::objects::ObjectOptions;
use imgmill_pipeline::{Error, Kind, Limits, Stage};
use imgmill_systems::batch::merge::Merged;
use imgmill_systems::batch::place::Place;
use imgmill_systems::fleet::dispatch::View;
use imgmill_systems::fleet::results;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::view::Line;
use crate::args::DispatchArguments;
use crate::commands::run::say;
use crate::exit::Exit;
use crate::settings::{Environment, read_objects};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(5);

pub async fn run(
    arguments: &DispatchArguments,
    bar: &ProgressBar,
    shutdown: &CancellationToken,
) -> Result<Option<Exit>, Error> {
    let account = Account::open(&AccountSettings::default()).await?;
    let machines = StateMachines::of(&account);
    let execution = match &arguments.states.redrive {
        Some(execution) => {
            machines.redrive(execution).await?;
            execution.clone()
        }
        None => {
            let machine = arguments.states.state_machine.clone().unwrap_or_default();
            machines.start(&machine, None, &input(arguments)?).await?
        }
    };
    say(&format!("the execution is {execution}"));
    let mut line = Line::new(bar);
    let followed = follow(&machines, &execution, &mut line, shutdown).await;
    line.finish();
    let Some(output) = followed? else { return Ok(None) };
    let objects = read_objects(&Limits::default(), &Environment::of_process());
    // How long an inventory is, only its map knows.
    let rows = match is_inventory(&arguments.input) {
        true => Some(machines.counts(&execution).await?.total),
        false => None,
    };
    gather(arguments, &output, rows, &objects).await.map(Some)
}

/// Whether the list is what S3 Inventory writes.
fn is_inventory(input: &str) -> bool {
    input.ends_with("/manifest.json")
}

/// What the CDK app's state machine takes.
fn input(arguments: &DispatchArguments) -> Result<Value, Error> {
    let (bucket, key) = object(&arguments.input)?;
    let (output, name) = object(&arguments.output)?;
    let prefix = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut input = json!({
        "input": { "bucket": bucket, "key": key },
        "output": { "bucket": output, "prefix": prefix },
        "arguments": arguments.arguments,
    });
    if is_inventory(&arguments.input) {
        input["inventory"] = true.into();
    }
    let states = &arguments.states;
    for (name, value) in [
        ("batch", states.batch),
        ("max_concurrency", states.max_concurrency),
        ("tolerated_failure_percentage", states.tolerated_failures),
    ] {
        if let Some(value) = value {
            input[name] = value.into();
        }
    }
    Ok(input)
}

fn object(url: &str) -> Result<(&str, &str), Error> {
    let found = url.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
    found.filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty()).ok_or_else(|| {
        let message = format!("{url}: Step Functions reads and writes S3; write s3://bucket/key");
        Error::new(Stage::Source, Kind::BadRequest, message)
    })
}

/// What the execution came to; nothing where somebody stopped it.
async fn follow(
    machines: &StateMachines,
    execution: &str,
    line: &mut Line<'_>,
    shutdown: &CancellationToken,
) -> Result<Option<Value>, Error> {
    loop {
        match machines.look(execution).await {
            Ok(found) if found.status == "SUCCEEDED" => return Ok(Some(found.output)),
            Ok(found) if found.status == "RUNNING" || found.status == "PENDING_REDRIVE" => {}
            Ok(found) => {
                let message = format!(
                    "the execution ended as {}: {}; when that is mended, --redrive {execution} goes on",
                    found.status, found.reason
                );
                return Err(Error::new(Stage::Fetch, Kind::Io, message));
            }
            Err(error) if error.is_transient() => tracing::warn!("will ask again: {}", error.chain()),
            Err(error) => return Err(error),
        }
        // Its counts are for the eye only.
        if let Ok(counts) = machines.counts(execution).await {
            let number = |count: i64| u64::try_from(count).unwrap_or_default();
            let state =
                |name: &str, count: i64| (name.to_owned(), usize::try_from(count).unwrap_or_default());
            line.show(&View {
                states: vec![state("running", counts.running), state("waiting", counts.pending)],
                rows: number(counts.total),
                all_known: counts.total > 0,
                stored: number(counts.succeeded),
                failed: number(counts.failed),
                restarts: 0,
            });
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = shutdown.cancelled() => {
                machines.stop(execution).await?;
                say(&format!("stopped; --redrive {execution} goes on"));
                return Ok(None);
            }
        }
    }
}

async fn gather(
    arguments: &DispatchArguments,
    output: &Value,
    rows: Option<i64>,
    objects: &ObjectOptions,
) -> Result<Exit, Error> {
    let manifest = results::manifest_of(output).ok_or_else(|| {
        let message =
            "the execution does not say where its results are: no ResultWriterDetails in its output";
        Error::new(Stage::Source, Kind::Corrupt, message)
    })?;
    let folder = std::env::temp_dir().join(format!("imgmill-results-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| {
        Error::new(Stage::Report, Kind::Io, format!("{} cannot be made: {error}", folder.display()))
    })?;
    let merged = merge(arguments, &manifest, rows, &folder, objects).await;
    let _ = std::fs::remove_dir_all(&folder);
    Ok(super::merged(&merged?, arguments.logs.quiet))
}

async fn merge(
    arguments: &DispatchArguments,
    manifest: &str,
    rows: Option<i64>,
    folder: &Path,
    objects: &ObjectOptions,
) -> Result<Merged, Error> {
    let Some(rows) = rows else {
        let part = results::part(manifest, folder, objects).await?;
        return super::lists(arguments, vec![Place::Here(part)]).merge(objects).await;
    };
    let (part, list, known) = results::part_and_list(manifest, folder, objects).await?;
    let lists = super::lists(arguments, vec![Place::Here(part)]);
    let mut merged = super::super::merge::Lists { input: Place::Here(list), ..lists }.merge(objects).await?;
    // Objects of batches that failed: their names are in the inventory alone.
    let missing = u64::try_from(rows).unwrap_or_default().saturating_sub(known);
    merged.rows += missing;
    merged.missing += missing;
    Ok(merged)
}
