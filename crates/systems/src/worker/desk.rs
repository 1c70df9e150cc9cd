//! What a worker has in hand: messages taken from the queue, their order, those that they go to, and how each ends.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use imgmill_pipeline::identity::text_hash;
use imgmill_pipeline::redact;
use imgmill_pipeline::source::queue::{Outgoing, Queue, Received};
use imgmill_pipeline::{Error, Kind, Settlement, Stage};
use lru::LruCache;
use tokio::sync::Notify;

use super::groups::Groups;
use super::held::Held;
use super::message::{Message, Problem};
use super::metrics::{Ended, Metrics};
use super::postback::Postback;
use super::queues::Opened;

/// Messages remembered that were told to some of those they go to.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
/// How far the wait before a message is tried again grows.
const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// Everything about messages that is not about images.
#[derive(Debug)]
pub(super) struct Desk {
    pub queue: Arc<dyn Queue>,
    pub metrics: Metrics,
    /// A message was settled: there is room, or the next of its group may begin.
    pub freed: Notify,
    /// When the queue last answered.
    pub last_heard: Mutex<Instant>,
    pub closing: AtomicBool,
    opened: Opened,
    postback: Postback,
    /// Messages at most that are held at once.
    window: usize,
    /// After so many receives a failure that may pass is final, where the queue has nowhere to put such messages.
    give_up_after: Option<u32>,
    /// The first wait before a message is tried again.
    retry_delay: Duration,
    held: Mutex<HashMap<String, Arc<Held>>>,
    groups: Mutex<Groups<Arc<Held>>>,
    told: Mutex<LruCache<String, Told>>,
}

/// Who has heard of a message already, so that trying again for one does not tell the other twice.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    redirected: bool,
    posted: bool,
}

impl Desk {
    pub fn new(
        opened: Opened,
        postback: Postback,
        window: usize,
        give_up_after: Option<u32>,
        retry_delay: Duration,
    ) -> Self {
        Desk {
            queue: Arc::clone(&opened.queue),
            metrics: Metrics::default(),
            freed: Notify::new(),
            // It was asked how full it is a moment ago.
            last_heard: Mutex::new(Instant::now()),
            closing: AtomicBool::new(false),
            opened,
            postback,
            window,
            give_up_after,
            retry_delay,
            held: Mutex::default(),
            groups: Mutex::default(),
            told: Mutex::new(LruCache::new(REMEMBERED)),
        }
    }

    /// How many more messages may be held.
    pub fn room(&self) -> usize {
        self.window.saturating_sub(lock(&self.held).len())
    }

    pub fn is_empty(&self) -> bool {
        lock(&self.held).is_empty()
    }

    /// The next message to work on.
    pub fn next(&self) -> Option<Arc<Held>> {
        lock(&self.groups).next()
    }

    /// Takes in what the queue gave: to be worked on, or settled at once where there is nothing to do.
    pub async fn take(self: &Arc<Self>, received: Received) {
        let waited = received.sent.and_then(|sent| SystemTime::now().duration_since(sent).ok());
        self.metrics.began(waited);
        let message = match Message::parse(&received.body) {
            Ok(message) => message,
            Err(why) => return self.set_aside(received, &why).await,
        };
        let id = received.id.clone();
        let held = Held::hold(Arc::clone(&self.queue), received, message);
        if let Err(why) = held.message.asks_for_something() {
            tracing::info!(message = id, "nothing is to be done: {why}; it is removed");
            held.remove().await;
            return self.metrics.ended(Ended::Ignored, held.since.elapsed());
        }
        lock(&self.held).insert(key(&held), Arc::clone(&held));
        match held.message.bucket_name() {
            Ok(_) => {
                let group = held.received.group.clone();
                lock(&self.groups).admit(group.as_deref(), held);
            }
            Err(why) => {
                let desk = Arc::clone(self);
                tokio::spawn(async move {
                    let problem = problem("bucket_name", &Error::new(Stage::Source, Kind::BadRequest, why));
                    let settlement = desk.tell(&held, held.message.clone(), Some(problem)).await;
                    desk.settle(&held, settlement, true).await;
                });
            }
        }
    }

