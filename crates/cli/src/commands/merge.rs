//! `imgmill merge`: the parts of shards become one list.

use std::path::PathBuf;

use imgmill_pipeline::objects::ObjectOptions;
use imgmill_pipeline::source::list::Reading;
use imgmill_pipeline::{Error, Limits};
use imgmill_systems::batch::list_input;
use imgmill_systems::batch::merge::{Merge, Merged};
use imgmill_systems::batch::place::Place;
use indicatif::ProgressBar;

use super::run::{complain, fatal, on_runtime, say};
use crate::args::MergeArguments;
use crate::exit::Exit;
use crate::logging;
use crate::settings::{self, Environment};

/// Merges, and says what is missing.
pub fn run(arguments: &MergeArguments) -> Exit {
    if arguments.parts.contains(&arguments.output) {
        return complain("--output is one of the parts", Exit::Usage);
    }
    logging::start(&arguments.logs, &ProgressBar::hidden());
    let objects = settings::read_objects(&Limits::default(), &Environment::of_process());
    on_runtime(async {
        match merge(arguments, &objects).await {
            Ok(merged) => {
                let whole = merged.failed + merged.missing == 0;
                if !arguments.logs.quiet || !whole {
                    say(&told(&merged));
                }
                if whole { Exit::Done } else { Exit::SomeFailed }
            }
            Err(error) => fatal(&error),
        }
    })
}

async fn merge(arguments: &MergeArguments, objects: &ObjectOptions) -> Result<Merged, Error> {
    let place = |path: &PathBuf| Place::of(path);
    let lists = Lists {
        input: place(&arguments.input),
        reading: settings::reading(&arguments.list, &[]),
        parts: arguments.parts.iter().map(place).collect(),
        output: place(&arguments.output),
        failed: arguments.output_failed.as_ref().map(place),
        missing: arguments.output_missing.as_ref().map(place),
    };
    lists.merge(objects).await
}

/// What is merged and where to, files or objects.
pub struct Lists {
    pub input: Place,
    pub reading: Reading,
    pub parts: Vec<Place>,
    pub output: Place,
    pub failed: Option<Place>,
    pub missing: Option<Place>,
}

impl Lists {
    pub async fn merge(&self, objects: &ObjectOptions) -> Result<Merged, Error> {
        // Only what is an object is copied there.
        let folder = std::env::temp_dir().join(format!("imgmill-merge-{}", std::process::id()));
        let merged = self.merge_in(&folder, objects).await;
        let _ = std::fs::remove_dir_all(&folder);
        merged
    }

    async fn merge_in(&self, folder: &std::path::Path, objects: &ObjectOptions) -> Result<Merged, Error> {
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            parts.push(part.fetch(folder, objects).await?);
        }
        let begin = |place: &Option<Place>| place.as_ref().map(|place| place.begin(folder)).transpose();
        let merge = Merge {
            input: list_input(&self.input, folder, objects).await?.read_as(self.reading.clone()),
            parts,
            output: self.output.begin(folder)?,
            output_failed: begin(&self.failed)?,
            output_missing: begin(&self.missing)?,
        };
        let merged = merge.run()?;
        for place in [Some(&self.output), self.failed.as_ref(), self.missing.as_ref()].into_iter().flatten() {
            place.put(folder, objects).await?;
        }
        Ok(merged)
    }
}

/// For people.
pub fn told(merged: &Merged) -> String {
    let Merged { rows, stored, failed, missing, .. } = merged;
    let mut text = format!("{rows} rows: {stored} stored, {failed} failed, {missing} missing");
    if !merged.first_missing.is_empty() {
        let first: Vec<String> = merged.first_missing.iter().map(u64::to_string).collect();
        let more = if merged.first_missing.len() as u64 == *missing { "" } else { ", …" };
        text.push_str(&format!("\n  no part tells of the rows {}{more}", first.join(", ")));
    }
    if !merged.absent.is_empty() {
        text.push_str(&format!("\n  no part is of the shards {}", merged.absent.join(", ")));
    }
    text
}
