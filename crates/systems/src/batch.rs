//! The batch: a CSV of image URLs in, derivatives stored, CSVs out. Of a list that several machines share, a batch is one
//! shard; [`merge`] puts the parts together.

pub mod merge;
pub mod place;
pub mod progress;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use imgmill_image::Recipe;
use imgmill_pipeline::delegate::{self, Delegates};
use imgmill_pipeline::derive::isolated::Program;
use imgmill_pipeline::derive::{Deriver, Isolation};
use imgmill_pipeline::fetch::Fetcher;
use imgmill_pipeline::keep::Keeper;
use imgmill_pipeline::naming::KeyTemplate;
use imgmill_pipeline::objects::ObjectOptions;
use imgmill_pipeline::pipeline::Freshness;
use imgmill_pipeline::report::{ContactSheet, FailedList, JsonLines, OutputList, Reporter, Summary};
use imgmill_pipeline::source::given::Given;
use imgmill_pipeline::source::list::{List, ListInput, Reading};
use imgmill_pipeline::source::shard::Shard;
use imgmill_pipeline::store::{PutSettings, Store};
use imgmill_pipeline::{End, Error, Instructions, Kind, Limits, Stage, Stages};
use tokio_util::sync::CancellationToken;

use crate::Sources;
use place::Place;
use progress::ProgressNote;

/// A list is its user's own.
pub const SOURCES: Sources = Sources::Own;

/// Everything that decides what a batch does.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The list of URLs.
    pub input: Place,
    /// How it is read.
    pub reading: Reading,
    /// Where the list of what was stored goes; `-` is standard output.
    pub output: Place,
    /// Where the list of URLs that failed goes, if it is wanted.
    pub output_failed: Option<Place>,
    /// Where the full report goes, if it is wanted.
    pub report: Option<Place>,
    /// Where the contact sheet goes, if it is wanted.
    pub contact_sheet: Option<Place>,
    /// The part of the list that is worked on, where it is not all of it. Its files have names of their own.
    pub shard: Option<Shard>,
    /// What is made of every image.
    pub recipe: Recipe,
    /// Where it is stored: `s3://…`, `gs://…`, `az://…` or `file:///…`.
    pub store: String,
    /// How object stores are reached.
    pub objects: ObjectOptions,
    /// What is said of every object that is put.
    pub put: PutSettings,
    /// How objects are named.
    pub keys: KeyTemplate,
    /// What a stored result is asked.
    pub freshness: Freshness,
    /// Where spooled bodies and local copies go.
    pub work_dir: PathBuf,
    /// Whether local copies of sources and renditions are kept there.
    pub keep: bool,
    /// Whether ImageMagick may read formats that imgmill does not, and how.
    pub delegates: Option<DelegateSettings>,
    /// Look only.
    pub dry_run: bool,
    /// Where images are made.
    pub isolation: Isolation,
    /// Every bound.
    pub limits: Limits,
}

/// How ImageMagick is found and started.
#[derive(Debug, Clone)]
pub struct DelegateSettings {
    /// The folders that it is looked for in, as in PATH.
    pub path: OsString,
    /// What shuts it in.
    pub guard: Program,
}

/// A batch that passed every check which can be made before the first download.
#[derive(Debug)]
pub struct Batch {
    settings: Settings,
    list: List,
    stages: Stages,
    address: String,
}

/// What came of a batch.
#[derive(Debug)]
pub struct Finished {
    /// Why it ended.
    pub end: End,
    /// Its counts.
    pub summary: Summary,
}

async fn delegates(found: &DelegateSettings, settings: &Settings) -> Result<Delegates, Error> {
    let limits = &settings.limits;
    let bounds = delegate::Bounds {
        time: limits.job_timeout,
        pixels: limits.max_pixels,
        at_once: limits.threads,
        body_memory: limits.body_memory,
    };
    Delegates::find(&found.path, Some(found.guard.clone()), bounds, &settings.work_dir).await
}

impl Batch {
    /// Checks list, work folder and store.
    ///
    /// # Errors
    /// [`Stage::Source`] for a list that is not as it must be; else what to set or mend.
    pub async fn prepare(settings: Settings) -> Result<Batch, Error> {
        let settings = with_parts(settings);
        let instructions = instructions(&settings);
        let input = list_input(&settings.input, &settings.work_dir, &settings.objects).await?;
        let input = input.read_as(settings.reading.clone());
        let shard = settings.shard;
        let opened = tokio::task::spawn_blocking(move || List::open_shard(input, shard, instructions));
        let list = opened.await.map_err(|join| {
            Error::new(Stage::Source, Kind::Internal, "reading the list failed").caused_by(join)
        })??;
        make_work_dir(&settings)?;
        let (stages, address) = stages(&settings).await?;
        Ok(Batch { settings, list, stages, address })
    }

    /// How many rows the list has, where that is known beforehand.
    pub fn rows(&self) -> Option<u64> {
        self.list.rows()
    }

