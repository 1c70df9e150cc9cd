//! AWS region, endpoint and credentials by the standard chain, handed to `object_store`.
//!
//! The chain is `aws-config`'s: environment, `~/.aws` profiles (SSO and processes included), web identity,
//! container, instance. A role is assumed on top through STS.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use object_store::CredentialProvider;
use object_store::aws::{AwsCredential, AwsCredentialProvider};
use tokio::sync::Mutex;

use super::ObjectOptions;
use crate::error::{Error, Kind, Stage};

/// Credentials are renewed this long before they end, so that no request is signed with dying ones.
const RENEW_BEFORE_END: Duration = Duration::from_secs(300);

/// Where AWS credentials are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CredentialSource {
    /// The standard chain: environment, `~/.aws`, web identity, container, instance.
    #[default]
    Chain,
    /// Environment variables alone.
    Environment,
    /// A section of a credentials file.
    Profile {
        /// Its name.
        name: String,
        /// The file; none is `~/.aws/credentials`, and `~/.aws/config`.
        file: Option<PathBuf>,
    },
}

impl FromStr for CredentialSource {
    type Err = String;

    /// Reads `iam:`, which the standard chain ends with, `env:`, `PATH:PROFILE` or `PROFILE`.
    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.rsplit_once(':')) {
            ("" | "iam:", _) => Ok(CredentialSource::Chain),
            ("env:", _) => Ok(CredentialSource::Environment),
            (name, None) => Ok(CredentialSource::Profile { name: name.to_owned(), file: None }),
            (_, Some((path, name))) if !path.is_empty() && !name.is_empty() => {
                Ok(CredentialSource::Profile { name: name.to_owned(), file: Some(path.into()) })
            }
            _ => Err(format!("{text:?} is not one of iam:, env:, PATH:PROFILE, PROFILE")),
        }
    }
}

impl CredentialSource {
    /// What asks there and nowhere else; none for the chain.
    pub fn provider(&self) -> Option<SharedCredentialsProvider> {
        match self {
            CredentialSource::Chain => None,
            CredentialSource::Environment => {
                Some(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
            }
            CredentialSource::Profile { name, file } => {
                let mut provider = ProfileFileCredentialsProvider::builder().profile_name(name);
                if let Some(file) = file {
                    let files = EnvConfigFiles::builder().with_file(EnvConfigFileKind::Credentials, file);
                    provider = provider.profile_files(files.build());
                }
                Some(SharedCredentialsProvider::new(provider.build()))
            }
        }
    }
}

/// What S3 needs to be asked anything.
pub(super) struct Aws {
    pub region: String,
    pub endpoint: Option<String>,
    pub credentials: AwsCredentialProvider,
}

/// Finds region and credentials, and asks for the credentials once, so that missing ones are known now.
pub(super) async fn load(stage: Stage, options: &ObjectOptions) -> Result<Aws, Error> {
    let mut loader = aws_config::from_env();
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(keys) = &options.keys {
        loader = loader.credentials_provider(Credentials::new(
            &keys.id,
            &keys.secret,
            None,
            None,
            "imgmill's settings",
        ));
    }
    if let Some(provider) = options.credentials.provider() {
        loader = loader.credentials_provider(provider);
    }
    let config = loader.load().await;
    let endpoint = options.endpoint.clone().or_else(|| config.endpoint_url().map(str::to_owned));
    let region = match (config.region(), &endpoint) {
        (Some(region), _) => region.to_string(),
        // Servers other than AWS rarely have regions; this is what they expect in signatures.
        (None, Some(_)) => "us-east-1".to_owned(),
        (None, None) => {
            let message = "no AWS region is known; set AWS_REGION (for example AWS_REGION=eu-west-1)";
            return Err(Error::new(stage, Kind::Denied, message));
        }
    };
    let missing = || missing(stage, &options.credentials);
    let provider = provider(&config, &region, options).await.ok_or_else(missing)?;
    let chain = Chain { provider, last: Mutex::default() };
    chain.current().await.map_err(|error| explain(stage, options, error))?;
    Ok(Aws { region, endpoint, credentials: Arc::new(chain) })
}

async fn provider(
    config: &SdkConfig,
    region: &str,
    options: &ObjectOptions,
) -> Option<SharedCredentialsProvider> {
    let base = config.credentials_provider()?;
    let Some(role) = &options.role_arn else { return Some(base) };
    let role = aws_config::sts::AssumeRoleProvider::builder(role)
        .session_name("imgmill")
        .region(Region::new(region.to_owned()))
        .configure(config)
        .build_from_provider(base)
        .await;
    Some(SharedCredentialsProvider::new(role))
}

fn missing(stage: Stage, looked_in: &CredentialSource) -> Error {
    const VARIABLES: &str = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    let message = match looked_in {
        CredentialSource::Chain => {
            format!("no AWS credentials were found; set {VARIABLES}, or AWS_PROFILE, or run `aws configure`")
        }
        CredentialSource::Environment => {
            format!("no AWS credentials were found in the environment, which env: names; set {VARIABLES}")
        }
        CredentialSource::Profile { name, file } => {
            let file = file.as_deref().map_or("~/.aws/credentials".into(), std::path::Path::to_string_lossy);
            format!("no AWS credentials were found under [{name}] in {file}")
        }
    };
    Error::new(stage, Kind::Denied, message)
}

fn explain(stage: Stage, options: &ObjectOptions, error: CredentialsError) -> Error {
    match (&error, &options.role_arn) {
        // Its text lists every place that was looked at; the advice is shorter and says more.
        (CredentialsError::CredentialsNotLoaded(_), _) => missing(stage, &options.credentials),
        (_, Some(role)) => Error::new(
            stage,
            Kind::Denied,
            format!("could not assume {role}; check AWS_ROLE_ARN and that its trust policy names this user"),
        )
        .caused_by(error),
        _ => Error::new(
            stage,
            Kind::Denied,
            "the AWS credentials could not be loaded; check AWS_PROFILE and ~/.aws",
        )
        .caused_by(error),
    }
}

/// The chain with a memory: `object_store` asks before every request.
#[derive(Debug)]
struct Chain {
    provider: SharedCredentialsProvider,
    last: Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    credential: Arc<AwsCredential>,
    renew: Option<SystemTime>,
}

impl Chain {
    async fn current(&self) -> Result<Arc<AwsCredential>, CredentialsError> {
        // Held while asking, so that a thousand waiting requests ask once.
        let mut last = self.last.lock().await;
        if let Some(known) = &*last
            && known.renew.is_none_or(|renew| SystemTime::now() < renew)
        {
            return Ok(Arc::clone(&known.credential));
        }
        let found = self.provider.provide_credentials().await?;
        let credential = Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        });
        let renew = found.expiry().map(|end| end.checked_sub(RENEW_BEFORE_END).unwrap_or(end));
        *last = Some(Known { credential: Arc::clone(&credential), renew });
        Ok(credential)
    }
}

#[async_trait]
impl CredentialProvider for Chain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        self.current()
            .await
            .map_err(|error| object_store::Error::Generic { store: "S3", source: Box::new(error) })
    }
}
