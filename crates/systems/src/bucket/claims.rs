//! Claims: who works on a key, so that no image is made twice at the same time.
//!
//! A claim is an object that is created if it is not there, and says until when it holds. Who has it writes it anew
//! while the work goes on; who dies lets it run out, and the next may take it over. Every write is on the condition
//! that nobody else wrote in between. A claim keeps two from doing the same work, no more: a clock that is wrong or a
//! program that slept may lead to two claimers, and what keeps the older one's pyramid from replacing the newer one's
//! is the condition on that put itself (`Naming::over`).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::TryStreamExt as _;
use imgmill_pipeline::objects::Expected;
use imgmill_pipeline::{Error, Kind, Stage};
use object_store::UpdateVersion;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use tokio::sync::{RwLock, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::ledger::Ledger;

/// A claim as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Whose it is: a name for one claimer's one turn.
    pub holder: String,
    /// Until when it holds, in milliseconds since 1970.
    pub expires: u64,
}

impl Claim {
    /// Whether it holds no more.
    pub fn is_expired(&self) -> bool {
        self.expires <= now()
    }
}

/// Takes claims for one drainer.
#[derive(Debug)]
pub struct Claims {
    ledger: Ledger,
    drainer: String,
    turns: AtomicU64,
    time: Duration,
    taken: Taken,
}

/// What was taken and not released. Claims are written and removed in tasks of their own, which are ended even where
/// nobody waits for them any more: what a request that was given up on did to the bucket, nobody could tell.
#[derive(Debug, Clone, Default)]
struct Taken {
    by_holder: Arc<Mutex<HashMap<String, Turn>>>,
    /// Read as long as such a task runs.
    under_way: Arc<RwLock<()>>,
}

/// A claim, and until when nobody else can have it; nothing once it is lost.
type Turn = (Arc<Mine>, watch::Receiver<Option<Instant>>);

impl Taken {
    fn by_holder(&self) -> MutexGuard<'_, HashMap<String, Turn>> {
        self.by_holder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what is to be ended in any case.
    async fn see_through<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let under_way = Arc::clone(&self.under_way).read_owned().await;
        let task = tokio::spawn(async move {
            let _under_way = under_way;
            work.await
        });
        task.await.unwrap_or_else(|error| {
            Err(Error::new(Stage::Source, Kind::Io, format!("a claim was not seen through: {error}")))
        })
    }
}

impl Claims {
    /// A drainer's claims, that hold for `time` where nobody renews them.
    pub fn new(ledger: Ledger, time: Duration) -> Self {
        let drainer = format!("{}-{:016x}", std::process::id(), rand::random::<u64>());
        Claims { ledger, drainer, turns: AtomicU64::new(1), time, taken: Taken::default() }
    }

    /// Finds out that claims can be written and taken back.
    ///
    /// # Errors
    /// One sentence that says what to set.
    pub async fn check(&self) -> Result<(), Error> {
        match self.take(&format!("check-{}", self.drainer)).await? {
            Some(held) => held.release().await,
            None => Ok(()),
        }
    }

    /// Removes what dead drainers left of names that nobody claims any more: takes each over, and gives it back.
    ///
    /// # Errors
    /// What the bucket answers.
    pub async fn tidy(&self) -> Result<(), Error> {
        let mut claims = self.ledger.claims();
        while let Some(path) = claims.try_next().await? {
            let name = path.filename().and_then(|name| name.strip_suffix(".json")).unwrap_or_default();
            let claim = self.ledger.read::<Claim>(&path).await?;
            if claim.is_some_and(|(claim, _)| claim.is_ok_and(|claim| claim.is_expired()))
                && let Some(held) = self.take(name).await?
            {
                held.release().await?;
            }
        }
        Ok(())
    }