    /// What the store is, for people.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Works through the list. `observer` hears of every outcome beside the files.
    ///
    /// # Errors
    /// When a report cannot be written.
    pub async fn run(
        self,
        observer: Box<dyn Reporter + '_>,
        shutdown: CancellationToken,
    ) -> Result<Finished, Error> {
        let Batch { settings, list, stages, .. } = self;
        let mut summary = Summary::default();
        let mut reporters: Vec<Box<dyn Reporter + '_>> = vec![Box::new(&mut summary), observer];
        let folder = &settings.work_dir;
        if !settings.dry_run {
            let (derivatives, listed) = (settings.recipe.derivatives().len(), list.header());
            let path = settings.output.begin(folder)?;
            reporters.push(Box::new(match settings.shard {
                Some(_) => OutputList::create_part(&path, derivatives, listed)?,
                None => OutputList::create(&path, derivatives, listed)?,
            }));
            if let Some(place) = &settings.output_failed {
                reporters.push(Box::new(FailedList::create(&place.begin(folder)?, listed)?));
            }
            if let Some(place) = &settings.contact_sheet {
                // Where every image is made in a process, no source is opened here either.
                let of_sources = !settings.isolation.everywhere;
                let path = place.begin(folder)?;
                let sheet = ContactSheet::create(&path, settings.limits.threads, of_sources)?;
                reporters.push(Box::new(sheet));
            }
            if let Place::Object(url) = &settings.output {
                let note = ProgressNote::open(url, list.rows(), &settings.objects).await?;
                reporters.push(Box::new(note));
            }
        }
        if let Some(place) = &settings.report {
            reporters.push(Box::new(JsonLines::create(&place.begin(folder)?)?));
        }
        let end = imgmill_pipeline::run(&list, stages, &mut reporters, &settings.limits, shutdown).await?;
        drop(reporters);
        let lists =
            [Some(&settings.output), settings.output_failed.as_ref(), settings.contact_sheet.as_ref()];
        let lists = lists.into_iter().flatten();
        for place in lists.filter(|_| !settings.dry_run).chain(&settings.report) {
            place.put(folder, &settings.objects).await?;
        }
        Ok(Finished { end, summary })
    }
}

/// Makes the images of a few URLs, which `settings.input` says nothing of; no lists are written. `observer` hears of
/// each.
///
/// # Errors
/// As [`Batch::prepare`] and [`Batch::run`].
pub async fn some(
    settings: &Settings,
    urls: impl IntoIterator<Item = Arc<str>>,
    mut observer: Box<dyn Reporter + '_>,
    shutdown: CancellationToken,
) -> Result<End, Error> {
    make_work_dir(settings)?;
    let (stages, _) = stages(settings).await?;
    let source = Given::new(urls, &instructions(settings));
    imgmill_pipeline::run(&source, stages, &mut *observer, &settings.limits, shutdown).await
}

fn instructions(settings: &Settings) -> Arc<Instructions> {
    let (recipe, keys) = (settings.recipe.clone(), settings.keys.clone());
    Arc::new(Instructions::new(Arc::new(recipe), Arc::new(keys)))
}

fn make_work_dir(settings: &Settings) -> Result<(), Error> {
    let made = if settings.dry_run { Ok(()) } else { std::fs::create_dir_all(&settings.work_dir) };
    made.map_err(|error| {
        let folder = settings.work_dir.display();
        let message =
            format!("the work folder {folder} cannot be made: {error}; name another with --work-dir");
        Error::new(Stage::Fetch, Kind::Io, message)
    })
}

/// The stages, checked, and what the store is for people.
pub(crate) async fn stages(settings: &Settings) -> Result<(Stages, String), Error> {
    let objects = ObjectOptions { read_only: settings.dry_run, ..settings.objects.clone() };
    let store = Store::open(&settings.store, &objects, settings.put.clone()).await?;
    store.check(!settings.dry_run).await?;
    let address = store.address().to_string();
    let delegates = match &settings.delegates {
        Some(found) if !settings.dry_run => Some(delegates(found, settings).await?),
        _ => None,
    };
    let deriver =
        Deriver::new(&settings.limits, settings.isolation.clone())?.working_in(settings.work_dir.clone());
    if !settings.dry_run {
        deriver.check().await?;
    }
    let stages = Stages {
        fetcher: Fetcher::new(&settings.limits, settings.work_dir.clone(), settings.objects.clone())?,
        delegates,
        deriver,
        store,
        freshness: settings.freshness,
        pointers: true,
        keeper: settings.keep.then(|| Arc::new(Keeper::new(settings.work_dir.clone()))),
        spool_dir: settings.work_dir.clone(),
        dry_run: settings.dry_run,
    };
    Ok((stages, address))
}

/// The list, copied here where it is an object.
///
/// # Errors
/// No such object, no permission.
pub async fn list_input(
    input: &Place,
    folder: &std::path::Path,
    objects: &ObjectOptions,
) -> Result<ListInput, Error> {
    Ok(match input {
        Place::Here(path) => ListInput::new(path),
        Place::Object(url) => ListInput::copy(input.fetch(folder, objects).await?, url.clone()),
    })
}

/// A shard's files have names of their own, so that all of them can be told to write the same.
fn with_parts(mut settings: Settings) -> Settings {
    if let Some(shard) = settings.shard {
        let places = [&mut settings.output].into_iter();
        for place in places
            .chain(&mut settings.output_failed)
            .chain(&mut settings.report)
            .chain(&mut settings.contact_sheet)
        {
            *place = place.renamed(|path| shard.part_of(path));
        }
    }
    settings
}
