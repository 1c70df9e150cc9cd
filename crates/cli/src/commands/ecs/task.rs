//! The tool itself: a task started, or a function invoked that starts one; and followed, if that is wanted.

use std::io::Write as _;

use chrono::Utc;
use imgmill_aws::fleet::{Account, AccountSettings, CloudWatchLogs, Ecs, Functions};
use imgmill_pipeline::objects::ObjectOptions;
use imgmill_pipeline::{Error, Kind, Limits, Stage};
use imgmill_systems::fleet::dsn::Dsn;
use imgmill_systems::fleet::event;
use imgmill_systems::fleet::launch::{Patience, launch};
use imgmill_systems::fleet::report::{Ending, TaskReport};
use imgmill_systems::fleet::request::must_be_images;
use imgmill_systems::fleet::wait::{Ended, Follow, Lines, News, Pace};
use imgmill_systems::lambda::Handler;
use indicatif::ProgressBar;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::settings::{FLAGS, Meant, Mode, WHAT, meant};
use crate::args::{LogArguments, LogFormat};
use crate::commands::run::{complain, failed, on_runtime, say};
use crate::exit::Exit;
use crate::goflags::{self, Stop};
use crate::settings::{Environment, read_objects};
use crate::{logging, signals};

pub fn run(words: Vec<String>) -> Exit {
    let meant = match meant(words.clone(), |name| std::env::var(name).ok()) {
        Ok(meant) => meant,
        Err(Stop::Help) => {
            say(&goflags::usage("iiif-process-ecs", WHAT, &FLAGS));
            return Exit::Done;
        }
        Err(Stop::Wrong(why)) => return complain(&why, Exit::Usage),
    };
    if meant.mode == Mode::Lambda {
        return crate::commands::lambda::run(Some((Handler::Ecs, words)));
    }
    // Whoever waits for it would wait in vain.
    if let Err(why) = must_be_images(&meant.uris) {
        return complain(&why, Exit::Usage);
    }
    let logs = LogArguments { log_level: None, log_format: LogFormat::Text, quiet: false };
    logging::start(&logs, &ProgressBar::hidden());
    on_runtime(async {
        let (shutdown, signal) = match signals::listen() {
            Ok(listening) => listening,
            Err(message) => return complain(&message, Exit::Fatal),
        };
        let ended = match meant.mode {
            Mode::Task => task(&meant, &shutdown).await,
            _ => invoke(&meant, &shutdown).await,
        };
        match ended {
            Ok(Some(exit)) => exit,
            // Interrupted; the task was left, or stopped.
            Ok(None) => signal.get().copied().map_or(Exit::Fatal, Exit::Signal),
            Err(error) => failed(&error),
        }
    })
}

pub(super) async fn account(dsn: &Dsn) -> Result<Account, Error> {
    Account::open(&AccountSettings {
        region: dsn.region.clone(),
        credentials: dsn.credentials.clone(),
        endpoint: dsn.endpoint.clone(),
    })
    .await
}

/// How the bucket is reached that long lists go to.
pub(super) fn objects(dsn: &Dsn) -> ObjectOptions {
    let objects = read_objects(&Limits::default(), &Environment::of_process());
    let region = dsn.region.clone().or(objects.region);
    ObjectOptions { region, credentials: dsn.credentials.clone(), ..objects }
}

async fn task(meant: &Meant, shutdown: &CancellationToken) -> Result<Option<Exit>, Error> {
    let account = account(&meant.ecs).await?;
    let ecs = Ecs::of(&account);
    let request = meant.task.request(&meant.uris, &objects(&meant.ecs)).await?;
    let arn = launch(&ecs, &request, Patience::MINUTE, shutdown).await?;
    started(&arn);
    if !meant.wait {
        return Ok(Some(Exit::Done));
    }
    follow(meant, &account, &ecs, meant.task.cluster.clone(), &arn, shutdown).await
}

/// As go-iiif-aws's tool prints it.
fn started(arn: &str) {
    print(&format!("{} {arn}", Utc::now().format("%Y/%m/%d %H:%M:%S")));
}

