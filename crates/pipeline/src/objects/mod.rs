//! Clients of object stores: a URL in, a connected bucket out, and what went wrong in plain words.
//!
//! Both sides of the flow stand on it: fetch reads `s3://…` sources, store writes renditions. Nothing here
//! knows what the objects are.

mod conditional;
mod credentials;
mod failure;
mod nowhere;
mod upload;
mod urls;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use url::Url;

pub use conditional::Expected;
pub use credentials::CredentialSource;
pub use failure::failure;
pub use upload::{Onto, Upload};
pub use urls::UrlStyle;

use crate::error::{Error, Kind, Stage};
use crate::redact;

/// An AWS access key; its secret is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKeys {
    /// The access key's id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKeys").finish_non_exhaustive()
    }
}

/// How buckets are reached. Credentials come from the provider's own chain, unless there are some for S3 alone.
#[derive(Debug, Clone, Default)]
pub struct ObjectOptions {
    /// AWS region; without it the AWS profile's, and `us-east-1` where there is an endpoint.
    pub region: Option<String>,
    /// The URL of an S3-compatible server in the place of AWS.
    pub endpoint: Option<String>,
    /// Credentials for S3 in the place of those of the standard chain.
    pub keys: Option<AccessKeys>,
    /// Where AWS credentials are looked for.
    pub credentials: CredentialSource,
    /// An IAM role to assume through STS, on top of the credentials that the chain finds.
    pub role_arn: Option<String>,
    /// What the URLs of stored objects look like.
    pub urls: UrlStyle,
    /// S3 server-side encryption of what is written.
    pub encryption: Option<Encryption>,
    /// Attempts after the first for a request that fails in a way that may pass.
    pub retries: u32,
    /// Nothing will be written: a local folder that is missing stays so.
    pub read_only: bool,
    /// Until a connection stands; zero means the library's own limit.
    pub connect_timeout: Duration,
}

/// S3 server-side encryption, as in `--sse AES256` and `--sse aws:kms[:KEY]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// Keys that S3 manages.
    Aes256,
    /// Keys in KMS: the bucket's default, or the one named.
    Kms(Option<String>),
}

impl Encryption {
    /// In the client's words, whose own type for them is not public.
    fn settings(&self) -> Vec<(&'static str, &str)> {
        const METHOD: &str = "aws_server_side_encryption";
        match self {
            Encryption::Aes256 => vec![(METHOD, "AES256")],
            Encryption::Kms(None) => vec![(METHOD, "aws:kms")],
            Encryption::Kms(Some(key)) => vec![(METHOD, "aws:kms"), ("aws_sse_kms_key_id", key)],
        }
    }
}

impl std::str::FromStr for Encryption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once("aws:kms") {
            _ if text == "AES256" => Ok(Encryption::Aes256),
            Some(("", "")) => Ok(Encryption::Kms(None)),
            Some(("", key)) if key.len() > 1 && key.starts_with(':') => {
                Ok(Encryption::Kms(Some(key[1..].to_owned())))
            }
            _ => Err(format!("{text:?} is not one of AES256, aws:kms, aws:kms:KEY")),
        }
    }
}

/// A bucket, or a folder that plays one.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// The client.
    pub store: Arc<dyn ObjectStore>,
    /// What the URL named below the bucket; keys go under it.
    pub prefix: Path,
    /// How its objects are addressed from outside.
    pub address: Address,
    /// What their URLs look like.
    pub urls: UrlStyle,
}

/// How objects of a bucket are addressed from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A folder of this machine.
    Local(std::path::PathBuf),
    /// `https://BUCKET.s3.REGION.amazonaws.com/KEY`
    Aws {
        /// The bucket's name.
        bucket: String,
        /// The bucket's region.
        region: String,
    },
    /// Any other server: its own URL, then the key.
    Base(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Local(folder) => write!(f, "the folder {}", folder.display()),
            Address::Aws { bucket, region } => write!(f, "the S3 bucket {bucket} in {region}"),
            Address::Base(base) => f.write_str(base),
        }
    }
}

