//! `imgmill ecs report`: an ECS Task State Change of EventBridge in, what became of the task out.

use std::io::{Read as _, Write as _};
use std::path::Path;

use imgmill_systems::bucket::note;
use imgmill_systems::fleet::report::{Ending, TaskReport};

use crate::commands::run::{complain, say};
use crate::exit::Exit;

const USAGE: &str = "\
Says what became of a task of ECS.
Usage: imgmill ecs report [-container NAME] [EVENT]
  EVENT is a file with an \"ECS Task State Change\" of EventBridge, or a task as `aws ecs describe-tasks` has it; `-`,
  or none, is standard input. Several may follow each other. A line of JSON each goes to standard output.
  Ends with 0: all tasks are done or run; 1: some failed, were lost or did not start; 2: no such event.";

pub fn run(words: &[String]) -> Exit {
    let (container, file) = match words {
        [] => (None, "-"),
        [help] if matches!(help.as_str(), "-h" | "-help" | "--help") => {
            say(USAGE);
            return Exit::Done;
        }
        [file] => (None, file.as_str()),
        [flag, name] if is_container(flag) => (Some(name.as_str()), "-"),
        [flag, name, file] if is_container(flag) => (Some(name.as_str()), file.as_str()),
        _ => return complain(USAGE, Exit::Usage),
    };
    let container = container.map(str::to_owned).or_else(|| std::env::var("IIIF_PROCESS_CONTAINER").ok());
    let reports = read(Path::new(file)).and_then(|text| {
        let events = note::events(&text).map_err(|error| error.chain())?;
        let tasks = events.iter().flat_map(|event| match &event["tasks"] {
            // What `aws ecs describe-tasks` prints.
            serde_json::Value::Array(tasks) => tasks.iter().collect(),
            _ => vec![event],
        });
        let reports =
            tasks.map(|task| TaskReport::of(task, container.as_deref()).map_err(|error| error.chain()));
        reports.collect::<Result<Vec<_>, _>>()
    });
    match reports {
        Ok(reports) => {
            reports.iter().for_each(tell);
            let is_well = |report: &TaskReport| matches!(report.outcome, Ending::Done | Ending::Running);
            if reports.iter().all(is_well) { Exit::Done } else { Exit::Fatal }
        }
        Err(message) => complain(&format!("{file}: {message}"), Exit::Usage),
    }
}

fn is_container(flag: &str) -> bool {
    matches!(flag, "-container" | "--container")
}

fn tell(report: &TaskReport) {
    say(&report.sentence());
    // Nobody may be listening any more; that is no reason to end otherwise.
    let _ = writeln!(std::io::stdout(), "{}", serde_json::json!(report));
}

fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = match path == Path::new("-") {
        true => std::io::stdin().read_to_string(&mut text).map(|_| text),
        false => std::fs::read_to_string(path),
    };
    read.map_err(|error| error.to_string())
}
