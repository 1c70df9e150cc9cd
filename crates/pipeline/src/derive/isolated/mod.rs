//! Images made in processes that can die: the same program once more, kept warm, sandboxed, and replaced when one
//! is killed.
//!
//! A process works on one image at a time, so whatever happens to it is that image's doing. It gets the bytes
//! through a shared file ([`worker`]), is told what to do over a socket ([`protocol`]), may take what its header promises
//! ([`room`]), and can reach nothing else ([`sandbox`]). What runs inside is [`process`]. A source that ended two
//! processes is not tried again ([`fatal`]).

pub mod process;

mod death;
mod fatal;
#[cfg(feature = "poison")]
mod poison;
mod protocol;
mod room;
mod sandbox;
mod worker;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, Once, PoisonError, RwLock};
use std::time::Duration;

use imgmill_image::{Findings, Recipe};

use self::death::Death;
use self::fatal::Fatal;
use self::protocol::{Answer, Question, Task};
use self::worker::Worker;
use super::{Inspected, MadeRendition, Outlet};
use crate::error::{Error, Kind, Stage};
use crate::identity::SourceHash;

pub(super) use self::death::timeout;
pub(super) use self::room::{House, Room};

/// How often an image may be tried whose process somebody killed: the system that ran out of memory, or a person.
const TRIES_WHEN_KILLED: u32 = 4;
/// How often an image is tried whose process crashed.
const TRIES_WHEN_CRASHED: u32 = 2;
/// How often a process is started before that counts as impossible, and the pauses between, each twice the last: a
/// machine may be short of processes or files for a moment.
const STARTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(20);

/// How a derive process is started: a program that calls [`process::serve`] when it is given these arguments.
#[derive(Debug, Clone)]
pub struct Program {
    /// The file to execute.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// What one image may cost a derive process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Until it is killed.
    pub time: Duration,
    /// Bytes that it may take beside what the image's header promises.
    pub slack: u64,
}

/// An image to work on, and what is asked of it.
#[derive(Clone, Copy)]
pub(super) struct Order<'a> {
    /// The source.
    pub source: &'a [u8],
    /// What it is known by, where it is.
    pub hash: Option<SourceHash>,
    /// What is made of it.
    pub recipe: &'a Recipe,
    /// What it may take.
    pub room: Room,
    /// Where its large renditions go; without it they end in memory.
    pub outlet: Option<&'a Outlet>,
}

/// What a process made of a source.
#[derive(Debug)]
pub(super) struct MadeApart {
    /// One for each derivative, in the recipe's order.
    pub renditions: Vec<MadeRendition>,
    /// The source ends before its image does.
    pub truncated: bool,
    /// What a person should know of it.
    pub notes: Vec<String>,
    /// What was found out about it.
    pub findings: Box<Findings>,
    /// Time that the process took.
    pub elapsed: Duration,
}

/// What came of asking a derive process once.
enum Ended {
    /// It answered: with renditions, or with the image's own error.
    Answered(Result<(Answer, Vec<MadeRendition>), Error>),
    /// It will never answer again.
    Died(Death),
}

/// The derive processes of a run: started when first needed, as many as work at once.
#[derive(Debug)]
pub(super) struct Workshop {
    program: Program,
    limits: imgmill_image::Limits,
    bounds: Bounds,
    /// For files of what is too large to be shared in memory.
    folder: PathBuf,
    idle: Mutex<Vec<Worker>>,
    /// Read by everyone at work; written by an image that is tried again, which is to be alone.
    turns: RwLock<()>,
    fatal: Fatal,
    told: Once,
}

impl Workshop {
    pub fn new(program: Program, limits: imgmill_image::Limits, bounds: Bounds) -> Self {
        Workshop {
            program,
            limits,
            bounds,
            folder: std::env::temp_dir(),
            idle: Mutex::default(),
            turns: RwLock::default(),
            fatal: Fatal::new(),
            told: Once::new(),
        }
    }

    /// Names another folder for files than the system's for such.
    pub fn work_in(&mut self, folder: PathBuf) {
        self.folder = folder;
    }

    /// Starts a process and keeps it for the first image, so that a system that has none to give is known at once.
    /// Blocks.
    pub fn open(&self) -> Result<(), Error> {
        let worker = self.start(false)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        Ok(())
    }

    /// Reads a source's header in a derive process. Blocks.
    pub fn inspect(&self, order: Order<'_>) -> Result<Inspected, Error> {
        match self.work(Task::Inspect, order)?.0 {
            Answer::Inspected(inspected) => Ok(inspected),
            _ => Err(another_answer()),
        }
    }

