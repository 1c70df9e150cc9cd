//! Derive: the bridge from downloads, which wait, to pixels, which compute.
//!
//! Two gates stand before the pool. An image is admitted by the memory that its decoded pixels need, read
//! from its header, so that a list's length or order never decides how much memory the run takes; and as
//! many images are made at once as there are threads. One that needs more than the whole budget is refused.
//!
//! A thread makes an image itself, or has a process make it that can be killed ([`isolated`]): always where
//! [`Isolation::everywhere`] says so, and in any case for formats whose decoders are known to die of some files.

pub mod isolated;

mod apart;
mod collect;
mod pool;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use imgmill_image::{Findings, OnTruncated, Recipe, SNIFF_LEN};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::isolated::{Bounds, House, Order, Program, Room, Workshop};
use crate::body::Body;
use crate::error::{Error, Kind, Stage};
use crate::identity::SourceHash;
use crate::limits::Limits;
use collect::Collected;

pub use collect::{Content, MadeRendition, Outlet};

/// The grain of the pixel budget.
const UNIT: u64 = 64 << 10;

/// Where images are made.
#[derive(Debug, Clone)]
pub struct Isolation {
    /// Every image in a process of its own, not only those of formats that ask for it.
    pub everywhere: bool,
    /// How such a process is started.
    pub program: Program,
}

/// What was made of one source.
#[derive(Debug)]
pub struct Made {
    /// One for each derivative, in the recipe's order.
    pub renditions: Vec<MadeRendition>,
    /// The source ends before its image does, which the limits accept.
    pub truncated: bool,
    /// What somebody may not expect of the renditions, a sentence each.
    pub notes: Vec<String>,
    /// What the recipe's services found out.
    pub findings: Box<Findings>,
    /// Time on a thread; waiting for one is not counted.
    pub elapsed: Duration,
    /// The renditions' share of the pixel memory, until they are stored and this is dropped.
    pub held: Option<OwnedSemaphorePermit>,
}

/// What a source's header says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspected {
    /// What people call the format.
    pub format: String,
    /// Pixels across, as stored.
    pub width: u32,
    /// Pixels down, as stored.
    pub height: u32,
    /// Bytes of memory that deriving will take at most.
    pub need: u64,
    /// Bytes that it will lay aside in files.
    pub scratch: u64,
    /// Bytes of renditions that are written while they are made, at most.
    pub written: u64,
}

impl Inspected {
    /// Reads a source's header, and what a recipe will take of it.
    pub(crate) fn of(source: &[u8], recipe: &Recipe) -> Result<Self, Error> {
        let header = imgmill_image::probe_page(source, recipe.page())?;
        let needs = imgmill_image::needs(&header, recipe);
        Ok(Inspected {
            format: header.format.name().to_owned(),
            width: header.width,
            height: header.height,
            need: needs.memory,
            scratch: needs.scratch,
            written: needs.written,
        })
    }
}

/// A source whose header was read, and which may be made already: a process that has a small image is not asked twice.
#[derive(Debug)]
pub struct Begun {
    /// What its header says.
    pub header: Inspected,
    recipe: Arc<Recipe>,
    early: Early,
}

/// How far a source is.
#[derive(Debug)]
enum Early {
    /// Its header was read, and no more.
    Inspected,
    /// Its process had not enough room to go on.
    Outgrown,
    Made(Made, OwnedSemaphorePermit),
}

/// The derive stage.
#[derive(Debug)]
pub struct Deriver {
    limits: imgmill_image::Limits,
    pixels: Arc<Semaphore>,
    house: House,
    job_timeout: Duration,
    pool: pool::Pool,
    everywhere: bool,
    workshop: Arc<Workshop>,
}

impl Deriver {
    /// A pool for whatever is to be made.
    ///
    /// # Errors
    /// When the system gives it no thread.
    pub fn new(limits: &Limits, isolation: Isolation) -> Result<Self, Error> {
        let pool = pool::Pool::new(limits.threads).map_err(|error| {
            Error::new(Stage::Derive, Kind::Internal, "no thread could be started").caused_by(error)
        })?;
        // Bytes were counted as they came.
        let of_image = imgmill_image::Limits {
            max_bytes: u64::MAX,
            max_pixels: limits.max_pixels,
            on_truncated: limits.on_truncated,
            threads: NonZeroUsize::new(limits.threads).unwrap_or(NonZeroUsize::MIN),
            ..Default::default()
        };
        let bounds = Bounds { time: limits.job_timeout, slack: limits.process_slack };
        Ok(Deriver {
            limits: of_image,
            pixels: Arc::new(Semaphore::new(units(limits.pixel_memory).max(1) as usize)),
            house: House::of(limits),
            job_timeout: limits.job_timeout,
            pool,
            everywhere: isolation.everywhere,
            workshop: Arc::new(Workshop::new(isolation.program, of_image, bounds)),
        })
    }