    /// Claims a name, and renews the claim until it is released; nothing if it is somebody else's.
    ///
    /// # Errors
    /// What the bucket answers.
    pub async fn take(&self, name: &str) -> Result<Option<Held>, Error> {
        let path = self.ledger.claim_path(name);
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        let mine = Mine {
            ledger: self.ledger.clone(),
            path,
            holder: format!("{}-{turn}", self.drainer),
            time: self.time,
        };
        self.taken.see_through(mine.take(self.taken.clone())).await
    }

    /// Releases what was dropped without being released: the work of a run that was told to stop.
    ///
    /// # Errors
    /// What the bucket answers; the claims run out then.
    pub async fn give_back(&self) -> Result<(), Error> {
        let _ended = self.taken.under_way.write().await;
        let taken = std::mem::take(&mut *self.taken.by_holder());
        let certain = taken.into_values().filter(|(mine, until)| mine.is_certain(until));
        self.ledger.remove(certain.map(|(mine, _)| mine.path.clone()).collect()).await
    }
}

/// What one claimer writes.
#[derive(Debug)]
struct Mine {
    ledger: Ledger,
    path: Path,
    holder: String,
    time: Duration,
}

impl Mine {
    async fn take(self, taken: Taken) -> Result<Option<Held>, Error> {
        let mut expected = Expected::Nothing;
        // Nothing there, or an expired one, or one that went away in between.
        for _ in 0..3 {
            let until = Instant::now() + self.time;
            if let Some(version) = self.write(&expected).await? {
                return Ok(Some(self.hold(version, until, taken)));
            }
            expected = match self.ledger.read::<Claim>(&self.path).await? {
                None => Expected::Nothing,
                Some((Ok(claim), _)) if !claim.is_expired() && claim.holder != self.holder => {
                    return Ok(None);
                }
                Some((_, version)) => Expected::This(version),
            };
        }
        Ok(None)
    }

    fn hold(self, version: UpdateVersion, until: Instant, taken: Taken) -> Held {
        let (tell, until) = watch::channel(Some(until));
        let mine = Arc::new(self);
        let renewal = tokio::spawn(renew(Arc::clone(&mine), version, tell));
        taken.by_holder().insert(mine.holder.clone(), (Arc::clone(&mine), until.clone()));
        Held { mine, until, renewal, taken }
    }

    async fn write(&self, expected: &Expected) -> Result<Option<UpdateVersion>, Error> {
        let time = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        let claim = Claim { holder: self.holder.clone(), expires: now().saturating_add(time) };
        self.ledger.put_if(&self.path, &claim, expected).await
    }

    /// Whether it is this one's for certain, with time left for a request. Removing is on no condition.
    fn is_certain(&self, until: &watch::Receiver<Option<Instant>>) -> bool {
        until.borrow().is_some_and(|until| until > Instant::now() + self.time / 4)
    }

    /// Writes the claim anew; nothing if it is no longer this one's.
    async fn renew(&self, version: &UpdateVersion) -> Result<Option<UpdateVersion>, Error> {
        let written = self.write(&Expected::This(version.clone())).await?;
        if written.is_some() {
            return Ok(written);
        }
        // An earlier write whose answer was lost looks like somebody else's.
        match self.ledger.read::<Claim>(&self.path).await? {
            Some((Ok(claim), version)) if claim.holder == self.holder => Ok(Some(version)),
            _ => Ok(None),
        }
    }
}

/// A claim that is held. Dropped without being released, it runs out, unless it is given back with the others.
#[derive(Debug)]
pub struct Held {
    mine: Arc<Mine>,
    /// Until when nobody else can have it; nothing once it is lost.
    until: watch::Receiver<Option<Instant>>,
    renewal: JoinHandle<()>,
    taken: Taken,
}

impl Held {
    /// What tells this turn from all others.
    pub fn turn(&self) -> &str {
        &self.mine.holder
    }

    /// Whether somebody else may have it by now.
    pub fn is_lost(&self) -> bool {
        self.until.borrow().is_none_or(|until| until <= Instant::now())
    }

