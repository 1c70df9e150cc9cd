//! How an account's services are reached: region, credentials, endpoint.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use imgmill_pipeline::objects::CredentialSource;
use imgmill_pipeline::{Error, Kind, Stage};

/// A request that brings nothing for so long is tried again.
const PATIENCE: Duration = Duration::from_secs(20);
/// A function that is waited for may take as long as functions may.
const LONGEST_FUNCTION: Duration = Duration::from_secs(910);
/// Throttled requests are the rule in busy accounts.
const ATTEMPTS: u32 = 5;

/// Which account, and where.
#[derive(Debug, Clone, Default)]
pub struct AccountSettings {
    /// Its region; without it the standard chain's.
    pub region: Option<String>,
    /// Where credentials are looked for.
    pub credentials: CredentialSource,
    /// A server in the place of AWS.
    pub endpoint: Option<String>,
}

/// An account of AWS in a region.
#[derive(Debug, Clone)]
pub struct Account {
    pub(super) config: SdkConfig,
}

impl Account {
    /// Finds region and credentials; nothing is asked yet.
    ///
    /// # Errors
    /// Where no region is known.
    pub async fn open(settings: &AccountSettings) -> Result<Account, Error> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(provider) = settings.credentials.provider() {
            loader = loader.credentials_provider(provider);
        }
        if let Some(endpoint) = &settings.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        let timeouts =
            TimeoutConfig::builder().connect_timeout(PATIENCE).read_timeout(LONGEST_FUNCTION).build();
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS);
        let config = loader.timeout_config(timeouts).retry_config(retries).load().await;
        if config.region().is_none() {
            let message = "no AWS region is known; set AWS_REGION, or region=… in the DSN";
            return Err(Error::new(Stage::Source, Kind::Denied, message));
        }
        Ok(Account { config })
    }

    /// The region that it is in.
    pub fn region(&self) -> &str {
        self.config.region().map_or("", |region| region.as_ref())
    }
}
