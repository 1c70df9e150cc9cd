//! `imgmill bucket rerun`: records for what is in the bucket already.

use imgmill_pipeline::Error;
use imgmill_pipeline::store::{PutSettings, Store};
use imgmill_systems::bucket::drain::{bucket_name, open_sources};
use imgmill_systems::bucket::ledger::Ledger;
use imgmill_systems::bucket::rerun::Rerunner;

use super::{complain, fatal, say};
use crate::args::RerunArguments;
use crate::exit::Exit;
use crate::settings::{self, Environment, bucket};
use crate::{logging, progress};

pub async fn run(arguments: &RerunArguments) -> Exit {
    let environment = Environment::of_process();
    let settings = match bucket::rerun(arguments, &environment) {
        Ok(settings) => settings,
        Err(message) => return complain(&message, Exit::Usage),
    };
    match rerun(arguments, settings, &environment).await {
        Ok(()) => Exit::Done,
        Err(error) => fatal(&error),
    }
}

async fn rerun(
    arguments: &RerunArguments,
    settings: settings::bucket::Rerun,
    environment: &Environment,
) -> Result<(), Error> {
    let bar = progress::bar(&arguments.logs);
    logging::start(&arguments.logs, &bar);
    let objects = bucket::objects(environment);
    let rerunner = Rerunner {
        sources: open_sources(&settings.sources, &objects).await?,
        name: bucket_name(&settings.sources),
        ledger: match &settings.records {
            Some(records) => Some(Ledger::open(records, &objects).await?),
            None => None,
        },
        images: match &settings.images {
            Some(images) => Some(Store::open(images, &objects, PutSettings::default()).await?),
            None => None,
        },
        selection: settings.selection,
        copyright_status: arguments.copyright_status.clone(),
    };
    progress::begin_counting(&bar);
    let count = rerunner.count(|count| bar.set_position(count.objects)).await?;
    bar.reset();
    let quiet = arguments.logs.quiet;
    if !quiet {
        let size = progress::mebibytes(count.bytes);
        bar.suspend(|| say(&format!("{} of {} objects are selected, {size}", count.selected, count.objects)));
    }
    progress::begin(&bar, Some(count.selected));
    let rerun = rerunner.run(|| bar.inc(1)).await?;
    bar.finish_and_clear();
    if !quiet {
        let what = if arguments.dry_run { "would be recorded" } else { "recorded" };
        let mut text = format!("{} {what}, {} wait already", rerun.recorded, rerun.known);
        if arguments.missing_only {
            text.push_str(&format!(", {} have a pyramid", rerun.present));
        }
        say(&text);
    }
    Ok(())
}