    /// Reads a source's header, and makes every derivative of one that takes no more than its room. Blocks.
    pub fn begin(&self, order: Order<'_>) -> Result<(Inspected, Option<MadeApart>), Error> {
        match self.work(Task::Begin, order)? {
            (Answer::Inspected(header), _) => Ok((header, None)),
            (
                Answer::Derived { header: Some(header), truncated, notes, findings, elapsed, .. },
                renditions,
            ) => Ok((header, Some(MadeApart { renditions, truncated, notes, findings, elapsed }))),
            _ => Err(another_answer()),
        }
    }

    /// Makes every derivative in a derive process. Blocks.
    pub fn derive(&self, order: Order<'_>) -> Result<MadeApart, Error> {
        match self.work(Task::Derive, order)? {
            (Answer::Derived { truncated, notes, findings, elapsed, .. }, renditions) => {
                Ok(MadeApart { renditions, truncated, notes, findings, elapsed })
            }
            _ => Err(another_answer()),
        }
    }

    /// Works on a source that did not end processes before, and remembers it if it does.
    fn work(&self, task: Task, order: Order<'_>) -> Result<(Answer, Vec<MadeRendition>), Error> {
        let Some(hash) = order.hash else { return self.try_until_known(task, order) };
        self.fatal.check(hash)?;
        let worked = self.try_until_known(task, order);
        match &worked {
            Ok((Answer::Derived { .. }, _)) => self.fatal.worked(hash),
            Ok(_) => {}
            Err(error) => self.fatal.failed(hash, error),
        }
        worked
    }

    /// Asks until there is an answer, or a death that another try would only repeat.
    fn try_until_known(&self, task: Task, order: Order<'_>) -> Result<(Answer, Vec<MadeRendition>), Error> {
        let question = Question::new(task, &order, &self.limits);
        let mut tries = 0;
        loop {
            tries += 1;
            let death = match self.ask_once(tries, &question, order)? {
                Ended::Answered(answer) => return answer,
                Ended::Died(death) => death,
            };
            let most = match death {
                Death::Killed => TRIES_WHEN_KILLED,
                Death::Crashed(_) => TRIES_WHEN_CRASHED,
                Death::Timeout | Death::Memory | Death::Output => 1,
            };
            if let Some(hash) = order.hash.filter(|_| death != Death::Killed) {
                self.fatal.died(hash);
            }
            if tries >= most {
                return Err(death.error(&self.bounds, &order.room, tries));
            }
            tracing::warn!("the derive process {death}; trying this image once more, alone");
        }
    }

    /// The first try works beside others; a second is alone and in a process of its own.
    fn ask_once(&self, tries: u32, question: &Question, order: Order<'_>) -> Result<Ended, Error> {
        let (_beside, _alone);
        let on_disk = order.room.on_disk;
        let warm = if tries == 1 {
            _beside = self.turns.read().unwrap_or_else(PoisonError::into_inner);
            // Those that are warm share memory.
            if on_disk { None } else { self.idle() }
        } else {
            _alone = self.turns.write().unwrap_or_else(PoisonError::into_inner);
            None
        };
        let mut worker = match warm {
            Some(worker) => worker,
            None => self.start(on_disk)?,
        };
        let ended = worker.ask(question, order, &self.bounds);
        if matches!(ended, Ended::Answered(_)) && worker.is_sane() && !on_disk {
            worker.shrink();
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        }
        Ok(ended)
    }

    /// A warm process, if one is alive.
    fn idle(&self) -> Option<Worker> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| idle.pop()).find_map(|mut worker| worker.is_alive().then_some(worker))
    }

    /// Starts a process that shares memory, or a file of its own on disk.
    fn start(&self, on_disk: bool) -> Result<Worker, Error> {
        let exchange = || match on_disk {
            true => tempfile::tempfile_in(&self.folder),
            false => worker::shared_memory(),
        };
        let mut pause = PAUSE;
        let mut started = Worker::start(&self.program, exchange().map_err(worker::not_shared)?);
        for _ in 1..STARTS {
            if started.is_ok() {
                break;
            }
            std::thread::sleep(pause);
            pause *= 2;
            started = Worker::start(&self.program, exchange().map_err(worker::not_shared)?);
        }
        let (worker, sandbox) = started.map_err(|error| {
            let message = "no derive process could be started, which says nothing of this image";
            Error::new(Stage::Derive, Kind::Internal, message).transient(true).caused_by(error)
        })?;
        self.told.call_once(|| sandbox.tell());
        Ok(worker)
    }
}

/// Cannot be: an answer is compared with its question where it comes in.
fn another_answer() -> Error {
    Error::new(Stage::Derive, Kind::Internal, "a derive process answered another question than was asked")
}
