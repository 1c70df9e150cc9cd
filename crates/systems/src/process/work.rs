//! The source of the flow: URIs as deliveries, and the reports that are written when one is through.

use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::stream::{BoxStream, Stream, StreamExt as _};
use imgmill_image::{ColourList, Recipe};
use imgmill_pipeline::job::Instructions;
use imgmill_pipeline::source::Source;
use imgmill_pipeline::store::{Description, Store};
use imgmill_pipeline::{Delivery, Error, Job, Outcome, Settlement};
use serde_json::Value;

use super::instructions::Spelling;
use super::naming::Paths;
use super::place::Place;
use super::report::{self, ReportName};
use super::uri::Uri;
use super::watch::UnderWay;

/// Texts that come in at once: those that name the same image become one delivery, so that it is fetched once.
pub(super) type Texts = BoxStream<'static, Vec<String>>;

/// Where reports go.
#[derive(Debug)]
pub(super) struct Reports {
    pub name: ReportName,
    pub store: Store,
    /// All in one place, and not beside what they report.
    pub apart: bool,
}

/// All URIs of a run.
pub(super) struct Work {
    pub texts: Mutex<Option<Texts>>,
    pub under_way: UnderWay,
    pub source: Place,
    pub recipe: Arc<Recipe>,
    pub spellings: Arc<[Spelling]>,
    pub plain: bool,
    pub lists: Vec<ColourList>,
    pub reports: Option<Reports>,
    pub printer: Mutex<Printer>,
    pub counts: Counts,
}

/// How URIs ended.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub rows: AtomicU64,
    pub failed: AtomicU64,
}

impl Counts {
    fn fail(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
}

impl Work {
    /// Those of some texts that are URIs, by their images; of the others is told.
    fn read(&self, texts: Vec<String>) -> Vec<Vec<Arc<Named>>> {
        let mut by_origin: Vec<Vec<Arc<Named>>> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for text in texts {
            let uri = Uri::read(&text).and_then(|uri| uri.holds(self.spellings.len()).map(|()| uri));
            let uri = match uri {
                Ok(uri) => uri,
                Err(why) => {
                    tracing::error!(uri = text, "this URI cannot be processed: {why}");
                    self.counts.fail();
                    self.print(&text, &report::refused(&text, &why));
                    self.under_way.end(&text);
                    continue;
                }
            };
            let place = *places.entry(uri.origin.clone()).or_insert_with(|| {
                by_origin.push(Vec::new());
                by_origin.len() - 1
            });
            let paths = Arc::new(Paths { uri, spellings: Arc::clone(&self.spellings), plain: self.plain });
            if !by_origin[place].iter().any(|named| named.paths.uri == paths.uri) {
                by_origin[place].push(Arc::new(Named { text, paths }));
            }
        }
        by_origin
    }

    fn delivery(&self, all: Vec<Arc<Named>>) -> Delivery<Vec<Arc<Named>>> {
        let job = |named: &Arc<Named>| {
            let origin = &named.paths.uri.origin;
            let url = self.source.url_of(origin);
            let instructions = Instructions::new(Arc::clone(&self.recipe), named.paths.clone()).forgiving();
            let row = self.counts.rows.fetch_add(1, Ordering::Relaxed) + 1;
            Job { row, url: url.into(), instructions: Arc::new(instructions), columns: None }
        };
        Delivery { jobs: all.iter().map(job).collect(), receipt: all }
    }

    async fn tell_of(&self, named: &Named, outcome: &Outcome) {
        let report = report::report(&named.paths, outcome, &self.lists);
        let left_out = outcome.result.as_ref().map_or(0, |derived| derived.left_out.len());
        let mut failed = outcome.result.is_err() || left_out > 0;
        if let (Some(reports), Ok(_)) = (&self.reports, &outcome.result)
            && let Err(error) = reports.put(&named.paths.uri, &report).await
        {
            tracing::error!(uri = %named.text, "the report could not be stored: {}", error.chain());
            failed = true;
        }
        if failed {
            self.counts.fail();
        }
        self.print(&named.text, &report);
    }

    fn print(&self, text: &str, report: &Value) {
        self.printer.lock().unwrap_or_else(PoisonError::into_inner).entry(text, report);
    }
}

impl Reports {
    async fn put(&self, uri: &Uri, report: &Value) -> Result<(), Error> {
        let name = self.name.of(uri);
        let key = match uri.report_folder().filter(|_| !self.apart) {
            Some(folder) => format!("{folder}/{name}"),
            None => name,
        };
        let text = report.to_string().into_bytes();
        self.store.replace(&key, text.into(), &Description::from("application/json"), None).await
    }
}

/// A URI as it was written, and what it means.
pub(super) struct Named {
    text: String,
    paths: Arc<Paths>,
}

impl Source for Work {
    type Receipt = Vec<Arc<Named>>;

    fn deliveries(&self) -> impl Stream<Item = Result<Delivery<Self::Receipt>, Error>> + Send {
        let texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner).take();
        let texts = texts.unwrap_or_else(|| futures::stream::empty().boxed());
        let deliveries = move |texts: Vec<String>| {
            let read = self.read(texts).into_iter().map(|all| Ok(self.delivery(all)));
            futures::stream::iter(read.collect::<Vec<_>>())
        };
        texts.flat_map(deliveries)
    }

    async fn tell(&self, receipt: &Self::Receipt, outcomes: &[Outcome]) -> Settlement {
        for (named, outcome) in receipt.iter().zip(outcomes) {
            self.tell_of(named, outcome).await;
            self.under_way.end(&named.text);
        }
        Settlement::of(outcomes)
    }

    async fn settle(&self, _: Self::Receipt, _: Settlement) -> Result<(), Error> {
        Ok(())
    }
}

/// Prints one JSON object, an entry for each URI, as they end.
pub struct Printer {
    out: Option<Box<dyn Write + Send>>,
    begun: bool,
}

impl Printer {
    /// One that prints to `out`, or one that does not print.
    pub fn new(out: Option<Box<dyn Write + Send>>) -> Self {
        Printer { out, begun: false }
    }

    // Who stops reading a report did not ask for the work to stop.
    fn entry(&mut self, text: &str, report: &Value) {
        let separator = if self.begun { "," } else { "{" };
        self.begun = true;
        if let Some(out) = &mut self.out {
            let _ = write!(out, "{separator}{}:{report}", Value::from(text));
        }
    }

    pub(super) fn finish(&mut self) {
        let rest = if self.begun { "}\n" } else { "{}\n" };
        if let Some(out) = &mut self.out {
            let _ = out.write_all(rest.as_bytes()).and_then(|()| out.flush());
        }
    }
}
