//! go-iiif's `iiif-process`: URIs and a set of instructions in, derivatives under IIIF's paths and a report out.
//!
//! [`config`] and [`instructions`] are what people have written, [`uri`] what they ask for, [`place`] where images are
//! and derivatives go, [`features`] what may be asked. [`work`] is the flow's source, [`naming`] its names, [`report`]
//! what is told.

pub mod config;
pub mod info;
pub mod instructions;
pub mod list;
pub mod place;
pub mod report;
pub mod uri;
pub mod watch;

mod features;
mod json;
mod naming;
mod template;
#[cfg(test)]
mod tests;
mod work;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use imgmill_image::Recipe;
use imgmill_pipeline::derive::{Deriver, Isolation};
use imgmill_pipeline::fetch::Fetcher;
use imgmill_pipeline::objects::ObjectOptions;
use imgmill_pipeline::pipeline::Freshness;
use imgmill_pipeline::report::{Reporter, Summary};
use imgmill_pipeline::store::{PutSettings, Store};
use imgmill_pipeline::{End, Error, Kind, Limits, Stage, Stages};
use tokio_util::sync::CancellationToken;

use self::config::Config;
use self::instructions::InstructionSet;
use self::place::Place;
use self::report::ReportName;
use self::work::{Counts, Reports, Work};
use crate::Sources;

pub use self::work::Printer;

/// Its images are those that its user named.
pub const SOURCES: Sources = Sources::Own;

/// Everything that decides what is done.
pub struct Settings {
    /// Where images are, where derivatives go, what is found out.
    pub config: Config,
    /// What is made.
    pub instructions: InstructionSet,
    /// A single transformation: what is made goes to the target itself.
    pub plain: bool,
    /// The URIs.
    pub uris: Uris,
    /// Whether and how reports are stored.
    pub report: Option<ReportSettings>,
    /// What is printed.
    pub printer: Printer,
    /// How object stores are reached, where the config does not say otherwise.
    pub objects: ObjectOptions,
    /// Where files without a name may lie.
    pub work_dir: PathBuf,
    /// Where images are made.
    pub isolation: Isolation,
    /// Every bound.
    pub limits: Limits,
}

/// Where URIs come from.
#[derive(Debug)]
pub enum Uris {
    /// They are all known.
    All(Vec<String>),
    /// Those of files that arrive in the source's folder, until somebody ends it.
    Arriving,
}

/// How reports are stored.
#[derive(Debug, Clone)]
pub struct ReportSettings {
    /// What they are called.
    pub name: ReportName,
    /// Where they go; none is beside the derivatives.
    pub place: Option<Place>,
}

/// What came of it.
#[derive(Debug)]
pub struct Finished {
    /// Why it ended.
    pub end: End,
    /// URIs of which something could not be done.
    pub failed: u64,
    /// Counts of those that were worked on.
    pub summary: Summary,
}

/// A run whose places can be reached.
pub struct Process {
    work: Work,
    stages: Stages,
    limits: Limits,
    _watcher: Option<watch::Watcher>,
}

