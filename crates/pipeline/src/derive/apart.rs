//! The way of an image through a derive process: how much room it gets, and when it gets more.

use std::sync::Arc;

use imgmill_image::Recipe;
use tokio::sync::OwnedSemaphorePermit;

use super::isolated::{MadeApart, Room, Workshop};
use super::{Begun, Deriver, Early, Made, Outlet, Source};
use crate::body::Body;
use crate::error::Error;

impl Deriver {
    /// The same for a source that will be made if it can: in a process, a small image is made right away.
    ///
    /// # Errors
    /// What the image is or cannot give; its stage is [`Stage::Derive`].
    pub async fn begin(&self, body: Arc<Body>, recipe: &Arc<Recipe>) -> Result<Begun, Error> {
        let source = Source::of(Arc::clone(&body));
        if !self.is_isolated(&source.bytes) {
            return self.inspect(body, recipe).await;
        }
        let room = self.house.guess(source.bytes.len() as u64);
        let admitted = self.admit(room.admitted).await?;
        let (workshop, wanted) = (Arc::clone(&self.workshop), Arc::clone(recipe));
        let begin = move || workshop.begin(source.order(&wanted, room, None));
        match self.on_thread(begin).await {
            Ok((header, made)) => {
                self.check_pixels(&header)?;
                let early = made.map_or(Early::Inspected, |made| Early::Made(made.into(), admitted));
                Ok(Begun { header, recipe: Arc::clone(recipe), early })
            }
            Err(error) if room.may_be_too_small_for(&error) => {
                drop(admitted);
                Ok(Begun { early: Early::Outgrown, ..self.inspect(body, recipe).await? })
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn derive_apart(
        &self,
        source: Source,
        recipe: Arc<Recipe>,
        rooms: (Room, Option<Room>),
        outlet: Option<Outlet>,
    ) -> Result<(Made, OwnedSemaphorePermit), Error> {
        let derive =
            move |workshop: &Workshop, room| workshop.derive(source.order(&recipe, room, outlet.as_ref()));
        let (apart, admitted) = self.in_process(rooms, derive).await?;
        Ok((apart.into(), admitted))
    }

    /// Has a process do it, with as much room as the header asks for, and then, if that may have been too little, with
    /// more.
    pub(super) async fn in_process<T: Send + 'static>(
        &self,
        (mut room, mut wider): (Room, Option<Room>),
        work: impl Fn(&Workshop, Room) -> Result<T, Error> + Clone + Send + 'static,
    ) -> Result<(T, OwnedSemaphorePermit), Error> {
        loop {
            let admitted = self.admit(room.admitted).await?;
            let (workshop, work) = (Arc::clone(&self.workshop), work.clone());
            match (self.on_thread(move || work(&workshop, room)).await, wider.take()) {
                (Err(error), Some(wider)) if room.may_be_too_small_for(&error) => {
                    tracing::debug!("{error}; trying once more with {} MiB", wider.admitted >> 20);
                    room = wider;
                }
                (done, _) => return Ok((done?, admitted)),
            }
        }
    }
}

impl From<MadeApart> for Made {
    fn from(apart: MadeApart) -> Made {
        let MadeApart { renditions, truncated, notes, findings, elapsed } = apart;
        Made { renditions, truncated, notes, findings, elapsed, held: None }
    }
}
