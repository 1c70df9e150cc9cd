//! A worker's window: `/healthz` (it runs), `/readyz` (it reaches its queue and takes messages), `/metrics`.
//!
//! Three fixed answers to GET need no web framework; whatever else is asked is 404 or a closed connection.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use imgmill_pipeline::source::queue::Depth;
use imgmill_pipeline::{Error, Kind, Stage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};

use super::desk::Desk;

/// A request's head is read to here; no monitoring sends more.
const LONGEST_HEAD: usize = 8 << 10;
/// Who takes longer to ask or to read is hung up on.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections at once.
const AT_ONCE: usize = 16;
/// A worker whose queue said nothing for so long, beyond the time that a receive waits, is not ready.
const SILENCE: Duration = Duration::from_secs(30);
/// The queue is asked how full it is no more often.
const DEPTH_AGE: Duration = Duration::from_secs(5);

/// The window, once it is open.
#[derive(Debug)]
pub(super) struct Window {
    listener: TcpListener,
    desk: Arc<Desk>,
    wait: Duration,
    depth: Mutex<Option<(Instant, Option<Depth>)>>,
}

impl Window {
    /// Listens at `address`; the receives of `desk` wait for `wait`.
    pub async fn open(address: SocketAddr, desk: Arc<Desk>, wait: Duration) -> Result<Window, Error> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let message = format!("--metrics-addr {address} cannot be listened at: {error}");
            Error::new(Stage::Report, Kind::Io, message)
        })?;
        if let Ok(address) = listener.local_addr() {
            tracing::info!("/healthz, /readyz and /metrics at http://{address}");
        }
        Ok(Window { listener, desk, wait, depth: Mutex::default() })
    }

    /// Answers until it is dropped.
    pub async fn serve(self: Arc<Self>) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let window = Arc::clone(&self);
                    tokio::spawn(async move {
                        let _ = tokio::time::timeout(PATIENCE, window.answer(stream)).await;
                        drop(place);
                    });
                }
                // No more files, say: it passes or it does not; nothing is gained by spinning.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    async fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            if head.len() > LONGEST_HEAD || stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let line = String::from_utf8_lossy(&head);
        let mut words = line.split_ascii_whitespace();
        let method = words.next().unwrap_or_default();
        let path = words.next().unwrap_or_default().split('?').next().unwrap_or_default();
        let (status, text) = match (method, path) {
            ("GET" | "HEAD", "/healthz") => ("200 OK", "ok\n".to_owned()),
            ("GET" | "HEAD", "/readyz") => self.readiness(),
            ("GET" | "HEAD", "/metrics") => ("200 OK", self.desk.metrics.to_text(self.depth().await)),
            _ => ("404 Not Found", "there are /healthz, /readyz and /metrics\n".to_owned()),
        };
        let kind = if path == "/metrics" { "text/plain; version=0.0.4; charset=utf-8" } else { "text/plain" };
        let length = text.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        if method == "GET" {
            stream.write_all(text.as_bytes()).await?;
        }
        stream.shutdown().await
    }

    fn readiness(&self) -> (&'static str, String) {
        if self.desk.is_closing() {
            return ("503 Service Unavailable", "stopping\n".to_owned());
        }
        let heard = *self.desk.last_heard.lock().unwrap_or_else(PoisonError::into_inner);
        // With its hands full, a worker asks for nothing and is well.
        let is_busy = self.desk.room() == 0;
        if is_busy || heard.elapsed() < self.wait + SILENCE {
            return ("200 OK", "ready\n".to_owned());
        }
        ("503 Service Unavailable", "the queue does not answer\n".to_owned())
    }

    /// How full the queue is, asked anew when the last answer is old.
    async fn depth(&self) -> Option<Depth> {
        let mut known = self.depth.lock().await;
        if known.is_none_or(|(at, _)| at.elapsed() > DEPTH_AGE) {
            *known = Some((Instant::now(), self.desk.queue.depth().await.ok()));
        }
        known.and_then(|(_, depth)| depth)
    }
}
