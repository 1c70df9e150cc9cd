//! Following a task to its end: its states, and the lines of its container as they come, in order, none missing and none
//! twice.
//!
//! Throttled and broken requests are waited out, however long. What one may not ask is said once and done without. Lines
//! come to CloudWatch Logs later than they are written, so the stream is read on after the task has stopped until it
//! stays still.

use std::time::Duration;

use imgmill_aws::fleet::LogPlace;
use imgmill_pipeline::{Error, Kind, Stage};
use tokio_util::sync::CancellationToken;

use super::engine::{Logs, Tasks};
use super::launch::Patience;
use super::report::TaskReport;

/// Looks after which a task that ECS does not know is given up: a new one may be unknown for a moment.
const MISSING: u32 = 20;
/// Pages read at a time: a talkative task must not keep its state from being seen.
const PAGES: usize = 50;
/// What StopTask is told.
const INTERRUPTED: &str = "interrupted by whoever waited for it";

/// How often one looks.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two looks at the task and its lines.
    pub look: Duration,
    /// Looks without a new line after which a stopped task's stream is taken to be whole.
    pub still: u32,
    /// The same for a stream of which nothing was seen.
    pub silent: u32,
}

impl Pace {
    /// What ECS and CloudWatch Logs take from everybody.
    pub const USUAL: Pace = Pace { look: Duration::from_secs(2), still: 3, silent: 8 };
}

/// A task that is followed.
pub struct Follow<'a> {
    /// ECS.
    pub tasks: &'a dyn Tasks,
    /// The task's lines, where they are wanted.
    pub lines: Option<Lines<'a>>,
    /// The task's cluster.
    pub cluster: Option<String>,
    /// The task.
    pub task: String,
    /// The container that matters.
    pub container: String,
    /// Whether the task is stopped when whoever waits is.
    pub stop_on_interrupt: bool,
    /// How often one looks.
    pub pace: Pace,
}

/// A stream of lines, and how far it was read.
pub struct Lines<'a> {
    logs: &'a dyn Logs,
    group: String,
    stream: String,
    from: Option<String>,
    seen: bool,
}

