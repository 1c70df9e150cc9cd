//! How an account's queues are reached: region, endpoint, credentials; and what they are called.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_sqs::Client;
use imgmill_pipeline::objects::AccessKeys;
use imgmill_pipeline::{Error, Kind, Stage};
use tokio::sync::Mutex;
use url::Url;

use super::failure;

/// A request that brings nothing for so long, beyond what it was asked to wait, is tried again.
const PATIENCE: Duration = Duration::from_secs(15);

/// How a queue is reached and read.
#[derive(Debug, Clone)]
pub struct SqsSettings {
    /// `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`, or that of a server which speaks SQS.
    pub queue_url: String,
    /// Its region; without it the standard chain's.
    pub region: Option<String>,
    /// A server in the place of AWS; without it the standard chain's, or the URL's own where that is not AWS's.
    pub endpoint: Option<String>,
    /// Credentials in the place of those of the standard chain.
    pub keys: Option<AccessKeys>,
    /// How long a message stays hidden that was received.
    pub visibility: Duration,
    /// How long a receive waits for messages.
    pub wait: Duration,
    /// The list of the account's queues is fetched again after so many receives.
    pub list_every: u64,
}

#[derive(Debug)]
pub(super) struct Account {
    pub client: Client,
    pub settings: SqsSettings,
    receives: AtomicU64,
    listed: Mutex<Option<Listed>>,
}

/// The account's queues by name, as they were after so many receives.
#[derive(Debug)]
struct Listed {
    urls: HashMap<String, String>,
    at: u64,
}

impl Account {
    pub async fn open(settings: SqsSettings) -> Result<Account, Error> {
        let endpoint = endpoint_of(&settings.queue_url)?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(keys) = &settings.keys {
            let keys = Credentials::new(&keys.id, &keys.secret, None, None, "imgmill's settings");
            loader = loader.credentials_provider(keys);
        }
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(settings.wait + PATIENCE).build();
        let config = loader.timeout_config(timeouts).load().await;
        let mut sqs = aws_sdk_sqs::config::Builder::from(&config);
        if let Some(endpoint) = settings.endpoint.clone().or(endpoint) {
            sqs = sqs.endpoint_url(endpoint);
        }
        if config.region().is_none() {
            sqs = sqs.region(Region::new("us-east-1"));
        }
        let client = Client::from_conf(sqs.build());
        Ok(Account { client, settings, receives: AtomicU64::new(0), listed: Mutex::default() })
    }

    pub fn count_receive(&self) {
        self.receives.fetch_add(1, Ordering::Relaxed);
    }

    /// The URL of the queue with this name, or with this name and `.fifo`.
    pub async fn queue_url(&self, name: &str) -> Result<Option<String>, Error> {
        let now = self.receives.load(Ordering::Relaxed);
        // Held while asking, so that messages which wait for the list cause one request.
        let mut listed = self.listed.lock().await;
        if listed.as_ref().is_none_or(|listed| now - listed.at >= self.settings.list_every.max(1)) {
            *listed = Some(Listed { urls: self.list().await?, at: now });
        }
        let urls = listed.as_ref().map(|listed| &listed.urls);
        Ok(urls.and_then(|urls| urls.get(name).or_else(|| urls.get(&format!("{name}.fifo")))).cloned())
    }

    async fn list(&self) -> Result<HashMap<String, String>, Error> {
        let mut urls = HashMap::new();
        let mut pages = self.client.list_queues().max_results(1000).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failure("listing", "the account's queues", &error))?;
            for url in page.queue_urls() {
                if let Some((_, name)) = url.rsplit_once('/') {
                    urls.insert(name.to_owned(), url.clone());
                }
            }
        }
        tracing::debug!(queues = urls.len(), "the account's queues were listed");
        Ok(urls)
    }
}

/// The server that a queue's URL names, unless it is AWS's own.
fn endpoint_of(queue_url: &str) -> Result<Option<String>, Error> {
    let parsed = Url::parse(queue_url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let host = parsed.as_ref().and_then(Url::host_str);
    let (Some(url), Some(host)) = (&parsed, host) else {
        let message = "the queue's URL is not one; expected https://sqs.REGION.amazonaws.com/ACCOUNT/NAME";
        return Err(Error::new(Stage::Source, Kind::InvalidUrl, message));
    };
    let is_aws = host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
    Ok((!is_aws).then(|| url.origin().ascii_serialization()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_its_queue_is() {
        let endpoint = |url: &str| endpoint_of(url).map_err(|error| error.kind());
        assert_eq!(endpoint("https://sqs.us-east-2.amazonaws.com/328097268885/ImageQueue.fifo"), Ok(None));
        assert_eq!(endpoint("https://sqs.cn-north-1.amazonaws.com.cn/1/a"), Ok(None));
        let elsewhere = "http://127.0.0.1:5055/123456789012/images";
        assert_eq!(endpoint(elsewhere), Ok(Some("http://127.0.0.1:5055".to_owned())));
        assert_eq!(endpoint("images"), Err(Kind::InvalidUrl));
        assert_eq!(endpoint("dir:images"), Err(Kind::InvalidUrl));
    }
}
