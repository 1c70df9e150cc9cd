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

/// Works until the program that started this process closes its end. For `main` to call, before anything else.
pub fn serve() -> ExitCode {
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
    send(&mut control, &Answer::Ready(Sandbox::enter()))?;
    let mut desk = Desk { exchange, source: Vec::new(), recipe: None };
    while let Some(question) = desk.next(&mut control)? {
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
    source: Vec<u8>,
    recipe: Option<(String, Recipe)>,
}

impl Desk {
    fn answer(&mut self, question: &Question) -> Result<Answer, Error> {
        self.read_source(question.length)?;
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
        #[cfg(feature = "poison")]
        super::poison::take_effect(&self.source, question.task, &self.exchange).map_err(not_laid)?;
        match question.task {
            Task::Inspect => Ok(Answer::Inspected(Inspected::of(&self.source, recipe)?)),
            Task::Derive => derive(&self.exchange, &self.source, recipe, &limits),
        }
    }

    /// The next question. A process that is not asked for a while gives its memory back first.
    fn next(&mut self, control: &mut UnixStream) -> io::Result<Option<Question>> {
        let mut asked = [PollFd::new(control, PollFlags::IN)];
        if rustix::event::poll(&mut asked, Some(&IDLE))? == 0 {
            self.source = Vec::new();
            super::heap::give_back();
        }
        receive(control)
    }

    fn read_source(&mut self, length: u64) -> Result<(), Error> {
        let failed = |error: io::Error| {
            Error::new(Stage::Derive, Kind::Internal, "a derive process could not read its source")
                .caused_by(error)
        };
        let length = usize::try_from(length).map_err(|_| failed(io::ErrorKind::InvalidInput.into()))?;
        // A large source's memory goes back before the next is read.
        if self.source.capacity() > length.max(KEPT) {
            self.source = Vec::new();
        }
        self.source.resize(length, 0);
        self.exchange.read_exact_at(&mut self.source, 0).map_err(failed)
    }
}

/// Bytes of source memory that a process keeps while it waits.
const KEPT: usize = 4 << 20;
/// How long it waits with its memory warm.
const IDLE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

fn derive(exchange: &File, source: &[u8], recipe: &Recipe, limits: &Limits) -> Result<Answer, Error> {
    let started = Instant::now();
    let mut shelf = Shelf { exchange, end: source.len() as u64, renditions: Vec::new(), refused: None };
    let derived = imgmill_image::derive(source, recipe, &mut shelf, limits);
    if let Some(refused) = shelf.refused {
        return Err(not_laid(refused));
    }
    let truncated = derived?.truncated;
    Ok(Answer::Derived { renditions: shelf.renditions, truncated, elapsed: started.elapsed() })
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
