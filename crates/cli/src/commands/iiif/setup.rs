//! What go-iiif's tools have in common: the flags that say where the config is and what bounds a run, and the run itself.

use std::path::Path;
use std::process;

use imgmill_pipeline::objects::ObjectOptions;
use imgmill_pipeline::store::{PutSettings, Store};
use imgmill_pipeline::{End, Error, Limits, Stage};
use imgmill_systems::process::config::{self, Config, Overrides};
use imgmill_systems::process::place::Place;
use imgmill_systems::process::{Finished, Process, SOURCES, Settings};

use super::super::tile::{complain, say};
use crate::args::{LogArguments, SharedArguments};
use crate::exit::Exit;
use crate::goflags::{self, Flag, Kind, Parsed, Stop};
use crate::progress::{self, BarReporter};
use crate::settings::{self, Environment};
use crate::{logging, signals};

/// What stands for a built-in file.
const DEFAULTS: &str = "defaults://";

pub const fn text(name: &'static str, help: &'static str) -> Flag {
    Flag { name, kind: Kind::Text, help }
}

pub const fn switch(name: &'static str, help: &'static str) -> Flag {
    Flag { name, kind: Kind::Switch, help }
}

/// Flags of every tool that reads a config.
const CONFIG: [Flag; 5] = [
    text(
        "config",
        "Path to a go-iiif config file; or env:NAME for one in the environment; or the JSON itself.",
    ),
    text(
        "config-source",
        "A bucket's URI that -config-name is in (file://, s3://, s3blob://, gs://), or defaults://.",
    ),
    text("config-name", "The name of the config file in -config-source. Default: config.json."),
    text("config-images-source-uri", "Where images are, as a URI; wins over images.source of the config."),
    text(
        "config-derivatives-cache-uri",
        "Where derivatives go, as a URI; wins over derivatives.cache of the config.",
    ),
];

/// Flags that are imgmill's own.
const SHARED: [Flag; 13] = [
    switch("verbose", "Say more."),
    switch("quiet", "Say only what is wrong."),
    text("log-level", "error, warn, info, debug or trace. Default: info."),
    text("log-format", "text or json. Default: text."),
    text(
        "concurrency",
        "Images between the start of their download and the end of their upload. Default: 64.",
    ),
    text("threads", "Images made at once. Default: the number of cores."),
    text("memory", "Memory of the whole program, such as 512MiB. Default: half of what there is."),
    text("max-bytes", "Bytes of one source. Default: 4GiB."),
    text("max-pixels", "Pixels of one source. Default: 1G."),
    text("max-output", "Bytes of all derivatives of one source. Default: 4GiB."),
    text("job-timeout", "Seconds for making what is made of one source. Default: 600."),
    text("isolate", "none, or process: each image in a process that may crash. Default: none."),
    text("retries", "Attempts after the first, for failures that may pass. Default: 3."),
];

/// What this tool allows one image where nobody says otherwise: they are its user's own.
const BOUNDS: [(&str, &str); 4] =
    [("max-bytes", "4GiB"), ("max-pixels", "1G"), ("max-output", "4GiB"), ("job-timeout", "600")];

/// All flags of a tool that has these of its own.
pub fn flags(own: &[Flag]) -> Vec<Flag> {
    [own, &CONFIG, &SHARED].concat()
}

/// Reads a tool's command line. What was not typed is looked for as `IIIF_PROCESS_NAME`, then as `IIIF_NAME`.
pub fn parse(tool: &str, what: &str, flags: &[Flag], words: Vec<String>) -> Result<Parsed, Exit> {
    read(flags, words).map_err(|stop| match stop {
        Stop::Help => {
            say(&goflags::usage(tool, what, flags));
            Exit::Done
        }
        Stop::Wrong(message) => complain(&message, Exit::Usage),
    })
}

/// The same for whoever says himself what is wrong.
pub fn read(flags: &[Flag], words: Vec<String>) -> Result<Parsed, Stop> {
    let environment = |name: &str| {
        let given = |name: String| std::env::var(name).ok().filter(|value| !value.is_empty());
        given(name.replacen("IIIF_", "IIIF_PROCESS_", 1)).or_else(|| given(name.to_owned()))
    };
    goflags::parse(flags, words, "IIIF_", environment)
}

/// What every tool begins with.
pub struct Setup {
    pub objects: ObjectOptions,
    pub limits: Limits,
    shared: SharedArguments,
}

impl Setup {
    /// Understands the shared flags.
    pub fn of(parsed: &Parsed) -> Result<Self, String> {
        let mut words = Vec::new();
        for flag in SHARED {
            let bound = BOUNDS.iter().find(|(name, _)| *name == flag.name).map(|(_, value)| *value);
            match (flag.kind, parsed.text(flag.name).or(bound)) {
                (Kind::Switch, _) if flag.name == "quiet" && parsed.is_on("quiet") => {
                    words.push("--quiet".to_owned())
                }
                (Kind::Text, Some(value)) => words.push(format!("--{}={value}", flag.name)),
                _ => {}
            }
        }
        if parsed.is_on("verbose") && parsed.text("log-level").is_none() {
            words.push("--log-level=debug".to_owned());
        }
        let shared = SharedArguments::of_words(words)?;
        let limits = settings::limits(&shared.limits)?;
        let objects = settings::read_objects(&limits, &Environment::of_process());
        Ok(Setup { objects, limits, shared })
    }

    pub fn logs(&self) -> &LogArguments {
        &self.shared.logs
    }

