//! Repairs: what is missing, stale or unreadable, made by the ordinary flow; as a source, it delivers a job for each original
//! with what is to be made of it and nothing else.
//!
//! Before a job begins, each of its objects is looked at once more: what is no longer as it was found, somebody else has
//! made meanwhile. What is replaced is put on the condition that it is still that very object, so the old one is there until
//! the new one is, and nothing newer is lost.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, StreamExt as _};
use imgmill_image::Recipe;
use imgmill_pipeline::columns::{Columns, Header};
use imgmill_pipeline::naming::{KeyTemplate, Named, Naming, Placement};
use imgmill_pipeline::objects::{Expected, failure};
use imgmill_pipeline::report::{Order, Reporter};
use imgmill_pipeline::source::Source;
use imgmill_pipeline::store::Store;
use imgmill_pipeline::{
    Delivery, Error, Instructions, Job, Kind, Outcome, Settlement, Stage, Status as Ended, redact,
};
use object_store::{ObjectStoreExt as _, UpdateVersion};
use serde_json::json;

use super::Observer;
use super::expected::nanoseconds;
use super::judge::{Finding, Status};
use super::sort::{Sorted, Sorter};
use super::state::{Phase, State};

/// Objects that are looked at once more at once, ahead of the work.
const AHEAD: usize = 16;
/// Originals after which the checkpoint is written.
const SAVED_EVERY: u64 = 50;

/// What is to be repaired, by original.
#[derive(Debug)]
pub struct Repairs {
    findings: Mutex<Option<Sorted>>,
    maker: Arc<Maker>,
    state: Arc<Mutex<State>>,
}

/// How findings become jobs.
#[derive(Debug)]
struct Maker {
    store: Store,
    recipe: Recipe,
    keys: KeyTemplate,
    header: Option<Arc<Header>>,
    state: Arc<Mutex<State>>,
}

impl Repairs {
    /// Of all findings of a state, those that can be repaired, of originals after the row that it has come to.
    ///
    /// # Errors
    /// What the disk says.
    pub fn of(
        state: State,
        store: Store,
        (recipe, keys): (Recipe, KeyTemplate),
        header: Option<Arc<Header>>,
        folder: &Path,
    ) -> Result<Repairs, Error> {
        let mut state = state;
        let done = match state.phase {
            Phase::Repairing(row) => row,
            _ => 0,
        };
        let mut sorter = Sorter::new(folder);
        for finding in state.findings()? {
            let finding = finding?;
            let row = finding.expected.as_ref().map(|expected| expected.row);
            let Some(row) = row.filter(|row| *row > done && is_repairable(finding.status)) else { continue };
            let text = serde_json::to_vec(&finding).unwrap_or_default();
            sorter.push(&row.to_be_bytes(), &text).map_err(unsorted)?;
        }
        let sorted = sorter.sorted().map_err(unsorted)?;
        let state = Arc::new(Mutex::new(state));
        let maker = Arc::new(Maker { store, recipe, keys, header, state: Arc::clone(&state) });
        Ok(Repairs { findings: Mutex::new(Some(sorted)), maker, state })
    }