async fn invoke(meant: &Meant, shutdown: &CancellationToken) -> Result<Option<Exit>, Error> {
    let Some(function) = &meant.function else {
        return Err(Error::new(Stage::Source, Kind::BadRequest, "-lambda-func is missing"));
    };
    let functions = Functions::of(&account(&meant.lambda).await?);
    let called = event::of_uris(meant.uris.iter().map(String::as_str));
    let answer = functions.invoke(function, &meant.invocation, &called).await?;
    if let Some(kind) = answer.failed {
        let said =
            answer.said["errorMessage"].as_str().map_or_else(|| answer.said.to_string(), str::to_owned);
        let message = format!("{function} failed ({kind}): {said}");
        return Err(Error::new(Stage::Fetch, Kind::Io, message));
    }
    print(&match &answer.said {
        Value::String(text) if text.is_empty() => format!("{function} was invoked: {}", answer.status),
        said => said.to_string(),
    });
    if !meant.wait {
        return Ok(Some(Exit::Done));
    }
    let arns: Vec<&str> =
        answer.said["tasks"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if arns.is_empty() {
        say("there is no task to wait for in the function's answer");
        return Ok(Some(Exit::Done));
    }
    let account = account(&meant.ecs).await?;
    let ecs = Ecs::of(&account);
    let mut exit = Exit::Done;
    for arn in arns {
        // arn:aws:ecs:REGION:ACCOUNT:task/CLUSTER/ID
        let mut parts = arn.rsplit('/').skip(1);
        let cluster = parts.next().filter(|_| parts.next().is_some()).map(str::to_owned);
        let cluster = meant.task.cluster.clone().or(cluster);
        match follow(meant, &account, &ecs, cluster, arn, shutdown).await? {
            None => return Ok(None),
            Some(Exit::Done) => {}
            Some(other) => exit = other,
        }
    }
    Ok(Some(exit))
}

/// Follows a task; nothing where somebody interrupted that.
async fn follow(
    meant: &Meant,
    account: &Account,
    ecs: &Ecs,
    cluster: Option<String>,
    arn: &str,
    shutdown: &CancellationToken,
) -> Result<Option<Exit>, Error> {
    let container = meant.task.container.clone();
    let mut logs = None;
    if meant.logs {
        match ecs.log_place(&meant.task.task, &container).await {
            Ok(Some(place)) => logs = Some((CloudWatchLogs::of(account, place.region.as_deref()), place)),
            Ok(None) => say(
                "-logs: the container has no awslogs log configuration with a stream prefix; no lines are shown",
            ),
            Err(error) => say(&format!(
                "-logs needs the permission ecs:DescribeTaskDefinition; no lines are shown: {}",
                error.chain()
            )),
        }
    }
    let following = Follow {
        tasks: ecs,
        lines: logs.as_ref().map(|(logs, place)| Lines::of(logs, place.clone(), &container, arn)),
        cluster,
        task: arn.to_owned(),
        container,
        stop_on_interrupt: meant.stop_on_interrupt,
        pace: Pace::USUAL,
    };
    let mut tell = |news: News<'_>| match news {
        News::State(report) if report.outcome == Ending::Running => say(&report.sentence()),
        News::State(_) => {}
        News::Line(line) => print(line),
        News::Warning(text) => say(&text),
    };
    match following.to_the_end(shutdown, &mut tell).await? {
        Ended::Stopped(report) => {
            say(&report.sentence());
            let interrupted = shutdown.is_cancelled();
            Ok((!interrupted).then(|| exit_of(&report)))
        }
        Ended::Left => {
            say(&format!("the task goes on: {arn}"));
            Ok(None)
        }
        Ended::NotAllowed(error) => {
            say(&format!(
                "-wait needs the permission ecs:DescribeTasks; the task goes on without: {}",
                error.chain()
            ));
            Ok(Some(Exit::Done))
        }
    }
}

fn exit_of(report: &TaskReport) -> Exit {
    match (report.outcome, report.exit_code) {
        (Ending::Done, _) => Exit::Done,
        (Ending::Failed | Ending::Stopped, Some(code)) => {
            Exit::Container(u8::try_from(code).unwrap_or(1).max(1))
        }
        _ => Exit::Fatal,
    }
}

/// Nobody may be listening any more; that is no reason to end otherwise.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
