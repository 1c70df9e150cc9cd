//! From a record that waits to work: claim its key, read it, look what it asks for.

use std::sync::Arc;

use imgmill_pipeline::objects::{Expected, failure};
use imgmill_pipeline::{Error, Instructions, Kind, Stage};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;

use super::waitlist::Waitlist;
use crate::bucket::claims::Held;
use crate::bucket::keys;
use crate::bucket::ledger::{Waiting, name_of};
use crate::bucket::record::{Attempts, Record};

/// A record that is worked on, and all that is to be done when its image is made.
#[derive(Debug)]
pub(super) struct InWork {
    pub held: Held,
    pub record: Record,
    pub claimed: Claimed,
    pub url: Arc<str>,
    pub instructions: Arc<Instructions>,
    /// Where a PDF is copied to, and what was there before.
    pub document: Option<(String, Expected)>,
}

/// A key that is claimed, and its records.
#[derive(Debug)]
pub(super) struct Claimed {
    pub name: String,
    pub waiting: Waiting,
    /// The path of its newest record.
    pub newest: Path,
    /// How often that failed.
    pub attempts: u32,
}

impl InWork {
    pub fn newest(&self) -> &Path {
        &self.claimed.newest
    }
}

/// What is to be done, but for who does it.
struct Task {
    record: Record,
    claimed: Claimed,
    url: Arc<str>,
    instructions: Arc<Instructions>,
    document: Option<(String, Expected)>,
}

impl Waitlist {
    /// Claims a record's key and looks at what it asks for; nothing where there is no work in it for this drainer.
    pub async fn take(&self, waiting: Waiting) -> Result<Option<InWork>, Error> {
        let Some(newest) = waiting.newest().map(|newest| newest.path.clone()) else { return Ok(None) };
        let name = match &waiting.name {
            Some(name) => name.clone(),
            // Of a record that another program wrote, only reading tells the key.
            None => match self.ledger.read::<Record>(&newest).await? {
                None => return Ok(None),
                Some((record, _)) => {
                    name_of(&record.map_or_else(|_| newest.to_string(), |record| record.key))
                }
            },
        };
        let Some(held) = self.claims.take(&name).await? else {
            tracing::debug!(record = %newest, "another drainer works on it");
            self.tally.add(|counts| counts.elsewhere += 1);
            return Ok(None);
        };
        let claimed = Claimed { name, waiting, newest, attempts: 0 };
        match self.task(&held, claimed).await {
            Ok(Some(Task { record, claimed, url, instructions, document })) => {
                Ok(Some(InWork { held, record, claimed, url, instructions, document }))
            }
            Ok(None) => held.release().await.map(|()| None),
            Err(error) => held.release().await.and(Err(error)),
        }
    }

    /// What a claimed key's newest record asks for. One that asks for what cannot be is failed here.
    async fn task(&self, held: &Held, mut claimed: Claimed) -> Result<Option<Task>, Error> {
        let mut record = match self.ledger.read::<Record>(&claimed.newest).await? {
            // Who had the claim before made it.
            None => return Ok(None),
            Some((Ok(record), _)) => record,
            Some((Err(error), _)) => {
                let message = format!("the record {} cannot be read: {error}", claimed.newest);
                let error = Error::new(Stage::Source, Kind::Corrupt, message);
                self.failed_before_work(&claimed, None, &error).await?;
                return Ok(None);
            }
        };
        claimed.attempts = self.attempts(&claimed.waiting).await?;
        let url = match self.url_of(&record) {
            Ok(url) => url.into(),
            Err(error) => {
                self.failed_before_work(&claimed, Some(&record), &error).await?;
                return Ok(None);
            }
        };
        if record.bucket.is_some() && record.source_uri.is_none() && self.is_gone(&record.key).await? {
            tracing::warn!(key = record.key, "the source is gone, removed or renamed; so is its record now");
            self.ledger.done(&claimed.name, &claimed.waiting).await?;
            self.tally.add(|counts| counts.gone += 1);
            return Ok(None);
        }
        if record.copyright_status.is_none() {
            record.copyright_status = self.ledger.rights(&claimed.name).await?;
        }
        let pyramid = keys::pyramid(&record.key);
        let over = self.images.seen(&pyramid).await?;
        if over != Expected::Nothing {
            self.take_over_from_a_source_that_is_gone(&record.key, &pyramid).await?;
        }
        let document = match keys::is_pdf(&record.key) {
            true => Some((record.key.clone(), self.images.seen(&record.key).await?)),
            false => None,
        };
        let instructions = self.recipes.instructions(&record, over, held.turn());
        Ok(Some(Task { record, claimed, url, instructions: Arc::new(instructions), document }))
    }

    /// A source that was replaced by one of another format leaves its pyramid behind, and with it the claim on that name.
    async fn take_over_from_a_source_that_is_gone(&self, key: &str, pyramid: &str) -> Result<(), Error> {
        let others: Vec<_> = keys::of_one_pyramid(key).filter(|other| other != key).collect();
        let owner = self.images.owner_among(pyramid, others.iter().map(String::as_str)).await?;
        if let Some(owner) = owner
            && self.is_gone(owner).await?
        {
            tracing::warn!(key, "{owner} is gone, and its pyramid {pyramid} is replaced");
            if let Err(error) = self.images.disown(pyramid, owner).await {
                tracing::warn!(key, "{}", error.chain());
            }
        }
        Ok(())
    }

    async fn attempts(&self, waiting: &Waiting) -> Result<u32, Error> {
        let Some(note) = waiting.note().filter(|_| waiting.may_have_failed()) else { return Ok(0) };
        Ok(match self.ledger.read::<Attempts>(&note).await? {
            Some((Ok(noted), _)) => noted.attempts,
            _ => 0,
        })
    }

    /// Where a record's image is.
    fn url_of(&self, record: &Record) -> Result<String, Error> {
        keys::check(&record.key)?;
        let invalid = |why: String| Error::new(Stage::Source, Kind::InvalidUrl, why);
        if let Some(uri) = &record.source_uri {
            return match uri.split_once("://") {
                Some(("http" | "https", _)) => Ok(uri.clone()),
                _ => Err(invalid(format!("sourceUri {uri:?}: only http and https are read"))),
            };
        }
        match (&record.bucket, &self.sources_name) {
            (Some(told), Some(ours)) if told != ours => Err(invalid(format!(
                "the record is of the bucket {told}, and RBSC_BUCKET is {ours}; drain it with that one"
            ))),
            _ => Ok(keys::url(&self.sources_url, &record.key)),
        }
    }

    /// Whether there is no such source, which a store knows for sure.
    async fn is_gone(&self, key: &str) -> Result<bool, Error> {
        let Ok(path) = Path::parse(key) else { return Ok(false) };
        match self.sources.store.head(&path).await {
            Ok(_) => Ok(false),
            Err(object_store::Error::NotFound { .. }) => Ok(true),
            // Fetching says what is wrong, and counts it.
            Err(error) => {
                let error = failure(Stage::Fetch, &format!("looking for {key}"), error);
                tracing::debug!("{}", error.chain());
                Ok(false)
            }
        }
    }
}
