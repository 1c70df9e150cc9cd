//! The dear part of a row's way: renditions made, and put or found where they belong.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::{Freshness, Made, Rows, Spent, Stages, Wanted, ms};
use crate::body::Body;
use crate::delegate::{self, Coder};
use crate::derive::{Inspected, MadeRendition};
use crate::error::{Error, Kind};
use crate::identity::{source_name, text_hash};
use crate::job::Job;
use crate::outcome::StoredRendition;
use crate::store::{KnownRendition, Owner, Put};

impl Rows {
    /// Makes every wanted rendition and stores it, unless the store has them all.
    pub(super) async fn derive_and_store(
        &self,
        job: &Job,
        body: Arc<Body>,
        wanted: &[Wanted<'_>],
        spent: &mut Spent,
    ) -> Result<Arc<Made>, Error> {
        let (readable, header) = Box::pin(self.readable(&body, spent)).await?;
        let (width, height) = (header.width, header.height);
        let of_part = match self.stages.deriver.accepts_truncated() {
            true => Some(self.wanted(job, body.sha256(), true)?),
            false => None,
        };
        for (truncated, wanted) in [(false, Some(wanted)), (true, of_part.as_deref())] {
            let Some(wanted) = wanted else { continue };
            if let Some(renditions) = self.made_before(wanted, spent).await? {
                tracing::info!("every rendition of these bytes is in the store, made from another URL");
                return Ok(Arc::new(Made { width, height, truncated, kept: None, renditions }));
            }
        }
        let made = self.stages.deriver.derive(readable, &header).await?;
        spent.timings.derive += made.elapsed;
        tracing::info!(format = header.format, width, height, ms = ms(made.elapsed), "derived");
        let kept = match &self.stages.keeper {
            Some(keeper) => keeper.source(body).await,
            None => {
                drop(body);
                None
            }
        };
        let truncated = made.truncated;
        if truncated {
            tracing::warn!("the image breaks off; what is there of it was taken, as --on-truncated says");
        }
        let wanted = of_part.as_deref().filter(|_| truncated).unwrap_or(wanted);
        let started = Instant::now();
        let mut renditions = Vec::with_capacity(made.renditions.len());
        for (wanted, rendition) in wanted.iter().zip(made.renditions) {
            renditions.push(self.put(job, wanted, rendition).await?);
        }
        spent.timings.store += started.elapsed();
        spent.made = true;
        Ok(Arc::new(Made { width, height, truncated, kept, renditions }))
    }

    /// The image as the engine can read it, and its header: the body itself, or what a delegate makes of it.
    async fn readable(&self, body: &Arc<Body>, spent: &mut Spent) -> Result<(Arc<Body>, Inspected), Error> {
        let Stages { deriver, delegates, .. } = &self.stages;
        let (coder, refused) = match Coder::of(body) {
            Some(coder) => (coder, delegate::refusal(coder)),
            None => match (deriver.inspect(Arc::clone(body)).await, Coder::instead_of_us(body)) {
                // A kind of its format that is not decoded here may be one that is elsewhere.
                (Err(error), Some(coder)) if error.kind() == Kind::UnsupportedFormat => (coder, error),
                (inspected, _) => return Ok((Arc::clone(body), inspected?)),
            },
        };
        let Some(delegates) = delegates else { return Err(refused) };
        let started = Instant::now();
        let converted = Arc::new(Box::pin(delegates.convert(Arc::clone(body), coder)).await?);
        spent.timings.derive += started.elapsed();
        tracing::info!(
            coder = coder.name(),
            bytes = converted.len(),
            ms = ms(started.elapsed()),
            "read by a delegate"
        );
        let header = deriver.inspect(Arc::clone(&converted)).await?;
        Ok((converted, header))
    }

    /// The renditions, where the store has each of them under its hash, whole: another run made them from
    /// the same bytes at another URL. No pointer says so, hence they are read.
    async fn made_before(
        &self,
        wanted: &[Wanted<'_>],
        spent: &mut Spent,
    ) -> Result<Option<Vec<StoredRendition>>, Error> {
        let Stages { store, keys, freshness, deriver, .. } = &self.stages;
        if !keys.is_content_addressed() || *freshness == Freshness::Refresh {
            return Ok(None);
        }
        let started = Instant::now();
        let mut renditions = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            if store.find(&wanted.key).await?.is_none() {
                spent.timings.store += started.elapsed();
                return Ok(None);
            }
            let bytes = store.read(&wanted.key).await?;
            let length = bytes.len() as u64;
            let Some((width, height)) = deriver.whole(bytes).await else { return Ok(None) };
            let hash = wanted.hash.clone();
            renditions.push(self.stored(wanted, &KnownRendition { hash, bytes: length, width, height }));
        }
        spent.timings.store += started.elapsed();
        Ok(Some(renditions))
    }

    async fn put(
        &self,
        job: &Job,
        wanted: &Wanted<'_>,
        rendition: MadeRendition,
    ) -> Result<StoredRendition, Error> {
        let MadeRendition { width, height, format, bytes, .. } = rendition;
        let kept = match &self.stages.keeper {
            Some(keeper) => keeper.rendition(bytes.clone(), format.extension()).await,
            None => None,
        };
        let length = self.put_object(job, wanted, bytes, format.media_type()).await?;
        tracing::info!(label = wanted.derivative.label, key = wanted.key, bytes = length, "stored");
        let known = KnownRendition { hash: wanted.hash.clone(), bytes: length, width, height };
        Ok(StoredRendition { kept, ..self.stored(wanted, &known) })
    }

    /// Puts the bytes, or finds them put; answers the length of the object that is there.
    async fn put_object(
        &self,
        job: &Job,
        wanted: &Wanted<'_>,
        bytes: Bytes,
        media_type: &'static str,
    ) -> Result<u64, Error> {
        let Stages { store, keys, freshness, deriver, .. } = &self.stages;
        let length = bytes.len() as u64;
        if !keys.is_content_addressed() {
            let owner = Owner { url_hash: text_hash(&source_name(&job.url)), hash: wanted.hash.clone() };
            let claim = store.claim(&wanted.key, &owner).await?;
            store.put_claimed(&wanted.key, &owner, claim, bytes, media_type).await?;
            return Ok(length);
        }
        if *freshness == Freshness::Refresh {
            return store.replace(&wanted.key, bytes, media_type, None).await.map(|()| length);
        }
        match store.create(&wanted.key, bytes.clone(), media_type).await? {
            Put::Created | Put::Present => Ok(length),
            // Sizes made together share a decode, so another recipe's bytes may differ and be as good.
            // Objects under a hash do not change, unless this one is damaged.
            Put::Different { length: theirs } => {
                let found = store.find(&wanted.key).await?;
                if deriver.whole(store.read(&wanted.key).await?).await.is_some() {
                    return Ok(theirs);
                }
                tracing::warn!(key = wanted.key, "the stored rendition is damaged; replacing it");
                store.replace(&wanted.key, bytes, media_type, found.as_ref()).await.map(|()| length)
            }
        }
    }
}
