//! One derive process, seen from the program: started, asked, measured, killed.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use imgmill_image::{Coming, Derivative, Output as _, OutputFormat};

use super::death::Death;
use super::protocol::{Answer, Laid, Question, Task, receive, send};
use super::room::Room;
use super::sandbox::{self, Allowed, Sandbox};
use super::{Bounds, Ended, Order, Program};
use crate::derive::{Content, MadeRendition, Outlet};
use crate::error::{Error, Kind, Stage, is_disk_full, own_error};

/// How long a process may take to start and shut itself in.
const STARTING: Duration = Duration::from_secs(30);
/// How long a process that hung up may take to end before it is killed.
const ENDING: Duration = Duration::from_secs(2);
/// Bytes of the shared file that stay allocated between two images.
const KEPT: u64 = 4 << 20;
/// What is kept of a process's last words.
const WORDS: usize = 4 << 10;
/// Letters of an image's error that are believed.
const MESSAGE: usize = 2000;
/// Notes of an image that are passed on.
const NOTES: usize = 20;
/// What a pipe holds at most, unless somebody made it larger.
const PIPE: u64 = 64 << 10;
/// The longest time in one piece that counts against a process.
const SLICE: Duration = Duration::from_secs(1);

/// A derive process. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    control: UnixStream,
    words: ChildStderr,
    exchange: File,
    /// It may have heard half of a question, and what it says from now on answers another.
    confused: bool,
}

impl Worker {
    /// Starts one that shares a file, and waits until it is shut in.
    pub fn start(program: &Program, exchange: File) -> io::Result<(Worker, Sandbox)> {
        let (control, theirs) = UnixStream::pair()?;
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
        let mut worker = Worker { child, control, words, exchange, confused: false };
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

    /// Whether it may work on another image.
    pub fn is_sane(&self) -> bool {
        !self.confused
    }

    /// Has it work on one source. Whatever is not an answer in time is a death.
    pub fn ask(&mut self, question: &Question, order: Order<'_>, bounds: &Bounds) -> Ended {
        let Order { source, room, .. } = order;
        if let Err(error) = self.hand_over(question, source, room, bounds) {
            return match error.kind() {
                // Nobody listens any more.
                io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Ended::Died(self.bury()),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.time_is_over(),
                _ => {
                    self.confused = true;
                    Ended::Answered(Err(not_shared(error)))
                }
            };
        }
        match self.hear(bounds.time) {
            Ok(Some(Answer::Failed { kind, message, derivative })) => {
                let known = |label: &&str| order.recipe.derivatives().iter().any(|one| one.label == *label);
                let derivative = derivative.as_deref().filter(known);
                Ended::Answered(
                    Err(Error::new(Stage::Derive, kind, tidy(&message)).of_derivative(derivative)),
                )
            }
            Ok(Some(mut answer)) => match self.collect(&answer, question, order) {
                Ok(renditions) => {
                    if let Answer::Derived { notes, .. } = &mut answer {
                        notes.truncate(NOTES);
                        notes.iter_mut().for_each(|note| *note = tidy(note));
                    }
                    Ended::Answered(Ok((answer, renditions)))
                }
                Err(Uncollected::NotTaken(error)) => Ended::Answered(Err(error)),
                Err(Uncollected::Nonsense) => self.is_mad(),
            },
            Err(error) if error.kind() == io::ErrorKind::InvalidData => self.is_mad(),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                self.time_is_over()
            }
            Ok(None) | Err(_) => Ended::Died(self.bury()),
        }
    }

    fn hand_over(
        &mut self,
        question: &Question,
        source: &[u8],
        room: Room,
        bounds: &Bounds,
    ) -> io::Result<()> {
        // Whatever it said about earlier images is of no use, and must not fill the pipe.
        self.last_words();
        self.exchange.write_all_at(source, 0)?;
        let beginning = &source[..source.len().min(imgmill_image::SNIFF_LEN)];
        let stack = imgmill_image::sniff(beginning).map_or(0, |format| format.stack());
        let memory = room.memory.saturating_add(bounds.slack).saturating_add(stack);
        let aside = question.aside();
        let file = if room.scratch > 0 { aside.end } else { question.length.saturating_add(room.output) };
        let mapped = question.length.saturating_add(aside.end - aside.start);
        sandbox::limit(&self.child, Allowed { memory, mapped, file })?;
        // A process that does not listen must not hold up who asks; the longest recipe is written at once.
        self.control.set_write_timeout(Some(bounds.time))?;
        send(&mut self.control, question)
    }

