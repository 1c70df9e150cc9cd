//! Derive: the bridge from downloads, which wait, to pixels, which compute.
//!
//! Two gates stand before the pool. An image is admitted by the memory that its decoded pixels need, read
//! from its header, so that a list's length or order never decides how much memory the run takes; and as
//! many images are made at once as there are threads. One larger than the whole budget is made alone.

mod pool;

use std::sync::Arc;
use std::time::{Duration, Instant};

use imgmill_image::{Header, Recipe, Rendition};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::body::Body;
use crate::error::{Error, Kind, Stage};
use crate::limits::Limits;

/// The grain of the pixel budget.
const UNIT: u64 = 64 << 10;

/// What was made of one source.
#[derive(Debug)]
pub struct Made {
    /// One for each derivative, in the recipe's order.
    pub renditions: Vec<Rendition>,
    /// Time on a thread; waiting for one is not counted.
    pub elapsed: Duration,
    /// The renditions' share of the pixel memory, until they are stored and this is dropped.
    pub held: Option<OwnedSemaphorePermit>,
}

/// The derive stage.
#[derive(Debug)]
pub struct Deriver {
    recipe: Arc<Recipe>,
    limits: imgmill_image::Limits,
    pixels: Arc<Semaphore>,
    budget: u32,
    pool: pool::Pool,
}

impl Deriver {
    /// A pool that makes `recipe` of every source.
    ///
    /// # Errors
    /// When the system gives it no thread.
    pub fn new(recipe: Arc<Recipe>, limits: &Limits) -> Result<Self, Error> {
        let budget = units(limits.pixel_memory).max(1);
        let pool = pool::Pool::new(limits.threads).map_err(|error| {
            Error::new(Stage::Derive, Kind::Internal, "no thread could be started").caused_by(error)
        })?;
        Ok(Deriver {
            recipe,
            limits: imgmill_image::Limits { max_pixels: limits.max_pixels, ..Default::default() },
            pixels: Arc::new(Semaphore::new(budget as usize)),
            budget,
            pool,
        })
    }

    /// The derivatives that are made of every source.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Reads a source's header, and refuses one with too many pixels before any is decoded.
    ///
    /// # Errors
    /// What the image is; its stage is [`Stage::Derive`].
    pub async fn inspect(&self, body: Arc<Body>) -> Result<Header, Error> {
        let max_pixels = self.limits.max_pixels;
        let header = self.on_thread(move || imgmill_image::probe(&body)).await?;
        let pixels = u64::from(header.width) * u64::from(header.height);
        if pixels > max_pixels {
            let message = format!(
                "{} × {} is {pixels} pixels, more than --max-pixels allows ({max_pixels})",
                header.width, header.height
            );
            return Err(Error::new(Stage::Derive, Kind::TooManyPixels, message));
        }
        Ok(header)
    }

    /// Makes every derivative of the recipe from one source, whose header was inspected.
    ///
    /// # Errors
    /// What the image is or cannot give; its stage is [`Stage::Derive`].
    pub async fn derive(&self, body: Arc<Body>, header: &Header) -> Result<Made, Error> {
        let need = units(imgmill_image::memory_need(header, &self.recipe)).clamp(1, self.budget);
        let mut admitted = Arc::clone(&self.pixels).acquire_many_owned(need).await.map_err(closed)?;
        let (recipe, limits) = (Arc::clone(&self.recipe), self.limits);
        let (renditions, elapsed) = self
            .on_thread(move || {
                let started = Instant::now();
                let mut renditions = Vec::with_capacity(recipe.derivatives().len());
                imgmill_image::derive(&body, &recipe, &mut renditions, &limits)?;
                Ok((renditions, started.elapsed()))
            })
            .await?;
        // The decoded pixels are gone; what was made of them waits for the store.
        let bytes = renditions.iter().map(|rendition| rendition.bytes.len() as u64).sum();
        let held = admitted.split((units(bytes) as usize).min(admitted.num_permits()));
        Ok(Made { renditions, elapsed, held })
    }

    /// The header of an image that can be decoded to its end, and nothing of any other bytes: what a
    /// stored rendition of unknown length is asked before it counts as made.
    pub async fn whole(&self, bytes: bytes::Bytes) -> Option<Header> {
        let limits = self.limits;
        let header = imgmill_image::probe(&bytes).ok()?;
        let need = units(imgmill_image::memory_need(&header, &Recipe::gray())).clamp(1, self.budget);
        let _admitted = Arc::clone(&self.pixels).acquire_many_owned(need).await.ok()?;
        let decoded = self.on_thread(move || {
            let mut nowhere = Vec::new();
            imgmill_image::derive(&bytes, &Recipe::gray(), &mut nowhere, &limits)?;
            Ok(header)
        });
        decoded.await.ok()
    }

    async fn on_thread<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, imgmill_image::Error> + Send + 'static,
    {
        match self.pool.run(work).await {
            Some(result) => Ok(result?),
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
