//! Which queue a URL means: `dir:PATH`, or one of SQS.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use imgmill_pipeline::objects::AccessKeys;
use imgmill_pipeline::source::queue::folder::{FolderQueue, FolderSettings};
use imgmill_pipeline::source::queue::{Queue, Queues};
use imgmill_pipeline::{Error, Kind, Stage};

/// What a folder's queue begins with.
const FOLDER: &str = "dir:";

/// Which queue, and how it is read.
#[derive(Debug, Clone)]
pub struct QueueSettings {
    /// `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`, or `dir:PATH`.
    pub url: String,
    /// How long a message stays hidden that was received; it is hidden anew while it is worked on.
    pub visibility: Duration,
    /// How long a receive waits for messages.
    pub wait: Duration,
    /// How often a message is received before it is given up, where the queue itself does not say.
    pub most_receives: u32,
    /// AWS region, where the URL does not say it.
    pub region: Option<String>,
    /// A server in the place of AWS.
    pub endpoint: Option<String>,
    /// Credentials for SQS in the place of those of the standard chain.
    pub keys: Option<AccessKeys>,
    /// The list of the account's queues is fetched again after so many receives.
    pub list_every: u64,
}

/// A queue, and the queues that its messages may go on to.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// Those beside it.
    pub beside: Arc<dyn Queues>,
    /// Its messages keep the order of their groups.
    pub is_fifo: bool,
}

impl QueueSettings {
    /// Opens the queue, and finds out that it can be read.
    ///
    /// # Errors
    /// What to set or mend: one sentence.
    pub async fn open(&self) -> Result<Opened, Error> {
        let Some(path) = self.url.strip_prefix(FOLDER) else { return self.open_sqs().await };
        if path.is_empty() {
            let message = "dir: names no folder; write dir:PATH";
            return Err(Error::new(Stage::Source, Kind::InvalidUrl, message));
        }
        let settings = FolderSettings {
            visibility: self.visibility,
            wait: self.wait,
            most_receives: self.most_receives,
        };
        let queue = FolderQueue::open(Path::new(path), settings)?;
        Ok(Opened { queue: Arc::new(queue.clone()), beside: Arc::new(queue), is_fifo: false })
    }

    #[cfg(feature = "aws")]
    async fn open_sqs(&self) -> Result<Opened, Error> {
        let queue = imgmill_aws::sqs::SqsQueue::connect(imgmill_aws::sqs::SqsSettings {
            queue_url: self.url.clone(),
            // A queue is where its URL says, whatever else the environment is about.
            region: region_of(&self.url).or_else(|| self.region.clone()),
            endpoint: self.endpoint.clone(),
            keys: self.keys.clone(),
            visibility: self.visibility,
            wait: self.wait,
            list_every: self.list_every,
        })
        .await?;
        let is_fifo = queue.is_fifo();
        Ok(Opened { queue: Arc::new(queue.clone()), beside: Arc::new(queue), is_fifo })
    }

    #[cfg(not(feature = "aws"))]
    async fn open_sqs(&self) -> Result<Opened, Error> {
        let message = "this build knows no SQS; build it with --features aws, or name a folder as dir:PATH";
        Err(Error::new(Stage::Source, Kind::InvalidUrl, message))
    }
}

/// The region in a queue's URL, if there is one: `https://sqs.REGION.amazonaws.com/…`.
pub fn region_of(queue_url: &str) -> Option<String> {
    let host = url::Url::parse(queue_url).ok()?.host_str()?.to_owned();
    let inner = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    let region = inner.strip_prefix("sqs.").or_else(|| inner.strip_suffix(".queue"))?;
    Some(region.to_owned()).filter(|region| !region.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queues_url_says_its_region() {
        let region = |url: &str| region_of(url).unwrap_or_default();
        assert_eq!(region("https://sqs.us-east-2.amazonaws.com/328097268885/ImageQueue.fifo"), "us-east-2");
        assert_eq!(region("https://sqs.cn-north-1.amazonaws.com.cn/1/a"), "cn-north-1");
        assert_eq!(region("https://eu-west-1.queue.amazonaws.com/1/a"), "eu-west-1");
        for none in
            ["http://127.0.0.1:5055/1/a", "dir:a", "https://sqs..amazonaws.com/1/a", "https://amazonaws.com/"]
        {
            assert_eq!(region(none), "", "{none}");
        }
    }
}
