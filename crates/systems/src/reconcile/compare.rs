//! The comparison: originals become keys, keys are sorted, both sides are walked, objects are looked at.

use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use imgmill_pipeline::fetch::{Fetched, Fetcher};
use imgmill_pipeline::identity::source_name;
use imgmill_pipeline::objects::Address;
use imgmill_pipeline::store::{Pointer, Store};
use imgmill_pipeline::{Error, Kind, Stage, redact};
use tokio_util::sync::CancellationToken;

use super::Observer;
use super::expected::{Expected, Names, nanoseconds};
use super::judge::{Finding, Join, Met, Status, judged};
use super::listing::Listing;
use super::originals::{Original, Stream};
use super::sort::{Sorted, Sorter};
use super::state::{Phase, State};
use super::verify::Verifier;

/// Notes that are read at once.
const NOTES: usize = 64;
/// Objects that are looked at at once.
const LOOKS: usize = 32;
/// Keys after which the checkpoint is written, or earlier if they take long.
const SAVED_EVERY: u64 = 10_000;
const SAVED_AFTER: Duration = Duration::from_secs(2);
/// Keys after which somebody is told.
const TOLD_EVERY: u64 = 1000;

/// Everything that a comparison needs.
pub(super) struct Comparison<'a> {
    pub names: &'a Names,
    pub store: &'a Store,
    /// The store's URL.
    pub store_url: &'a str,
    pub listing: &'a Listing,
    pub verifier: Option<Verifier>,
    pub notes: bool,
    /// Asks origins whether their images changed since they were noted.
    pub origins: Option<Fetcher>,
    pub work_dir: &'a Path,
}

