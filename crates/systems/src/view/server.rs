//! Connections, and which part of this system answers which path.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, Refused, add, empty};
use super::{Shown, files, image, pages};

/// Connections at once; others wait to be accepted.
const CONNECTIONS: usize = 256;
/// Until a request's headers are there.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long answers under way may take once it is to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Takes connections until it is told to stop, and then waits a little for answers that are under way.
pub(super) async fn serve(listener: TcpListener, shown: Arc<Shown>, shutdown: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Too many open files, most likely: some will be closed.
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = shutdown.cancelled() => break,
        };
        let (shown, shutdown) = (Arc::clone(&shown), shutdown.clone());
        tokio::spawn(async move {
            talk(stream, shown, shutdown).await;
            drop(place);
        });
    }
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(GRACE, places.acquire_many(all)).await;
}

async fn talk(stream: TcpStream, shown: Arc<Shown>, shutdown: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shown = Arc::clone(&shown);
        async move { Ok::<_, Infallible>(answer(&shown, &request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(64 << 10);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => log(ended),
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            log(connection.await);
        }
    }
}

fn log(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!("a connection ended: {error}");
    }
}

async fn answer(shown: &Arc<Shown>, request: &Request<Incoming>) -> Answer {
    let path = request.uri().path();
    let is_shared = path.starts_with("/iiif/") || path.starts_with("/files/");
    let mut answer = match routed(shown, request).await {
        Ok(answer) => answer,
        Err(refused) => {
            if refused.status.is_server_error() {
                tracing::warn!(path, status = refused.status.as_u16(), "{}", refused.message);
            }
            refused.into_answer()
        }
    };
    let headers = answer.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_shared {
        // Images and manifests are for viewers anywhere; what there is is told to this server's own page alone.
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    answer
}

async fn routed(shown: &Arc<Shown>, request: &Request<Incoming>) -> Result<Answer, Refused> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let base = shown.access.base_for(host).ok_or_else(|| {
        let message = format!("this server does not go by the name {host:?}; --host tells it one more");
        Refused::new(StatusCode::MISDIRECTED_REQUEST, message)
    })?;
    match *request.method() {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => {
            let mut answer = empty(StatusCode::NO_CONTENT);
            add(&mut answer, header::ALLOW, "GET, HEAD, OPTIONS");
            add(&mut answer, header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD");
            add(&mut answer, header::ACCESS_CONTROL_ALLOW_HEADERS, "accept, if-none-match");
            return Ok(answer);
        }
        _ => {
            return Err(Refused::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET, HEAD and OPTIONS are known here",
            ));
        }
    }
    let path = request.uri().path();
    match path.strip_prefix('/').and_then(|path| path.split_once('/')) {
        Some(("iiif", rest)) => image::answer(shown, request, &base, rest).await,
        Some(("files", key)) => files::answer(&shown.store, request, &base, key).await,
        Some(("originals", key)) => match &shown.originals {
            Some(originals) => files::answer(originals, request, &base, key).await,
            None => Err(Refused::not_there("folder of originals; --originals names one")),
        },
        _ => match path {
            "/list.json" => shown.listing.answer(&shown.store, shown.originals.as_ref(), request).await,
            _ => pages::answer(path),
        },
    }
}