    /// Whatever made it say that, an image may have taken it over.
    fn is_mad(&mut self) -> Ended {
        self.kill();
        Ended::Died(Death::Crashed("its process answered nonsense".to_owned()))
    }

    fn time_is_over(&mut self) -> Ended {
        self.kill();
        Ended::Died(Death::Timeout)
    }

    /// The renditions that an answer speaks of, out of the shared file.
    fn collect(
        &self,
        answer: &Answer,
        question: &Question,
        order: Order<'_>,
    ) -> Result<Vec<MadeRendition>, Uncollected> {
        let laid = match (question.task, answer) {
            (Task::Inspect | Task::Begin, Answer::Inspected(header)) if is_word(&header.format) => {
                return Ok(Vec::new());
            }
            (Task::Begin, Answer::Derived { header: Some(header), renditions, .. })
                if is_word(&header.format) =>
            {
                renditions
            }
            (Task::Derive, Answer::Derived { header: None, renditions, .. }) => renditions,
            _ => return Err(Uncollected::Nonsense),
        };
        if let Answer::Derived { findings, .. } = answer
            && !findings.can_be_of(order.recipe.services())
        {
            return Err(Uncollected::Nonsense);
        }
        let derivatives = order.recipe.derivatives();
        let places = question.length..=question.length.saturating_add(question.output);
        let total = laid.iter().fold(0u64, |sum, laid| sum.saturating_add(laid.bytes));
        let are_there = laid.iter().all(|laid| {
            places.contains(&laid.start) && places.contains(&laid.start.saturating_add(laid.bytes))
        });
        // More than its file's limit let it write?
        if laid.len() != derivatives.len() || total > question.output || !are_there {
            return Err(Uncollected::Nonsense);
        }
        let outlet = order.outlet.filter(|_| order.room.on_disk);
        derivatives
            .iter()
            .zip(laid)
            .map(|(derivative, laid)| {
                let content = match outlet.filter(|_| derivative.request.format == OutputFormat::Ptif) {
                    Some(outlet) => self.hand_on(derivative, laid, outlet)?,
                    None => self.in_memory(laid)?,
                };
                let Laid { width, height, .. } = *laid;
                Ok(MadeRendition { format: derivative.request.format, width, height, content })
            })
            .collect()
    }

    fn in_memory(&self, laid: &Laid) -> Result<Content, Uncollected> {
        // By the file's own place, which nobody else uses: such a read needs no memory that is cleared before.
        let mut shared = &self.exchange;
        shared.seek(io::SeekFrom::Start(laid.start)).map_err(|_| Uncollected::Nonsense)?;
        let length = usize::try_from(laid.bytes).map_err(|_| Uncollected::Nonsense)?;
        let mut bytes = Vec::with_capacity(length);
        match shared.take(laid.bytes).read_to_end(&mut bytes) {
            Ok(read) if read == length => Ok(Content::Bytes(bytes.into())),
            _ => Err(Uncollected::Nonsense),
        }
    }

    /// A rendition that is too large for memory goes on piece by piece.
    fn hand_on(&self, derivative: &Derivative, laid: &Laid, outlet: &Outlet) -> Result<Content, Uncollected> {
        /// Bytes of a piece.
        const PIECE: usize = 1 << 20;
        let Laid { start, width, height, bytes } = *laid;
        let coming = Coming {
            label: derivative.label.clone(),
            format: derivative.request.format,
            width,
            height,
            most: bytes,
        };
        let not_taken = |error| Uncollected::NotTaken(not_handed_on(&coming.label, error));
        let Some(mut upload) = (outlet.open)(&coming).map_err(not_taken)? else {
            return self.in_memory(laid);
        };
        let mut piece = vec![0; PIECE];
        let mut done = 0;
        while done < bytes {
            let some = usize::try_from(bytes - done).unwrap_or(PIECE).min(PIECE);
            let read = self.exchange.read_exact_at(&mut piece[..some], start + done);
            read.map_err(|_| Uncollected::Nonsense)?;
            upload.add(&piece[..some]).map_err(not_taken)?;
            done += some as u64;
        }
        Ok(Content::Upload(upload))
    }

