//! What the flags of `iiif-process-ecs` mean, typed or as `IIIF_PROCESS_…`.

use imgmill_systems::fleet::dsn::Dsn;
use imgmill_systems::fleet::request::TaskSettings;

use crate::goflags::{self, Flag, Kind, Parsed, Stop};

const PREFIX: &str = "IIIF_PROCESS_";

pub const WHAT: &str = "Has iiif-process run as a task of ECS.\n\
    iiif-process-ecs -mode task -task NAME:REVISION -subnet … -security-group … -uri … [-wait -logs]\n\
    Each flag is also read as IIIF_PROCESS_NAME; lists are separated by commas there. With -wait it ends as the\n\
    container does, with 1 where the container has no exit code, and with 2 for wrong usage.\n\
    imgmill ecs report [EVENT] says what became of a task.";

const fn text(name: &'static str, help: &'static str) -> Flag {
    Flag { name, kind: Kind::Text, help }
}

const fn switch(name: &'static str, help: &'static str) -> Flag {
    Flag { name, kind: Kind::Switch, help }
}

const fn list(name: &'static str, help: &'static str) -> Flag {
    Flag { name, kind: Kind::List, help }
}

pub const FLAGS: [Flag; 20] = [
    text("cluster", "The name of your AWS ECS cluster. Default: the account's default cluster."),
    text(
        "config",
        "The path your IIIF config (on/in your container). (default \"/etc/go-iiif/config.json\")",
    ),
    text("container", "The name of your AWS ECS container. Default: the name of -task."),
    text(
        "ecs-dsn",
        "A valid (go-whosonfirst-aws) ECS DSN: region=… credentials=…. Default: the standard AWS chain.",
    ),
    text(
        "instructions",
        "The path your IIIF processing instructions (on/in your container). (default \"/etc/go-iiif/instructions.json\")",
    ),
    text(
        "lambda-dsn",
        "A valid (go-whosonfirst-aws) Lambda DSN. Default: -ecs-dsn, or the standard AWS chain.",
    ),
    text("lambda-func", "A valid Lambda function name. Required if -mode is \"invoke\"."),
    text("lambda-type", "RequestResponse, Event or DryRun. (default \"RequestResponse\")"),
    switch("logs", "Print the container's log lines as they come; waits for the task."),
    text(
        "mode",
        "Valid modes are: lambda (run as a Lambda function), invoke (invoke this Lambda function), task (run this ECS task). (default \"task\")",
    ),
    switch("report", "Store a process report (JSON) for each URI in the cache tree."),
    text("report-name", "The filename for process reports. (default \"process.json\")"),
    list("security-group", "One of more AWS security groups your task will assume."),
    switch("stop-on-interrupt", "Stop the task when waiting for it is interrupted."),
    switch("strip-paths", "Strip directory tree from URIs. (default true)"),
    list("subnet", "One or more AWS subnets in which your task will run."),
    text("task", "The name of your AWS ECS task (inclusive of its version number)."),
    text("upload-uris", "s3://bucket/prefix, where lists of URIs go that are too long for a task's command."),
    list("uri", "One or more valid IIIF URIs."),
    switch("wait", "Wait for the task to complete."),
];

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Task,
    Invoke,
    Lambda,
}

/// What the flags mean.
#[derive(Debug, Clone)]
pub struct Meant {
    pub mode: Mode,
    pub task: TaskSettings,
    pub ecs: Dsn,
    pub lambda: Dsn,
    pub function: Option<String>,
    pub invocation: String,
    pub uris: Vec<String>,
    pub wait: bool,
    pub logs: bool,
    pub stop_on_interrupt: bool,
}

/// Reads flags and environment.
pub fn meant(words: Vec<String>, environment: impl Fn(&str) -> Option<String>) -> Result<Meant, Stop> {
    let parsed = goflags::parse(&FLAGS, words, PREFIX, environment)?;
    of(&parsed).map_err(Stop::Wrong)
}

fn of(parsed: &Parsed) -> Result<Meant, String> {
    if let Some(word) = parsed.rest.first() {
        return Err(format!("{word} is no flag; URIs are named with -uri"));
    }
    let own = |name: &str| parsed.text(name).map(str::to_owned);
    let or = |name: &str, default: &str| own(name).unwrap_or_else(|| default.to_owned());
    let mode = match parsed.text("mode").unwrap_or("task") {
        "task" => Mode::Task,
        "invoke" => Mode::Invoke,
        "lambda" => Mode::Lambda,
        other => return Err(format!("-mode {other}: task, invoke or lambda is meant")),
    };
    let dsn = |name: &str| match parsed.text(name) {
        Some(text) => text.parse::<Dsn>().map(Some).map_err(|why| format!("-{name}: {why}")),
        None => Ok(None),
    };
    let (ecs, lambda) = (dsn("ecs-dsn")?, dsn("lambda-dsn")?);
    let task = or("task", "");
    let meant = Meant {
        mode,
        task: TaskSettings {
            cluster: own("cluster"),
            container: own("container").unwrap_or_else(|| family(&task).to_owned()),
            subnets: parsed.list("subnet"),
            security_groups: parsed.list("security-group"),
            config: or("config", "/etc/go-iiif/config.json"),
            instructions: or("instructions", "/etc/go-iiif/instructions.json"),
            report: parsed.is_on("report").then(|| or("report-name", "process.json")),
            strip_paths: parsed.text("strip-paths").is_none() || parsed.is_on("strip-paths"),
            upload_uris: own("upload-uris"),
            task,
        },
        ecs: ecs.clone().or_else(|| lambda.clone()).unwrap_or_default(),
        lambda: lambda.or(ecs).unwrap_or_default(),
        function: own("lambda-func"),
        invocation: or("lambda-type", "RequestResponse"),
        uris: parsed.list("uri"),
        wait: parsed.is_on("wait") || parsed.is_on("logs"),
        logs: parsed.is_on("logs"),
        stop_on_interrupt: parsed.is_on("stop-on-interrupt"),
    };
    meant.check()?;
    Ok(meant)
}

