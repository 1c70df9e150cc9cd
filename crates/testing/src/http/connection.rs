//! One connection: reads requests one after another and does to each what its route says.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::answer::{Answer, Framing};
use super::record::Entry;
use super::request::read_request;
use super::server::Routes;
use super::{Behaviour, Request};

/// What follows an answer.
enum After {
    KeepAlive,
    Close,
    Reset,
}

/// Serves a connection until either side has had enough.
pub(super) async fn serve(mut stream: TcpStream, routes: Routes) {
    // Small answers must not wait for the client's delayed acknowledgement.
    stream.set_nodelay(true).ok();
    let mut unread = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut unread).await {
        let (entry, behaviour) = routes.admit(&request);
        let wire = Wire { stream: &mut stream, entry: &entry, request: &request };
        match wire.perform(&behaviour).await {
            Ok(After::KeepAlive) if request.keeps_alive => {}
            Ok(After::KeepAlive | After::Close) => break,
            Ok(After::Reset) => {
                // With no linger, closing sends an RST and forgets what was not sent.
                stream.set_zero_linger().ok();
                return;
            }
            // The client went away, which is what most of these behaviours are for.
            Err(_) => return,
        }
    }
    stream.shutdown().await.ok();
}

/// An answer under way: where it goes, and who keeps count.
struct Wire<'a> {
    stream: &'a mut TcpStream,
    entry: &'a Entry,
    request: &'a Request,
}

impl Wire<'_> {
    async fn perform(mut self, behaviour: &Behaviour) -> io::Result<After> {
        let mut behaviour = behaviour;
        while let Behaviour::Delayed(wait, then) = behaviour {
            sleep(*wait).await;
            behaviour = then.step(0);
        }
        match behaviour {
            Behaviour::Answer(answer) if answer.is_known_to(self.request) => {
                self.send(&answer.not_modified()).await
            }
            Behaviour::Answer(answer) => self.send(answer).await,
            Behaviour::Truncated(answer, kept) => self.send_part(answer, *kept).await,
            Behaviour::Slow(answer, piece, pause) => self.send_slowly(answer, *piece, *pause).await,
            Behaviour::Drip(answer, pause) => self.send_for_ever(answer, 1, *pause).await,
            Behaviour::Endless(answer) => self.send_for_ever(answer, 64 * 1024, Duration::ZERO).await,
            Behaviour::Silence => self.wait_until_client_leaves().await,
            Behaviour::ResetAtOnce => Ok(After::Reset),
            Behaviour::ResetAfter(answer, kept) => {
                self.send_part(answer, *kept).await?;
                // What was sent must reach the client before the reset overtakes it.
                sleep(Duration::from_millis(20)).await;
                Ok(After::Reset)
            }
            Behaviour::Delayed(..) | Behaviour::Sequence(_) => unreachable!("resolved before"),
        }
    }

    async fn send(&mut self, answer: &Answer) -> io::Result<After> {
        self.send_head(answer).await?;
        self.send_body(answer, &answer.body).await?;
        self.finish(answer).await
    }

    async fn send_part(&mut self, answer: &Answer, kept: usize) -> io::Result<After> {
        self.send_head(answer).await?;
        self.send_body(answer, &answer.body[..kept.min(answer.body.len())]).await?;
        Ok(After::Close)
    }

    async fn send_slowly(&mut self, answer: &Answer, piece: usize, pause: Duration) -> io::Result<After> {
        self.send_head(answer).await?;
        for part in answer.body.chunks(piece.max(1)) {
            self.send_body(answer, part).await?;
            sleep(pause).await;
        }
        self.finish(answer).await
    }

    /// A body that never ends cannot have a true length: it goes chunked unless told otherwise.
    async fn send_for_ever(&mut self, answer: &Answer, piece: usize, pause: Duration) -> io::Result<After> {
        let answer = match answer.framing {
            Framing::Length => &answer.clone().chunked(),
            _ => answer,
        };
        self.send_head(answer).await?;
        let zeros = vec![0; piece];
        for part in answer.body.chunks(piece).chain(std::iter::repeat(zeros.as_slice())) {
            self.send_body(answer, part).await?;
            if pause.is_zero() {
                // Reads on this thread get their turn too.
                tokio::task::yield_now().await;
            } else {
                sleep(pause).await;
            }
        }
        Ok(After::Close)
    }

    async fn wait_until_client_leaves(&mut self) -> io::Result<After> {
        let mut ignored = [0; 1024];
        while self.stream.read(&mut ignored).await? > 0 {}
        Ok(After::Close)
    }

    async fn send_head(&mut self, answer: &Answer) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status));
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match answer.framing {
            Framing::Length if answer.status == 304 => {}
            Framing::Length => head.push_str(&format!("Content-Length: {}\r\n", answer.body.len())),
            Framing::ClaimedLength(length) => head.push_str(&format!("Content-Length: {length}\r\n")),
            Framing::Chunked => head.push_str("Transfer-Encoding: chunked\r\n"),
            Framing::UntilClose => head.push_str("Connection: close\r\n"),
        }
        head.push_str("\r\n");
        self.stream.write_all(head.as_bytes()).await?;
        self.entry.sent_status(answer.status);
        Ok(())
    }

    async fn send_body(&mut self, answer: &Answer, part: &[u8]) -> io::Result<()> {
        if part.is_empty() || self.request.method == "HEAD" {
            return Ok(());
        }
        if answer.framing == Framing::Chunked {
            self.stream.write_all(format!("{:x}\r\n", part.len()).as_bytes()).await?;
            self.stream.write_all(part).await?;
            self.stream.write_all(b"\r\n").await?;
        } else {
            self.stream.write_all(part).await?;
        }
        self.entry.sent_body(part.len());
        Ok(())
    }

    async fn finish(&mut self, answer: &Answer) -> io::Result<After> {
        if self.request.method == "HEAD" {
            return Ok(After::KeepAlive);
        }
        match answer.framing {
            Framing::Length => Ok(After::KeepAlive),
            Framing::ClaimedLength(length) if length == answer.body.len() as u64 => Ok(After::KeepAlive),
            Framing::ClaimedLength(_) | Framing::UntilClose => Ok(After::Close),
            Framing::Chunked => {
                self.stream.write_all(b"0\r\n\r\n").await?;
                Ok(After::KeepAlive)
            }
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
