//! The function: settings from the environment, once; then an answer for each event.

use std::io::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use clap::Parser as _;
use imgmill_aws::lambda::{self, Failed, Invocation};
use imgmill_pipeline::{Error, Kind, Stage};
use imgmill_systems::batch;
use imgmill_systems::bucket::ledger::Ledger;
use imgmill_systems::bucket::note::Recorder;
use imgmill_systems::fleet::report::TaskReport;
use imgmill_systems::lambda::{Deadline, Handler, derive, map, record, s3_batch, worker};
use imgmill_systems::worker as queue_worker;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::args::{Arguments, BucketCommand, Command, LogArguments, LogFormat, LogLevel, RecordArguments};
use crate::commands::iiif::Processor;
use crate::commands::run::{complain, on_runtime};
use crate::exit::Exit;
use crate::logging;
use crate::settings::{self, Environment, bucket};

/// What a `worker` that is not told of its queue is checked with, until the first event names it.
const ANY_QUEUE: &str = "https://sqs.us-east-1.amazonaws.com/000000000000/any";

pub fn run(named: Option<(Handler, Vec<String>)>) -> Exit {
    let environment = Environment::of_process();
    match logs(&environment) {
        Ok(logs) => logging::start(&logs, &ProgressBar::hidden()),
        Err(message) => return complain(&message, Exit::Usage),
    }
    if !lambda::is_here() {
        return complain(
            "this is no function of Lambda: AWS_LAMBDA_RUNTIME_API is not set; try `cargo lambda watch`",
            Exit::Usage,
        );
    }
    let function = match Function::of(&environment, named) {
        Ok(function) => function,
        Err(message) => return complain(&message, Exit::Usage),
    };
    tracing::info!(handler = ?function.handler, "waiting for events");
    on_runtime(async {
        match lambda::serve(Arc::new(function)).await {
            Ok(()) => Exit::Done,
            Err(message) => complain(&message, Exit::Fatal),
        }
    })
}

