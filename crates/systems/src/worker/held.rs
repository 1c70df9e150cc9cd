//! A message that this worker has: kept hidden from others while it is worked on, then removed or given back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use imgmill_pipeline::source::queue::{Queue, Received};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::message::Message;

/// A queue that cannot be told is asked so often; then the message comes back by itself.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// A message and its heartbeat.
#[derive(Debug)]
pub(super) struct Held {
    pub received: Received,
    pub message: Message,
    pub since: Instant,
    queue: Arc<dyn Queue>,
    over: CancellationToken,
    /// One word to the queue at a time: a heartbeat that was on its way must not undo what came after it.
    word: Mutex<()>,
}

impl Held {
    /// Holds a message: from now on it is hidden anew whenever half of its time has passed.
    pub fn hold(queue: Arc<dyn Queue>, received: Received, message: Message) -> Arc<Held> {
        let over = CancellationToken::new();
        let held =
            Arc::new(Held { received, message, since: Instant::now(), queue, over, word: Mutex::default() });
        tokio::spawn(Arc::clone(&held).beat());
        held
    }

    async fn beat(self: Arc<Self>) {
        let visibility = self.queue.visibility();
        let mut pause = visibility / 2;
        loop {
            tokio::select! {
                () = self.over.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            let _word = self.word.lock().await;
            if self.over.is_cancelled() {
                return;
            }
            pause = visibility / 2;
            match self.queue.hide(&self.received.handle, visibility).await {
                Ok(()) => tracing::debug!(message = self.received.id, "held on to a message"),
                Err(error) if error.is_transient() => {
                    tracing::warn!(
                        message = self.received.id,
                        "could not hold on to a message: {}",
                        error.chain()
                    );
                    pause = visibility / 8;
                }
                Err(error) => {
                    tracing::error!(message = self.received.id, "lost hold of a message: {}", error.chain());
                    return;
                }
            }
        }
    }

    /// Removes it for good.
    pub async fn remove(&self) {
        self.end(None).await;
    }

    /// Gives it back, for anybody to have after this time.
    pub async fn give_back(&self, after: Duration) {
        self.end(Some(after)).await;
    }

    /// The last word about it: gone, or back after a time.
    async fn end(&self, back: Option<Duration>) {
        self.over.cancel();
        let _word = self.word.lock().await;
        let (id, handle) = (&self.received.id, &self.received.handle);
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=TRIES {
            let told = match back {
                Some(after) => self.queue.hide(handle, after).await,
                None => self.queue.remove(handle).await,
            };
            let Err(error) = told else { return };
            if !error.is_transient() || attempt == TRIES {
                tracing::error!(
                    message = id,
                    "the queue could not be told of a message, which will come again: {}",
                    error.chain()
                );
                return;
            }
            tokio::time::sleep(pause).await;
            pause *= 3;
        }
    }
}