impl Comparison<'_> {
    /// Compares all keys after this one, or all; answers whether it came to the end.
    pub async fn run(
        &self,
        originals: Stream,
        as_of: DateTime<Utc>,
        after: Option<String>,
        state: &mut State,
        observer: &mut dyn Observer,
        shutdown: &CancellationToken,
    ) -> Result<bool, Error> {
        // To the second, since that is how stores tell the time of objects.
        let as_of = nanoseconds(as_of);
        state.as_of = state.as_of.min(as_of - as_of.rem_euclid(1_000_000_000));
        let Some(sorted) = self.gather(originals, state, shutdown).await? else { return Ok(false) };
        state.save()?;
        let objects = self.listing.after(after.as_deref(), self.work_dir).await?;
        let is_shared = !self.names.keys.follows_from_name();
        let join = Join::begin(sorted, objects, after.as_deref(), is_shared).await?;
        let met = futures::stream::try_unfold(join, |mut join| async {
            Ok::<_, Error>(join.next().await?.map(|met| (met, join)))
        });
        let looked = met.map_ok(|met| self.look(met)).try_buffered(LOOKS);
        let mut looked = std::pin::pin!(looked);
        let (mut last, mut keys, mut unsaved, mut saved) = (after, 0, 0, Instant::now());
        while let Some((met, finding)) = looked.try_next().await? {
            if last.as_deref() != Some(met.key()) {
                keys += 1;
                unsaved += 1;
                if keys % TOLD_EVERY == 0 {
                    observer.compared(keys);
                }
                let stops = shutdown.is_cancelled();
                if stops || unsaved > SAVED_EVERY || (unsaved > 100 && saved.elapsed() > SAVED_AFTER) {
                    state.phase = Phase::Comparing(last.clone());
                    state.save()?;
                    (unsaved, saved) = (0, Instant::now());
                }
                if stops {
                    return Ok(false);
                }
                state.counts.objects += u64::from(matches!(met, Met::Both(..) | Met::Unasked(_)));
                last = Some(met.key().to_owned());
            }
            match finding {
                // Its original may have come after the originals were listed.
                Some(finding) if finding.status == Status::Orphaned && is_young(&finding, state.as_of) => {
                    tracing::info!(
                        key = finding.key,
                        "not an orphan: it is newer than what is known of the originals"
                    );
                }
                Some(finding) => state.found(&finding)?,
                None => state.counts.good += 1,
            }
        }
        observer.compared(keys);
        Ok(true)
    }

    /// All that is to be there, by key; nothing if it was stopped. What has no key is told of, unless an earlier run did so.
    async fn gather(
        &self,
        originals: Stream,
        state: &mut State,
        shutdown: &CancellationToken,
    ) -> Result<Option<Sorted>, Error> {
        let is_told = state.resumed;
        let unsorted = |error: std::io::Error| {
            let message = format!("sorting keys in {}", self.work_dir.display());
            Error::new(Stage::Source, Kind::Io, message).caused_by(error)
        };
        let inside = Inside::of(self.store, self.store_url);
        let mut sorter = Sorter::new(self.work_dir);
        let counts = &mut state.counts;
        (counts.originals, counts.expected, counts.inside) = (0, 0, 0);
        let noted = originals.map_ok(|original| async {
            let note = if self.notes { self.store.pointer(&original.url).await? } else { None };
            let changed_since = self.changed_since(&original, note.as_ref(), shutdown).await;
            Ok((original, note, changed_since))
        });
        let mut noted = std::pin::pin!(noted.try_buffered(NOTES));
        while let Some((original, note, changed_since)) = noted.try_next().await? {
            if shutdown.is_cancelled() {
                return Ok(None);
            }
            state.counts.originals += 1;
            state.counts.inside += u64::from(inside.has(&original.url));
            let found = match self.names.of(&original, note.as_ref(), changed_since) {
                Ok(Some(expected)) => {
                    for (key, expected) in expected {
                        let value = serde_json::to_vec(&expected).map_err(|error| unsorted(error.into()))?;
                        sorter.push(key.as_bytes(), &value).map_err(unsorted)?;
                        state.counts.expected += 1;
                    }
                    continue;
                }
                Ok(None) => {
                    state.counts.expected += self.names.recipe.derivatives().len() as u64;
                    nameless(&original, Status::Missing, "the store has no note of it".to_owned())
                }
                Err(error) => nameless(&original, Status::Unnamed, error.message().to_owned()),
            };
            if !is_told {
                state.found(&found)?;
            }
        }
        sorter.sorted().map(Some).map_err(unsorted)
    }

    /// Whether an original changed since it was noted, where only its origin can tell and does.
    async fn changed_since(
        &self,
        original: &Original,
        note: Option<&Pointer>,
        shutdown: &CancellationToken,
    ) -> Option<bool> {
        let (fetcher, note) = self.origins.as_ref().zip(note)?;
        if original.etag.is_some() || note.validators.is_empty() {
            return None;
        }
        match fetcher.fetch(&original.url, Some(&note.validators), shutdown).await {
            Ok(fetched) => Some(!matches!(fetched.fetched, Fetched::Unchanged)),
            Err(error) => {
                let (row, url) = (original.row, redact::url(&original.url));
                tracing::warn!(row, %url, "the origin could not be asked: {}", error.chain());
                None
            }
        }
    }

    async fn look(&self, met: Met) -> Result<(Met, Option<Finding>), Error> {
        let finding = judged(&met, self.names.keys.follows_from_name());
        if let (None, Some(verifier), Met::Both(key, expected, object)) = (&finding, &self.verifier, &met) {
            let format = self.names.recipe.derivatives().get(expected.label).map(|made| made.request.format);
            if let Some(format) = format
                && let Some((status, reason)) = verifier.look(key, object.size, format).await?
            {
                let (key, seen) = (key.clone(), Some((object.size, object.changed)));
                let finding = Finding { status, reason, key, expected: Some(expected.clone()), seen };
                return Ok((met, Some(finding)));
            }
        }
        Ok((met, finding))
    }
}

fn is_young(finding: &Finding, as_of: i64) -> bool {
    finding.seen.is_some_and(|(_, changed)| changed >= as_of)
}

/// What is found of an original without looking at the store's objects.
fn nameless(original: &Original, status: Status, reason: String) -> Finding {
    let columns = original.columns.as_ref().map(|columns| columns.values().to_vec());
    let Original { row, url, .. } = original;
    let expected = Expected { row: *row, url: url.to_string(), label: 0, columns, changed: None, note: None };
    Finding { status, reason, key: String::new(), expected: Some(expected), seen: None }
}

/// Tells originals that lie in the store itself.
struct Inside(String);

impl Inside {
    fn of(store: &Store, url: &str) -> Inside {
        Inside(match store.address() {
            Address::Local(folder) => format!("file://{}/", folder.display()),
            _ => format!("{}/", url.trim_end_matches('/')),
        })
    }

    fn has(&self, url: &str) -> bool {
        source_name(url).starts_with(self.0.as_str())
    }
}
