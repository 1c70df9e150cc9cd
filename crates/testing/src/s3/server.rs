//! The server's handle: buckets and objects to look into, counts, faults, and the thread that serves
//! until the handle is dropped.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError, HttpResponse};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::Fault;
use super::record::{Record, S3Request};
use super::storage::{Gate, Storage};

/// What a server starts with.
#[derive(Clone, Debug)]
pub struct S3ServerBuilder {
    access_key: String,
    secret_key: String,
    open_buckets: Vec<String>,
    closed_buckets: Vec<String>,
}

impl S3ServerBuilder {
    /// A bucket that takes what it is given.
    pub fn bucket(mut self, name: &str) -> Self {
        self.open_buckets.push(name.to_owned());
        self
    }

    /// A bucket that exists but answers 403 `AccessDenied` to everything.
    pub fn closed_bucket(mut self, name: &str) -> Self {
        self.closed_buckets.push(name.to_owned());
        self
    }

    /// The one pair of keys that signatures are checked against.
    pub fn credentials(mut self, access_key: &str, secret_key: &str) -> Self {
        access_key.clone_into(&mut self.access_key);
        secret_key.clone_into(&mut self.secret_key);
        self
    }

    /// Starts on a free loopback port.
    pub fn start(self) -> S3Server {
        S3Server::start_with(self)
    }
}

/// An S3 server on a loopback port of its own, on its own thread. Dropping it closes every connection
/// and removes the objects.
pub struct S3Server {
    address: SocketAddr,
    settings: S3ServerBuilder,
    root: TempDir,
    record: Record,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl S3Server {
    /// A server with one bucket.
    pub fn start(bucket: &str) -> Self {
        Self::builder().bucket(bucket).start()
    }

    /// Says what a server starts with; no buckets unless named.
    pub fn builder() -> S3ServerBuilder {
        S3ServerBuilder {
            access_key: "AKIAIMGMILLTESTS".to_owned(),
            secret_key: "a-secret-that-only-tests-know".to_owned(),
            open_buckets: Vec::new(),
            closed_buckets: Vec::new(),
        }
    }

    fn start_with(settings: S3ServerBuilder) -> Self {
        let root = tempfile::tempdir().expect("a directory for objects");
        for bucket in settings.open_buckets.iter().chain(&settings.closed_buckets) {
            fs::create_dir(root.path().join(bucket)).expect("a bucket's directory");
        }
        let record = Record::default();
        let service = build_service(&settings, root.path(), record.clone());
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on 127.0.0.1");
        listener.set_nonblocking(true).expect("a socket that does not block");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (stop, stopped) = oneshot::channel();
        let served = record.clone();
        let thread = std::thread::Builder::new()
            .name("test S3 server".to_owned())
            .spawn(move || serve_until(stopped, listener, service, served))
            .expect("a thread");
        Self { address, settings, root, record, stop: Some(stop), thread: Some(thread) }
    }

    /// The endpoint's URL, without a slash at its end.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The access key that signatures are checked with.
    pub fn access_key(&self) -> &str {
        &self.settings.access_key
    }

    /// The secret key that signatures are checked with.
    pub fn secret_key(&self) -> &str {
        &self.settings.secret_key
    }

    /// The environment that leads a program to this server and nowhere else.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", self.settings.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.settings.secret_key.clone()),
            // Nothing of the developer's own set-up may leak into a test.
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ]
    }

    /// Where an object is kept; removing or cutting the file does the same to the object.
    pub fn object_file(&self, bucket: &str, key: &str) -> PathBuf {
        self.root.path().join(bucket).join(key)
    }

    /// An object's bytes, if it exists.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        fs::read(self.object_file(bucket, key)).ok()
    }

    /// All keys of a bucket, sorted.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let root = self.root.path().join(bucket);
        let mut keys = Vec::new();
        collect_keys(&root, &root, &mut keys).expect("a readable bucket");
        keys.sort();
        keys
    }

    /// Lets the next `times` requests of an operation (`PutObject`, `HeadObject` …) go wrong.
    pub fn fail_next(&self, operation: &str, times: usize, fault: Fault) {
        self.record.add_fault(operation, times, fault);
    }

    /// Everything asked so far, in order of arrival.
    pub fn requests(&self) -> Vec<S3Request> {
        self.record.requests()
    }

    /// Requests of an operation, by its S3 name.
    pub fn count(&self, operation: &str) -> usize {
        self.record.count(|request| request.operation.as_deref() == Some(operation))
    }

    /// Requests with this method and path (`/bucket/key`).
    pub fn count_at(&self, method: &str, path: &str) -> usize {
        self.record.count(|request| request.method == method && request.path == path)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn build_service(settings: &S3ServerBuilder, root: &Path, record: Record) -> S3Service {
    let closed_buckets: HashSet<String> = settings.closed_buckets.iter().cloned().collect();
    let mut service = S3ServiceBuilder::new(Storage::new(root.to_owned()));
    let auth = SimpleAuth::from_single(settings.access_key.as_str(), settings.secret_key.as_str());
    service.set_auth(auth);
    service.set_access(Gate { closed_buckets, record });
    service.build()
}

/// Accepts connections until the handle is dropped; the runtime's end closes those that are open.
fn serve_until(stopped: oneshot::Receiver<()>, listener: TcpListener, service: S3Service, record: Record) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listening socket");
        let accept = async {
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve_connection(stream, service.clone(), record.clone()));
                }
            }
        };
        tokio::select! {
            () = accept => {}
            _ = stopped => {}
        }
    });
}

async fn serve_connection(stream: TcpStream, service: S3Service, record: Record) {
    // Or every answer waits 40 ms for the client's delayed acknowledgement.
    stream.set_nodelay(true).ok();
    let answers = service_fn(|request| answer(request, &service, &record));
    // An error is a client that left, or an answer lost on purpose.
    http1::Builder::new().serve_connection(TokioIo::new(stream), answers).await.ok();
}

async fn answer(
    mut request: hyper::Request<Incoming>,
    service: &S3Service,
    record: &Record,
) -> Result<HttpResponse, HttpError> {
    let entry = record.open(describe(&request));
    request.extensions_mut().insert(entry.clone());
    let response = service.call(request.map(Body::from)).await?;
    if entry.loses_answer() {
        return Err(HttpError::new("this answer is lost on purpose".into()));
    }
    entry.answered(response.status().as_u16());
    Ok(response)
}

fn describe(request: &hyper::Request<Incoming>) -> S3Request {
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    S3Request {
        operation: None,
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        status: None,
    }
}

fn collect_keys(root: &Path, directory: &Path, keys: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect_keys(root, &path, keys)?;
        } else if let Ok(key) = path.strip_prefix(root) {
            keys.push(key.to_string_lossy().into_owned());
        }
    }
    Ok(())
}