    /// Names the folder for files of what is too large to be shared with a process in memory, in the place of the system's
    /// folder for such. To be called before anything is made.
    #[must_use]
    pub fn working_in(mut self, folder: PathBuf) -> Self {
        if let Some(workshop) = Arc::get_mut(&mut self.workshop) {
            workshop.work_in(folder);
        }
        self
    }

    /// Sees that images can be made here: where each is to have a process, starts one. Its sandbox is told of in the log.
    ///
    /// # Errors
    /// What keeps the system from giving any.
    pub async fn check(&self) -> Result<(), Error> {
        if !self.everywhere {
            return Ok(());
        }
        let workshop = Arc::clone(&self.workshop);
        self.on_thread(move || workshop.open()).await.map_err(|error| {
            let message = "images cannot be isolated here; --isolate none does without";
            Error::new(Stage::Derive, Kind::Internal, message).caused_by(error)
        })
    }

    /// Whether a source that breaks off gives what is there of it.
    pub fn accepts_truncated(&self) -> bool {
        self.limits.on_truncated == OnTruncated::Accept
    }

    /// Reads the header of a source that `recipe` may be made of, and refuses one with too many pixels before any is
    /// decoded.
    ///
    /// # Errors
    /// What the image is; its stage is [`Stage::Derive`].
    pub async fn inspect(&self, body: Arc<Body>, recipe: &Arc<Recipe>) -> Result<Begun, Error> {
        let header = self.inspect_source(Source::of(body), Arc::clone(recipe)).await?;
        self.check_pixels(&header)?;
        Ok(Begun { header, recipe: Arc::clone(recipe), early: Early::Inspected })
    }

    fn check_pixels(&self, header: &Inspected) -> Result<(), Error> {
        let (width, height, most) = (header.width, header.height, self.limits.max_pixels);
        let pixels = u64::from(width) * u64::from(height);
        if pixels > most {
            let message =
                format!("{width} × {height} is {pixels} pixels, more than --max-pixels allows ({most})");
            return Err(Error::new(Stage::Derive, Kind::TooManyPixels, message));
        }
        Ok(())
    }

    async fn inspect_source(&self, source: Source, recipe: Arc<Recipe>) -> Result<Inspected, Error> {
        if !self.is_isolated(&source.bytes) {
            return self.on_thread(move || Inspected::of(&source.bytes, &recipe)).await;
        }
        let rooms = self.house.header_rooms(source.bytes.len() as u64);
        let inspect = move |workshop: &Workshop, room| workshop.inspect(source.order(&recipe, room, None));
        Ok(self.in_process(rooms, inspect).await?.0)
    }

    /// Makes every derivative of its recipe from one source that was inspected; one that may be too large for memory
    /// goes to `outlet` as it is made, or from a process of its own, which reaches nothing outside, by way of a file.
    ///
    /// # Errors
    /// What the image is or cannot give, or what it did to the process that made it; its stage is
    /// [`Stage::Derive`].
    pub async fn derive(&self, body: Arc<Body>, begun: Begun, outlet: Option<Outlet>) -> Result<Made, Error> {
        let (source, header, recipe) = (Source::of(body), begun.header, begun.recipe);
        let rooms = self.house.rooms(&header, source.bytes.len() as u64);
        let (made, mut admitted) = match (begun.early, rooms) {
            (Early::Made(made, admitted), _) => (made, admitted),
            (Early::Outgrown, (_, Some(wider))) => {
                self.derive_apart(source, recipe, (wider, None), outlet).await?
            }
            _ if self.is_isolated(&source.bytes) => self.derive_apart(source, recipe, rooms, outlet).await?,
            _ => self.derive_here(source, recipe, &header, outlet).await?,
        };
        let Made { renditions, .. } = &made;
        let bytes = renditions.iter().map(MadeRendition::length).sum::<u64>();
        if bytes > self.house.max_output {
            let most = self.house.max_output;
            let message =
                format!("its renditions have {bytes} bytes, more than --max-output allows ({most})");
            return Err(Error::new(Stage::Derive, Kind::TooLarge, message));
        }
        // The decoded pixels are gone; what was made of them waits for the store.
        let bytes = renditions.iter().map(MadeRendition::in_memory).sum();
        let held = admitted.split((units(bytes) as usize).min(admitted.num_permits()));
        Ok(Made { held, ..made })
    }

    /// On a thread of this program, which its own deadline has to end.
    async fn derive_here(
        &self,
        source: Source,
        recipe: Arc<Recipe>,
        header: &Inspected,
        outlet: Option<Outlet>,
    ) -> Result<(Made, OwnedSemaphorePermit), Error> {
        // Without an outlet there are no files, and memory has to do.
        let in_files = if outlet.is_some() { 0 } else { header.scratch.saturating_add(header.written) };
        let admitted = self.admit(header.need.saturating_add(in_files)).await?;
        let (limits, time) = (self.limits, self.job_timeout);
        let derive = move || {
            let started = Instant::now();
            let mut made = Collected { renditions: Vec::new(), outlet };
            let derived = imgmill_image::derive(&source.bytes, &recipe, &mut made, &limits.within(time))
                .map_err(|error| in_time(error.into(), time))?;
            let (renditions, elapsed) = (made.renditions, started.elapsed());
            let imgmill_image::Derived { truncated, notes, findings, .. } = derived;
            let findings = Box::new(findings);
            Ok(Made { renditions, truncated, notes, findings, elapsed, held: None })
        };
        Ok((self.on_thread(derive).await?, admitted))
    }

