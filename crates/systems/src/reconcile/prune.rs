//! Orphans: shown, and removed where that was asked for and may be. Each is looked at once more before it goes; one that
//! changed meanwhile stays.

use futures::{StreamExt as _, TryStreamExt as _};
use imgmill_pipeline::objects::failure;
use imgmill_pipeline::store::Store;
use imgmill_pipeline::{Error, Stage};
use object_store::ObjectStoreExt as _;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::judge::{Finding, Status};
use super::repair::is_same;
use super::state::{Counts, State};

/// Objects that are looked at and removed at once.
const AT_ONCE: usize = 16;

/// What keeps all orphans from being removed.
#[derive(Debug, Clone, Copy)]
pub struct Doubts {
    /// Keys follow from bytes, and no note is no proof.
    pub keys_of_bytes: bool,
    /// The share of the store's objects that may go.
    pub most: f64,
}

impl Doubts {
    /// Whether what was found may be removed.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn check(&self, counts: &Counts) -> Result<(), String> {
        if self.keys_of_bytes {
            return Err("keys with {hash} follow from the images' bytes, and that the store has no note of one proves \
                        nothing: orphans can be told where --key names objects by their originals"
                .to_owned());
        }
        if counts.inside > 0 {
            return Err("originals lie in the store: they cannot be told from orphans; give derivatives a prefix of their \
                        own, and --store with it"
                .to_owned());
        }
        if counts.originals == 0 {
            return Err("there are no originals: everything would be an orphan".to_owned());
        }
        let share = counts.orphaned as f64 / counts.objects.max(1) as f64;
        if share > self.most {
            return Err(format!(
                "{} of {} objects would be removed: are --originals, --key and --recipe what the store was made with? If they \
                 are, give --max-prune {}%",
                counts.orphaned,
                counts.objects,
                (share * 100.0).ceil()
            ));
        }
        Ok(())
    }
}

/// The orphans that a state knows.
pub fn orphans(state: &mut State) -> Result<impl Iterator<Item = Result<Finding, Error>> + use<>, Error> {
    let findings = state.findings()?;
    Ok(findings.filter(|finding| finding.as_ref().map_or(true, |finding| finding.status == Status::Orphaned)))
}

/// Removes them.
///
/// # Errors
/// What the store answers.
pub async fn remove(state: &mut State, store: &Store, shutdown: &CancellationToken) -> Result<(), Error> {
    let orphans = futures::stream::iter(orphans(state)?);
    let removed = orphans.map_ok(|orphan| removed(store, orphan)).try_buffered(AT_ONCE);
    let mut removed = std::pin::pin!(removed.take_until(shutdown.cancelled()));
    while let Some((key, removed)) = removed.try_next().await? {
        let Some(removed) = removed else { continue };
        let status = if removed { "pruned" } else { "left" };
        *(if removed { &mut state.counts.pruned } else { &mut state.counts.left }) += 1;
        state.done(&json!({"status": status, "key": store.full_key(&key)}))?;
    }
    state.save()
}

/// Whether an orphan was removed; nothing of one that was not there.
async fn removed(store: &Store, orphan: Finding) -> Result<(String, Option<bool>), Error> {
    let (path, objects) = (store.path(&orphan.key), &store.bucket().store);
    let failed = |error| failure(Stage::Store, &format!("removing {}", orphan.key), error);
    let found = match objects.head(&path).await {
        Ok(found) => found,
        Err(object_store::Error::NotFound { .. }) => return Ok((orphan.key, None)),
        Err(error) => return Err(failed(error)),
    };
    if orphan.seen.is_none_or(|seen| !is_same(&found, seen)) {
        return Ok((orphan.key, Some(false)));
    }
    match objects.delete(&path).await {
        Ok(()) => Ok((orphan.key, Some(true))),
        Err(object_store::Error::NotFound { .. }) => Ok((orphan.key, None)),
        Err(error) => Err(failed(error)),
    }
}
