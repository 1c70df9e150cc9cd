//! One derive process, seen from the program: started, asked, measured, killed.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use imgmill_image::{Recipe, Rendition};

use super::death::Death;
use super::protocol::{Answer, Laid, Question, receive, send};
use super::sandbox::{self, Sandbox};
use super::{Bounds, Ended, Program, nonsense};
use crate::error::{Error, Kind, Stage};

/// How long a process may take to start and shut itself in.
const STARTING: Duration = Duration::from_secs(30);
/// How long a process that hung up may take to end before it is killed.
const ENDING: Duration = Duration::from_secs(2);
/// Bytes of the shared file that stay allocated between two images.
const KEPT: u64 = 4 << 20;
/// What is read of a process's last words.
const WORDS: u64 = 4 << 10;

/// A derive process. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    control: UnixStream,
    words: ChildStderr,
    exchange: File,
}

impl Worker {
    /// Starts one and waits until it is shut in.
    pub fn start(program: &Program) -> io::Result<(Worker, Sandbox)> {
        let (control, theirs) = UnixStream::pair()?;
        let exchange = shared_file()?;
        let mut child = Command::new(&program.path)
            .args(&program.arguments)
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(exchange.try_clone()?)
            .stderr(Stdio::piped())
            .spawn()?;
        let words = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        // What it said is read when it is dead, or now and then; never waited for.
        rustix::io::ioctl_fionbio(&words, true)?;
        let mut worker = Worker { child, control, words, exchange };
        match worker.hear(STARTING) {
            Ok(Some(Answer::Ready(sandbox))) => Ok((worker, sandbox)),
            _ => {
                let death = worker.bury();
                Err(io::Error::other(format!("it {death} before it could begin")))
            }
        }
    }

    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Has it work on one source, with `need` bytes of memory for it. Whatever is not an answer in time is a death.
    pub fn ask(
        &mut self,
        question: &Question,
        source: &[u8],
        recipe: &Recipe,
        need: u64,
        bounds: &Bounds,
    ) -> Ended {
        if let Err(error) = self.hand_over(question, source, need, bounds) {
            return match error.kind() {
                // Nobody listens any more.
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Ended::Died(self.bury()),
                _ => Ended::Answered(Err(not_shared(error))),
            };
        }
        match self.hear(bounds.time) {
            Ok(Some(Answer::Failed { kind, message })) => {
                Ended::Answered(Err(Error::new(Stage::Derive, kind, message)))
            }
            Ok(Some(answer)) => Ended::Answered(self.collect(answer, question.length, recipe, bounds)),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                self.kill();
                Ended::Died(Death::Timeout)
            }
            Ok(None) | Err(_) => Ended::Died(self.bury()),
        }
    }

    fn hand_over(
        &mut self,
        question: &Question,
        source: &[u8],
        need: u64,
        bounds: &Bounds,
    ) -> io::Result<()> {
        // Whatever it said about earlier images is of no use, and must not fill the pipe.
        self.last_words();
        self.exchange.write_all_at(source, 0)?;
        let longest = question.length.saturating_add(bounds.output);
        sandbox::limit(&self.child, need.saturating_add(question.length), longest)?;
        send(&mut self.control, question)
    }

    /// The renditions that an answer speaks of, out of the shared file.
    fn collect(
        &self,
        answer: Answer,
        length: u64,
        recipe: &Recipe,
        bounds: &Bounds,
    ) -> Result<(Answer, Vec<Rendition>), Error> {
        let Answer::Derived { renditions: laid, .. } = &answer else { return Ok((answer, Vec::new())) };
        if laid.len() != recipe.derivatives().len() {
            return Err(nonsense());
        }
        let total = laid.iter().fold(0u64, |sum, laid| sum.saturating_add(laid.bytes));
        if total > bounds.output {
            return Err(Death::Output.error(bounds, 1));
        }
        let mut at = length;
        let mut renditions = Vec::with_capacity(laid.len());
        for (derivative, Laid { width, height, bytes }) in recipe.derivatives().iter().zip(laid) {
            let mut file = vec![0; usize::try_from(*bytes).map_err(|_| nonsense())?];
            self.exchange.read_exact_at(&mut file, at).map_err(not_shared)?;
            at += bytes;
            renditions.push(Rendition {
                label: derivative.label.clone(),
                format: derivative.request.format,
                width: *width,
                height: *height,
                bytes: file,
            });
        }
        Ok((answer, renditions))
    }

    /// Gives back the memory of a large image before the next wait.
    pub fn shrink(&self) {
        if self.exchange.metadata().is_ok_and(|file| file.len() > KEPT) {
            // A file that stays large costs memory, and nothing else.
            let _ = self.exchange.set_len(0);
        }
    }

    fn hear(&mut self, patience: Duration) -> io::Result<Option<Answer>> {
        let until = Instant::now() + patience;
        receive(&mut Until { stream: &mut self.control, until })
    }

    /// Waits for the end of a process that hung up, kills it if that does not come, and says how it died.
    fn bury(&mut self) -> Death {
        let until = Instant::now() + ENDING;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(1)),
                _ => break None,
            }
        };
        match status {
            Some(status) => Death::of(status, &self.last_words()),
            None => {
                self.kill();
                Death::Crashed("it hung up without ending".to_owned())
            }
        }
    }

    fn last_words(&mut self) -> String {
        let mut words = Vec::new();
        // The pipe's end, or nothing more for now.
        let _ = (&mut self.words).take(WORDS).read_to_end(&mut words);
        String::from_utf8_lossy(&words).into_owned()
    }

    fn kill(&mut self) {
        // It may have ended by itself; both then have nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads a socket until a moment, however the bytes drip.
struct Until<'a> {
    stream: &'a mut UnixStream,
    until: Instant,
}

impl Read for Until<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(buffer)
    }
}

/// A file that lies in memory and has no name; elsewhere than on Linux an unnamed one on disk.
fn shared_file() -> io::Result<File> {
    #[cfg(target_os = "linux")]
    return Ok(rustix::fs::memfd_create("imgmill", rustix::fs::MemfdFlags::CLOEXEC)?.into());
    #[cfg(not(target_os = "linux"))]
    tempfile::tempfile()
}

fn not_shared(error: io::Error) -> Error {
    let message = "the image could not be shared with a derive process";
    Error::new(Stage::Derive, Kind::Internal, message).caused_by(error)
}