    /// The config, and a line for each of its warnings.
    pub async fn config(&self, parsed: &Parsed) -> Result<Config, String> {
        let overrides = Overrides {
            source: parsed.text("config-images-source-uri").map(str::to_owned),
            derivatives: parsed.text("config-derivatives-cache-uri").map(str::to_owned),
        };
        let named = self.file(parsed, "config", config::DEFAULT).await?;
        // All that a config has to say is where images are.
        let built_in =
            || overrides.source.as_ref().map(|_| (DEFAULTS.to_owned(), config::DEFAULT.to_owned()));
        let (name, text) = named.or_else(built_in).ok_or("no config is named; -config FILE names one")?;
        let config = Config::read(&text, &overrides).map_err(|why| format!("{name}: {why}"))?;
        config.warnings.iter().for_each(|warning| tracing::warn!("{name}: {warning}"));
        Ok(config)
    }

    /// A file's name and text, as `-KIND`, or `-KIND-source` and `-KIND-name` name it.
    pub async fn file(
        &self,
        parsed: &Parsed,
        kind: &str,
        built_in: &str,
    ) -> Result<Option<(String, String)>, String> {
        if let Some(given) = parsed.text(kind) {
            if given.trim_start().starts_with('{') {
                return Ok(Some((format!("-{kind}"), given.to_owned())));
            }
            if let Some(variable) = given.strip_prefix("env:") {
                let text =
                    std::env::var(variable.trim()).map_err(|_| format!("-{kind} {given}: it is not set"))?;
                return Ok(Some((given.to_owned(), text)));
            }
            let text = std::fs::read_to_string(given).map_err(|error| format!("{given}: {error}"))?;
            return Ok(Some((given.to_owned(), text)));
        }
        let Some(source) = parsed.text(&format!("{kind}-source")) else { return Ok(None) };
        if source == DEFAULTS {
            return Ok(Some((DEFAULTS.to_owned(), built_in.to_owned())));
        }
        let default = format!("{kind}.json");
        let name = parsed.text(&format!("{kind}-name")).unwrap_or(&default);
        let text = self.read(source, name).await.map_err(|why| format!("-{kind}-source {source}: {why}"))?;
        Ok(Some((name.to_owned(), text)))
    }

    /// A text in a bucket, or in a folder.
    pub async fn read(&self, source: &str, name: &str) -> Result<String, String> {
        let place = if source.contains("://") {
            Place::of_uri(source)?
        } else {
            let path = Path::new(source).join(name);
            return std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()));
        };
        let Place::Bucket(bucket) = place else { return Err("nothing can be read from there".to_owned()) };
        let region = bucket.region.clone().or_else(|| self.objects.region.clone());
        let (credentials, objects) = (bucket.credentials, self.objects.clone());
        let options = ObjectOptions { region, credentials, read_only: true, ..objects };
        let store = Store::open(&bucket.url, &options, PutSettings::default()).await;
        let read = async { store?.read(name).await };
        let bytes = read.await.map_err(|error| error.chain())?;
        String::from_utf8(bytes.to_vec()).map_err(|_| format!("{name} is no UTF-8"))
    }

    /// Where images are made.
    pub fn isolation(&self) -> Result<imgmill_pipeline::derive::Isolation, String> {
        settings::isolation(&self.shared.limits, SOURCES)
    }
}

/// Runs what a tool does, and ends the program.
pub fn block_on(work: impl Future<Output = Exit>) -> Exit {
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(32).build() {
            Ok(runtime) => runtime,
            Err(error) => return complain(&format!("the runtime could not start: {error}"), Exit::Fatal),
        };
    let exit = runtime.block_on(work);
    // Not waiting for threads that watch a folder or compute what nobody wants any more.
    runtime.shutdown_background();
    process::exit(exit.code().into())
}

/// Works through the URIs, and says how that ended.
pub async fn process(settings: Settings, logs: &LogArguments) -> Result<Exit, Error> {
    let bar = progress::bar(logs);
    let (shutdown, signal) = match signals::listen() {
        Ok(listening) => listening,
        Err(message) => return Ok(complain(&message, Exit::Fatal)),
    };
    let interrupted = || signal.get().copied().map_or(Exit::Fatal, Exit::Signal);
    let process = tokio::select! {
        prepared = Process::prepare(settings) => prepared?,
        () = shutdown.cancelled() => return Ok(interrupted()),
    };
    progress::begin(&bar, None);
    let finished = process.run(Box::new(BarReporter::new(bar.clone())), shutdown).await;
    bar.finish_and_clear();
    let Finished { end, failed, summary } = finished?;
    tracing::info!(done = summary.done, again = summary.reused, failed, "finished");
    Ok(match end {
        End::SourceFailed(error) => return Err(error),
        End::FailedTooOften(why) => complain(&format!("stopped: {why}"), Exit::Fatal),
        End::Interrupted => interrupted(),
        End::Exhausted if failed > 0 => Exit::SomeFailed,
        End::Exhausted => Exit::Done,
    })
}

/// Sets up logging, and turns what went wrong into an exit.
pub async fn logged(setup: &Setup, work: impl Future<Output = Result<Exit, Wrong>>) -> Exit {
    logging::start(setup.logs(), &progress::bar(setup.logs()));
    match work.await {
        Ok(exit) => exit,
        Err(Wrong::Usage(message)) => complain(&message, Exit::Usage),
        Err(Wrong::Fatal(error)) => {
            let exit = if error.stage() == Stage::Source { Exit::Usage } else { Exit::Fatal };
            complain(&error.chain(), exit)
        }
    }
}

/// Why a tool could not do what it is for.
pub enum Wrong {
    /// What was typed or written in a file.
    Usage(String),
    /// What it met.
    Fatal(Error),
}

impl From<String> for Wrong {
    fn from(message: String) -> Self {
        Wrong::Usage(message)
    }
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Wrong::Fatal(error)
    }
}
