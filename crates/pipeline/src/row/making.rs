//! The dear part of a row's way: renditions made, and put or found where they belong.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use imgmill_image::{Coming, Derivative, PyramidShape, Recipe, Services};

use super::{Freshness, Made, Rows, Spent, Stages, Wanted, ms};
use crate::body::Body;
use crate::columns::Columns;
use crate::delegate::{self, Coder, Delegates};
use crate::derive::{self, Begun, Content, Inspected, MadeRendition, Outlet};
use crate::error::{Error, Kind, Stage};
use crate::identity::text_hash;
use crate::job::Job;
use crate::naming::Placement;
use crate::objects::{Onto, Upload};
use crate::outcome::StoredRendition;
use crate::store::{Claim, Description, KnownRendition, Owner, Put};

/// The label of a derivative that could not be made or stored, and why.
type LeftOut = (String, Arc<Error>);

/// How much of an image is wanted.
#[derive(Debug, Clone, Copy)]
enum Extent {
    Header,
    Renditions,
}

impl Rows {
    /// Makes every wanted rendition and stores it, unless the store has them all.
    pub(super) async fn derive_and_store(
        &self,
        job: &Job,
        body: Arc<Body>,
        wanted: &[Wanted<'_>],
        spent: &mut Spent,
    ) -> Result<Arc<Made>, Error> {
        let of_part = match self.stages.deriver.accepts_truncated() {
            true => Some(self.wanted(job, body.sha256(), true)?),
            false => None,
        };
        for (truncated, wanted) in [(false, Some(wanted)), (true, of_part.as_deref())] {
            let Some(wanted) = wanted else { continue };
            if let Some(renditions) = self.made_before(job, wanted, spent).await? {
                tracing::info!("every rendition of these bytes is in the store, made from another URL");
                let recipe = &job.instructions.recipe;
                let (_, begun) = Box::pin(self.readable(recipe, &body, Extent::Header, spent)).await?;
                let Inspected { width, height, .. } = begun.header;
                return Ok(Arc::new(Made {
                    width,
                    height,
                    truncated,
                    kept: None,
                    renditions,
                    left_out: Vec::new(),
                    findings: None,
                }));
            }
        }
        let (header, made, mut left_out) = self.derive(job, &body, wanted, spent).await?;
        let Inspected { width, height, format, .. } = header;
        spent.timings.derive += made.elapsed;
        tracing::info!(format, width, height, ms = ms(made.elapsed), "derived");
        made.notes.iter().for_each(|note| tracing::warn!("{note}"));
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
        let is_made = |wanted: &&Wanted<'_>| {
            !left_out.iter().any(|(label, _): &(String, _)| *label == wanted.derivative.label)
        };
        let wanted: Vec<_> = wanted.iter().filter(is_made).collect();
        for (wanted, rendition) in wanted.into_iter().zip(made.renditions) {
            match self.put(job, wanted, rendition).await {
                Ok(stored) => renditions.push(stored),
                // What may pass is tried again as a whole.
                Err(error) if job.instructions.forgiving && !error.is_transient() => {
                    left_out.push(self.left_out(&wanted.derivative.label, error));
                }
                Err(error) => return Err(error),
            }
        }
        spent.timings.store += started.elapsed();
        spent.made = true;
        if let ([], [(_, first), ..]) = (&renditions[..], &left_out[..]) {
            return Err(first.shared());
        }
        let wants = *job.instructions.recipe.services() != Services::default();
        let findings = wants.then(|| made.findings.into());
        Ok(Arc::new(Made { width, height, truncated, kept, renditions, left_out, findings }))
    }