impl Bucket {
    /// Connects to `s3://bucket/prefix`, `gs://…`, `az://container/…`, `file:///folder`, or `null://`, which takes
    /// everything and keeps nothing. A local folder is made where it is missing; of a remote bucket nothing is asked
    /// yet.
    ///
    /// # Errors
    /// A URL of another form; no region; no credentials. Each says what to set.
    pub async fn connect(stage: Stage, url: &str, options: &ObjectOptions) -> Result<Bucket, Error> {
        let wrong = |why: &str| Error::new(stage, Kind::InvalidUrl, format!("{}: {why}", redact::url(url)));
        let parsed = Url::parse(url).map_err(|_| {
            wrong("not a store URL; write s3://bucket/prefix, gs://…, az://… or file:///folder")
        })?;
        if parsed.scheme() == "file" {
            let folder =
                parsed.to_file_path().map_err(|()| wrong("names no folder; write file:///folder"))?;
            return local(stage, folder, options);
        }
        if parsed.scheme() == "null" {
            let address = Address::Base("null:".to_owned());
            let (store, urls) = (Arc::new(nowhere::Nowhere), UrlStyle::default());
            return Ok(Bucket { store, prefix: Path::default(), address, urls });
        }
        let name = parsed.host_str().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| wrong("the bucket's name is missing"))?;
        let prefix = Path::from_url_path(parsed.path())
            .map_err(|_| wrong("the prefix cannot be used: it has an empty, '.' or '..' part"))?;
        let (store, address) = match parsed.scheme() {
            "s3" => s3(stage, name, options).await?,
            "gs" => google(stage, name, options)?,
            "az" => azure(stage, name, options)?,
            other => return Err(wrong(&format!("{other}:// is not a store; there are s3, gs, az and file"))),
        };
        Ok(Bucket { store, prefix, address, urls: options.urls.clone() })
    }

    /// Where an object is served.
    pub fn url(&self, key: &Path) -> String {
        let encoded = || {
            let parts = key
                .parts()
                .map(|part| percent_encoding::utf8_percent_encode(part.as_ref(), PATH_SEGMENT).to_string());
            parts.collect::<Vec<_>>().join("/")
        };
        if let UrlStyle::Base(base) = &self.urls {
            return format!("{base}/{}", encoded());
        }
        match &self.address {
            Address::Local(folder) => {
                let file = key.parts().fold(folder.clone(), |path, part| path.join(part.as_ref()));
                Url::from_file_path(&file).map_or_else(|()| file.display().to_string(), String::from)
            }
            Address::Aws { bucket, region } => {
                let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
                match self.urls {
                    UrlStyle::Path => format!("https://s3.{region}.{domain}/{bucket}/{}", encoded()),
                    _ => format!("https://{bucket}.s3.{region}.{domain}/{}", encoded()),
                }
            }
            Address::Base(base) => format!("{base}/{}", encoded()),
        }
    }
}

/// What may stand unencoded in a path segment (RFC 3986 § 3.3, and S3's own list of safe characters).
const PATH_SEGMENT: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn local(stage: Stage, folder: std::path::PathBuf, options: &ObjectOptions) -> Result<Bucket, Error> {
    let urls = options.urls.clone();
    if options.read_only && !folder.exists() {
        let nothing = Arc::new(object_store::memory::InMemory::new());
        return Ok(Bucket { store: nothing, prefix: Path::default(), address: Address::Local(folder), urls });
    }
    let failed = |error: &dyn fmt::Display| {
        let message = format!("the store folder {} cannot be used: {error}", folder.display());
        Error::new(stage, Kind::Io, message)
    };
    std::fs::create_dir_all(&folder).map_err(|error| failed(&error))?;
    let folder = folder.canonicalize().map_err(|error| failed(&error))?;
    let store = LocalFileSystem::new_with_prefix(&folder).map_err(|error| failed(&error))?;
    Ok(Bucket { store: Arc::new(store), prefix: Path::default(), address: Address::Local(folder), urls })
}

type Connected = (Arc<dyn ObjectStore>, Address);

async fn s3(stage: Stage, bucket: &str, options: &ObjectOptions) -> Result<Connected, Error> {
    let aws = credentials::load(stage, options).await?;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&aws.region)
        .with_credentials(aws.credentials)
        .with_checksum_algorithm(Checksum::SHA256)
        .with_retry(retry(options))
        .with_client_options(client(options, aws.endpoint.as_deref()));
    // A name with a dot in it does not match the certificate of *.s3.REGION.amazonaws.com.
    builder = match &aws.endpoint {
        Some(endpoint) => builder.with_endpoint(endpoint.trim_end_matches('/')),
        None => builder.with_virtual_hosted_style_request(!bucket.contains('.')),
    };
    for (name, value) in options.encryption.iter().flat_map(Encryption::settings) {
        let name: AmazonS3ConfigKey =
            name.parse().map_err(|error| failure(stage, "setting server-side encryption", error))?;
        builder = builder.with_config(name, value);
    }
    let store = builder.build().map_err(|error| failure(stage, &format!("opening s3://{bucket}"), error))?;
    let address = match aws.endpoint {
        Some(endpoint) => Address::Base(format!("{}/{bucket}", public(&endpoint))),
        None => Address::Aws { bucket: bucket.to_owned(), region: aws.region },
    };
    Ok((Arc::new(store), address))
}

/// An endpoint without user and password, as others may see it.
fn public(endpoint: &str) -> String {
    let mut text = endpoint.trim_end_matches('/').to_owned();
    if let Some((scheme, rest)) = endpoint.split_once("://")
        && let Some((_, host)) = rest.rsplit_once('@')
    {
        text = format!("{scheme}://{}", host.trim_end_matches('/'));
    }
    text
}

