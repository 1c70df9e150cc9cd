//! SQS, standard and FIFO: a queue to receive from, the account's other queues to send on to.

mod account;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_sqs::types::{
    Message, MessageSystemAttributeName as About, QueueAttributeName as Attribute,
    SendMessageBatchRequestEntry,
};
use imgmill_pipeline::source::queue::{Depth, Outgoing, Queue, Queues, Received};
use imgmill_pipeline::{Error, Kind, Stage};

use account::Account;
pub use account::SqsSettings;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use crate::failure::{self, Service};

const SQS: Service = Service {
    name: "SQS",
    missing: &["NonExistentQueue", "QueueDoesNotExist"],
    advice: "there is no such queue; check QUEUE_URL and the region in it",
};

fn failure<E>(doing: &str, what: &str, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    SdkError<E>: std::error::Error,
{
    failure::failure(&SQS, doing, what, error)
}

/// SQS gives and takes no more at once.
const MOST_AT_ONCE: usize = 10;
/// Nor more bytes, bodies together: the limit that every account has.
const MOST_BYTES: usize = 256 << 10;
/// A message may stay hidden no longer.
const LONGEST_HIDDEN: Duration = Duration::from_secs(12 * 60 * 60);

/// A queue of SQS.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    account: Arc<Account>,
    url: String,
}

impl SqsQueue {
    /// Connects to the queue and makes sure that it is there and may be read.
    ///
    /// # Errors
    /// One sentence that says what to set or mend.
    pub async fn connect(settings: SqsSettings) -> Result<SqsQueue, Error> {
        let url = settings.queue_url.clone();
        let queue = SqsQueue { account: Arc::new(Account::open(settings).await?), url };
        queue.depth().await?;
        Ok(queue)
    }

    /// Whether it keeps the order of each group.
    pub fn is_fifo(&self) -> bool {
        self.url.ends_with(".fifo")
    }

