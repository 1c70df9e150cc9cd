//! The queue worker: messages in, resized images stored, those told that a message names.
//!
//! `message` is what comes and goes, `naming` what images are called (`labels` what that meant before), `source` makes deliveries of messages, `desk` has
//! them in hand (`groups` their order, `held` their heartbeat), `postback` and `signature` tell, `queues` says which queue
//! a URL means, `send`, `enqueue` (a whole list) and `redrive` are for those who stand at its ends, `metrics` and `health` for those who watch.

pub mod enqueue;
pub mod message;
pub mod postback;
pub mod redrive;
pub mod send;
pub mod signature;

mod desk;
mod groups;
mod health;
mod held;
mod labels;
mod metrics;
mod naming;
mod queues;
mod source;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use imgmill_image::{Recipe, RecipeError};
use imgmill_pipeline::derive::{Deriver, Isolation};
use imgmill_pipeline::fetch::Fetcher;
use imgmill_pipeline::fetch::guard::Network;
use imgmill_pipeline::objects::ObjectOptions;
use imgmill_pipeline::pipeline::Freshness;
use imgmill_pipeline::report::Reporter;
use imgmill_pipeline::store::{PutSettings, Store};
use imgmill_pipeline::{End, Error, Kind, Limits, Stage, Stages};
use tokio_util::sync::CancellationToken;

use crate::Sources;
use desk::Desk;
use health::Window;
use postback::{Postback, PostbackSettings};
pub use queues::{Opened, QueueSettings, region_of};
use source::Messages;

/// Anybody's URL can be in a message.
pub const SOURCES: Sources = Sources::Strangers;

/// A redrive count below this lets a few restarts make dead letters of good messages.
const FEWEST_RECEIVES: u32 = 5;

/// Everything that decides what a worker does.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where messages come from.
    pub queue: QueueSettings,
    /// What is made of every image.
    pub recipe: Recipe,
    /// Where it is stored: `s3://…`, `gs://…`, `az://…` or `file:///…`.
    pub store: String,
    /// How object stores are reached, and what the URLs of objects look like.
    pub objects: ObjectOptions,
    /// What is said of every object that is put.
    pub put: PutSettings,
    /// Where images and postbacks may lie.
    pub network: Network,
    /// How callers are told.
    pub postback: PostbackSettings,
    /// Where `/healthz`, `/readyz` and `/metrics` are, if anywhere.
    pub metrics_address: Option<SocketAddr>,
    /// Where spooled bodies go.
    pub work_dir: PathBuf,
    /// Whether images are made and replaced that are stored already.
    pub refresh: bool,
    /// Whether to end when the queue is empty.
    pub until_empty: bool,
    /// Where images are made.
    pub isolation: Isolation,
    /// The wait before a message is tried again that failed in a way that may pass; it doubles each time.
    pub retry_delay: Duration,
    /// Every bound; `window` is how many messages are held at once.
    pub limits: Limits,
}

/// image-service's three sizes: cut from the middle, never distorted, never enlarged.
///
/// # Errors
/// None: the text is fixed.
pub fn thumbnails() -> Result<Recipe, RecipeError> {
    let derivative = |label: &str, side: u32| format!("{label}=square/!{side},{side}/0/default.jpg").parse();
    Recipe::new(vec![derivative("50x50", 50)?, derivative("250X250", 250)?, derivative("800x800", 800)?])
}

/// A worker that passed every check which can be made before the first message.
#[derive(Debug)]
pub struct Worker {
    settings: Settings,
    stages: Stages,
    desk: Arc<Desk>,
    window: Option<Arc<Window>>,
}

/// What came of a worker.
#[derive(Debug)]
pub struct Finished {
    /// Why it ended.
    pub end: End,
    /// Messages by how they ended.
    pub messages: Vec<(&'static str, u64)>,
}

impl Worker {
    /// Checks queue, store and whatever images are made in.
    ///
    /// # Errors
    /// [`Stage::Source`] for a queue that cannot be read; else what to set or mend.
    pub async fn prepare(settings: Settings) -> Result<Worker, Error> {
        let opened = settings.queue.open().await?;
        Worker::prepare_on(settings, opened).await
    }

    /// The same on a queue that is open already, whatever the settings say of it.
    ///
    /// # Errors
    /// As [`Worker::prepare`].
    pub async fn prepare_on(settings: Settings, opened: Opened) -> Result<Worker, Error> {
        let limits = &settings.limits;
        std::fs::create_dir_all(&settings.work_dir).map_err(|error| {
            let folder = settings.work_dir.display();
            let message =
                format!("the work folder {folder} cannot be made: {error}; name another with --work-dir");
            Error::new(Stage::Fetch, Kind::Io, message)
        })?;
        let most_receives = opened.queue.most_receives().await?;
        match most_receives {
            Some(most) if most < FEWEST_RECEIVES => tracing::warn!(
                "the queue makes dead letters of messages received {most} times; restarts count too, so let it be {FEWEST_RECEIVES} or more"
            ),
            Some(_) => {}
            None => tracing::warn!(
                "the queue has no dead-letter queue: a message that fails {} times is reported and removed",
                settings.queue.most_receives
            ),
        }
        let store = Store::open(&settings.store, &settings.objects, settings.put.clone()).await?;
        store.check(true).await?;
        for (label, before, now) in labels::note(&store, &settings.recipe, settings.refresh).await? {
            tracing::warn!(
                "images called {label} are stored that were made as {before}, and stay as they are; give {now} another label, or have them made anew with --refresh"
            );
        }
        tracing::info!(queue = opened.queue.name(), store = %store.address(), "starting");
        let deriver = Deriver::new(limits, settings.isolation.clone())?.working_in(settings.work_dir.clone());
        deriver.check().await?;
        let fetcher = Fetcher::within(
            settings.network.clone(),
            limits,
            settings.work_dir.clone(),
            settings.objects.clone(),
        )?;
        let postback = Postback::new(settings.network.clone(), settings.postback.clone())?;
        let give_up_after = most_receives.is_none().then_some(settings.queue.most_receives);
        let desk = Arc::new(Desk::new(opened, postback, limits.window, give_up_after, settings.retry_delay));
        let window = match settings.metrics_address {
            Some(address) => {
                Some(Arc::new(Window::open(address, Arc::clone(&desk), settings.queue.wait).await?))
            }
            None => None,
        };
        let stages = Stages {
            fetcher,
            delegates: None,
            deriver,
            store,
            freshness: if settings.refresh { Freshness::Refresh } else { Freshness::Revalidate },
            keeper: None,
            // Names come from the bytes, so the objects say by themselves what was made before.
            pointers: false,
            spool_dir: settings.work_dir.clone(),
            dry_run: false,
        };
        Ok(Worker { settings, stages, desk, window })
    }

    /// Works on messages until `shutdown`, or until the queue is empty where that is asked for. `observer` hears of every
    /// image.
    ///
    /// # Errors
    /// When going on is pointless.
    pub async fn run(
        self,
        mut observer: Box<dyn Reporter + '_>,
        shutdown: CancellationToken,
    ) -> Result<Finished, Error> {
        let Worker { settings, stages, desk, window } = self;
        let window = window.map(|window| tokio::spawn(window.serve()));
        let source =
            Messages::new(Arc::clone(&desk), Arc::new(settings.recipe.clone()), settings.until_empty);
        let end = imgmill_pipeline::run(&source, stages, &mut *observer, &settings.limits, shutdown).await;
        source.close().await;
        if let Some(window) = window {
            window.abort();
        }
        Ok(Finished { end: end?, messages: desk.metrics.counts() })
    }
}