    /// Lets others have it.
    ///
    /// # Errors
    /// What the bucket answers; the claim runs out then.
    pub async fn release(self) -> Result<(), Error> {
        self.renewal.abort();
        self.taken.by_holder().remove(&self.mine.holder);
        if !self.mine.is_certain(&self.until) {
            return Ok(());
        }
        let mine = Arc::clone(&self.mine);
        self.taken.see_through(async move { mine.ledger.remove(vec![mine.path.clone()]).await }).await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// Renews a claim three times as often as it runs out, until that is found to be too late.
async fn renew(mine: Arc<Mine>, mut version: UpdateVersion, tell: watch::Sender<Option<Instant>>) {
    loop {
        tokio::time::sleep(mine.time / 3).await;
        let asked = Instant::now();
        match mine.renew(&version).await {
            Ok(Some(renewed)) => {
                version = renewed;
                tell.send_replace(Some(asked + mine.time));
            }
            Ok(None) => {
                tracing::warn!(claim = %mine.path, "the claim ran out, and somebody else has it");
                tell.send_replace(None);
                return;
            }
            Err(error) => tracing::warn!(claim = %mine.path, "not renewed: {}", error.chain()),
        }
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use imgmill_pipeline::objects::ObjectOptions;

    async fn ledger(folder: &std::path::Path) -> Ledger {
        Ledger::open(&format!("file://{}", folder.display()), &ObjectOptions::default()).await.unwrap()
    }

    #[tokio::test]
    async fn one_has_it_until_it_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path()).await;
        let claims = [0; 8].map(|_| Claims::new(ledger.clone(), Duration::from_secs(60)));
        let taken = futures::future::join_all(claims.iter().map(|claims| claims.take("a"))).await;
        let mut held: Vec<_> = taken.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(held.len(), 1);
        assert!(!held[0].is_lost());
        assert!(claims[0].take("b").await.unwrap().is_some(), "another name");
        held.remove(0).release().await.unwrap();
        let dropped = claims[1].take("a").await.unwrap();
        assert!(dropped.is_some());
        drop(dropped);
        // One that was given up on while it was being taken.
        let mut cut_off = std::pin::pin!(claims[1].take("c"));
        assert!(futures::poll!(cut_off.as_mut()).is_pending());
        assert!(claims[2].take("a").await.unwrap().is_none(), "it runs on");
        claims[1].give_back().await.unwrap();
        assert!(claims[2].take("a").await.unwrap().is_some());
        assert!(ledger.read::<Claim>(&ledger.claim_path("c")).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_dead_claimers_claim_is_taken_over_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path()).await;
        let path = ledger.claim_path("a");
        let dead = Claim { holder: "dead".into(), expires: now() - 1 };
        ledger.put_if(&path, &dead, &Expected::Nothing).await.unwrap().unwrap();
        let claims = [0; 8].map(|_| Claims::new(ledger.clone(), Duration::from_secs(60)));
        let taken = futures::future::join_all(claims.iter().map(|claims| claims.take("a"))).await;
        assert_eq!(taken.into_iter().filter_map(Result::unwrap).count(), 1);
    }

    #[tokio::test]
    async fn who_slept_finds_it_lost_and_leaves_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path()).await;
        let claims = Claims::new(ledger.clone(), Duration::from_millis(300));
        let held = claims.take("a").await.unwrap().unwrap();
        let path = ledger.claim_path("a");
        // As if this one had slept past its time, and another had taken over.
        let (_, version) = ledger.read::<Claim>(&path).await.unwrap().unwrap();
        let other = Claim { holder: "other".into(), expires: now() + 60_000 };
        ledger.put_if(&path, &other, &Expected::This(version)).await.unwrap().unwrap();
        let mut until = held.until.clone();
        until.wait_for(Option::is_none).await.unwrap();
        assert!(held.is_lost());
        held.release().await.unwrap();
        let (found, _) = ledger.read::<Claim>(&path).await.unwrap().unwrap();
        assert_eq!(found.unwrap(), other);
    }
}