impl Process {
    /// Reaches for every place, and for the images' folder first.
    ///
    /// # Errors
    /// What to mend, in one sentence.
    pub async fn prepare(settings: Settings) -> Result<Process, Error> {
        let Settings { config, instructions, uris, objects, limits, work_dir, .. } = settings;
        let Config { source, derivatives, colour_lists, .. } = config;
        check_folders(&source, &derivatives, settings.plain)?;
        make(&work_dir)?;
        let store = open(&derivatives, &objects).await?;
        let reports = reports(settings.report, &store, &objects).await?;
        let deriver = Deriver::new(&limits, settings.isolation)?;
        deriver.check().await?;
        let under_way = watch::UnderWay::default();
        let (texts, watcher) = match uris {
            Uris::All(all) => (futures::stream::iter([all]).boxed(), None),
            Uris::Arriving => {
                let (texts, watcher) = watch::begin(&source, &derivatives, under_way.clone())?;
                (texts, Some(watcher))
            }
        };
        // A file that arrives again may be another image by then.
        let limits = Limits { remembered: 0, ..limits };
        let stages = Stages {
            fetcher: Fetcher::new(&limits, work_dir.clone(), reached(&source, &objects))?,
            delegates: None,
            deriver,
            store,
            freshness: Freshness::Refresh,
            pointers: false,
            keeper: None,
            spool_dir: work_dir,
            dry_run: false,
        };
        let work = Work {
            texts: Mutex::new(Some(texts)),
            under_way,
            source,
            recipe: Arc::<Recipe>::new(instructions.recipe),
            spellings: instructions.spellings.into(),
            plain: settings.plain,
            lists: colour_lists,
            reports,
            printer: Mutex::new(settings.printer),
            counts: Counts::default(),
        };
        Ok(Process { work, stages, limits, _watcher: watcher })
    }

    /// Works through the URIs.
    ///
    /// # Errors
    /// What makes going on pointless.
    pub async fn run(
        self,
        observer: Box<dyn Reporter + '_>,
        shutdown: CancellationToken,
    ) -> Result<Finished, Error> {
        let Process { work, stages, limits, _watcher } = self;
        let mut summary = Summary::default();
        let mut reporters: Vec<Box<dyn Reporter + '_>> = vec![Box::new(&mut summary), observer];
        let end = imgmill_pipeline::run(&work, stages, &mut reporters, &limits, shutdown).await?;
        drop(reporters);
        work.printer.lock().unwrap_or_else(std::sync::PoisonError::into_inner).finish();
        Ok(Finished { end, failed: work.counts.failed.load(Ordering::Relaxed), summary })
    }
}

/// How a place is reached that may say so itself.
fn reached(place: &Place, objects: &ObjectOptions) -> ObjectOptions {
    let Place::Bucket(bucket) = place else { return objects.clone() };
    let region = bucket.region.clone().or_else(|| objects.region.clone());
    ObjectOptions { region, credentials: bucket.credentials.clone(), ..objects.clone() }
}

async fn reports(
    settings: Option<ReportSettings>,
    beside: &Store,
    objects: &ObjectOptions,
) -> Result<Option<Reports>, Error> {
    let Some(ReportSettings { name, place }) = settings else { return Ok(None) };
    Ok(Some(match place {
        Some(place) => Reports { name, store: open(&place, objects).await?, apart: true },
        None => Reports { name, store: beside.clone(), apart: false },
    }))
}

fn make(work_dir: &std::path::Path) -> Result<(), Error> {
    std::fs::create_dir_all(work_dir).map_err(|error| {
        let message = format!("the work folder {} cannot be made", work_dir.display());
        Error::new(Stage::Fetch, Kind::Io, message).caused_by(error)
    })
}

async fn open(place: &Place, objects: &ObjectOptions) -> Result<Store, Error> {
    let url = match place {
        Place::Bucket(bucket) => bucket.url.as_str(),
        _ => "null://",
    };
    Store::open(url, &reached(place, objects), PutSettings::default()).await
}

/// Whether the images' folder is there, and what is made of them cannot take the place of one.
fn check_folders(source: &Place, derivatives: &Place, plain: bool) -> Result<(), Error> {
    let wrong = |message: String| Error::new(Stage::Source, Kind::NotFound, message);
    let Some(folder) = source.folder() else { return Ok(()) };
    if !folder.is_dir() {
        return Err(wrong(format!("images.source: there is no folder {}", folder.display())));
    }
    let same = |other: PathBuf| other.canonicalize().ok() == folder.canonicalize().ok();
    if plain && derivatives.folder().is_some_and(same) {
        let message = "images.source and derivatives.cache are the same folder, so images would be replaced";
        return Err(wrong(message.to_owned()));
    }
    Ok(())
}