    /// What cannot be read will not be readable later: it goes to the dead letters, where somebody can look at it; where
    /// there are none it is removed.
    async fn set_aside(&self, received: Received, why: &str) {
        let (id, started) = (&received.id, Instant::now());
        let done = match self.give_up_after {
            Some(_) => {
                tracing::error!(message = id, "the message is {why}; it is removed");
                self.queue.remove(&received.handle).await
            }
            None => {
                tracing::error!(message = id, "the message is {why}; it is left for the dead letters");
                self.queue.hide(&received.handle, delay(self.retry_delay, received.receives)).await
            }
        };
        if let Err(error) = done {
            tracing::error!(message = id, "the queue could not be told: {}", error.chain());
        }
        let ended = if self.give_up_after.is_some() { Ended::Rejected } else { Ended::Retried };
        self.metrics.ended(ended, started.elapsed());
    }

    /// What a failure that may pass means: another try, or the end where there have been too many.
    pub fn another_try(&self, held: &Held, error: &Error) -> Option<Settlement> {
        let is_last = self.give_up_after.is_some_and(|most| held.received.receives >= most);
        let after =
            delay(self.retry_delay, held.received.receives).max(error.wait_asked().unwrap_or_default());
        (may_pass(error) && !is_last).then_some(Settlement::Retry { after })
    }

    /// Sends a finished message to those that it names, and says what that means for it.
    pub async fn tell(&self, held: &Held, mut message: Message, problem: Option<Problem>) -> Settlement {
        let started = Instant::now();
        if let Some(problem) = &problem
            && let Err(error) = message.add_problem(problem)
        {
            tracing::error!("the message could not be written: {error}");
            return Settlement::Reject;
        }
        // Both are told, whatever comes of the one.
        let redirected = self.redirect(held, &message).await;
        let posted = self.post(held, &message).await;
        self.metrics.told(started.elapsed());
        let mut settlement = Settlement::Done;
        for error in [redirected.err(), posted.err()].into_iter().flatten() {
            let id = &held.received.id;
            let next = self.another_try(held, &error);
            let what = if next.is_some() { "it will be tried again" } else { "it is removed all the same" };
            tracing::error!(message = id, stage = %error.stage(), kind = %error.kind(), "{what}: {}", error.chain());
            settlement = match (next, settlement) {
                (Some(retry), _) => retry,
                (None, retry @ Settlement::Retry { .. }) => retry,
                (None, _) => Settlement::Reject,
            };
        }
        settlement
    }

    async fn redirect(&self, held: &Held, message: &Message) -> Result<(), Error> {
        let id = &held.received.id;
        let Some(name) = message.redirect_queue().filter(|_| !self.was_told(id).redirected) else {
            return Ok(());
        };
        let Some(queue) = self.opened.beside.find(&name).await? else {
            tracing::info!(
                message = id,
                queue = name,
                "there is no such queue; the message is not redirected"
            );
            return Ok(());
        };
        if queue.name() == self.queue.name() {
            tracing::warn!(
                message = id,
                queue = name,
                "redirect_queue is the worker's own queue, where the message would go in circles; it is not redirected"
            );
            return Ok(());
        }
        let body = message.to_text().map_err(|error| {
            Error::new(Stage::Report, Kind::Internal, "the message could not be written").caused_by(error)
        })?;
        let group = held.received.group.clone().unwrap_or_else(|| text_hash(&message.subject()));
        // The same however often it is received, so that a FIFO queue takes it once.
        queue.send(&[Outgoing { body, group, name: text_hash(id) }]).await?;
        tracing::info!(message = id, queue = name, "redirected");
        self.note_told(id, |told| told.redirected = true);
        Ok(())
    }

    async fn post(&self, held: &Held, message: &Message) -> Result<(), Error> {
        let id = &held.received.id;
        let Some(url) = message.postback_url().filter(|_| !self.was_told(id).posted) else { return Ok(()) };
        self.postback.post(&url, message).await?;
        tracing::info!(message = id, url = %redact::url(&url), "posted back");
        self.note_told(id, |told| told.posted = true);
        Ok(())
    }

    fn was_told(&self, id: &str) -> Told {
        lock(&self.told).peek(id).copied().unwrap_or_default()
    }

    fn note_told(&self, id: &str, note: impl FnOnce(&mut Told)) {
        note(lock(&self.told).get_or_insert_mut(id.to_owned(), Told::default));
    }

