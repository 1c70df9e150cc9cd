//! Messages that Lambda received from SQS, worked on as the queue worker does; those that are not done come again.
//!
//! Lambda receives and removes by itself: what it is told is which messages of a batch it must not remove. So the batch is a
//! queue that gives each message once, and whatever was not removed from it when the work ends comes again.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use imgmill_pipeline::report::Summary;
use imgmill_pipeline::source::queue::{Depth, Outgoing, Queue, Queues, Received};
use imgmill_pipeline::{Error, Kind, Stage};
use serde_json::{Value, json};
use tokio::sync::{Notify, OnceCell};

use super::{Deadline, failures, messages, not_understood};
use crate::worker::{Opened, QueueSettings, Settings, Worker};

/// What is answered to whoever waits for messages when there are no more: something may have been settled by then.
const PAUSE: Duration = Duration::from_millis(100);
/// Nobody hides messages of a batch: the function's time is the only limit.
const HIDDEN: Duration = Duration::from_secs(12 * 60 * 60);

/// Works on the messages of an event.
///
/// # Errors
/// An event of another kind; no store. All messages come again then.
pub async fn work(mut settings: Settings, event: &Value, deadline: &Deadline) -> Result<Value, Error> {
    let Some(messages) = messages(event) else {
        return Err(not_understood("expected messages of SQS, Records with eventSource aws:sqs"));
    };
    settings.until_empty = true;
    settings.limits.grace = deadline.grace;
    settings.metrics_address = None;
    let batch = Arc::new(BatchQueue::new(&messages));
    let beside = Beside { settings: settings.queue.clone(), opened: OnceCell::new() };
    let opened = Opened { queue: batch.clone(), beside: Arc::new(beside), is_fifo: false };
    let stop = deadline.token();
    let worker = Worker::prepare_on(settings, opened).await?;
    let mut summary = Summary::default();
    let finished = worker.run(Box::new(&mut summary), stop.clone()).await;
    stop.cancel();
    let finished = finished?;
    let again = batch.left();
    tracing::info!(messages = messages.len(), again = again.len(), "{:?}", finished.messages);
    Ok(json!({ "batchItemFailures": failures(again.iter().map(String::as_str)) }))
}

/// The queue's URL, as its messages name the queue: `arn:aws:sqs:REGION:ACCOUNT:NAME`.
pub fn queue_url(event: &Value, endpoint: Option<&str>) -> Option<String> {
    let arn = messages(event)?.first()?.1["eventSourceARN"].as_str()?;
    let mut parts = arn.split(':').skip(1);
    let (partition, _, region, account, name) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let domain = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    let server = match endpoint {
        Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
        None => format!("https://sqs.{region}.{domain}"),
    };
    Some(format!("{server}/{account}/{name}"))
}

/// The messages of one event.
#[derive(Debug)]
struct BatchQueue {
    arrived: Mutex<VecDeque<Received>>,
    /// Handles of messages that are not done.
    left: Mutex<HashSet<String>>,
    /// Something was settled.
    changed: Notify,
    /// All ids, in the order that they came in.
    ids: Vec<String>,
    /// The queue that they came from.
    queue: String,
}

impl BatchQueue {
    fn new(messages: &[(&str, &Value)]) -> BatchQueue {
        let arrived: VecDeque<Received> = messages.iter().map(|(id, record)| received(id, record)).collect();
        BatchQueue {
            left: Mutex::new(arrived.iter().map(|message| message.handle.clone()).collect()),
            ids: arrived.iter().map(|message| message.id.clone()).collect(),
            queue: messages.first().and_then(|(_, record)| queue_name(record)).unwrap_or_default().to_owned(),
            arrived: Mutex::new(arrived),
            changed: Notify::new(),
        }
    }

    /// The ids of messages that are not done.
    fn left(&self) -> Vec<String> {
        let left = lock(&self.left);
        self.ids.iter().filter(|id| left.contains(*id)).cloned().collect()
    }
}

fn queue_name(record: &Value) -> Option<&str> {
    record["eventSourceARN"].as_str()?.rsplit(':').next()
}

