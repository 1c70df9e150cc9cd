//! What runs inside a derive process: shut in, then one question after another until the program is gone.
//!
//! Standard input is the socket that questions come over, standard output the shared file. Nothing is printed.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};

use imgmill_image::{Coming, Limits, Output, Recipe, Rendition, ScratchFile, Sink, Written};

use super::protocol::{Answer, Laid, PAGE, Question, Task, receive, send};
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
    let mut desk = Desk { exchange: Arc::new(exchange), recipe: None };
    while let Some(question) = desk.next(&mut control)? {
        #[cfg(feature = "poison")]
        desk.poison(&question, &control)?;
        let answer = desk.answer(&question).unwrap_or_else(|error| Answer::Failed {
            kind: error.kind(),
            message: error.chain(),
            derivative: error.unmakable().map(str::to_owned),
        });
        send(&mut control, &answer)?;
    }
    Ok(())
}

fn owned(descriptor: BorrowedFd<'_>) -> io::Result<std::os::fd::OwnedFd> {
    descriptor.try_clone_to_owned()
}

/// What is kept from one question to the next.
struct Desk {
    exchange: Arc<File>,
    recipe: Option<(String, Recipe)>,
}

impl Desk {
    fn answer(&mut self, question: &Question) -> Result<Answer, Error> {
        let source = self.source(question.length)?;
        let limits = question.limits();
        let recipe = match &self.recipe {
            Some((text, recipe)) if *text == question.recipe && *recipe.services() == question.services => {
                recipe
            }
            _ => {
                let recipe = Recipe::parse_json(&question.recipe).map_err(|error| {
                    Error::new(Stage::Derive, Kind::Internal, "the recipe did not pass whole")
                        .caused_by(error)
                })?;
                let recipe = recipe.with_services(question.services.clone());
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
                let derived = derive(&self.exchange, question, &source, recipe, &limits, header);
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
        let map = unsafe { memmap2::MmapOptions::new().len(length).map(&*self.exchange) };
        map.map_err(failed)
    }
}

/// An image that takes more than this leaves a heap that is worth giving back at once.
const LARGE: u64 = 32 << 20;
/// How long it waits with its memory warm.
const IDLE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

fn derive(
    exchange: &Arc<File>,
    question: &Question,
    source: &[u8],
    recipe: &Recipe,
    limits: &Limits,
    header: Option<Inspected>,
) -> Result<Answer, Error> {
    let started = Instant::now();
    let mut shelf = Shelf::new(Arc::clone(exchange), question);
    let derived = imgmill_image::derive(source, recipe, &mut shelf, limits);
    let imgmill_image::Derived { truncated, notes, findings, .. } = derived.map_err(in_file)?;
    let findings = Box::new(findings);
    let elapsed = started.elapsed();
    Ok(Answer::Derived { header, renditions: shelf.renditions, truncated, notes, findings, elapsed })
}

/// An error of the engine, which does not know what the shared file's limit is called.
fn in_file(error: imgmill_image::Error) -> Error {
    let io = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<io::Error>());
    // Where the signal that goes with it is ignored.
    if io.is_some_and(|io| io.kind() == io::ErrorKind::FileTooLarge) {
        let message = "its renditions have more bytes than --max-output allows";
        return Error::new(Stage::Derive, Kind::TooLarge, message);
    }
    error.into()
}

/// Lays renditions into the shared file as they are made, so that none waits in memory, and what is to lie aside behind
/// them.
struct Shelf {
    exchange: Arc<File>,
    /// The end of what is laid; known to the rendition, too, that is being written.
    end: Rc<Cell<u64>>,
    renditions: Vec<Laid>,
    aside: Range<u64>,
}

impl Shelf {
    fn new(exchange: Arc<File>, question: &Question) -> Self {
        let end = Rc::new(Cell::new(question.length));
        Self { exchange, end, renditions: Vec::new(), aside: question.aside() }
    }

    fn place(&self) -> Place {
        Place { exchange: Arc::clone(&self.exchange), start: self.end.get(), end: Rc::clone(&self.end) }
    }
}

impl Sink for Shelf {
    fn put(&mut self, rendition: Rendition) -> io::Result<()> {
        let mut place = self.place();
        place.add(&rendition.bytes)?;
        let Rendition { width, height, bytes, .. } = rendition;
        self.renditions.push(Laid { start: place.start, width, height, bytes: bytes.len() as u64 });
        Ok(())
    }

    fn open(&mut self, _: &Coming) -> io::Result<Option<Box<dyn Output>>> {
        Ok(Some(Box::new(self.place())))
    }

    fn scratch(&mut self, bytes: u64) -> io::Result<Option<ScratchFile>> {
        let start = self.aside.start;
        let end = start.saturating_add(bytes);
        if end > self.aside.end {
            // More than the header promised; memory will end it, and there may be more in a second try.
            return Ok(None);
        }
        self.aside.start = end.next_multiple_of(PAGE);
        Ok(Some(ScratchFile { file: Arc::clone(&self.exchange), start }))
    }

    fn put_written(&mut self, written: Written) -> io::Result<()> {
        let output: Box<dyn std::any::Any> = written.output;
        let place = output.downcast::<Place>().map_err(|_| io::ErrorKind::InvalidData)?;
        let Coming { width, height, .. } = written.coming;
        self.renditions.push(Laid { start: place.start, width, height, bytes: written.length });
        Ok(())
    }
}

/// Where a rendition lies that is being written: nothing else is laid down meanwhile.
struct Place {
    exchange: Arc<File>,
    start: u64,
    end: Rc<Cell<u64>>,
}

impl Output for Place {
    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.exchange.write_all_at(bytes, self.end.get())?;
        self.end.set(self.end.get() + bytes.len() as u64);
        Ok(())
    }

    fn begin_with(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.exchange.write_all_at(bytes, self.start)
    }
}
