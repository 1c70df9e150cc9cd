//! Queues of messages: what every kind of queue can do, so that whoever works on messages does not care which it is.
//!
//! A message that is received is hidden from others for a while and comes back unless it is removed; how often it was
//! received is counted, and one that came too often goes to the queue's dead-letter queue. [`folder`] is such a queue of
//! files; others live in crates of their own.

pub mod folder;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::error::Error;

/// A message as its queue gave it.
#[derive(Debug, Clone)]
pub struct Received {
    /// The same each time that it is received.
    pub id: String,
    /// Its text.
    pub body: String,
    /// What the queue knows this very delivery by.
    pub handle: String,
    /// How often it was received, this time included.
    pub receives: u32,
    /// Messages of one group keep their order.
    pub group: Option<String>,
    /// When it was sent, as far as that is known.
    pub sent: Option<SystemTime>,
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its text.
    pub body: String,
    /// Whose order it keeps, in queues that keep one.
    pub group: String,
    /// Another message of the same name within minutes is the same message, in queues that look.
    pub name: String,
}

/// How full a queue is; approximately, since it changes while it is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages that could be received.
    pub waiting: u64,
    /// Messages that somebody has.
    pub in_flight: u64,
    /// Messages that are to wait for a while.
    pub delayed: u64,
}

/// A queue of messages.
#[async_trait]
pub trait Queue: Send + Sync + std::fmt::Debug {
    /// Waits for messages, for as long as the queue was told to, and brings `most` at the most.
    async fn receive(&self, most: usize) -> Result<Vec<Received>, Error>;

    /// Hides a message that was received for `time` from now; not at all means that it may come back at once.
    async fn hide(&self, handle: &str, time: Duration) -> Result<(), Error>;

    /// Removes a message that was received, for good.
    async fn remove(&self, handle: &str) -> Result<(), Error>;

    /// Sends messages, all or with an error that says how many were not sent.
    async fn send(&self, messages: &[Outgoing]) -> Result<(), Error>;

    /// How full it is.
    async fn depth(&self) -> Result<Depth, Error>;

    /// Where messages go that came too often, if there is such a place.
    async fn dead_letters(&self) -> Result<Option<Arc<dyn Queue>>, Error>;

    /// How often a message is received before it goes there, if ever.
    async fn most_receives(&self) -> Result<Option<u32>, Error>;

    /// How long a message stays hidden that was received.
    fn visibility(&self) -> Duration;

    /// What it is, for people.
    fn name(&self) -> String;
}

/// The queues that messages may be sent on to.
#[async_trait]
pub trait Queues: Send + Sync + std::fmt::Debug {
    /// The queue of this name, if there is one.
    async fn find(&self, name: &str) -> Result<Option<Arc<dyn Queue>>, Error>;
}
