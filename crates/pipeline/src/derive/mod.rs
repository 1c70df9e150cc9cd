//! Derive: the bridge from downloads, which wait, to pixels, which compute.
//!
//! Two gates stand before the pool. An image is admitted by the memory that its decoded pixels need, read
//! from its header, so that a list's length or order never decides how much memory the run takes; and as
//! many images are made at once as there are threads. One that needs more than the whole budget is refused.
//!
//! A thread makes an image itself, or has a process make it that can be killed ([`isolated`]): always where
//! [`Isolation::everywhere`] says so, and in any case for formats whose decoders are known to die of some files.

pub mod isolated;

mod collect;
mod pool;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use imgmill_image::{OnTruncated, Recipe, SNIFF_LEN};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::isolated::{Bounds, Program, Workshop};
use crate::body::Body;
use crate::error::{Error, Kind, Stage};
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
    /// Bytes that deriving will take at most.
    pub need: u64,
}

impl Inspected {
    /// Reads a source's header, and what a recipe will take of it.
    pub(crate) fn of(source: &[u8], recipe: &Recipe) -> Result<Self, Error> {
        let header = imgmill_image::probe_page(source, recipe.page())?;
        Ok(Inspected {
            format: header.format.name().to_owned(),
            width: header.width,
            height: header.height,
            need: imgmill_image::memory_need(&header, recipe),
        })
    }
}

/// The derive stage.
#[derive(Debug)]
pub struct Deriver {
    recipe: Arc<Recipe>,
    limits: imgmill_image::Limits,
    pixels: Arc<Semaphore>,
    budget: u64,
    max_output: u64,
    pool: pool::Pool,
    everywhere: bool,
    workshop: Arc<Workshop>,
}

impl Deriver {
    /// A pool that makes `recipe` of every source.
    ///
    /// # Errors
    /// When the system gives it no thread.
    pub fn new(recipe: Arc<Recipe>, limits: &Limits, isolation: Isolation) -> Result<Self, Error> {
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
        let bounds = Bounds { time: limits.job_timeout, output: limits.max_output };
        Ok(Deriver {
            recipe,
            limits: of_image,
            pixels: Arc::new(Semaphore::new(units(limits.pixel_memory).max(1) as usize)),
            budget: limits.pixel_memory.max(UNIT),
            max_output: limits.max_output,
            pool,
            everywhere: isolation.everywhere,
            workshop: Arc::new(Workshop::new(isolation.program, of_image, bounds)),
        })
    }

    /// The derivatives that are made of every source.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Whether a source that breaks off gives what is there of it.
    pub fn accepts_truncated(&self) -> bool {
        self.limits.on_truncated == OnTruncated::Accept
    }

    /// Reads a source's header, and refuses one with too many pixels before any is decoded.
    ///
    /// # Errors
    /// What the image is; its stage is [`Stage::Derive`].
    pub async fn inspect(&self, body: Arc<Body>) -> Result<Inspected, Error> {
        let (recipe, max_pixels) = (Arc::clone(&self.recipe), self.limits.max_pixels);
        let inspected = if self.is_isolated(&body) {
            let workshop = Arc::clone(&self.workshop);
            self.on_thread(move || workshop.inspect(&body, &recipe)).await?
        } else {
            self.on_thread(move || Inspected::of(&body, &recipe)).await?
        };
        let (width, height) = (inspected.width, inspected.height);
        let pixels = u64::from(width) * u64::from(height);
        if pixels > max_pixels {
            let message = format!(
                "{width} × {height} is {pixels} pixels, more than --max-pixels allows ({max_pixels})"
            );
            return Err(Error::new(Stage::Derive, Kind::TooManyPixels, message));
        }
        Ok(inspected)
    }