fn google(stage: Stage, bucket: &str, options: &ObjectOptions) -> Result<Connected, Error> {
    let store = GoogleCloudStorageBuilder::from_env()
        .with_bucket_name(bucket)
        .with_retry(retry(options))
        .with_client_options(client(options, None))
        .build()
        .map_err(|error| failure(stage, &format!("opening gs://{bucket}"), error))?;
    Ok((Arc::new(store), Address::Base(format!("https://storage.googleapis.com/{bucket}"))))
}

fn azure(stage: Stage, container: &str, options: &ObjectOptions) -> Result<Connected, Error> {
    let account = std::env::var("AZURE_STORAGE_ACCOUNT_NAME").map_err(|_| {
        let message = "az:// needs AZURE_STORAGE_ACCOUNT_NAME and a key or identity; set them";
        Error::new(stage, Kind::Denied, message)
    })?;
    let store = MicrosoftAzureBuilder::from_env()
        .with_container_name(container)
        .with_retry(retry(options))
        .with_client_options(client(options, None))
        .build()
        .map_err(|error| failure(stage, &format!("opening az://{container}"), error))?;
    Ok((Arc::new(store), Address::Base(format!("https://{account}.blob.core.windows.net/{container}"))))
}

fn retry(options: &ObjectOptions) -> RetryConfig {
    RetryConfig {
        max_retries: options.retries as usize,
        retry_timeout: Duration::from_secs(300),
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(30),
            base: 2.0,
        },
    }
}

fn client(options: &ObjectOptions, endpoint: Option<&str>) -> ClientOptions {
    let plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    // For one whole request, body included: enough for the largest single put over a slow line.
    let mut client = ClientOptions::new().with_allow_http(plain).with_timeout(Duration::from_secs(120));
    if !options.connect_timeout.is_zero() {
        client = client.with_connect_timeout(options.connect_timeout);
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(address: Address) -> Bucket {
        Bucket {
            store: Arc::new(object_store::memory::InMemory::new()),
            prefix: Path::default(),
            address,
            urls: UrlStyle::Virtual,
        }
    }

    #[test]
    fn addresses_objects_as_each_server_does() {
        let key = Path::parse("a b/ü+1.jpg").unwrap();
        let aws = |region: &str| Address::Aws { bucket: "pix".into(), region: region.into() };
        assert_eq!(
            bucket(aws("eu-west-1")).url(&key),
            "https://pix.s3.eu-west-1.amazonaws.com/a%20b/%C3%BC%2B1.jpg"
        );
        assert_eq!(
            bucket(aws("cn-north-1")).url(&Path::from("k")),
            "https://pix.s3.cn-north-1.amazonaws.com.cn/k"
        );
        assert_eq!(
            bucket(Address::Base("http://127.0.0.1:9000/pix".into())).url(&Path::from("k.jpg")),
            "http://127.0.0.1:9000/pix/k.jpg"
        );
        assert_eq!(bucket(Address::Local("/srv/out".into())).url(&key), "file:///srv/out/a%20b/%C3%BC+1.jpg");
    }

    #[test]
    fn urls_have_the_style_that_is_asked_for() {
        let aws = bucket(Address::Aws { bucket: "images-ch".into(), region: "us-east-2".into() });
        let styled = |style: &str| Bucket { urls: style.parse().unwrap(), ..aws.clone() };
        let key = Path::parse("images-resized/TEST 1/a_50x50.jpeg").unwrap();
        assert_eq!(
            styled("path").url(&key),
            "https://s3.us-east-2.amazonaws.com/images-ch/images-resized/TEST%201/a_50x50.jpeg"
        );
        assert_eq!(
            styled("base=https://cdn.example.org/i/").url(&key),
            "https://cdn.example.org/i/images-resized/TEST%201/a_50x50.jpeg"
        );
        assert!(styled("virtual").url(&key).starts_with("https://images-ch.s3.us-east-2."));
        for bad in ["", "Path", "base", "base=", "base=cdn"] {
            assert!(bad.parse::<UrlStyle>().is_err(), "{bad}");
        }
    }

    #[test]
    fn encryption_is_one_of_three_forms() {
        assert_eq!("AES256".parse(), Ok(Encryption::Aes256));
        assert_eq!("aws:kms".parse(), Ok(Encryption::Kms(None)));
        assert_eq!("aws:kms:alias/x".parse(), Ok(Encryption::Kms(Some("alias/x".into()))));
        for bad in ["", "aes256", "aws:kms:", "aws:kmsx", "kms"] {
            assert!(bad.parse::<Encryption>().is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_url_that_is_no_store_is_named() {
        for (url, says) in [
            ("outputs", "not a store URL"),
            ("ftp://x/y", "ftp:// is not a store"),
            ("s3:///x", "bucket's name is missing"),
        ] {
            let error = Bucket::connect(Stage::Store, url, &ObjectOptions::default()).await.unwrap_err();
            assert!(error.message().contains(says), "{error}");
        }
    }
}