    /// Who is told of what became of each.
    pub fn reporter<'a>(&self, observer: &'a mut dyn Observer) -> Told<'a> {
        Told { state: Arc::clone(&self.state), observer }
    }

    /// The state again, when all else is done.
    pub fn into_state(self) -> Option<State> {
        let Repairs { maker, state, .. } = self;
        drop(maker);
        Some(Arc::into_inner(state)?.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether making a derivative mends what was found.
pub fn is_repairable(status: Status) -> bool {
    matches!(status, Status::Missing | Status::Stale | Status::Unreadable)
}

impl Source for Repairs {
    /// The original's row.
    type Receipt = u64;

    fn deliveries(&self) -> impl Stream<Item = Result<Delivery<u64>, Error>> + Send {
        let sorted = self.findings.lock().unwrap_or_else(PoisonError::into_inner).take();
        let originals = futures::stream::unfold((sorted, None), |(mut sorted, mut next)| async move {
            let found = next_original(sorted.as_mut()?, &mut next).transpose()?;
            Some((found, (sorted, next)))
        });
        let maker = Arc::clone(&self.maker);
        let jobs = originals.map(move |findings| {
            let maker = Arc::clone(&maker);
            async move { maker.delivery(findings?).await }
        });
        jobs.buffered(AHEAD).filter_map(|delivery| std::future::ready(delivery.transpose()))
    }

    async fn settle(&self, row: u64, settlement: Settlement) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if settlement == Settlement::Release {
            return Ok(());
        }
        let before = match state.phase {
            Phase::Repairing(before) => before,
            _ => 0,
        };
        // In the order of rows, since whoever is told asks for that.
        state.phase = Phase::Repairing(row.max(before));
        if row / SAVED_EVERY != before / SAVED_EVERY {
            state.save()?;
        }
        Ok(())
    }
}

/// All findings of the next original.
fn next_original(sorted: &mut Sorted, next: &mut Option<Finding>) -> Result<Option<Vec<Finding>>, Error> {
    let mut findings: Vec<Finding> = next.take().into_iter().collect();
    while let Some((_, text)) = sorted.next().map_err(unsorted)? {
        let finding: Finding = serde_json::from_slice(&text).map_err(|error| unsorted(error.into()))?;
        let row = |finding: &Finding| finding.expected.as_ref().map(|expected| expected.row);
        if findings.first().is_some_and(|first| row(first) != row(&finding)) {
            *next = Some(finding);
            return Ok(Some(findings));
        }
        findings.push(finding);
    }
    Ok(Some(findings).filter(|findings| !findings.is_empty()))
}

fn unsorted(error: std::io::Error) -> Error {
    Error::new(Stage::Source, Kind::Io, "sorting what is to be made").caused_by(error)
}

impl Maker {
    /// The job for what is still to be made of an original, if anything is.
    async fn delivery(&self, findings: Vec<Finding>) -> Result<Option<Delivery<u64>>, Error> {
        let mut labels = BTreeSet::new();
        let (mut over, mut original) = (HashMap::new(), None);
        for finding in findings {
            let Some(expected) = finding.expected else { continue };
            match finding.key.as_str() {
                "" => labels.extend(0..self.recipe.derivatives().len()),
                key => match self.is_still_so(key, finding.seen).await? {
                    Some(seen) => {
                        labels.insert(expected.label);
                        over.extend(seen.map(|seen| (key.to_owned(), seen)));
                    }
                    None => self.is_present(key)?,
                },
            }
            original = Some(expected);
        }
        let Some(original) = original.filter(|_| !labels.is_empty()) else { return Ok(None) };
        let columns = original.columns.zip(self.header.as_ref());
        let columns = columns.map(|(values, header)| Arc::new(Columns::new(Arc::clone(header), values)));
        let naming = Arc::new(Mended { keys: self.keys.clone(), over, row: original.row });
        let instructions = Arc::new(Instructions::new(Arc::new(self.some(&labels)?), naming));
        let job = Job { row: original.row, url: original.url.into(), instructions, columns };
        Ok(Some(Delivery { jobs: vec![job], receipt: original.row }))
    }

    /// The recipe with these derivatives alone.
    fn some(&self, labels: &BTreeSet<usize>) -> Result<Recipe, Error> {
        let unwanted =
            self.recipe.derivatives().iter().enumerate().filter(|(place, _)| !labels.contains(place));
        let mut unwanted = unwanted.map(|(_, derivative)| derivative.label.as_str());
        unwanted
            .try_fold(self.recipe.clone(), |recipe, label| recipe.without(label))
            .ok_or_else(|| Error::new(Stage::Source, Kind::Internal, "a repair that makes nothing"))
    }

    /// Whether a key is as it was found; then what is there to be replaced, if anything is.
    async fn is_still_so(
        &self,
        key: &str,
        seen: Option<(u64, i64)>,
    ) -> Result<Option<Option<Expected>>, Error> {
        let found = match self.store.bucket().store.head(&self.store.path(key)).await {
            Ok(found) => Some(found),
            Err(object_store::Error::NotFound { .. }) => None,
            Err(error) => return Err(failure(Stage::Store, &format!("looking for {key}"), error)),
        };
        Ok(match (found, seen) {
            // Gone since, or never there.
            (None, _) => Some(None),
            (Some(found), Some(seen)) if is_same(&found, seen) => {
                let version = UpdateVersion { e_tag: found.e_tag, version: found.version };
                Some(Some(Expected::This(version)))
            }
            (Some(_), _) => None,
        })
    }

    fn is_present(&self, key: &str) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.counts.present += 1;
        state.done(&json!({"status": "present", "key": self.store.full_key(key)}))
    }
}

/// Whether an object is the one that a listing told of. Listings know times to a fraction of a second that others leave out.
pub(super) fn is_same(found: &object_store::ObjectMeta, (size, changed): (u64, i64)) -> bool {
    let seconds = |time: i64| time.div_euclid(1_000_000_000);
    let now = nanoseconds(found.last_modified);
    found.size == size && (now == changed || (now % 1_000_000_000 == 0 && seconds(now) == seconds(changed)))
}

/// The names that derivatives have anyway, over what was found to be bad there.
#[derive(Debug)]
struct Mended {
    keys: KeyTemplate,
    over: HashMap<String, Expected>,
    row: u64,
}

impl Naming for Mended {
    fn key(&self, of: &Named<'_>) -> Result<String, Error> {
        self.keys.key(of)
    }

    fn placement(&self) -> Placement {
        self.keys.placement()
    }

    /// Nothing that another row made stands for what is wanted of this one.
    fn identity(&self) -> String {
        format!("{}\0{}", self.keys.identity(), self.row)
    }

    fn over(&self, key: &str) -> Option<&Expected> {
        self.over.get(key)
    }
}

/// Keeps what became of each original.
pub struct Told<'a> {
    state: Arc<Mutex<State>>,
    observer: &'a mut dyn Observer,
}

#[async_trait::async_trait]
impl Reporter for Told<'_> {
    fn order(&self) -> Order {
        Order::AsListed
    }

    async fn report(&mut self, outcome: &Outcome) -> Result<(), Error> {
        self.observer.repaired();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (row, url) = (outcome.job.row, redact::url(&outcome.job.url));
        let wanted = outcome.job.instructions.recipe.derivatives().len() as u64;
        let line = match &outcome.result {
            Ok(derived) if outcome.status != Ended::Failed => {
                state.counts.fixed += wanted;
                let keys: Vec<&str> = derived.renditions.iter().map(|made| made.key.as_str()).collect();
                json!({"status": "fixed", "row": row, "url": url, "keys": keys})
            }
            Ok(_) => return Ok(()),
            Err(error) => {
                state.counts.failed += wanted;
                let (stage, kind) = (error.stage().as_str(), error.kind().as_str());
                json!({"status": "failed", "row": row, "url": url, "stage": stage, "kind": kind, "message": error.chain()})
            }
        };
        state.done(&line)
    }
}
