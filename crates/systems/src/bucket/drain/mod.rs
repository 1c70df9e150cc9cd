//! Drain: pyramids made of all that is written down, through the one flow of all systems.

mod documents;
mod fates;
mod progress;
mod pyramids;
mod tally;
mod waitlist;
mod work;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use imgmill_pipeline::delegate::{self, Delegates};
use imgmill_pipeline::derive::{Deriver, Isolation};
use imgmill_pipeline::fetch::Fetcher;
use imgmill_pipeline::objects::{Address, Bucket, ObjectOptions, failure};
use imgmill_pipeline::pipeline::Freshness;
use imgmill_pipeline::report::{JsonLines, Reporter, Summary};
use imgmill_pipeline::store::{PutSettings, Store};
use imgmill_pipeline::{End, Error, Kind, Limits, Stage, Stages};
use tokio_util::sync::CancellationToken;

pub use tally::Counts;

use self::progress::Progress;
use self::pyramids::Recipes;
use self::tally::Tally;
use self::waitlist::Waitlist;
use super::claims::Claims;
use super::ledger::Ledger;
use crate::batch::DelegateSettings;

/// Everything that decides what a drain does.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The bucket or folder that images are put into, as a URL without a prefix.
    pub sources: String,
    /// The bucket or folder of the records.
    pub records: String,
    /// The bucket or folder that pyramids go to.
    pub images: String,
    /// How object stores are reached.
    pub objects: ObjectOptions,
    /// Attempts after which a record is given up.
    pub max_attempts: u32,
    /// How long a claim holds where nobody renews it.
    pub claim_time: Duration,
    /// How long to wait for more where nothing waits; without it, the drain ends there.
    pub watch: Option<Duration>,
    /// Where the full report goes, if it is wanted.
    pub report: Option<PathBuf>,
    /// Where files without a name may lie for a while.
    pub work_dir: PathBuf,
    /// Whether ImageMagick may read formats that imgmill does not, and how.
    pub delegates: Option<DelegateSettings>,
    /// Where images are made.
    pub isolation: Isolation,
    /// Every bound.
    pub limits: Limits,
}

/// A drain that passed every check which can be made before the first image.
#[derive(Debug)]
pub struct Drain {
    settings: Settings,
    waitlist: Waitlist,
    stages: Stages,
    address: String,
}

/// What came of a drain.
#[derive(Debug)]
pub struct Finished {
    /// Why it ended.
    pub end: End,
    /// What became of images.
    pub summary: Summary,
    /// What else became of records.
    pub counts: Counts,
}

impl Finished {
    /// Records that failed, wherever.
    pub fn failed(&self) -> u64 {
        self.summary.failed + self.counts.outside.values().sum::<u64>()
    }
}

impl Drain {
    /// Checks the three buckets.
    ///
    /// # Errors
    /// What to set or mend.
    pub async fn prepare(settings: Settings) -> Result<Drain, Error> {
        let sources = open_sources(&settings.sources, &settings.objects).await?;
        let ledger = Ledger::open(&settings.records, &settings.objects).await?;
        ledger.check().await?;
        let claims = Claims::new(ledger.clone(), settings.claim_time);
        claims.check().await?;
        let images = Store::open(&settings.images, &settings.objects, PutSettings::default()).await?;
        images.check(true).await?;
        let address = images.address().to_string();
        std::fs::create_dir_all(&settings.work_dir).map_err(|error| {
            let folder = settings.work_dir.display();
            let message =
                format!("the work folder {folder} cannot be made: {error}; name another with --work-dir");
            Error::new(Stage::Fetch, Kind::Io, message)
        })?;
        let fetcher = || Fetcher::new(&settings.limits, settings.work_dir.clone(), settings.objects.clone());
        let deriver =
            Deriver::new(&settings.limits, settings.isolation.clone())?.working_in(settings.work_dir.clone());
        deriver.check().await?;
        let stages = Stages {
            fetcher: fetcher()?,
            delegates: delegates(&settings).await?,
            deriver,
            store: images.clone(),
            // Whether a source changed is what records tell; and what is there is replaced.
            freshness: Freshness::Refresh,
            pointers: false,
            keeper: None,
            spool_dir: settings.work_dir.clone(),
            dry_run: false,
        };
        let waitlist = Waitlist {
            ledger,
            claims,
            sources_name: bucket_name(&settings.sources),
            sources_url: settings.sources.clone(),
            sources,
            images,
            recipes: Recipes::new()?,
            documents: fetcher()?,
            tally: Arc::new(Tally::default()),
            max_attempts: settings.max_attempts,
            watch: settings.watch,
            progress: Progress::default(),
        };
        Ok(Drain { settings, waitlist, stages, address })
    }

    /// What pyramids are stored in, for people.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Makes pyramids until no record waits, or for ever. `observer` hears of every image beside the report.
    ///
    /// # Errors
    /// When the report cannot be written.
    pub async fn run(
        self,
        observer: Box<dyn Reporter + '_>,
        shutdown: CancellationToken,
    ) -> Result<Finished, Error> {
        let Drain { settings, waitlist, stages, .. } = self;
        let mut summary = Summary::default();
        let mut reporters: Vec<Box<dyn Reporter + '_>> = vec![Box::new(&mut summary), observer];
        if let Some(path) = &settings.report {
            reporters.push(Box::new(JsonLines::create(path)?));
        }
        let end =
            imgmill_pipeline::run(&waitlist, stages, &mut reporters, &settings.limits, shutdown).await?;
        drop(reporters);
        if let Err(error) = waitlist.claims.give_back().await {
            tracing::warn!("{}", error.chain());
        }
        Ok(Finished { end, summary, counts: waitlist.tally.counts() })
    }
}

/// The bucket that a URL names, where it names one and no folder.
pub fn bucket_name(url: &str) -> Option<String> {
    match url.split_once("://") {
        Some(("file", _)) | None => None,
        Some((_, rest)) => rest.split('/').next().map(str::to_owned),
    }
}

/// Connects to where sources are, and finds out that they can be listed.
///
/// # Errors
/// What to set or mend.
pub async fn open_sources(url: &str, objects: &ObjectOptions) -> Result<Bucket, Error> {
    let read_only = ObjectOptions { read_only: true, ..objects.clone() };
    let sources = Bucket::connect(Stage::Fetch, url, &read_only).await?;
    if let Address::Local(folder) = &sources.address
        && !folder.is_dir()
    {
        let message = format!("RBSC_BUCKET: there is no folder {}", folder.display());
        return Err(Error::new(Stage::Fetch, Kind::NotFound, message));
    }
    let doing = format!("reading RBSC_BUCKET, {}", sources.address);
    if let Some(Err(error)) = sources.store.list(None).next().await {
        let error = failure(Stage::Fetch, &doing, error);
        // Who may read objects but not list them can still make pyramids of them.
        if error.kind() != Kind::Denied {
            return Err(error);
        }
        tracing::warn!("{}; sources that are gone cannot be told from others", error.chain());
    }
    Ok(sources)
}

async fn delegates(settings: &Settings) -> Result<Option<Delegates>, Error> {
    let Some(found) = &settings.delegates else { return Ok(None) };
    let limits = &settings.limits;
    let bounds = delegate::Bounds {
        time: limits.job_timeout,
        pixels: limits.max_pixels,
        at_once: limits.threads,
        body_memory: limits.body_memory,
    };
    Delegates::find(&found.path, Some(found.guard.clone()), bounds, &settings.work_dir).await.map(Some)
}