    fn short_name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    async fn attribute(&self, name: Attribute) -> Result<Option<String>, Error> {
        let asked =
            self.account.client.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone());
        let answer =
            asked.send().await.map_err(|error| failure("asking about", self.short_name(), &error))?;
        Ok(answer.attributes().and_then(|known| known.get(&name)).cloned())
    }

    /// The redrive policy: the dead-letter queue's ARN, and how often a message is received before it goes there.
    async fn redrive_policy(&self) -> Result<Option<(String, u32)>, Error> {
        let Some(text) = self.attribute(Attribute::RedrivePolicy).await? else { return Ok(None) };
        let policy: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let count = &policy["maxReceiveCount"];
        let count = count.as_u64().or_else(|| count.as_str()?.parse().ok());
        let target = policy["deadLetterTargetArn"].as_str();
        Ok(target
            .zip(count)
            .map(|(target, count)| (target.to_owned(), u32::try_from(count).unwrap_or(u32::MAX))))
    }

    /// Sends up to ten messages; answers those that SQS did not take, and whether it might take them later.
    async fn send_batch(&self, batch: &[&Outgoing]) -> Result<(), Error> {
        let mut entries = Vec::with_capacity(batch.len());
        for (index, message) in batch.iter().enumerate() {
            let mut entry =
                SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(&message.body);
            if self.is_fifo() {
                entry = entry.message_group_id(&message.group).message_deduplication_id(&message.name);
            }
            let wrong = |error| {
                Error::new(Stage::Report, Kind::Internal, "a message could not be put together")
                    .caused_by(error)
            };
            entries.push(entry.build().map_err(wrong)?);
        }
        let send = self.account.client.send_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let sent = send.send().await.map_err(|error| failure("sending to", self.short_name(), &error))?;
        match sent.failed() {
            [] => Ok(()),
            failed => {
                let first = &failed[0];
                let why = first.message().unwrap_or(first.code());
                let message = format!(
                    "{} of {} messages were not taken by {}: {why}",
                    failed.len(),
                    batch.len(),
                    self.short_name()
                );
                let lasting = failed.iter().all(|entry| entry.sender_fault());
                let kind = if lasting { Kind::BadRequest } else { Kind::Io };
                Err(Error::new(Stage::Source, kind, message).transient(!lasting))
            }
        }
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn receive(&self, most: usize) -> Result<Vec<Received>, Error> {
        let settings = &self.account.settings;
        self.account.count_receive();
        let most = i32::try_from(most.clamp(1, MOST_AT_ONCE)).unwrap_or(1);
        let asked = self.account.client.receive_message().queue_url(&self.url).max_number_of_messages(most);
        let asked = asked
            .wait_time_seconds(seconds(settings.wait).min(20))
            .visibility_timeout(seconds(settings.visibility))
            .message_system_attribute_names(About::All);
        let answer =
            asked.send().await.map_err(|error| failure("receiving from", self.short_name(), &error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(received).collect())
    }

    async fn hide(&self, handle: &str, time: Duration) -> Result<(), Error> {
        let time = seconds(time.min(LONGEST_HIDDEN));
        let change = self.account.client.change_message_visibility().queue_url(&self.url);
        let changed = change.receipt_handle(handle).visibility_timeout(time).send().await;
        changed.map(drop).map_err(|error| failure("holding a message of", self.short_name(), &error))
    }

    async fn remove(&self, handle: &str) -> Result<(), Error> {
        let delete = self.account.client.delete_message().queue_url(&self.url).receipt_handle(handle);
        let deleted = delete.send().await;
        deleted.map(drop).map_err(|error| failure("removing a message of", self.short_name(), &error))
    }

    async fn send(&self, messages: &[Outgoing]) -> Result<(), Error> {
        let mut batch: Vec<&Outgoing> = Vec::new();
        let mut bytes = 0;
        for message in messages {
            if batch.len() == MOST_AT_ONCE || (!batch.is_empty() && bytes + message.body.len() > MOST_BYTES) {
                self.send_batch(&batch).await?;
                batch.clear();
                bytes = 0;
            }
            bytes += message.body.len();
            batch.push(message);
        }
        if batch.is_empty() { Ok(()) } else { self.send_batch(&batch).await }
    }

    async fn depth(&self) -> Result<Depth, Error> {
        let names = [
            Attribute::ApproximateNumberOfMessages,
            Attribute::ApproximateNumberOfMessagesNotVisible,
            Attribute::ApproximateNumberOfMessagesDelayed,
        ];
        let asked = self.account.client.get_queue_attributes().queue_url(&self.url);
        let asked = asked.set_attribute_names(Some(names.to_vec()));
        let answer =
            asked.send().await.map_err(|error| failure("asking about", self.short_name(), &error))?;
        let [waiting, in_flight, delayed] = names.map(|name| {
            let value = answer.attributes().and_then(|known| known.get(&name));
            value.and_then(|value| value.parse().ok()).unwrap_or(0)
        });
        Ok(Depth { waiting, in_flight, delayed })
    }

    async fn dead_letters(&self) -> Result<Option<Arc<dyn Queue>>, Error> {
        let Some((target, _)) = self.redrive_policy().await? else { return Ok(None) };
        // arn:aws:sqs:REGION:ACCOUNT:NAME
        let mut parts = target.rsplit(':');
        let (Some(name), Some(owner)) = (parts.next(), parts.next()) else { return Ok(None) };
        let asked = self.account.client.get_queue_url().queue_name(name).queue_owner_aws_account_id(owner);
        let answer = asked.send().await.map_err(|error| failure("looking for", name, &error))?;
        let queue = |url: &str| SqsQueue { account: Arc::clone(&self.account), url: url.to_owned() };
        Ok(answer.queue_url().map(|url| Arc::new(queue(url)) as Arc<dyn Queue>))
    }

    async fn most_receives(&self) -> Result<Option<u32>, Error> {
        Ok(self.redrive_policy().await?.map(|(_, count)| count))
    }

    fn visibility(&self) -> Duration {
        self.account.settings.visibility
    }

    fn name(&self) -> String {
        format!("the SQS queue {}", self.short_name())
    }
}

/// The account's queues, by a list that is fetched once and again after so many receives.
#[async_trait]
impl Queues for SqsQueue {
    async fn find(&self, name: &str) -> Result<Option<Arc<dyn Queue>>, Error> {
        let url = self.account.queue_url(name).await?;
        let queue = |url| SqsQueue { account: Arc::clone(&self.account), url };
        Ok(url.map(|url| Arc::new(queue(url)) as Arc<dyn Queue>))
    }
}

/// A message with its handle; one without, which SQS does not send, could never be settled.
fn received(message: Message) -> Option<Received> {
    let about = |name: About| message.attributes().and_then(|known| known.get(&name)).cloned();
    let sent = about(About::SentTimestamp).and_then(|text| text.parse().ok());
    let receives = about(About::ApproximateReceiveCount).and_then(|text| text.parse().ok());
    let group = about(About::MessageGroupId);
    Some(Received {
        receives: receives.unwrap_or(1),
        group,
        sent: sent.map(|milliseconds| SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds)),
        id: message.message_id.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        handle: message.receipt_handle?,
    })
}

/// Whole seconds, rounded up: what was asked for is a least.
fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_millis().div_ceil(1000)).unwrap_or(i32::MAX)
}
