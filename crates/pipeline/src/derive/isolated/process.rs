//! What runs inside a derive process: shut in, then one question after another until the program is gone.
//!
//! Standard input is the socket that questions come over, standard output the shared file. Nothing is printed.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};

use imgmill_image::{Limits, Recipe, Rendition, Sink};

use super::protocol::{Answer, Laid, Question, Task, receive, send};
use super::sandbox::Sandbox;
use crate::derive::Inspected;
use crate::error::{Error, Kind, Stage};
use crate::system;

/// Works until the program that started this process closes its end. For `main` to call, before anything else.
pub fn serve() -> ExitCode {
    system::close_inherited();
    system::ignore_signals();
    system::keep_freed();
    // A panic is caught and becomes the image's error; its text would only fill a pipe.
    std::panic::set_hook(Box::new(|_| {}));
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn work() -> io::Result<()> {
    let mut control = UnixStream::from(owned(rustix::stdio::stdin())?);
    let exchange = File::from(owned(rustix::stdio::stdout())?);
    // A library that prints must not write into an image.
    if let Ok(nothing) = File::options().read(true).write(true).open("/dev/null") {
        rustix::stdio::dup2_stdin(&nothing)?;
        rustix::stdio::dup2_stdout(&nothing)?;
    }
    send(&mut control, &Answer::Ready(Sandbox::enter()))?;
    let mut desk = Desk { exchange, recipe: None };
    while let Some(question) = desk.next(&mut control)? {
        #[cfg(feature = "poison")]
        desk.poison(&question, &control)?;
        let answer = desk
            .answer(&question)
            .unwrap_or_else(|error| Answer::Failed { kind: error.kind(), message: error.chain() });
        send(&mut control, &answer)?;
    }
    Ok(())
}

fn owned(descriptor: BorrowedFd<'_>) -> io::Result<std::os::fd::OwnedFd> {
    descriptor.try_clone_to_owned()
}

/// What is kept from one question to the next.
struct Desk {
    exchange: File,
    recipe: Option<(String, Recipe)>,
}

impl Desk {
    fn answer(&mut self, question: &Question) -> Result<Answer, Error> {
        let source = self.source(question.length)?;
        let limits = question.limits();
        let recipe = match &self.recipe {
            Some((text, recipe)) if *text == question.recipe => recipe,
            _ => {
                let recipe = Recipe::parse_json(&question.recipe).map_err(|error| {
                    Error::new(Stage::Derive, Kind::Internal, "the recipe did not pass whole")
                        .caused_by(error)
                })?;
                &self.recipe.insert((question.recipe.clone(), recipe)).1
            }
        };
        match question.task {
            Task::Inspect => Ok(Answer::Inspected(Inspected::of(&source, recipe)?)),
            Task::Begin | Task::Derive => {
                let header = match question.task {
                    Task::Begin => Some(Inspected::of(&source, recipe)?),
                    _ => None,
                };
                if let Some(header) = header.as_ref().filter(|header| !question.has_room_for(header)) {
                    return Ok(Answer::Inspected(header.clone()));
                }
                let taken = header.as_ref().map_or(question.memory, |header| header.need);
                let derived = derive(&self.exchange, &source, recipe, &limits, header);
                // What a large image leaves free is given back before the next may count on it.
                if taken > LARGE {
                    system::give_back();
                }
                derived
            }
        }
    }

    /// Misbehaves, where a test's source says so.
    #[cfg(feature = "poison")]
    fn poison(&self, question: &Question, control: &UnixStream) -> io::Result<()> {
        let source = self.source(question.length).map_err(io::Error::other)?;
        super::poison::take_effect(&source, question.task, &self.exchange, control)
    }

    /// The next question. A process that is not asked for a while gives its memory back first.
    fn next(&self, control: &mut UnixStream) -> io::Result<Option<Question>> {
        let mut asked = [PollFd::new(control, PollFlags::IN)];
        // A process that was stopped and goes on (Ctrl-Z) has waited long enough, too.
        match rustix::event::poll(&mut asked, Some(&IDLE)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {
                system::give_back();
            }
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        receive(control)
    }

    /// The source, where it lies: the program leaves it alone until it has its answer.
    fn source(&self, length: u64) -> Result<memmap2::Mmap, Error> {
        let failed = |error: io::Error| {
            Error::new(Stage::Derive, Kind::Internal, "a derive process could not read its source")
                .caused_by(error)
        };
        // Past a file's end there is no memory behind a map. (Not `metadata`, whose system call can name files.)
        let there = rustix::fs::fstat(&self.exchange).map_err(|error| failed(error.into()))?.st_size;
        if u64::try_from(there).unwrap_or(0) < length {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        let length = usize::try_from(length).map_err(|_| failed(io::ErrorKind::InvalidInput.into()))?;
        #[allow(unsafe_code)]
        // SAFETY: the map is sound while nobody shortens or writes this part of the file. Two hold it: the program,
        // which does neither while it waits for an answer, and this process, which writes behind it.
        let map = unsafe { memmap2::MmapOptions::new().len(length).map(&self.exchange) };
        map.map_err(failed)
    }
}

/// An image that takes more than this leaves a heap that is worth giving back at once.
const LARGE: u64 = 32 << 20;
/// How long it waits with its memory warm.
const IDLE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

fn derive(
    exchange: &File,
    source: &[u8],
    recipe: &Recipe,
    limits: &Limits,
    header: Option<Inspected>,
) -> Result<Answer, Error> {
    let started = Instant::now();
    let mut shelf = Shelf { exchange, end: source.len() as u64, renditions: Vec::new(), refused: None };
    let derived = imgmill_image::derive(source, recipe, &mut shelf, limits);
    if let Some(refused) = shelf.refused {
        return Err(not_laid(refused));
    }
    let imgmill_image::Derived { truncated, notes, .. } = derived?;
    let elapsed = started.elapsed();
    Ok(Answer::Derived { header, renditions: shelf.renditions, truncated, notes, elapsed })
}

/// Lays renditions into the shared file as they are made, so that none waits in memory.
struct Shelf<'a> {
    exchange: &'a File,
    end: u64,
    renditions: Vec<Laid>,
    refused: Option<io::Error>,
}

/// Why a rendition could not be laid into the shared file.
fn not_laid(error: io::Error) -> Error {
    match error.kind() {
        // The file's limit, where the signal that goes with it is ignored.
        io::ErrorKind::FileTooLarge => Error::new(
            Stage::Derive,
            Kind::TooLarge,
            "its renditions have more bytes than --max-output allows",
        ),
        _ => Error::new(Stage::Derive, Kind::Internal, "a derive process could not hand its renditions over")
            .caused_by(error),
    }
}

impl Sink for Shelf<'_> {
    fn put(&mut self, rendition: Rendition) -> io::Result<()> {
        if let Err(error) = self.exchange.write_all_at(&rendition.bytes, self.end) {
            let kind = error.kind();
            self.refused = Some(error);
            return Err(kind.into());
        }
        let bytes = rendition.bytes.len() as u64;
        self.end += bytes;
        self.renditions.push(Laid { width: rendition.width, height: rendition.height, bytes });
        Ok(())
    }
}