    /// Gives back the memory of a large image before the next wait.
    pub fn shrink(&self) {
        if self.exchange.metadata().is_ok_and(|file| file.len() > KEPT) {
            // A file that stays large costs memory, and nothing else.
            let _ = self.exchange.set_len(0);
        }
    }

    fn hear(&mut self, patience: Duration) -> io::Result<Option<Answer>> {
        receive(&mut Patient { stream: &mut self.control, left: patience })
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

    /// The end of what it said lately; what is in the pipe, and never waited for.
    fn last_words(&mut self) -> String {
        let mut words = Vec::new();
        let _ = (&mut self.words).take(PIPE).read_to_end(&mut words);
        String::from_utf8_lossy(&words[words.len().saturating_sub(WORDS)..]).into_owned()
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

/// Why there are no renditions although the process answered.
enum Uncollected {
    /// What it said cannot be true.
    Nonsense,
    /// Where they belong did not take them.
    NotTaken(Error),
}

fn not_handed_on(label: &str, error: io::Error) -> Error {
    own_error(&error).unwrap_or_else(|| {
        let kind = if is_disk_full(&error) { Kind::DiskFull } else { Kind::Io };
        let message = format!("the rendition “{label}” could not be handed on: {error}");
        Error::new(Stage::Derive, kind, message).caused_by(error)
    })
}

/// A format's name, not a text that somebody would like to see in a log.
fn is_word(text: &str) -> bool {
    text.len() <= 32 && text.chars().all(|letter| letter.is_ascii_graphic() || letter == ' ')
}

/// A sentence of sensible length, without what terminals obey.
fn tidy(message: &str) -> String {
    message.chars().take(MESSAGE).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Reads a socket for a time, however the bytes drip. Time in which this program was stopped (Ctrl-Z) and its
/// processes with it does not count.
struct Patient<'a> {
    stream: &'a mut UnixStream,
    left: Duration,
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let slice = self.left.min(SLICE);
            self.stream.set_read_timeout(Some(slice))?;
            let began = Instant::now();
            let read = self.stream.read(buffer);
            self.left = self.left.saturating_sub(began.elapsed().min(slice));
            match read {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                }
                read => return read,
            }
        }
    }
}

/// A file that lies in memory and has no name; elsewhere than on Linux an unnamed one on disk.
pub(super) fn shared_memory() -> io::Result<File> {
    #[cfg(target_os = "linux")]
    return Ok(rustix::fs::memfd_create("imgmill", rustix::fs::MemfdFlags::CLOEXEC)?.into());
    #[cfg(not(target_os = "linux"))]
    tempfile::tempfile()
}

pub(super) fn not_shared(error: io::Error) -> Error {
    let message = "the image could not be shared with a derive process";
    let kind = if is_disk_full(&error) { Kind::DiskFull } else { Kind::Io };
    Error::new(Stage::Derive, kind, message).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn patience_ends_however_the_bytes_drip() {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        there.write_all(&[7]).unwrap();
        let mut patient = Patient { stream: &mut here, left: Duration::from_millis(30) };
        let mut buffer = [0; 4];
        assert_eq!(patient.read(&mut buffer).unwrap(), 1);
        assert_eq!(patient.read(&mut buffer).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(patient.left, Duration::ZERO);
        there.write_all(&[7]).unwrap();
        assert_eq!(patient.read(&mut buffer).unwrap_err().kind(), io::ErrorKind::TimedOut, "it is too late");
    }

    #[test]
    fn what_a_process_says_cannot_disturb_a_terminal() {
        assert_eq!(tidy("a\u{1b}[31mb\n"), "a [31mb ");
        assert_eq!(tidy(&"x".repeat(MESSAGE * 2)).len(), MESSAGE);
        assert!(is_word("JPEG 2000") && !is_word("\u{1b}[2J") && !is_word(&"x".repeat(33)));
    }
}