    /// Makes every derivative of the recipe from one source that was inspected; one that may be too large for memory
    /// goes to `outlet` as it is made, unless it is made in a process of its own, which reaches nothing outside.
    ///
    /// # Errors
    /// What the image is or cannot give, or what it did to the process that made it; its stage is
    /// [`Stage::Derive`].
    pub async fn derive(
        &self,
        body: Arc<Body>,
        inspected: &Inspected,
        outlet: Option<Outlet>,
    ) -> Result<Made, Error> {
        let (isolated, need) = (self.is_isolated(&body), inspected.need);
        // Beside the body itself there is the shared file's copy and the process's own.
        let shared = if isolated { body.len() as u64 * 2 } else { 0 };
        let mut admitted = self.admit(need.saturating_add(shared)).await?;
        let (recipe, limits) = (Arc::clone(&self.recipe), self.limits);
        let (renditions, truncated, elapsed, notes): (Vec<MadeRendition>, _, _, _) = if isolated {
            let workshop = Arc::clone(&self.workshop);
            let made = self.on_thread(move || workshop.derive(&body, &recipe, need)).await?;
            (made.0.into_iter().map(MadeRendition::from).collect(), made.1, made.2, Vec::new())
        } else {
            let here = move || {
                let started = Instant::now();
                let mut made = Collected { renditions: Vec::new(), outlet };
                let derived = imgmill_image::derive(&body, &recipe, &mut made, &limits)?;
                Ok((made.renditions, derived.truncated, started.elapsed(), derived.notes))
            };
            self.on_thread(here).await?
        };
        let bytes = renditions.iter().map(MadeRendition::length).sum::<u64>();
        if bytes > self.max_output {
            let most = self.max_output;
            let message =
                format!("its renditions have {bytes} bytes, more than --max-output allows ({most})");
            return Err(Error::new(Stage::Derive, Kind::TooLarge, message));
        }
        // The decoded pixels are gone; what was made of them waits for the store.
        let bytes = renditions.iter().map(MadeRendition::in_memory).sum();
        let held = admitted.split((units(bytes) as usize).min(admitted.num_permits()));
        Ok(Made { renditions, truncated, notes, elapsed, held })
    }

    /// The size of an image that can be decoded to its end, and nothing of any other bytes: what a
    /// stored rendition of unknown length is asked before it counts as made.
    pub async fn whole(&self, bytes: bytes::Bytes) -> Option<(u32, u32)> {
        let gray = Recipe::gray();
        let (isolated, limits) = (self.is_isolated(&bytes), self.limits);
        let inspected = if isolated {
            let (bytes, gray, workshop) = (bytes.clone(), gray.clone(), Arc::clone(&self.workshop));
            self.on_thread(move || workshop.inspect(&bytes, &gray)).await.ok()?
        } else {
            Inspected::of(&bytes, &gray).ok()?
        };
        let _admitted = self.admit(inspected.need).await.ok()?;
        let workshop = Arc::clone(&self.workshop);
        let decoded = self.on_thread(move || {
            if isolated {
                return workshop.derive(&bytes, &gray, inspected.need).map(|(_, truncated, _)| truncated);
            }
            let mut nowhere = Vec::new();
            Ok(imgmill_image::derive(&bytes, &gray, &mut nowhere, &limits)?.truncated)
        });
        // What is accepted of sources is not of what was made of them.
        let truncated = decoded.await.ok()?;
        (!truncated).then_some((inspected.width, inspected.height))
    }

    fn is_isolated(&self, source: &[u8]) -> bool {
        let beginning = &source[..source.len().min(SNIFF_LEN)];
        self.everywhere || imgmill_image::sniff(beginning).is_some_and(|format| format.may_abort())
    }

    /// Waits until there is memory for this much.
    async fn admit(&self, need: u64) -> Result<OwnedSemaphorePermit, Error> {
        if need > self.budget {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            let message = format!(
                "making it may take {} MiB, more than images may have here ({} MiB); give --memory more",
                mib(need),
                mib(self.budget)
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

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX >> 4).min(u32::MAX >> 4)
}

fn closed(error: tokio::sync::AcquireError) -> Error {
    Error::new(Stage::Derive, Kind::Internal, "the pool is closed").caused_by(error)
}