/// Something to tell.
#[derive(Debug)]
pub enum News<'a> {
    /// The task is in another state.
    State(&'a TaskReport),
    /// A line of its container.
    Line(&'a str),
    /// Something that is done without.
    Warning(String),
}

/// How following ended.
#[derive(Debug)]
pub enum Ended {
    /// The task stopped.
    Stopped(Box<TaskReport>),
    /// Whoever waited was interrupted; the task goes on.
    Left,
    /// One may not look at it; it goes on.
    NotAllowed(Error),
}

impl<'a> Lines<'a> {
    /// The lines of a task's container, as the awslogs driver names its streams.
    pub fn of(logs: &'a dyn Logs, place: LogPlace, container: &str, task: &str) -> Lines<'a> {
        let id = task.rsplit('/').next().unwrap_or_default();
        let stream = format!("{}/{container}/{id}", place.prefix);
        Lines { logs, group: place.group, stream, from: None, seen: false }
    }

    /// Tells the lines that have come, and how many. Where one may not read them, that is told, and nothing is left to read.
    async fn tell(&mut self, tell: &mut (dyn FnMut(News<'_>) + Send)) -> Result<usize, Error> {
        let mut told = 0;
        for _ in 0..PAGES {
            let page = self.logs.read(&self.group, &self.stream, self.from.as_deref()).await?;
            let Some(page) = page else { break };
            for (_, line) in &page.lines {
                tell(News::Line(line.trim_end_matches('\n')));
            }
            told += page.lines.len();
            let is_end = page.next.is_none() || page.next == self.from;
            if page.next.is_some() {
                self.from = page.next;
            }
            if is_end {
                break;
            }
        }
        self.seen |= told > 0;
        Ok(told)
    }
}

impl Follow<'_> {
    /// Follows the task until it has stopped.
    ///
    /// # Errors
    /// A task that nobody knows; what asking again cannot mend.
    pub async fn to_the_end(
        mut self,
        shutdown: &CancellationToken,
        tell: &mut (dyn FnMut(News<'_>) + Send),
    ) -> Result<Ended, Error> {
        let (mut status, mut missing, mut troubles, mut interrupted) = (String::new(), 0, 0, false);
        let report = loop {
            self.tell_lines(tell).await;
            match self.look().await {
                Ok(Some(report)) => {
                    (missing, troubles) = (0, 0);
                    if report.status != status {
                        status.clone_from(&report.status);
                        tell(News::State(&report));
                    }
                    if report.status == "STOPPED" {
                        break report;
                    }
                }
                Ok(None) if missing < MISSING => missing += 1,
                Ok(None) => {
                    let message = format!(
                        "ECS does not know the task {} (any more): it keeps stopped ones for an hour",
                        self.task
                    );
                    return Err(Error::new(Stage::Source, Kind::NotFound, message));
                }
                Err(error) if error.is_transient() => {
                    troubles += 1;
                    tracing::debug!(troubles, "ECS is asked again: {}", error.chain());
                }
                Err(error) if error.kind() == Kind::Denied => return Ok(Ended::NotAllowed(error)),
                Err(error) => return Err(error),
            }
            let wait =
                self.pace.look + if troubles > 0 { Patience::MINUTE.wait(troubles) } else { Duration::ZERO };
            let wait = wait.min(self.pace.look * 15);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = shutdown.cancelled(), if !interrupted => {
                    if !self.stop_on_interrupt {
                        return Ok(Ended::Left);
                    }
                    interrupted = true;
                    self.stop(tell).await;
                }
            }
        };
        self.tell_the_last_lines(tell).await;
        Ok(Ended::Stopped(Box::new(report)))
    }

    async fn look(&self) -> Result<Option<TaskReport>, Error> {
        let found = self.tasks.describe(self.cluster.as_deref(), std::slice::from_ref(&self.task)).await?;
        found.first().map(|task| TaskReport::of(task, Some(&self.container))).transpose()
    }

    /// Tells what has come, and answers how many lines that was. Trouble is left to the next time.
    async fn tell_lines(&mut self, tell: &mut (dyn FnMut(News<'_>) + Send)) -> usize {
        let Some(lines) = &mut self.lines else { return 0 };
        match lines.tell(tell).await {
            Ok(told) => told,
            Err(error) if error.kind() == Kind::Denied => {
                tell(News::Warning(format!(
                    "-logs needs the permission logs:GetLogEvents on the log group {}; going on without: {}",
                    lines.group,
                    error.chain()
                )));
                self.lines = None;
                0
            }
            Err(error) => {
                tracing::debug!("lines are read again: {}", error.chain());
                0
            }
        }
    }

    /// Reads on until the stream stays still.
    async fn tell_the_last_lines(&mut self, tell: &mut (dyn FnMut(News<'_>) + Send)) {
        let mut still = 0;
        while self.lines.is_some() {
            still = if self.tell_lines(tell).await > 0 { 0 } else { still + 1 };
            let seen = self.lines.as_ref().is_some_and(|lines| lines.seen);
            if still >= if seen { self.pace.still } else { self.pace.silent } {
                if let Some(lines) = self.lines.as_ref().filter(|lines| !lines.seen) {
                    let stream = &lines.stream;
                    tell(News::Warning(format!(
                        "nothing came into the log stream {stream} of {}",
                        lines.group
                    )));
                }
                return;
            }
            tokio::time::sleep(self.pace.look).await;
        }
    }

    async fn stop(&self, tell: &mut (dyn FnMut(News<'_>) + Send)) {
        tell(News::Warning(format!("stopping the task {}", self.task)));
        if let Err(error) = self.tasks.stop(self.cluster.as_deref(), &self.task, INTERRUPTED).await {
            tell(News::Warning(format!("it could not be stopped: {}", error.chain())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::launch::launch;
    use async_trait::async_trait;
    use imgmill_aws::fleet::{Launch, Page, TaskRequest};
    use serde_json::{Value, json};
    use std::collections::VecDeque;
    use std::sync::Mutex;

    /// An account that says what it was told to, one thing a question.
    #[derive(Default)]
    struct Fake {
        runs: Mutex<VecDeque<Result<String, Error>>>,
        looks: Mutex<VecDeque<Result<Vec<Value>, Error>>>,
        /// Lines that come between two reads.
        coming: Mutex<VecDeque<Result<Vec<&'static str>, Error>>>,
        stream: Mutex<Vec<String>>,
        stopped: Mutex<Vec<String>>,
    }

    fn state(status: &str) -> Result<Vec<Value>, Error> {
        Ok(vec![json!({"taskArn": "arn:task/c/1", "lastStatus": status, "containers": [{"name": "iiif"}]})])
    }

    fn ended(code: i32) -> Result<Vec<Value>, Error> {
        Ok(vec![
            json!({"taskArn": "arn:task/c/1", "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited",
            "containers": [{"name": "iiif", "exitCode": code}]}),
        ])
    }

    fn trouble(kind: Kind, transient: bool) -> Error {
        Error::new(Stage::Source, kind, "trouble").transient(transient)
    }

    #[async_trait]
    impl Tasks for Fake {
        async fn run(&self, _: &TaskRequest) -> Result<String, Error> {
            self.runs.lock().unwrap().pop_front().unwrap()
        }

        async fn describe(&self, _: Option<&str>, _: &[String]) -> Result<Vec<Value>, Error> {
            if !self.stopped.lock().unwrap().is_empty() {
                return ended(143);
            }
            self.looks.lock().unwrap().pop_front().unwrap_or_else(|| state("RUNNING"))
        }

        async fn stop(&self, _: Option<&str>, task: &str, _: &str) -> Result<(), Error> {
            self.stopped.lock().unwrap().push(task.to_owned());
            Ok(())
        }

        async fn log_place(&self, _: &str, _: &str) -> Result<Option<LogPlace>, Error> {
            Ok(None)
        }
    }

    #[async_trait]
    impl Logs for Fake {
        /// Two lines a page, with the token of CloudWatch Logs: where one is, the same again at the end.
        async fn read(&self, _: &str, stream: &str, from: Option<&str>) -> Result<Option<Page>, Error> {
            assert_eq!(stream, "prefix/iiif/1");
            let mut lines = self.stream.lock().unwrap();
            let from: usize = from.map_or(0, |from| from.parse().unwrap());
            if from == lines.len() {
                let more = self.coming.lock().unwrap().pop_front();
                if let Some(more) = more {
                    lines.extend(more?.into_iter().map(str::to_owned));
                }
            }
            if lines.is_empty() {
                return Ok(None);
            }
            let page: Vec<(i64, String)> =
                lines.iter().skip(from).take(2).map(|line| (0, line.clone())).collect();
            Ok(Some(Page { next: Some((from + page.len()).to_string()), lines: page }))
        }
    }

    async fn follow(
        fake: &Fake,
        stop_on_interrupt: bool,
        shutdown: &CancellationToken,
    ) -> (Ended, Vec<String>) {
        let mut told = Vec::new();
        let place = LogPlace { group: "group".into(), prefix: "prefix".into(), region: None };
        let follow = Follow {
            tasks: fake,
            lines: Some(Lines::of(fake, place, "iiif", "arn:task/c/1")),
            cluster: None,
            task: "arn:task/c/1".into(),
            container: "iiif".into(),
            stop_on_interrupt,
            pace: Pace::USUAL,
        };
        let ended = follow
            .to_the_end(shutdown, &mut |news| {
                told.push(match news {
                    News::State(report) => report.status.clone(),
                    News::Line(line) => line.to_owned(),
                    News::Warning(text) => format!("! {text}"),
                });
            })
            .await;
        (ended.unwrap(), told)
    }

    #[tokio::test(start_paused = true)]
    async fn states_and_lines_come_in_order_and_once() {
        let fake = Fake::default();
        *fake.looks.lock().unwrap() = VecDeque::from([
            Ok(Vec::new()),
            state("PROVISIONING"),
            Err(trouble(Kind::Io, true)),
            state("PENDING"),
            Err(trouble(Kind::Timeout, true)),
            Err(trouble(Kind::Io, true)),
            state("RUNNING"),
            state("RUNNING"),
            ended(3),
        ]);
        *fake.coming.lock().unwrap() = VecDeque::from([
            Ok(vec![]),
            Ok(vec!["1", "2", "3"]),
            Err(trouble(Kind::Io, true)),
            Ok(vec!["4\n"]),
            Ok(vec![]),
            Ok(vec!["5", "6", "7", "8", "9"]),
            // After the task has stopped.
            Ok(vec![]),
            Ok(vec![]),
            Ok(vec![]),
            Ok(vec!["10"]),
        ]);
        let (ended, told) = follow(&fake, false, &CancellationToken::new()).await;
        let lines: Vec<&String> = told.iter().filter(|told| told.parse::<u32>().is_ok()).collect();
        assert_eq!(lines, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
        let states: Vec<&String> = told.iter().filter(|told| told.parse::<u32>().is_err()).collect();
        assert_eq!(states, ["PROVISIONING", "PENDING", "RUNNING", "STOPPED"]);
        let Ended::Stopped(report) = ended else { panic!("{ended:?}") };
        assert_eq!(report.exit_code, Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn what_one_may_not_ask_is_done_without() {
        let fake = Fake::default();
        *fake.looks.lock().unwrap() = VecDeque::from([state("RUNNING"), ended(0)]);
        *fake.coming.lock().unwrap() = VecDeque::from([Err(trouble(Kind::Denied, false))]);
        let (ended, told) = follow(&fake, false, &CancellationToken::new()).await;
        assert!(matches!(ended, Ended::Stopped(_)));
        assert_eq!(told.iter().filter(|told| told.contains("logs:GetLogEvents")).count(), 1, "{told:?}");
        let fake = Fake::default();
        *fake.looks.lock().unwrap() = VecDeque::from([Err(trouble(Kind::Denied, false))]);
        assert!(matches!(follow(&fake, false, &CancellationToken::new()).await.0, Ended::NotAllowed(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_interrupted_leaves_or_stops_the_task() {
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        let fake = Fake::default();
        assert!(matches!(follow(&fake, false, &shutdown).await.0, Ended::Left));
        assert!(fake.stopped.lock().unwrap().is_empty());
        let (ended, told) = follow(&fake, true, &shutdown).await;
        let Ended::Stopped(report) = ended else { panic!("{ended:?}") };
        assert_eq!(
            (report.exit_code, &fake.stopped.lock().unwrap()[..]),
            (Some(143), &["arn:task/c/1".into()][..])
        );
        assert!(
            told.iter().any(|told| told.contains("nothing came into the log stream prefix/iiif/1")),
            "{told:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_is_started_again_where_there_is_no_room() {
        let fake = Fake::default();
        let request = TaskRequest {
            cluster: None,
            task: "t:1".into(),
            container: "iiif".into(),
            command: Vec::new(),
            environment: Vec::new(),
            subnets: Vec::new(),
            security_groups: Vec::new(),
            launch: Launch::Fargate,
            started_by: String::new(),
        };
        let full = || Err(trouble(Kind::Io, true));
        *fake.runs.lock().unwrap() = VecDeque::from([full(), full(), Ok("arn".to_owned())]);
        let shutdown = CancellationToken::new();
        assert_eq!(launch(&fake, &request, Patience::MINUTE, &shutdown).await.unwrap(), "arn");
        *fake.runs.lock().unwrap() = VecDeque::from([full(), full(), full()]);
        assert_eq!(launch(&fake, &request, Patience::SECONDS, &shutdown).await.unwrap_err().attempts(), 3);
        *fake.runs.lock().unwrap() = VecDeque::from([Err(trouble(Kind::BadRequest, false))]);
        assert!(launch(&fake, &request, Patience::MINUTE, &shutdown).await.is_err());
    }
}
