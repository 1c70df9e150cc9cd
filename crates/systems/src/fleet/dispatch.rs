//! A list that a fleet of tasks works on, each on its shard: started, followed as one, started again where one is lost.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use imgmill_aws::fleet::{Launch, TaskRequest};
use imgmill_pipeline::objects::{Bucket, ObjectOptions};
use imgmill_pipeline::source::shard::{Shard, ShardBy};
use imgmill_pipeline::{Error, Kind, Stage};
use tokio_util::sync::CancellationToken;

use super::engine::Tasks;
use super::launch::Patience;
use super::report::{Ending, TaskReport};
use crate::batch::place::Place;
use crate::batch::progress::Progress;

/// Objects of progress read at once.
const AT_ONCE: usize = 16;
/// What a task's command begins with.
const PROGRAM: [&str; 2] = ["/bin/imgmill", "run"];
/// `imgmill run` went through: all rows, or all but some.
const WENT_THROUGH: [i32; 2] = [0, 3];

/// What a fleet is to do.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// How many tasks share the list.
    pub tasks: u32,
    /// What decides whose a row is.
    pub by: ShardBy,
    /// The list.
    pub input: String,
    /// Where the merged list goes; parts lie beside it.
    pub output: String,
    /// Other arguments of `imgmill run`.
    pub arguments: Vec<String>,
    /// How often a shard is started again that was lost.
    pub restarts: u32,
    /// A task, but for its command.
    pub task: TaskRequest,
    /// Between two looks.
    pub look: Duration,
}

/// Where a shard is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// To be started; so often it was before.
    Waiting,
    Started(String),
    Ended(Option<i32>),
}

#[derive(Debug)]
struct Part {
    shard: Shard,
    state: State,
    status: String,
    starts: u32,
    /// Where it says how far it is, once that was connected to.
    bucket: Option<Bucket>,
    progress: Progress,
    why: String,
}

/// All of it in one view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// Tasks by state, in the order that they go through them.
    pub states: Vec<(String, usize)>,
    /// Rows of all shards that have begun.
    pub rows: u64,
    /// Whether all shards have said how many rows they have.
    pub all_known: bool,
    /// Rows stored.
    pub stored: u64,
    /// Rows failed.
    pub failed: u64,
    /// Tasks started again.
    pub restarts: u32,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatched {
    /// The parts that there are, as places.
    pub parts: Vec<String>,
    /// Shards that did not go through, and why.
    pub lost: Vec<String>,
    /// Somebody stopped it.
    pub interrupted: bool,
}

impl Dispatch {
    /// The request of one shard's task.
    pub fn request(&self, shard: Shard) -> TaskRequest {
        let mut command = PROGRAM.map(str::to_owned).to_vec();
        let by = match self.by {
            ShardBy::Row => "row",
            ShardBy::Host => "host",
        };
        let shard = shard.to_string();
        let own = ["--input", &self.input, "--output", &self.output, "--shard", &shard, "--shard-by", by];
        command.extend(own.map(str::to_owned));
        command.extend(["--discard", "--log-format", "json"].map(str::to_owned));
        command.extend(self.arguments.iter().cloned());
        TaskRequest { command, ..self.task.clone() }
    }

    /// The part that a shard leaves.
    fn part(&self, shard: Shard) -> String {
        Place::Object(self.output.clone()).renamed(|path| shard.part_of(path)).to_string()
    }