    /// Ends a message as its outcome says; `had_problem` tells what was done from what was only told.
    pub async fn settle(&self, held: &Arc<Held>, settlement: Settlement, had_problem: bool) {
        let group = held.received.group.as_deref();
        let ended = match settlement {
            Settlement::Done if had_problem => Ended::Failed,
            Settlement::Done => Ended::Done,
            Settlement::Reject => Ended::Rejected,
            Settlement::Retry { .. } => Ended::Retried,
            Settlement::Release => Ended::Released,
        };
        match settlement {
            Settlement::Done | Settlement::Reject => {
                held.remove().await;
                lock(&self.told).pop(&held.received.id);
                lock(&self.groups).done(group);
            }
            Settlement::Retry { after } => {
                // Those behind it first: while this one is hidden, the queue gives none of its group.
                self.release_those_behind(group).await;
                held.give_back(after).await;
            }
            Settlement::Release => {
                self.release_those_behind(group).await;
                held.give_back(Duration::ZERO).await;
            }
        }
        let id = &held.received.id;
        let receives = held.received.receives;
        tracing::info!(
            message = id,
            receives,
            ms = held.since.elapsed().as_millis() as u64,
            "message {}",
            ended.as_str()
        );
        self.forget(held, ended);
    }

    async fn release_those_behind(&self, group: Option<&str>) {
        let behind = lock(&self.groups).gave_back(group);
        // The last first, so that the first is not overtaken.
        for held in behind.iter().rev() {
            held.give_back(Duration::ZERO).await;
            self.forget(held, Ended::Released);
        }
    }

    fn forget(&self, held: &Held, ended: Ended) {
        self.metrics.ended(ended, held.since.elapsed());
        lock(&self.held).remove(&key(held));
        self.freed.notify_one();
    }

    /// Gives back everything that is still here.
    pub async fn release_all(&self) {
        drop(lock(&self.groups).clear());
        let held: Vec<Arc<Held>> = lock(&self.held).drain().map(|(_, held)| held).collect();
        if !held.is_empty() {
            tracing::warn!(messages = held.len(), "giving back messages that were not finished");
        }
        futures::future::join_all(held.iter().map(|held| held.give_back(Duration::ZERO))).await;
        held.iter().for_each(|held| self.metrics.ended(Ended::Released, held.since.elapsed()));
    }

    pub fn heard(&self) {
        self.metrics.received();
        *lock(&self.last_heard) = Instant::now();
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

/// What a message's destinations are told of an error.
pub(super) fn problem(field: &'static str, error: &Error) -> Problem {
    Problem {
        field,
        stage: error.stage().as_str(),
        kind: error.kind().as_str(),
        message: error.message().to_owned(),
        attempts: error.attempts(),
    }
}

/// Whether another try at a message may end better. What our own store, disk or queues refuse is not its fault: it comes again
/// when that is mended, or lies with the dead letters until then.
fn may_pass(error: &Error) -> bool {
    let is_the_messages = matches!(error.kind(), Kind::InvalidUrl | Kind::KeyConflict | Kind::BadRequest);
    match error.stage() {
        _ if error.is_transient() || error.kind() == Kind::DiskFull => true,
        Stage::Source | Stage::Store => !is_the_messages,
        _ => false,
    }
}

/// One message may be here twice, where it was received again before this worker noticed.
fn key(held: &Held) -> String {
    held.received.handle.clone()
}

/// How long a message that was received so often waits: twice as long each time, a quarter of an hour at the most.
fn delay(first: Duration, receives: u32) -> Duration {
    first.saturating_mul(1 << receives.saturating_sub(1).min(16)).min(LONGEST_DELAY)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_refuse_is_not_the_messages_fault() {
        let passes = |stage, kind| may_pass(&Error::new(stage, kind, "x"));
        for (stage, kind) in [
            (Stage::Store, Kind::Denied),
            (Stage::Store, Kind::Io),
            (Stage::Derive, Kind::DiskFull),
            (Stage::Source, Kind::Denied),
        ] {
            assert!(passes(stage, kind), "{stage} {kind}");
        }
        for (stage, kind) in [
            (Stage::Fetch, Kind::HttpStatus),
            (Stage::Derive, Kind::Crashed),
            (Stage::Store, Kind::InvalidUrl),
            (Stage::Report, Kind::HttpStatus),
            (Stage::Report, Kind::Forbidden),
        ] {
            assert!(!passes(stage, kind), "{stage} {kind}");
        }
    }

    #[test]
    fn delays_grow_up_to_a_bound() {
        let seconds: Vec<u64> = [1, 2, 3, 7, 8, 9, 100]
            .map(|receives| delay(Duration::from_secs(5), receives).as_secs())
            .to_vec();
        assert_eq!(seconds, [5, 10, 20, 320, 640, 900, 900]);
    }
}
