//! Reconcile: is every derivative of every original really there? What is to be there and what is there are walked side by
//! side in the order of keys, so that memory is the same for a thousand as for a thousand million; what is wrong is told,
//! made good where that is asked for, and told again.
//!
//! It says nothing of how derivatives are made: repairs go through the ordinary flow, as a source of it.

mod compare;
mod expected;
mod inventory;
mod judge;
mod listing;
mod originals;
mod prune;
mod repair;
mod report;
mod sort;
mod state;
mod structure;
mod verify;

use std::path::PathBuf;

use futures::StreamExt as _;
use imgmill_pipeline::fetch::Fetcher;
use imgmill_pipeline::identity::text_hash;
use imgmill_pipeline::naming::Naming as _;
use imgmill_pipeline::objects::ObjectOptions;
use imgmill_pipeline::store::Store;
use imgmill_pipeline::{End, Error, Kind, Stage};
use tokio_util::sync::CancellationToken;

use crate::batch;
use expected::Names;
use listing::Listing;
use originals::Opened;
use prune::Doubts;
use repair::Repairs;
use state::{Phase, State};
use verify::Verifier;

pub use judge::Status;
pub use originals::Originals;
pub use state::Counts;
pub use verify::Depth;

/// Orphans that are shown one by one.
const SHOWN: usize = 20;

/// Everything that decides what is compared, and what is done about it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is made, where it is stored and how it is called: what a batch over the originals would be given.
    pub making: batch::Settings,
    /// Where originals are.
    pub originals: Originals,
    /// Their extensions, where it is not a list that names them; without any, all that images have.
    pub extensions: Vec<String>,
    /// Whether the store's notes of each original are read.
    pub notes: bool,
    /// Whether origins are asked, too, where nothing else tells of a change.
    pub ask_origins: bool,
    /// How closely objects are looked at.
    pub depth: Depth,
    /// Whether what is missing, stale or unreadable is made.
    pub fix: bool,
    /// Whether orphans are removed.
    pub prune: bool,
    /// The share of the store's objects that may be.
    pub max_prune: f64,
    /// Whether the store's listing is sorted here, whatever it promises.
    pub sort_listing: bool,
    /// Where the state is kept, to go on with.
    pub checkpoint: Option<PathBuf>,
}

/// Who watches.
pub trait Observer: Send {
    /// So many keys were compared.
    fn compared(&mut self, keys: u64);
    /// So many derivatives will be made.
    fn repairing(&mut self, derivatives: u64);
    /// A job of that ended.
    fn repaired(&mut self);
    /// Something that a person has to be shown.
    fn show(&mut self, text: &str);
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// All was looked at, and done what was to be.
    Whole,
    /// It was asked to stop.
    Interrupted,
    /// Too much failed for one reason.
    Stopped(String),
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How it ended.
    pub ended: Ended,
    /// What was found and done.
    pub counts: Counts,
    /// Whether all derivatives are there and good now, as far as was looked.
    pub complete: bool,
    /// Why orphans were not removed, though that was asked for.
    pub not_pruned: Option<String>,
}

/// A comparison that passed every check which can be made before it.
pub struct Reconcile {
    settings: Settings,
    store: Store,
    listing: Listing,
    opened: Opened,
    names: Names,
}

