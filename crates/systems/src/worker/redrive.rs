//! Dead letters: messages that were received too often. What they are, and back with them to where they came from.

use std::time::SystemTime;

use imgmill_pipeline::identity::text_hash;
use imgmill_pipeline::source::queue::{Outgoing, Queue, Received};
use imgmill_pipeline::{Error, Kind, Stage};

/// Received at once; SQS gives no more.
const AT_ONCE: usize = 10;

/// The dead letters of a queue, held until they are given back.
#[derive(Debug)]
pub struct DeadLetters {
    dead: std::sync::Arc<dyn Queue>,
    letters: Vec<Received>,
}

impl DeadLetters {
    /// Receives the queue's dead letters, up to `most` of them.
    ///
    /// # Errors
    /// When the queue has no dead-letter queue, or it cannot be read.
    pub async fn of(queue: &dyn Queue, most: usize) -> Result<DeadLetters, Error> {
        let Some(dead) = queue.dead_letters().await? else {
            let message = format!("{} has no dead-letter queue; give it a redrive policy", queue.name());
            return Err(Error::new(Stage::Source, Kind::NotFound, message));
        };
        let mut letters: Vec<Received> = Vec::new();
        while letters.len() < most {
            let more = dead.receive(AT_ONCE.min(most - letters.len())).await?;
            if more.is_empty() {
                break;
            }
            letters.extend(more);
        }
        Ok(DeadLetters { dead, letters })
    }

    /// The letters.
    pub fn letters(&self) -> &[Received] {
        &self.letters
    }

    /// Sends those with one of these ids (all, where there are none) back to their `queue`, and answers how many. Each is
    /// removed only after it was sent.
    ///
    /// # Errors
    /// When one cannot be sent or removed; those before it were.
    pub async fn send_back(&mut self, queue: &dyn Queue, ids: &[String]) -> Result<usize, Error> {
        let wanted = |letter: &Received| ids.is_empty() || ids.contains(&letter.id);
        let (back, stay) = std::mem::take(&mut self.letters).into_iter().partition(|letter| wanted(letter));
        let back: Vec<Received> = back;
        self.letters = stay;
        for (sent, letter) in back.iter().enumerate() {
            if let Err(error) = self.send_one_back(queue, letter).await {
                self.letters.extend(back[sent..].iter().cloned());
                return Err(error);
            }
        }
        Ok(back.len())
    }

    async fn send_one_back(&self, queue: &dyn Queue, letter: &Received) -> Result<(), Error> {
        // A name of its own each time: within minutes the queue would take it for the one that it had.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let name = text_hash(&format!("{} {now}", letter.id));
        let group = letter.group.clone().unwrap_or_else(|| text_hash(&letter.id));
        queue.send(&[Outgoing { body: letter.body.clone(), group, name }]).await?;
        self.dead.remove(&letter.handle).await
    }

    /// Lets go of the rest, so that they can be received again at once.
    ///
    /// # Errors
    /// When the queue cannot be told; they come back by themselves then.
    pub async fn let_go(self) -> Result<(), Error> {
        for letter in &self.letters {
            self.dead.hide(&letter.handle, std::time::Duration::ZERO).await?;
        }
        Ok(())
    }
}