    /// Makes what can be made: all, unless the instructions are forgiving.
    async fn derive(
        &self,
        job: &Job,
        body: &Arc<Body>,
        wanted: &[Wanted<'_>],
        spent: &mut Spent,
    ) -> Result<(Inspected, derive::Made, Vec<LeftOut>), Error> {
        let mut recipe = Arc::clone(&job.instructions.recipe);
        let mut left_out = Vec::new();
        loop {
            let derived = async {
                let readable = Box::pin(self.readable(&recipe, body, Extent::Renditions, spent));
                let (readable, begun) = readable.await?;
                let (header, outlet) = (begun.header.clone(), self.outlet(job, wanted));
                Ok((header, self.stages.deriver.derive(readable, begun, Some(outlet)).await?))
            };
            let error: Error = match derived.await {
                Ok((header, made)) => return Ok((header, made, left_out)),
                Err(error) => error,
            };
            let label = error.unmakable().filter(|_| job.instructions.forgiving).map(str::to_owned);
            match label.and_then(|label| Some((recipe.without(&label)?, label))) {
                Some((rest, label)) => {
                    recipe = Arc::new(rest);
                    left_out.push(self.left_out(&label, error));
                }
                None => return Err(error),
            }
        }
    }

    fn left_out(&self, label: &str, error: Error) -> LeftOut {
        tracing::error!(label, stage = %error.stage(), kind = %error.kind(), "left out: {}", error.chain());
        (label.to_owned(), Arc::new(error))
    }

    /// The image as the engine can read it, with its header read: the body itself, or what a delegate makes of it.
    async fn readable(
        &self,
        recipe: &Arc<Recipe>,
        body: &Arc<Body>,
        extent: Extent,
        spent: &mut Spent,
    ) -> Result<(Arc<Body>, Begun), Error> {
        let Stages { deriver, delegates, .. } = &self.stages;
        let begin = async |body: Arc<Body>| match extent {
            Extent::Header => deriver.inspect(body, recipe).await,
            Extent::Renditions => deriver.begin(body, recipe).await,
        };
        let (coder, refused) = match Coder::of(body) {
            Some(coder) => (coder, delegate::refusal(coder)),
            None => match (begin(Arc::clone(body)).await, Coder::instead_of_us(body)) {
                // A kind of its format that is not decoded here may be one that is elsewhere.
                (Err(error), Some(coder)) if error.kind() == Kind::UnsupportedFormat => (coder, error),
                (begun, _) => return Ok((Arc::clone(body), begun?)),
            },
        };
        let Some(delegates) = delegates else { return Err(refused) };
        let (memory, reserved) = deriver.reserve(Delegates::MEMORY).await?;
        let started = Instant::now();
        let converted = Arc::new(Box::pin(delegates.convert(Arc::clone(body), coder, memory)).await?);
        drop(reserved);
        spent.timings.derive += started.elapsed();
        tracing::info!(
            coder = coder.name(),
            bytes = converted.len(),
            ms = ms(started.elapsed()),
            "read by a delegate"
        );
        let begun = begin(Arc::clone(&converted)).await?;
        Ok((converted, begun))
    }

    /// The renditions, where the store has each of them under its hash, whole: another run made them from
    /// the same bytes at another URL. No pointer says so, hence they are read.
    async fn made_before(
        &self,
        job: &Job,
        wanted: &[Wanted<'_>],
        spent: &mut Spent,
    ) -> Result<Option<Vec<StoredRendition>>, Error> {
        let Stages { store, freshness, deriver, .. } = &self.stages;
        if job.instructions.naming.placement() != Placement::Immutable || *freshness == Freshness::Refresh {
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
        let MadeRendition { width, height, format, content } = rendition;
        let as_what = described(wanted.derivative, (width, height), job.columns.as_deref());
        let content = match content {
            Content::Upload(upload) if !upload.goes_somewhere() => {
                Content::Bytes(readable_bytes(&upload)?.unwrap_or_default())
            }
            content => content,
        };
        let bytes = match &content {
            Content::Bytes(bytes) => Some(bytes.clone()),
            Content::Upload(_) if self.stages.keeper.is_none() => None,
            Content::Upload(upload) => readable_bytes(upload)?,
        };
        let kept = match (&self.stages.keeper, bytes) {
            (Some(keeper), Some(bytes)) => keeper.rendition(bytes, format.extension()).await,
            _ => None,
        };
        let length = match content {
            Content::Bytes(bytes) => self.put_object(job, wanted, bytes, &as_what).await?,
            Content::Upload(upload) => self.put_upload(job, wanted, upload).await?,
        };
        tracing::info!(label = wanted.derivative.label, key = wanted.key, bytes = length, "stored");
        let known = KnownRendition { hash: wanted.hash.clone(), bytes: length, width, height };
        Ok(StoredRendition { kept, ..self.stored(wanted, &known) })
    }

    /// Where large renditions go while they are made: to their keys. What accepts sources that break off learns only by
    /// making them what their renditions are called; those lie in a file until then, and so do those that may only be
    /// put over a certain object, since stores take no parts on a condition.
    fn outlet(&self, job: &Job, wanted: &[Wanted<'_>]) -> Outlet {
        let keys: HashMap<String, (String, Derivative)> = wanted
            .iter()
            .map(|wanted| {
                let Wanted { derivative, key, .. } = wanted;
                (derivative.label.clone(), (key.clone(), (*derivative).clone()))
            })
            .collect();
        let Stages { store, keeper, spool_dir, deriver, .. } = &self.stages;
        let (store, spool_dir, is_kept) = (store.clone(), spool_dir.clone(), keeper.is_some());
        let (accepts_truncated, naming) = (deriver.accepts_truncated(), Arc::clone(&job.instructions.naming));
        let columns = job.columns.clone();
        let runtime = tokio::runtime::Handle::current();
        let scratch = spool_dir.clone();
        let open = move |coming: &Coming| {
            let Some((key, derivative)) = keys.get(&coming.label) else { return Ok(None) };
            if accepts_truncated || naming.over(key).is_some() {
                return Upload::nowhere(&spool_dir).map(Some);
            }
            let as_what = described(derivative, (coming.width, coming.height), columns.as_deref());
            let copy = is_kept.then_some(spool_dir.as_path());
            store.begin(key, &as_what, coming.most, copy, &runtime).map(Some)
        };
        Outlet { open: Arc::new(open), scratch }
    }

    /// Finishes an upload, or finds the object there; answers its length.
    async fn put_upload(&self, job: &Job, wanted: &Wanted<'_>, upload: Upload) -> Result<u64, Error> {
        let Stages { store, freshness, deriver, .. } = &self.stages;
        let length = upload.length();
        let onto = match (job.instructions.naming.placement(), freshness) {
            (Placement::Claimed, _) => {
                let owner = owner(job, wanted);
                let claim = store.claim(&wanted.key, &owner).await?;
                return store.finish_claimed(&wanted.key, &owner, claim, upload).await.map(|_| length);
            }
            (Placement::Replaced, _) | (_, Freshness::Refresh) => Onto::Anything,
            (Placement::Immutable, _) => match store.find(&wanted.key).await? {
                None => Onto::Nothing,
                Some(found) if found.length == length => return Ok(length),
                Some(found) => {
                    if deriver.whole(store.read(&wanted.key).await?).await.is_some() {
                        return Ok(found.length);
                    }
                    tracing::warn!(key = wanted.key, "the stored rendition is damaged; replacing it");
                    Onto::Anything
                }
            },
        };
        // Who was faster made the same of the same.
        upload.finish(onto).await.map(|_| length)
    }

    /// Puts the bytes, or finds them put; answers the length of the object that is there.
    async fn put_object(
        &self,
        job: &Job,
        wanted: &Wanted<'_>,
        bytes: Bytes,
        as_what: &Description,
    ) -> Result<u64, Error> {
        let Stages { store, freshness, deriver, .. } = &self.stages;
        let length = bytes.len() as u64;
        match (job.instructions.naming.placement(), freshness) {
            (Placement::Claimed, _) => {
                let owner = owner(job, wanted);
                let claim = store.claim(&wanted.key, &owner).await?;
                match job.instructions.naming.over(&wanted.key) {
                    Some(over) if claim != Claim::Shared => {
                        store.put_over(&wanted.key, &owner, over, bytes, as_what).await?;
                    }
                    _ => drop(store.put_claimed(&wanted.key, &owner, claim, bytes, as_what).await?),
                }
                return Ok(length);
            }
            (Placement::Replaced, _) | (_, Freshness::Refresh) => {
                return store.replace(&wanted.key, bytes, as_what, None).await.map(|()| length);
            }
            (Placement::Immutable, _) => {}
        }
        match store.create(&wanted.key, bytes.clone(), as_what).await? {
            Put::Created | Put::Present => Ok(length),
            // Sizes made together share a decode, so another recipe's bytes may differ and be as good.
            // Objects under a hash do not change, unless this one is damaged.
            Put::Different { length: theirs } => {
                let found = store.find(&wanted.key).await?;
                if deriver.whole(store.read(&wanted.key).await?).await.is_some() {
                    return Ok(theirs);
                }
                tracing::warn!(key = wanted.key, "the stored rendition is damaged; replacing it");
                store.replace(&wanted.key, bytes, as_what, found.as_ref()).await.map(|()| length)
            }
        }
    }
}

/// Whose a key is to be that was claimed for this rendition.
fn owner(job: &Job, wanted: &Wanted<'_>) -> Owner {
    Owner { url_hash: text_hash(&job.instructions.naming.owner(&job.url)), hash: wanted.hash.clone() }
}

/// What is said of a rendition of this size: its type; the columns of its row that are chosen for that; of a pyramid also
/// what an image server would else have to open it for.
fn described(derivative: &Derivative, (width, height): (u32, u32), columns: Option<&Columns>) -> Description {
    let mut described = Description::from(derivative.request.format.media_type());
    if let Some(columns) = columns {
        described.metadata = columns.metadata().map(|(name, value)| (name.into(), value)).collect();
    }
    if let Some(shape) = PyramidShape::of(derivative, (width, height)) {
        let numbers = [
            ("width", u64::from(width)),
            ("height", u64::from(height)),
            ("pages", shape.pages as u64),
            ("levels", shape.levels as u64),
            ("tilesize", shape.tile.into()),
        ];
        // Last, because image servers go by them.
        described.metadata.extend(numbers.map(|(name, number)| (name.into(), number.to_string())));
    }
    described
}

fn readable_bytes(upload: &Upload) -> Result<Option<Bytes>, Error> {
    upload.bytes().map_err(|error| {
        Error::new(Stage::Store, Kind::Io, "a rendition could not be read back").caused_by(error)
    })
}