    /// Has the list worked on. `show` hears how far it is, again and again.
    ///
    /// # Errors
    /// What makes going on pointless: no permission, no such cluster. Tasks that run are stopped then.
    pub async fn run(
        &self,
        tasks: &dyn Tasks,
        objects: &ObjectOptions,
        shutdown: &CancellationToken,
        mut show: impl FnMut(&View) + Send,
    ) -> Result<Dispatched, Error> {
        let mut parts = Vec::new();
        for index in 0..self.tasks {
            let shard = Shard::new(index, self.tasks, self.by)
                .map_err(|why| Error::new(Stage::Source, Kind::BadRequest, why))?;
            parts.push(Part {
                shard,
                state: State::Waiting,
                status: "WAITING".to_owned(),
                starts: 0,
                bucket: None,
                progress: Progress::default(),
                why: String::new(),
            });
        }
        let ended = self.follow(&mut parts, tasks, objects, shutdown, &mut show).await;
        if ended.is_err() || shutdown.is_cancelled() {
            self.stop(&parts, tasks).await;
        }
        ended?;
        let went_through =
            |part: &&Part| matches!(&part.state, State::Ended(Some(code)) if WENT_THROUGH.contains(code));
        let lost = parts.iter().filter(|part| !went_through(part));
        Ok(Dispatched {
            parts: parts.iter().filter(went_through).map(|part| self.part(part.shard)).collect(),
            lost: lost.map(|part| format!("shard {}: {}", part.shard, part.why)).collect(),
            interrupted: shutdown.is_cancelled(),
        })
    }

    async fn follow(
        &self,
        parts: &mut [Part],
        tasks: &dyn Tasks,
        objects: &ObjectOptions,
        shutdown: &CancellationToken,
        show: &mut (impl FnMut(&View) + Send),
    ) -> Result<(), Error> {
        let mut troubles = 0;
        while parts.iter().any(|part| !matches!(part.state, State::Ended(_))) && !shutdown.is_cancelled() {
            let looked = match self.start(parts, tasks, shutdown).await {
                Ok(()) => self.look(parts, tasks).await,
                Err(error) => Err(error),
            };
            match looked {
                Ok(()) => troubles = 0,
                // Throttled, or no room: what runs goes on meanwhile.
                Err(error) if error.is_transient() => {
                    troubles += 1;
                    tracing::warn!("will try again: {}", error.chain());
                }
                Err(error) => return Err(error),
            }
            self.read_progress(parts, objects).await;
            show(&view(parts));
            let wait =
                self.look + if troubles > 0 { Patience::MINUTE.wait(troubles) } else { Duration::ZERO };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = shutdown.cancelled() => {}
            }
        }
        Ok(())
    }

    /// Starts what waits, until one cannot be.
    async fn start(
        &self,
        parts: &mut [Part],
        tasks: &dyn Tasks,
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        for part in parts.iter_mut().filter(|part| part.state == State::Waiting) {
            if shutdown.is_cancelled() {
                break;
            }
            let arn = tasks.run(&self.request(part.shard)).await?;
            part.starts += 1;
            tracing::info!(shard = %part.shard, task = arn, "started");
            (part.state, part.status) = (State::Started(arn), "PROVISIONING".to_owned());
        }
        Ok(())
    }

    async fn look(&self, parts: &mut [Part], tasks: &dyn Tasks) -> Result<(), Error> {
        let running = |part: &Part| match &part.state {
            State::Started(arn) => Some(arn.clone()),
            _ => None,
        };
        let arns: Vec<String> = parts.iter().filter_map(running).collect();
        for task in tasks.describe(self.task.cluster.as_deref(), &arns).await? {
            let report = TaskReport::of(&task, Some(&self.task.container))?;
            let found = parts.iter_mut().find(|part| running(part).is_some_and(|arn| arn == report.task));
            if let Some(part) = found {
                part.status.clone_from(&report.status);
                if report.outcome != Ending::Running {
                    self.ended(part, &report);
                }
            }
        }
        Ok(())
    }

    fn ended(&self, part: &mut Part, report: &TaskReport) {
        let is_lost = match (report.outcome, report.exit_code) {
            (Ending::Lost, _) => true,
            // Killed: by its machine's end, or for its memory; another machine may do.
            (Ending::Failed, Some(code)) => code >= 128,
            _ => false,
        };
        part.why = report.sentence();
        if is_lost && part.starts <= self.restarts {
            tracing::warn!(shard = %part.shard, "started again: {}", part.why);
            (part.state, part.status) = (State::Waiting, "WAITING".to_owned());
        } else {
            part.state = State::Ended(report.exit_code.filter(|_| !is_lost));
        }
    }

    /// What shards say of themselves; one that says nothing is where it was.
    async fn read_progress(&self, parts: &mut [Part], objects: &ObjectOptions) {
        let begun = parts
            .iter_mut()
            .filter(|part| part.starts > 0 && part.progress.rows != Some(part.progress.done()));
        stream::iter(begun)
            .for_each_concurrent(AT_ONCE, |part| async move {
                if part.bucket.is_none() {
                    let url = Progress::of(&self.part(part.shard));
                    part.bucket = Bucket::connect(Stage::Report, &url, objects).await.ok();
                }
                if let Some(bucket) = &part.bucket
                    && let Some(progress) = Progress::read(bucket).await
                {
                    part.progress = progress;
                }
            })
            .await;
    }

    async fn stop(&self, parts: &[Part], tasks: &dyn Tasks) {
        for part in parts {
            if let State::Started(arn) = &part.state
                && let Err(error) =
                    tasks.stop(self.task.cluster.as_deref(), arn, "imgmill dispatch was stopped").await
            {
                tracing::warn!(task = arn, "it could not be stopped: {}", error.chain());
            }
        }
    }
}