impl Meant {
    fn check(&self) -> Result<(), String> {
        let starts_tasks = self.mode != Mode::Invoke;
        if starts_tasks && self.task.task.is_empty() {
            return Err("-task is missing: the name of the task definition".to_owned());
        }
        if starts_tasks && self.task.subnets.is_empty() {
            return Err("-subnet is missing: tasks of Fargate run in one".to_owned());
        }
        if self.mode == Mode::Invoke && self.function.is_none() {
            return Err("-lambda-func is missing: the function to invoke".to_owned());
        }
        if !["RequestResponse", "Event", "DryRun"].contains(&self.invocation.as_str()) {
            let kind = &self.invocation;
            return Err(format!("-lambda-type {kind}: RequestResponse, Event or DryRun is meant"));
        }
        if self.mode == Mode::Invoke && self.wait && self.invocation != "RequestResponse" {
            return Err(
                "-wait needs -lambda-type RequestResponse: only that answers which task it is".to_owned()
            );
        }
        if self.mode != Mode::Lambda && self.uris.is_empty() {
            return Err("there is no URI to process; give -uri".to_owned());
        }
        Ok(())
    }
}

/// `name` of `name:1` or of `arn:…:task-definition/name:1`.
fn family(task: &str) -> &str {
    let name = task.rsplit('/').next().unwrap_or_default();
    name.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &[&str], variables: &[(&str, &str)]) -> Result<Meant, String> {
        let words = line.iter().map(|word| (*word).to_owned()).collect();
        let get = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        meant(words, get).map_err(|stop| match stop {
            Stop::Wrong(why) => why,
            Stop::Help => "help".to_owned(),
        })
    }

    #[test]
    fn the_documents_command_line() {
        let meant = found(
            &[
                "-mode",
                "task",
                "-ecs-dsn",
                "region=us-east-1 credentials=iam:",
                "-subnet",
                "subnet-1",
                "-subnet=subnet-2",
                "-security-group",
                "sg-1",
                "-cluster",
                "c",
                "-container",
                "k",
                "-task",
                "t:1",
                "-uri",
                "IMG_0084.JPG",
                "-wait",
                "--strip-paths=false",
                "-report",
                "-report-name",
                "r.json",
                "-logs",
                "-stop-on-interrupt",
                "-config",
                "/c",
                "-instructions",
                "/i",
                "-upload-uris",
                "s3://b/p",
            ],
            &[("IIIF_PROCESS_TASK", "other:2")],
        )
        .unwrap();
        let expected = TaskSettings {
            cluster: Some("c".into()),
            task: "t:1".into(),
            container: "k".into(),
            subnets: vec!["subnet-1".into(), "subnet-2".into()],
            security_groups: vec!["sg-1".into()],
            config: "/c".into(),
            instructions: "/i".into(),
            report: Some("r.json".into()),
            strip_paths: false,
            upload_uris: Some("s3://b/p".into()),
        };
        assert_eq!((meant.mode, meant.task), (Mode::Task, expected));
        assert!(meant.wait && meant.logs && meant.stop_on_interrupt);
        assert_eq!(meant.ecs.region.as_deref(), Some("us-east-1"));
    }

    #[test]
    fn the_documents_environment() {
        let meant = found(
            &[],
            &[
                ("IIIF_PROCESS_ECS_DSN", "region=us-east-1 credentials=iam:"),
                ("IIIF_PROCESS_MODE", "lambda"),
                ("IIIF_PROCESS_SECURITY_GROUP", "sg-1"),
                ("IIIF_PROCESS_SUBNET", "subnet-1,subnet-2, subnet-3"),
                ("IIIF_PROCESS_TASK", "iiif-process:2"),
            ],
        )
        .unwrap();
        assert_eq!((meant.mode, meant.task.subnets.len()), (Mode::Lambda, 3));
        assert_eq!(meant.task.container, "iiif-process", "its table names no container");
        assert!(meant.task.strip_paths);
        assert_eq!(meant.task.config, "/etc/go-iiif/config.json");
    }

    #[test]
    fn what_is_missing_is_named() {
        for (line, says) in [
            (&["-uri", "a.jpg"][..], "-task is missing"),
            (&["-task", "t:1", "-uri", "a.jpg"], "-subnet is missing"),
            (&["-task", "t:1", "-subnet", "s"], "give -uri"),
            (&["-mode", "invoke", "-uri", "a.jpg"], "-lambda-func is missing"),
            (
                &["-mode", "invoke", "-lambda-func", "f", "-uri", "a.jpg", "-lambda-type", "x"],
                "-lambda-type x",
            ),
            (
                &["-mode", "invoke", "-lambda-func", "f", "-uri", "a.jpg", "-lambda-type", "Event", "-wait"],
                "-wait needs -lambda-type RequestResponse",
            ),
            (&["-mode", "dance"], "-mode dance"),
            (&["-ecs-dsn", "region=a"], "-ecs-dsn: the key credentials"),
            (&["a.jpg"], "a.jpg is no flag"),
            (&["-help"], "help"),
        ] {
            let error = found(line, &[]).unwrap_err();
            assert!(error.contains(says), "{line:?}: {error}");
        }
    }
}
