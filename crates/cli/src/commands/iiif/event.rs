//! `iiif-process -mode lambda`: the URIs are keys of objects that events of S3 tell of.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use imgmill_pipeline::report::Reporter;
use imgmill_pipeline::{End, Error, Kind, Stage};
use imgmill_systems::fleet::event::uris_of;
use imgmill_systems::fleet::uris::is_image_name;
use imgmill_systems::lambda::Deadline;
use imgmill_systems::process::{Finished, Printer, Process, Uris};
use serde_json::{Value, json};

use super::process::{flags, settings};
use super::setup::{self, Setup};
use crate::goflags::{Parsed, Stop};

/// What is done with each event.
pub struct Processor {
    setup: Setup,
    parsed: Parsed,
}

impl Processor {
    /// As these flags of `iiif-process` say.
    pub fn of(words: Vec<String>) -> Result<Processor, String> {
        let parsed = setup::read(&flags(), words).map_err(|stop| match stop {
            Stop::Help => "-help is no flag of a function".to_owned(),
            Stop::Wrong(why) => why,
        })?;
        Ok(Processor { setup: Setup::of(&parsed)?, parsed })
    }

    /// Processes the images that an event tells of; answers with the report of each URI.
    ///
    /// # Errors
    /// When a URI failed, or time was over before all were done: Lambda tries again then.
    pub async fn process(self, event: &Value, deadline: &Deadline) -> Result<Value, Error> {
        let (uris, skipped): (Vec<String>, Vec<String>) =
            uris_of(event)?.into_iter().partition(|uri| is_image_name(uri));
        if uris.is_empty() {
            return Ok(json!({ "reports": {}, "skipped": skipped }));
        }
        let (all, reports) = (uris.len(), Reports::default());
        let printer = Printer::new(Some(Box::new(reports.clone())));
        let settings = settings(&self.setup, &self.parsed, Uris::All(uris), printer).await;
        let mut settings = settings.map_err(|why| Error::new(Stage::Source, Kind::BadRequest, why))?;
        settings.limits.grace = deadline.grace;
        let nobody = Box::new(Vec::<Box<dyn Reporter>>::new());
        let stop = deadline.token();
        let finished = Process::prepare(settings).await?.run(nobody, stop.clone()).await;
        stop.cancel();
        let Finished { end, failed, .. } = finished?;
        match end {
            End::SourceFailed(error) => Err(error),
            End::FailedTooOften(why) => Err(unfinished(format!("stopped: {why}"))),
            End::Interrupted => Err(unfinished("the function's time was over; raise its timeout".to_owned())),
            End::Exhausted if failed > 0 => {
                Err(unfinished(format!("{failed} of {all} URIs failed: {}", reports.read()?)))
            }
            End::Exhausted => Ok(json!({ "reports": reports.read()?, "skipped": skipped })),
        }
    }
}

fn unfinished(message: String) -> Error {
    Error::new(Stage::Derive, Kind::Io, message).transient(true)
}

/// What would be printed.
#[derive(Clone, Default)]
struct Reports(Arc<Mutex<Vec<u8>>>);

impl Reports {
    fn read(&self) -> Result<Value, Error> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = serde_json::from_slice(&bytes);
        read.map_err(|error| {
            Error::new(Stage::Report, Kind::Internal, "reports are no JSON").caused_by(error)
        })
    }
}

impl Write for Reports {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