impl Reconcile {
    /// Checks originals, names, work folder and store.
    ///
    /// # Errors
    /// [`Stage::Source`] for what was asked for wrongly; else what to set or mend.
    pub async fn prepare(mut settings: Settings) -> Result<Reconcile, Error> {
        let making = &mut settings.making;
        let keys = making.keys.clone();
        if keys.wants_row() && !matches!(settings.originals, Originals::List(..)) {
            return Err(wrong(
                "--key: {row} is a place in a list; originals that are listed by a store have none"
                    .to_owned(),
            ));
        }
        settings.notes |= settings.ask_origins || !keys.follows_from_name();
        let writes = (settings.fix || settings.prune) && !making.dry_run;
        std::fs::create_dir_all(&making.work_dir).map_err(|error| {
            let folder = making.work_dir.display();
            let message =
                format!("the work folder {folder} cannot be made: {error}; name another with --work-dir");
            Error::new(Stage::Fetch, Kind::Io, message)
        })?;
        let objects = ObjectOptions { read_only: !writes, ..making.objects.clone() };
        let store = Store::open(&making.store, &objects, making.put.clone()).await?;
        store.check(writes).await?;
        let mut listing = Listing::of(&making.store, store.bucket().clone());
        listing.in_order &= !settings.sort_listing;
        let originals = &settings.originals;
        let opened =
            originals.open(&settings.extensions, &listing.bucket, &making.work_dir, &making.objects).await?;
        listing.without = opened.in_store.clone();
        let names = Names { recipe: making.recipe.clone(), keys };
        Ok(Reconcile { settings, store, listing, opened, names })
    }

    /// What the store is, for people.
    pub fn address(&self) -> String {
        self.store.address().to_string()
    }

    /// What was asked for, as far as a checkpoint depends on it.
    fn fingerprint(&self) -> String {
        let Settings { making, originals, extensions, notes, ask_origins, depth, .. } = &self.settings;
        let recipe: Vec<String> = making
            .recipe
            .derivatives()
            .iter()
            .map(|made| format!("{}={}", made.label, made.canonical()))
            .collect();
        let looks = (notes, ask_origins, depth);
        let what = (originals, extensions, recipe, making.keys.identity(), &making.store, looks);
        text_hash(&format!("{what:?}"))
    }

    /// Compares, and does what is to be done about it.
    ///
    /// # Errors
    /// What keeps it from going on. With a checkpoint, the same goes on from there.
    pub async fn run(
        mut self,
        observer: &mut dyn Observer,
        shutdown: CancellationToken,
    ) -> Result<Finished, Error> {
        let work_dir = self.settings.making.work_dir.clone();
        let mut state = State::open(self.settings.checkpoint.as_deref(), self.fingerprint(), &work_dir)?;
        if state.resumed {
            observer.show(&format!("going on from the checkpoint: {}", at(&state.phase)));
        }
        let mut ended = Ended::Whole;
        if let Phase::Comparing(after) = state.phase.clone()
            && !self.compare(after, &mut state, observer, &shutdown).await?
        {
            ended = Ended::Interrupted;
        }
        let fixes = self.settings.fix && !self.settings.making.dry_run;
        if ended == Ended::Whole && fixes && state.phase != Phase::Pruning {
            (state, ended) = self.repair(state, observer, shutdown.clone()).await?;
        }
        let mut not_pruned = None;
        if ended == Ended::Whole && self.settings.prune && state.counts.orphaned > 0 {
            not_pruned = self.prune(&mut state, observer, &shutdown).await?.err();
            if shutdown.is_cancelled() {
                ended = Ended::Interrupted;
            }
        }
        let complete = ended == Ended::Whole && state.counts.is_complete(fixes);
        if let Some(place) = &self.settings.making.report {
            report::write(place, &mut state, &self.store, &self.names.recipe, complete, &work_dir)?;
            place.put(&work_dir, &self.settings.making.objects).await?;
        }
        let counts = state.counts.clone();
        if ended == Ended::Whole {
            state.remove();
        }
        Ok(Finished { ended, counts, complete, not_pruned })
    }