/// A message's id is its handle here: Lambda is told of ids.
fn received(id: &str, record: &Value) -> Received {
    let about = &record["attributes"];
    let number = |name: &str| about[name].as_str().and_then(|text| text.parse::<u64>().ok());
    let sent = number("SentTimestamp");
    Received {
        id: id.to_owned(),
        handle: id.to_owned(),
        body: record["body"].as_str().unwrap_or_default().to_owned(),
        receives: number("ApproximateReceiveCount").and_then(|count| u32::try_from(count).ok()).unwrap_or(1),
        group: about["MessageGroupId"].as_str().map(str::to_owned),
        sent: sent.map(|milliseconds| SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds)),
    }
}

#[async_trait]
impl Queue for BatchQueue {
    async fn receive(&self, most: usize) -> Result<Vec<Received>, Error> {
        let messages: Vec<Received> = {
            let mut arrived = lock(&self.arrived);
            let most = most.min(arrived.len());
            arrived.drain(..most).collect()
        };
        if messages.is_empty() {
            // Until what is under way ends: whoever asked would only ask again.
            let _ = tokio::time::timeout(PAUSE, self.changed.notified()).await;
        }
        Ok(messages)
    }

    /// Not done: what it waits for is Lambda's business.
    async fn hide(&self, _: &str, _: Duration) -> Result<(), Error> {
        self.changed.notify_one();
        Ok(())
    }

    async fn remove(&self, handle: &str) -> Result<(), Error> {
        lock(&self.left).remove(handle);
        self.changed.notify_one();
        Ok(())
    }

    async fn send(&self, _: &[Outgoing]) -> Result<(), Error> {
        Err(Error::new(Stage::Report, Kind::Internal, "nothing can be sent to a batch of messages"))
    }

    async fn depth(&self) -> Result<Depth, Error> {
        Ok(Depth { waiting: lock(&self.arrived).len() as u64, ..Depth::default() })
    }

    async fn dead_letters(&self) -> Result<Option<Arc<dyn Queue>>, Error> {
        Ok(None)
    }

    /// The queue behind it counts, and knows when it is enough.
    async fn most_receives(&self) -> Result<Option<u32>, Error> {
        Ok(Some(u32::MAX))
    }

    fn visibility(&self) -> Duration {
        HIDDEN
    }

    /// As the queue itself is called: a message never goes on to the one that it came from.
    fn name(&self) -> String {
        format!("the SQS queue {}", self.queue)
    }
}

/// The queues that messages go on to, which are looked for when the first one does.
#[derive(Debug)]
struct Beside {
    settings: QueueSettings,
    opened: OnceCell<Opened>,
}

#[async_trait]
impl Queues for Beside {
    async fn find(&self, name: &str) -> Result<Option<Arc<dyn Queue>>, Error> {
        let opened = self.opened.get_or_try_init(|| self.settings.open()).await?;
        opened.beside.find(name).await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Value {
        let message = |id: &str| {
            json!({"eventSource": "aws:sqs", "messageId": id, "receiptHandle": "long", "body": "{}",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:images.fifo",
                "attributes": {"ApproximateReceiveCount": "3", "SentTimestamp": "1573251510774", "MessageGroupId": "g"}})
        };
        json!({"Records": [message("a"), message("b")]})
    }

    #[tokio::test]
    async fn what_is_not_removed_comes_again() {
        let event = event();
        let queue = BatchQueue::new(&messages(&event).unwrap());
        assert_eq!(queue.name(), "the SQS queue images.fifo");
        let first = queue.receive(1).await.unwrap();
        assert_eq!((first[0].receives, first[0].group.as_deref()), (3, Some("g")));
        assert_eq!(queue.receive(10).await.unwrap().len(), 1);
        queue.remove("a").await.unwrap();
        queue.hide("b", Duration::ZERO).await.unwrap();
        assert!(queue.receive(10).await.unwrap().is_empty(), "nothing is given twice");
        assert_eq!((queue.depth().await.unwrap(), queue.left()), (Depth::default(), vec!["b".to_owned()]));
    }

    #[test]
    fn messages_name_their_queue() {
        let url = queue_url(&event(), None).unwrap();
        assert_eq!(url, "https://sqs.eu-west-1.amazonaws.com/123456789012/images.fifo");
        let elsewhere = queue_url(&event(), Some("http://127.0.0.1:5055/")).unwrap();
        assert_eq!(elsewhere, "http://127.0.0.1:5055/123456789012/images.fifo");
        assert_eq!(queue_url(&json!({}), None), None);
    }
}