/// As the function's own settings for logs say.
fn logs(environment: &Environment) -> Result<LogArguments, String> {
    let level = environment.get("AWS_LAMBDA_LOG_LEVEL").map(|level| match level.to_uppercase().as_str() {
        "TRACE" => LogLevel::Trace,
        "DEBUG" => LogLevel::Debug,
        "WARN" => LogLevel::Warn,
        "ERROR" | "FATAL" => LogLevel::Error,
        _ => LogLevel::Info,
    });
    let is_json = environment.get("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format == "JSON");
    Ok(LogArguments {
        log_level: settings::log_level(level, environment)?,
        log_format: if is_json { LogFormat::Json } else { LogFormat::Text },
        quiet: false,
    })
}

/// What is done with events.
struct Function {
    handler: Handler,
    words: Vec<String>,
    recorder: OnceCell<Recorder>,
    #[cfg(feature = "fleet")]
    launcher: Option<crate::commands::ecs::Launcher>,
}

impl Function {
    /// What the environment means. What is wrong with it is said now, not with the first event.
    fn of(environment: &Environment, named: Option<(Handler, Vec<String>)>) -> Result<Function, String> {
        let (handler, words) = match named {
            Some(named) => named,
            None => (handler(environment)?, words(environment)?),
        };
        #[cfg(feature = "fleet")]
        let launcher = match handler {
            Handler::Ecs => Some(crate::commands::ecs::Launcher::of(words.clone())?),
            _ => None,
        };
        let function = Function {
            handler,
            words,
            recorder: OnceCell::new(),
            #[cfg(feature = "fleet")]
            launcher,
        };
        match handler {
            Handler::Record => drop(function.record_settings()?),
            Handler::Worker => drop(function.worker_settings(None)?),
            Handler::Process => drop(Processor::of(function.words.clone())?),
            Handler::Derive | Handler::Map | Handler::Batch => drop(function.run_settings(&[])?),
            #[cfg(not(feature = "fleet"))]
            Handler::Ecs => {
                return Err(
                    "this build cannot start tasks of ECS; build it with: make build FEATURES=lambda,fleet"
                        .to_owned(),
                );
            }
            _ => {}
        }
        Ok(function)
    }

    /// `imgmill run`'s settings, with what is different in a function: no lists, no copies, the memory it has, and images of
    /// strangers.
    fn run_settings(&self, more: &[String]) -> Result<batch::Settings, String> {
        let environment = Environment::of_process();
        let words: Vec<String> = self.words.iter().chain(more).cloned().collect();
        let has = |flag: &str| has(&words, flag);
        must_have_store(&words, &environment)?;
        let mut typed = ["imgmill", "run", "--input", "-", "--output", "-"].map(str::to_owned).to_vec();
        let mut add = |flag: &str, value: Option<String>| {
            if !has(flag) {
                typed.push(flag.to_owned());
                typed.extend(value);
            }
        };
        add("--discard", None);
        add("--isolate", Some("process".to_owned()));
        if let Some(memory) = memory(&environment) {
            add("--memory", Some(memory));
        }
        typed.extend(words);
        match parsed(typed)? {
            Command::Run(run) => settings::batch(&run, &environment),
            _ => Err("IMGMILL_ARGUMENTS are not those of run".to_owned()),
        }
    }

    fn worker_settings(&self, queue_url: Option<String>) -> Result<queue_worker::Settings, String> {
        let environment = Environment::of_process();
        must_have_store(&self.words, &environment)?;
        let mut typed = ["imgmill", "worker"].map(str::to_owned).to_vec();
        if environment.get("QUEUE_URL").is_none() {
            typed.extend(["--queue-url".to_owned(), queue_url.unwrap_or_else(|| ANY_QUEUE.to_owned())]);
        }
        if let Some(memory) = memory(&environment) {
            typed.extend(["--memory".to_owned(), memory]);
        }
        // Of a worker's arguments the last one counts.
        typed.extend(self.words.iter().cloned());
        match parsed(typed)? {
            Command::Worker(worker) => settings::worker(&worker, &environment),
            _ => Err("IMGMILL_ARGUMENTS are not those of worker".to_owned()),
        }
    }

    fn record_settings(&self) -> Result<(RecordArguments, bucket::Record), String> {
        let mut typed = ["imgmill", "bucket", "record"].map(str::to_owned).to_vec();
        typed.extend(self.words.iter().cloned());
        typed.push("-".to_owned());
        match parsed(typed)? {
            Command::Bucket { command: BucketCommand::Record(arguments) } => {
                let meant = bucket::record(&arguments, &Environment::of_process())?;
                Ok((arguments, meant))
            }
            _ => Err("IMGMILL_ARGUMENTS are not those of bucket record".to_owned()),
        }
    }

    async fn recorder(&self) -> Result<&Recorder, Error> {
        let open = || async {
            let (arguments, meant) = self.record_settings().map_err(unusable)?;
            let objects = bucket::objects(&Environment::of_process());
            let ledger = Ledger::open(&meant.records, &objects).await?;
            Ok(Recorder::new(ledger, meant.bucket, arguments.copyright_status))
        };
        self.recorder.get_or_try_init(open).await
    }

    async fn answer(&self, event: &Value, deadline: &Deadline) -> Result<Value, Error> {
        match self.handler {
            Handler::Record => record::record(self.recorder().await?, event).await,
            Handler::Worker => {
                let endpoint =
                    std::env::var("AWS_ENDPOINT_URL_SQS").or_else(|_| std::env::var("AWS_ENDPOINT_URL"));
                let url = worker::queue_url(event, endpoint.ok().as_deref());
                worker::work(self.worker_settings(url).map_err(unusable)?, event, deadline).await
            }
            Handler::Derive => {
                derive::derive(&self.run_settings(&[]).map_err(unusable)?, event, deadline).await
            }
            Handler::Map => {
                let settings = self.run_settings(&map::arguments(event)?).map_err(unusable)?;
                map::map(&settings, event, deadline).await
            }
            Handler::Batch => {
                s3_batch::s3_batch(&self.run_settings(&[]).map_err(unusable)?, event, deadline).await
            }
            Handler::Report => report(event).await,
            Handler::Process => {
                Processor::of(self.words.clone()).map_err(unusable)?.process(event, deadline).await
            }
            #[cfg(feature = "fleet")]
            Handler::Ecs => match &self.launcher {
                Some(launcher) => launcher.launch_for(event).await,
                None => Err(unusable("tasks of ECS are not set up".to_owned())),
            },
            #[cfg(not(feature = "fleet"))]
            Handler::Ecs => Err(unusable("this build cannot start tasks of ECS".to_owned())),
        }
    }
}

/// What the environment says is done with events.
fn handler(environment: &Environment) -> Result<Handler, String> {
    match environment.get("IMGMILL_HANDLER") {
        Some(name) => name.parse(),
        None if environment.get("IIIF_PROCESS_MODE").is_some_and(|mode| mode == "lambda") => Ok(Handler::Ecs),
        None => Err("IMGMILL_HANDLER is not set; it says what is done with events".to_owned()),
    }
}

/// The words that would be typed.
fn words(environment: &Environment) -> Result<Vec<String>, String> {
    let text = environment.get("IMGMILL_ARGUMENTS").unwrap_or_default();
    shlex::split(&text).ok_or_else(|| format!("IMGMILL_ARGUMENTS, {text}: a quotation does not end"))
}

#[async_trait]
impl lambda::Handler for Function {
    async fn handle(&self, event: Value, invocation: Invocation) -> Result<Value, Failed> {
        let deadline = Deadline::at(invocation.deadline);
        self.answer(&event, &deadline).await.map_err(|error| {
            tracing::error!(invocation = invocation.id, stage = %error.stage(), kind = %error.kind(), "{}", error.chain());
            let kind = match (self.handler, error.is_transient()) {
                (Handler::Map, true) => map::UNFINISHED,
                (_, true) => "TransientFailure",
                (_, false) => "PermanentFailure",
            };
            Failed { kind: kind.to_owned(), error }
        })
    }
}

/// What became of a task, into the log and, where that is set up, a bucket.
async fn report(event: &Value) -> Result<Value, Error> {
    let container = std::env::var("IIIF_PROCESS_CONTAINER").ok();
    let report = TaskReport::of(event, container.as_deref())?;
    let text = json!(report).to_string();
    // The log is what standard output is here; nobody reading it is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{text}");
    let store = Environment::of_process().get("IMGMILL_REPORT_STORE");
    if let Some(store) = store {
        let objects = bucket::objects(&Environment::of_process());
        report.keep(&store, &objects).await?;
    }
    Ok(json!(report))
}

fn has(words: &[String], flag: &str) -> bool {
    let is =
        |word: &String| word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
    words.iter().any(is)
}

/// A folder of the function's own is read-only, or gone with it.
fn must_have_store(words: &[String], environment: &Environment) -> Result<(), String> {
    if has(words, "--store") || environment.get("S3_BUCKET").is_some() {
        return Ok(());
    }
    Err("nothing says where derivatives are stored; set S3_BUCKET, or --store in IMGMILL_ARGUMENTS"
        .to_owned())
}

/// Three quarters of the function's memory; the rest is the system's own.
fn memory(environment: &Environment) -> Option<String> {
    let mebibytes: u64 = environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")?.trim().parse().ok()?;
    // An emulator's guess may be less than anything can be made in.
    Some(format!("{}MiB", (mebibytes * 3 / 4).max(128)))
}

fn parsed(typed: Vec<String>) -> Result<Command, String> {
    match Arguments::try_parse_from(typed) {
        Ok(arguments) => Ok(arguments.command),
        Err(error) => {
            let text = error.to_string();
            Err(format!("IMGMILL_ARGUMENTS: {}", text.lines().next().unwrap_or_default()))
        }
    }
}

fn unusable(message: String) -> Error {
    Error::new(Stage::Source, Kind::BadRequest, message)
}
