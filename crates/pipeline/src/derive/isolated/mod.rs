//! Images made in processes that can die: the same program once more, kept warm, sandboxed, and replaced when one
//! is killed.
//!
//! A process works on one image at a time, so whatever happens to it is that image's doing. It gets the bytes
//! through a shared file ([`worker`]), is told what to do over a socket ([`protocol`]), and can reach nothing else
//! ([`sandbox`]). What runs inside is [`process`].

pub mod process;

mod death;
mod heap;
#[cfg(feature = "poison")]
mod poison;
mod protocol;
mod sandbox;
mod worker;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, Once, PoisonError, RwLock};
use std::time::Duration;

use imgmill_image::{Recipe, Rendition};

use self::death::Death;
use self::protocol::{Answer, Question, Task};
use self::worker::Worker;
use super::Inspected;
use crate::error::{Error, Kind, Stage};

/// How often an image may be tried whose process somebody killed: the system that ran out of memory, or a person.
const TRIES_WHEN_KILLED: u32 = 4;
/// How often an image is tried whose process crashed.
const TRIES_WHEN_CRASHED: u32 = 2;

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
    /// Bytes of all renditions together.
    pub output: u64,
}

/// What came of asking a derive process once.
enum Ended {
    /// It answered: with renditions, or with the image's own error.
    Answered(Result<(Answer, Vec<Rendition>), Error>),
    /// It will never answer again.
    Died(Death),
}

/// The derive processes of a run: started when first needed, as many as work at once.
#[derive(Debug)]
pub(super) struct Workshop {
    program: Program,
    limits: imgmill_image::Limits,
    bounds: Bounds,
    idle: Mutex<Vec<Worker>>,
    /// Read by everyone at work; written by an image that is tried again, which is to be alone.
    turns: RwLock<()>,
    told: Once,
}

impl Workshop {
    pub fn new(program: Program, limits: imgmill_image::Limits, bounds: Bounds) -> Self {
        Workshop {
            program,
            limits,
            bounds,
            idle: Mutex::default(),
            turns: RwLock::default(),
            told: Once::new(),
        }
    }

    /// Reads a source's header in a derive process. Blocks.
    pub fn inspect(&self, source: &[u8], recipe: &Recipe) -> Result<Inspected, Error> {
        // Nothing of any size is allocated for a header.
        match self.work(Task::Inspect, source, recipe, 0)?.0 {
            Answer::Inspected(inspected) => Ok(inspected),
            _ => Err(nonsense()),
        }
    }

    /// Makes every derivative in a derive process that may use `need` bytes for it, and says whether the source breaks
    /// off. Blocks.
    pub fn derive(
        &self,
        source: &[u8],
        recipe: &Recipe,
        need: u64,
    ) -> Result<(Vec<Rendition>, bool, Duration), Error> {
        match self.work(Task::Derive, source, recipe, need)? {
            (Answer::Derived { truncated, elapsed, .. }, renditions) => Ok((renditions, truncated, elapsed)),
            _ => Err(nonsense()),
        }
    }

    /// Asks until there is an answer, or a death that another try would only repeat.
    fn work(
        &self,
        task: Task,
        source: &[u8],
        recipe: &Recipe,
        need: u64,
    ) -> Result<(Answer, Vec<Rendition>), Error> {
        let length = source.len() as u64;
        let question = Question::new(task, length, recipe.to_json(), &self.limits);
        let mut tries = 0;
        loop {
            tries += 1;
            let death = match self.ask_once(tries, &question, source, recipe, need)? {
                Ended::Answered(answer) => return answer,
                Ended::Died(death) => death,
            };
            let most = match death {
                Death::Killed => TRIES_WHEN_KILLED,
                Death::Crashed(_) => TRIES_WHEN_CRASHED,
                Death::Timeout | Death::Memory | Death::Output => 1,
            };
            if tries >= most {
                return Err(death.error(&self.bounds, tries));
            }
            tracing::warn!("the derive process {death}; trying this image once more, alone");
        }
    }

    /// The first try works beside others; a second is alone and in a process of its own.
    fn ask_once(
        &self,
        tries: u32,
        question: &Question,
        source: &[u8],
        recipe: &Recipe,
        need: u64,
    ) -> Result<Ended, Error> {
        let (_beside, _alone);
        let warm = if tries == 1 {
            _beside = self.turns.read().unwrap_or_else(PoisonError::into_inner);
            self.idle()
        } else {
            _alone = self.turns.write().unwrap_or_else(PoisonError::into_inner);
            None
        };
        let mut worker = match warm {
            Some(worker) => worker,
            None => self.start()?,
        };
        let ended = worker.ask(question, source, recipe, need, &self.bounds);
        if matches!(ended, Ended::Answered(_)) {
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

    fn start(&self) -> Result<Worker, Error> {
        // One that is killed while it starts says nothing about an image.
        let started = (1..TRIES_WHEN_KILLED)
            .find_map(|_| Worker::start(&self.program).ok())
            .map_or_else(|| Worker::start(&self.program), Ok);
        let (worker, sandbox) = started.map_err(|error| {
            let message = "no derive process could be started; --isolate none does without";
            Error::new(Stage::Derive, Kind::Internal, message).caused_by(error)
        })?;
        self.told.call_once(|| sandbox.tell());
        Ok(worker)
    }
}

fn nonsense() -> Error {
    Error::new(Stage::Derive, Kind::Internal, "a derive process answered another question than was asked")
}