fn view(parts: &[Part]) -> View {
    let mut states: Vec<(String, usize)> = Vec::new();
    for part in parts {
        let has_ended = matches!(part.state, State::Ended(_));
        let name = if has_ended { "ended".to_owned() } else { part.status.to_ascii_lowercase() };
        match states.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => states.push((name, 1)),
        }
    }
    states.sort();
    View {
        states,
        rows: parts.iter().filter_map(|part| part.progress.rows).sum(),
        all_known: parts.iter().all(|part| part.progress.rows.is_some()),
        stored: parts.iter().map(|part| part.progress.stored).sum(),
        failed: parts.iter().map(|part| part.progress.failed).sum(),
        restarts: parts.iter().map(|part| part.starts.saturating_sub(1)).sum(),
    }
}

/// A task that a fleet's tasks are made of.
pub fn task(
    cluster: Option<String>,
    task: String,
    container: String,
    network: (Vec<String>, Vec<String>),
    launch: Launch,
) -> TaskRequest {
    TaskRequest {
        cluster,
        task,
        container,
        command: Vec::new(),
        environment: Vec::new(),
        subnets: network.0,
        security_groups: network.1,
        launch,
        started_by: "imgmill dispatch".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use imgmill_aws::fleet::LogPlace;
    use serde_json::{Value, json};
    use std::collections::HashMap;
    use std::sync::Mutex;

    /// A cluster whose tasks end as they are told, at the second look.
    #[derive(Default)]
    struct Cluster {
        /// What the shards come to, each time that they are started: stop code and exit code.
        fates: HashMap<&'static str, Vec<(&'static str, Option<i32>)>>,
        started: Mutex<Vec<(String, String)>>,
        looks: Mutex<HashMap<String, u32>>,
        stopped: Mutex<Vec<String>>,
        full: Mutex<u32>,
    }

    #[async_trait]
    impl Tasks for Cluster {
        async fn run(&self, request: &TaskRequest) -> Result<String, Error> {
            if *self.full.lock().unwrap() > 0 {
                *self.full.lock().unwrap() -= 1;
                return Err(Error::new(Stage::Source, Kind::Io, "Capacity is unavailable").transient(true));
            }
            let at = request.command.iter().position(|word| word == "--shard").unwrap();
            let shard = request.command[at + 1].clone();
            let mut started = self.started.lock().unwrap();
            let arn = format!("arn:{}", started.len());
            started.push((arn.clone(), shard));
            Ok(arn)
        }

        async fn describe(&self, _: Option<&str>, tasks: &[String]) -> Result<Vec<Value>, Error> {
            let started = self.started.lock().unwrap();
            let mut looks = self.looks.lock().unwrap();
            let found = tasks.iter().map(|arn| {
                let looked = looks.entry(arn.clone()).or_default();
                *looked += 1;
                let (_, shard) = started.iter().find(|(known, _)| known == arn).unwrap();
                let before =
                    started.iter().take_while(|(known, _)| known != arn).filter(|(_, s)| s == shard).count();
                let (stop, code) = self
                    .fates
                    .get(shard.as_str())
                    .and_then(|fates| fates.get(before).copied())
                    .unwrap_or(("EssentialContainerExited", Some(0)));
                if *looked < 2 {
                    return json!({"taskArn": arn, "lastStatus": "RUNNING", "containers": []});
                }
                json!({"taskArn": arn, "lastStatus": "STOPPED", "stopCode": stop,
                    "containers": [{"name": "run", "exitCode": code}]})
            });
            Ok(found.collect())
        }

        async fn stop(&self, _: Option<&str>, task: &str, _: &str) -> Result<(), Error> {
            self.stopped.lock().unwrap().push(task.to_owned());
            Ok(())
        }

        async fn log_place(&self, _: &str, _: &str) -> Result<Option<LogPlace>, Error> {
            Ok(None)
        }
    }

    fn dispatch(tasks: u32) -> Dispatch {
        Dispatch {
            tasks,
            by: ShardBy::Host,
            input: "s3://b/list.csv".into(),
            output: "s3://b/out.csv".into(),
            arguments: vec!["--gray".into(), "average".into()],
            restarts: 2,
            task: task(Some("c".into()), "run:1".into(), "run".into(), (vec![], vec![]), Launch::Spot),
            look: Duration::from_secs(5),
        }
    }

    async fn run(cluster: &Cluster, shutdown: &CancellationToken) -> (Dispatched, Vec<View>) {
        let mut views = Vec::new();
        // No such server: whoever says nothing is where it was.
        let objects =
            ObjectOptions { endpoint: Some("http://127.0.0.1:9".into()), ..ObjectOptions::default() };
        let done = dispatch(3).run(cluster, &objects, shutdown, |view| views.push(view.clone())).await;
        (done.unwrap(), views)
    }

    #[tokio::test]
    async fn a_shards_command_says_what_is_its_own() {
        let request = dispatch(3).request(Shard::new(1, 3, ShardBy::Host).unwrap());
        assert_eq!(
            request.command.join(" "),
            "/bin/imgmill run --input s3://b/list.csv --output s3://b/out.csv --shard 1/3 --shard-by host --discard \
             --log-format json --gray average"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn lost_shards_are_started_again() {
        let interrupted = ("SpotInterruption", Some(143));
        let cluster = Cluster {
            fates: HashMap::from([
                ("0/3", vec![interrupted, ("EssentialContainerExited", Some(137))]),
                ("1/3", vec![("EssentialContainerExited", Some(3))]),
                ("2/3", vec![("EssentialContainerExited", Some(1))]),
            ]),
            full: Mutex::new(1),
            ..Cluster::default()
        };
        let (done, views) = run(&cluster, &CancellationToken::new()).await;
        assert_eq!(done.parts, ["s3://b/out.0-of-3.csv", "s3://b/out.1-of-3.csv"]);
        assert_eq!(done.lost.len(), 1);
        assert!(done.lost[0].starts_with("shard 2/3: task"), "{done:?}");
        assert_eq!(cluster.started.lock().unwrap().len(), 5);
        let last = views.last().unwrap();
        assert_eq!((last.restarts, &last.states[..]), (2, &[("ended".to_owned(), 3)][..]));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_always_lost_is_given_up() {
        let cluster = Cluster {
            fates: HashMap::from([("1/3", vec![("SpotInterruption", None); 9])]),
            ..Cluster::default()
        };
        let (done, _) = run(&cluster, &CancellationToken::new()).await;
        assert_eq!((done.parts.len(), done.lost.len(), cluster.started.lock().unwrap().len()), (2, 1, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_stopped_stops_the_tasks() {
        let cluster = Cluster::default();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            stop.cancel();
        });
        let (done, _) = run(&cluster, &shutdown).await;
        assert!(done.interrupted && done.parts.is_empty());
        assert_eq!(cluster.stopped.lock().unwrap().len(), 3);
    }
}
