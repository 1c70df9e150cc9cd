//! The worker's source: messages as deliveries, each with a job for every image that it names.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::Stream;
use imgmill_image::Recipe;
use imgmill_pipeline::job::Instructions;
use imgmill_pipeline::source::Source;
use imgmill_pipeline::source::queue::Depth;
use imgmill_pipeline::{Delivery, Error, Job, Outcome, Settlement};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, JoinSet};

use super::desk::{Desk, problem};
use super::held::Held;
use super::message::ImageField;
use super::naming::ImageNames;

/// The pause after a receive that failed in a way that may pass.
const PAUSE: Duration = Duration::from_secs(2);
/// Received at once; SQS gives no more.
const AT_ONCE: usize = 10;
/// How long a receive that is under way is waited for when the worker stops: what it brings is given back.
const LAST_RECEIVE: Duration = Duration::from_secs(2);

/// The source.
#[derive(Debug)]
pub(super) struct Messages {
    desk: Arc<Desk>,
    recipe: Arc<Recipe>,
    /// Whether to end when the queue is empty.
    until_empty: bool,
    /// A task of its own: a receive that is dropped half-way may have taken messages which nobody would know of.
    receiving: Mutex<Option<JoinHandle<Result<usize, Error>>>>,
    /// Messages whose queue is being told: the flow need not wait for that.
    settling: std::sync::Mutex<JoinSet<()>>,
}

/// A message and what its jobs are about, in their order.
#[derive(Debug)]
pub(super) struct Ticket {
    held: Arc<Held>,
    fields: Vec<ImageField>,
    had_problem: AtomicBool,
}

impl Messages {
    pub fn new(desk: Arc<Desk>, recipe: Arc<Recipe>, until_empty: bool) -> Self {
        Messages {
            desk,
            recipe,
            until_empty,
            receiving: Mutex::default(),
            settling: std::sync::Mutex::default(),
        }
    }

    /// The next message, once there is one.
    async fn next(&self, rows: u64) -> Option<(Result<Delivery<Ticket>, Error>, u64)> {
        loop {
            if let Some(held) = self.desk.next() {
                let (delivery, rows) = self.delivery(held, rows);
                return Some((Ok(delivery), rows));
            }
            let mut receiving = self.receiving.lock().await;
            let room = self.desk.room().min(AT_ONCE);
            if receiving.is_none() && room > 0 {
                let desk = Arc::clone(&self.desk);
                *receiving = Some(tokio::spawn(async move { receive(&desk, room).await }));
            }
            let Some(task) = receiving.as_mut() else {
                drop(receiving);
                self.desk.freed.notified().await;
                continue;
            };
            let received = tokio::select! {
                received = task => received,
                () = self.desk.freed.notified() => continue,
            };
            *receiving = None;
            drop(receiving);
            match received.unwrap_or_else(|_| Ok(0)) {
                Ok(0) if self.until_empty && self.is_over().await => return None,
                Ok(_) => {}
                Err(error) if error.is_transient() => {
                    tracing::warn!("the queue could not be read, will try again: {}", error.chain());
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Some((Err(error), rows)),
            }
        }
    }

    /// Whether there is nothing here, and nothing in the queue that will come again.
    async fn is_over(&self) -> bool {
        let none = Depth::default();
        self.desk.is_empty() && self.desk.queue.depth().await.is_ok_and(|depth| depth == none)
    }

    fn delivery(&self, held: Arc<Held>, rows: u64) -> (Delivery<Ticket>, u64) {
        let images = held.message.images();
        // Whether the name is one was asked when the message was taken.
        let bucket_name = held.message.bucket_name().unwrap_or_default();
        let instructions =
            Arc::new(Instructions::new(Arc::clone(&self.recipe), Arc::new(ImageNames { bucket_name })));
        let mut jobs = Vec::with_capacity(images.len());
        let mut fields = Vec::with_capacity(images.len());
        for (row, (field, url)) in (rows + 1..).zip(images) {
            jobs.push(Job { row, url: url.into(), instructions: Arc::clone(&instructions), columns: None });
            fields.push(field);
        }
        let rows = rows + jobs.len() as u64;
        (Delivery { jobs, receipt: Ticket { held, fields, had_problem: false.into() } }, rows)
    }

    /// Gives back what is not finished. Nothing is received after this.
    pub async fn close(&self) {
        self.desk.closing.store(true, Ordering::Relaxed);
        if let Some(mut task) = self.receiving.lock().await.take()
            && tokio::time::timeout(LAST_RECEIVE, &mut task).await.is_err()
        {
            task.abort();
        }
        let settling = std::mem::take(&mut *self.settling.lock().unwrap_or_else(PoisonError::into_inner));
        settling.join_all().await;
        self.desk.release_all().await;
    }
}

async fn receive(desk: &Arc<Desk>, most: usize) -> Result<usize, Error> {
    let received = desk.queue.receive(most).await?;
    desk.heard();
    let count = received.len();
    for message in received {
        desk.take(message).await;
    }
    Ok(count)
}

impl Source for Messages {
    type Receipt = Ticket;

    fn deliveries(&self) -> impl Stream<Item = Result<Delivery<Ticket>, Error>> + Send {
        futures::stream::unfold(0, |rows| self.next(rows))
    }

    async fn tell(&self, ticket: &Ticket, outcomes: &[Outcome]) -> Settlement {
        let held = &ticket.held;
        outcomes.iter().for_each(|outcome| self.desk.metrics.image(outcome));
        let errors = || outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err());
        if let Some(again) = errors().find_map(|error| self.desk.another_try(held, error)) {
            return again;
        }
        let mut message = held.message.clone();
        let mut first = None;
        for (field, outcome) in ticket.fields.iter().zip(outcomes) {
            match &outcome.result {
                Ok(derived) => {
                    let info = info(&derived.renditions);
                    if let Err(error) = message.add_info(*field, &info) {
                        tracing::error!("the message could not be written: {error}");
                    }
                }
                Err(error) => {
                    first.get_or_insert_with(|| problem(field.name(), error));
                }
            }
        }
        ticket.had_problem.store(first.is_some(), Ordering::Relaxed);
        self.desk.tell(held, message, first).await
    }

    async fn settle(&self, ticket: Ticket, settlement: Settlement) -> Result<(), Error> {
        let had_problem = ticket.had_problem.load(Ordering::Relaxed);
        let desk = Arc::clone(&self.desk);
        let mut settling = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        while settling.try_join_next().is_some() {}
        settling.spawn(async move { desk.settle(&ticket.held, settlement, had_problem).await });
        Ok(())
    }
}

/// What a message says of an image's renditions: `{label: {url, bucket_path}}`.
fn info(renditions: &[imgmill_pipeline::outcome::StoredRendition]) -> Value {
    let entries = renditions.iter().map(|rendition| {
        let folder = rendition.key.rsplit_once('/').map_or("", |(folder, _)| folder);
        (rendition.label.clone(), json!({ "url": rendition.url, "bucket_path": format!("{folder}/") }))
    });
    Value::Object(entries.collect::<Map<_, _>>())
}
