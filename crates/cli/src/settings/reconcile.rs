//! What `imgmill reconcile` means.

use imgmill_pipeline::pipeline::Freshness;
use imgmill_pipeline::source::list::Reading;
use imgmill_pipeline::store::PutSettings;
use imgmill_systems::batch::{self, place::Place};
use imgmill_systems::reconcile::{Depth, Originals, Settings};

use super::{
    Environment, delegates, isolation, keys, limits, objects, put, reading, recipe, store, wants_ids,
};
use crate::args::{ReconcileArguments, Verify};

/// Turns the arguments into what they mean. The error is one sentence for a person.
pub fn reconcile(arguments: &ReconcileArguments, environment: &Environment) -> Result<Settings, String> {
    let recipe = recipe(&arguments.recipe)?;
    let keys = keys(&arguments.store, &recipe)?;
    wants_ids(&keys, &arguments.list)?;
    let limits = limits(&arguments.limits)?;
    let work_dir = arguments.store.work_dir.clone().unwrap_or_else(|| std::env::temp_dir().join("imgmill"));
    let work_dir = std::path::absolute(&work_dir).map_err(|error| format!("--work-dir: {error}"))?;
    let named = &arguments.originals;
    let list = reading(&arguments.list, &arguments.metadata_column);
    let originals = match (&named.originals, &named.input, &named.inventory) {
        (_, Some(list_file), _) => Originals::List(Place::of(list_file), list.clone()),
        (_, _, Some(manifest)) => Originals::Inventory(Place::of(manifest)),
        (Some(prefix), ..) => Originals::Prefix(prefix.clone()),
        _ => return Err("name the originals: --originals, --input or --inventory".to_owned()),
    };
    if !matches!(originals, Originals::List(..)) && list != Reading::default() {
        return Err("--input-format, --url-column and --id-column are of lists: --input".to_owned());
    }
    if named.input.as_deref() == Some(std::path::Path::new("-")) && arguments.checkpoint.is_some() {
        return Err(
            "--input -: standard input cannot be gone on with, so --checkpoint wants a file".to_owned()
        );
    }
    let nowhere = Place::Here("-".into());
    let making = batch::Settings {
        input: nowhere.clone(),
        reading: Reading::default(),
        output: nowhere,
        output_failed: None,
        report: arguments.report.as_deref().map(Place::of),
        contact_sheet: None,
        shard: None,
        recipe,
        store: store(&arguments.store, environment)?,
        objects: objects(&arguments.store, &limits, environment)?,
        put: PutSettings { of_rows: !arguments.metadata_column.is_empty(), ..put(&arguments.store.objects)? },
        keys,
        // What is to be made is known to be bad, whatever notes say of it.
        freshness: Freshness::Refresh,
        work_dir,
        keep: false,
        delegates: delegates(arguments.recipe.delegates, environment)?,
        dry_run: arguments.dry_run,
        isolation: isolation(&arguments.limits, batch::SOURCES)?,
        limits,
    };
    Ok(Settings {
        making,
        originals,
        extensions: named.extension.iter().map(|name| name.trim_start_matches('.').to_owned()).collect(),
        notes: arguments.notes,
        ask_origins: arguments.ask_origins,
        depth: match arguments.verify {
            None => Depth::Listing,
            Some(Verify::Ends) => Depth::Ends,
            Some(Verify::Full) => Depth::Whole,
        },
        fix: arguments.fix,
        prune: arguments.prune,
        max_prune: arguments.max_prune,
        sort_listing: arguments.sort_listing,
        checkpoint: arguments.checkpoint.clone(),
    })
}
