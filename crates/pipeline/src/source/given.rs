//! A source whose images are known from the start: a few, as an event names them.

use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, stream};

use super::Source;
use crate::error::Error;
use crate::job::{Delivery, Instructions, Job, Settlement};

/// The source.
#[derive(Debug)]
pub struct Given {
    jobs: Mutex<Vec<Job>>,
}

impl Given {
    /// Images for the same instructions, numbered from 1.
    pub fn new(urls: impl IntoIterator<Item = Arc<str>>, instructions: &Arc<Instructions>) -> Given {
        let jobs = (1..).zip(urls).map(|(row, url)| Job {
            row,
            url,
            instructions: Arc::clone(instructions),
            columns: None,
        });
        Given { jobs: Mutex::new(jobs.collect()) }
    }
}

impl Source for Given {
    type Receipt = ();

    fn deliveries(&self) -> impl Stream<Item = Result<Delivery<()>, Error>> + Send {
        let jobs = std::mem::take(&mut *self.jobs.lock().unwrap_or_else(PoisonError::into_inner));
        stream::iter(jobs.into_iter().map(|job| Ok(Delivery { jobs: vec![job], receipt: () })))
    }

    async fn settle(&self, (): (), _: Settlement) -> Result<(), Error> {
        Ok(())
    }
}