    /// The size of an image that can be decoded to its end, and nothing of any other bytes: what a
    /// stored rendition of unknown length is asked before it counts as made.
    pub async fn whole(&self, bytes: bytes::Bytes) -> Option<(u32, u32)> {
        self.entire(bytes).await.ok()
    }

    /// What the header of an image says, of which the rest need not be there.
    ///
    /// # Errors
    /// What it is; its stage is [`Stage::Derive`].
    pub async fn header(&self, bytes: bytes::Bytes) -> Result<Inspected, Error> {
        self.inspect_source(Source { bytes, hash: None }, Arc::new(Recipe::gray())).await
    }

    /// The size of an image that can be decoded to its end.
    ///
    /// # Errors
    /// Why it cannot; its stage is [`Stage::Derive`].
    pub async fn entire(&self, bytes: bytes::Bytes) -> Result<(u32, u32), Error> {
        let source = Source { bytes, hash: None };
        let gray = Arc::new(Recipe::gray());
        let inspected = self.inspect_source(source.clone(), Arc::clone(&gray)).await?;
        self.check_pixels(&inspected)?;
        let truncated = if self.is_isolated(&source.bytes) {
            let rooms = self.house.rooms(&inspected, source.bytes.len() as u64);
            let (made, _) = self.derive_apart(source, gray, rooms, None).await?;
            made.truncated
        } else {
            let _admitted = self.admit(inspected.need).await?;
            let limits = self.limits.within(self.job_timeout);
            let decode = move || {
                let mut nowhere = Vec::new();
                Ok(imgmill_image::derive(&source.bytes, &gray, &mut nowhere, &limits)?.truncated)
            };
            self.on_thread(decode).await?
        };
        match truncated {
            true => Err(Error::new(Stage::Derive, Kind::Truncated, "the image ends before it is complete")),
            false => Ok((inspected.width, inspected.height)),
        }
    }

    fn is_isolated(&self, source: &[u8]) -> bool {
        let beginning = &source[..source.len().min(SNIFF_LEN)];
        self.everywhere || imgmill_image::sniff(beginning).is_some_and(|format| format.may_abort())
    }

    /// Memory for work on an image that is done elsewhere: as much as is wanted, or all that images may have here.
    /// What it says comes with what has to be kept until the work is done.
    pub(crate) async fn reserve(&self, wanted: u64) -> Result<(u64, OwnedSemaphorePermit), Error> {
        let memory = wanted.min(self.house.budget);
        Ok((memory, self.admit(memory).await?))
    }

    /// Waits until there is memory for this much.
    async fn admit(&self, need: u64) -> Result<OwnedSemaphorePermit, Error> {
        let budget = self.house.budget.max(UNIT);
        if need > budget {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            let message = format!(
                "making it may take {} MiB, more than images may have here ({} MiB); give --memory more",
                mib(need),
                mib(budget)
            );
            return Err(Error::new(Stage::Derive, Kind::Memory, message));
        }
        let wanted = units(need).max(1);
        Arc::clone(&self.pixels).acquire_many_owned(wanted).await.map_err(closed)
    }

    async fn on_thread<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Error> + Send + 'static,
    {
        match self.pool.run(work).await {
            Some(result) => result,
            None => {
                let message = "the image engine failed; please report this image as a defect";
                Err(Error::new(Stage::Derive, Kind::Internal, message))
            }
        }
    }
}

/// A source, and what it is known by.
#[derive(Debug, Clone)]
struct Source {
    bytes: bytes::Bytes,
    hash: Option<SourceHash>,
}

impl Source {
    fn of(body: Arc<Body>) -> Source {
        let hash = Some(body.sha256());
        Source { bytes: body.shared(), hash }
    }

    fn order<'a>(&'a self, recipe: &'a Recipe, room: Room, outlet: Option<&'a Outlet>) -> Order<'a> {
        Order { source: &self.bytes, hash: self.hash, recipe, room, outlet }
    }
}

/// The engine does not know what the time limit is called.
fn in_time(error: Error, limit: Duration) -> Error {
    if error.kind() == Kind::Timeout {
        return Error::new(Stage::Derive, Kind::Timeout, isolated::timeout(limit));
    }
    error
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX >> 4).min(u32::MAX >> 4)
}

fn closed(error: tokio::sync::AcquireError) -> Error {
    Error::new(Stage::Derive, Kind::Internal, "the pool is closed").caused_by(error)
}