    /// Compares all keys after this one; answers whether it came to the end.
    async fn compare(
        &mut self,
        after: Option<String>,
        state: &mut State,
        observer: &mut dyn Observer,
        shutdown: &CancellationToken,
    ) -> Result<bool, Error> {
        let originals = std::mem::replace(&mut self.opened.stream, futures::stream::empty().boxed());
        let Reconcile { settings, store, listing, names, opened } = &*self;
        let making = &settings.making;
        let verifier = Verifier::new(
            settings.depth,
            (store, &making.store),
            &making.isolation,
            &making.limits,
            &making.work_dir,
            &making.objects,
        );
        let comparison = compare::Comparison {
            names,
            store,
            store_url: &making.store,
            listing,
            verifier: verifier.await?,
            notes: settings.notes,
            origins: match settings.ask_origins {
                true => Some(Fetcher::new(&making.limits, making.work_dir.clone(), making.objects.clone())?),
                false => None,
            },
            work_dir: &making.work_dir,
        };
        let whole = comparison.run(originals, opened.as_of, after, state, observer, shutdown).await?;
        if whole {
            state.phase = Phase::Repairing(0);
        }
        state.save()?;
        Ok(whole)
    }

    /// Has the ordinary flow make what is to be made.
    async fn repair(
        &self,
        state: State,
        observer: &mut dyn Observer,
        shutdown: CancellationToken,
    ) -> Result<(State, Ended), Error> {
        let making = &self.settings.making;
        observer.repairing(state.counts.repairable());
        let parts = (self.names.recipe.clone(), self.names.keys.clone());
        let header = self.opened.header.clone();
        let repairs = Repairs::of(state, self.store.clone(), parts, header, &making.work_dir)?;
        let (stages, _) = batch::stages(making).await?;
        let mut told = repairs.reporter(observer);
        let ended = match imgmill_pipeline::run(&repairs, stages, &mut told, &making.limits, shutdown).await?
        {
            End::Exhausted => Ended::Whole,
            End::Interrupted => Ended::Interrupted,
            End::SourceFailed(error) => return Err(error),
            End::FailedTooOften(why) => Ended::Stopped(why.to_string()),
        };
        drop(told);
        let mut state = repairs.into_state().ok_or_else(|| {
            Error::new(
                Stage::Report,
                Kind::Internal,
                "the state is still in use; please report this as a defect",
            )
        })?;
        if ended == Ended::Whole {
            state.phase = Phase::Pruning;
        }
        state.save()?;
        Ok((state, ended))
    }

    /// Shows orphans and removes them, or says why not.
    async fn prune(
        &self,
        state: &mut State,
        observer: &mut dyn Observer,
        shutdown: &CancellationToken,
    ) -> Result<Result<(), String>, Error> {
        let doubts =
            Doubts { keys_of_bytes: !self.names.keys.follows_from_name(), most: self.settings.max_prune };
        show_orphans(state, &self.store, observer)?;
        let may = doubts.check(&state.counts);
        if may.is_ok() && !self.settings.making.dry_run {
            prune::remove(state, &self.store, shutdown).await?;
        }
        Ok(may)
    }
}

/// What was asked for wrongly.
fn wrong(message: String) -> Error {
    Error::new(Stage::Source, Kind::BadRequest, message)
}

fn at(phase: &Phase) -> String {
    match phase {
        Phase::Comparing(None) => "the first key".to_owned(),
        Phase::Comparing(Some(key)) => format!("keys after {key:?}"),
        Phase::Repairing(row) => format!("all keys are compared; repairs after row {row}"),
        Phase::Pruning => "all keys are compared, and repairs made".to_owned(),
    }
}

fn show_orphans(state: &mut State, store: &Store, observer: &mut dyn Observer) -> Result<(), Error> {
    let all = state.counts.orphaned;
    observer.show(&format!("{all} orphans:"));
    for orphan in prune::orphans(state)?.take(SHOWN) {
        let orphan = orphan?;
        let (size, changed) = orphan.seen.unwrap_or_default();
        let (key, changed) = (store.full_key(&orphan.key), listing::moment(changed));
        observer.show(&format!("  {key}  {size} bytes, put {changed}"));
    }
    if all > SHOWN as u64 {
        observer.show(&format!("  and {} more, which --report names", all - SHOWN as u64));
    }
    Ok(())
}
