//! What became of a task of ECS: a task as DescribeTasks has it, or as EventBridge tells of it in an *ECS Task State
//! Change*, both of the same fields.

use imgmill_pipeline::objects::{Bucket, ObjectOptions, failure};
use imgmill_pipeline::{Error, Kind, Stage};
use object_store::ObjectStoreExt as _;
use serde::Serialize;
use serde_json::Value;

/// What a task came to, or is at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskReport {
    /// The task's ARN.
    pub task: String,
    /// Its cluster's ARN.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// What started it, or what it belongs to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Its definition's ARN.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub task_definition: String,
    /// PROVISIONING, PENDING, RUNNING, …, STOPPED.
    pub status: String,
    /// What it came to, in a word.
    pub outcome: Ending,
    /// The exit code of the container that matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// ECS's word for why it stopped.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_code: String,
    /// Why it stopped, in ECS's words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What to do about it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
}

/// What a task came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It has not stopped.
    Running,
    /// Its container ended with 0.
    Done,
    /// Its container ended with another code.
    Failed,
    /// Its machine was taken away, or there was none: another try may end better.
    Lost,
    /// Somebody stopped it.
    Stopped,
    /// It never began.
    NotStarted,
}

impl TaskReport {
    /// Of an event of EventBridge, or of a task as DescribeTasks has it. `container` is the one that matters; without it
    /// the first.
    ///
    /// # Errors
    /// What is neither.
    pub fn of(event: &Value, container: Option<&str>) -> Result<TaskReport, Error> {
        let task = if event["detail"]["taskArn"].is_string() { &event["detail"] } else { event };
        let text = |name: &str| task[name].as_str().unwrap_or_default().to_owned();
        if !task["taskArn"].is_string() || !task["lastStatus"].is_string() {
            let message = "not the state of a task: expected an ECS Task State Change of EventBridge, with detail.taskArn \
                           and detail.lastStatus";
            return Err(Error::new(Stage::Source, Kind::Corrupt, message));
        }
        let containers = task["containers"].as_array().map_or(&[][..], Vec::as_slice);
        let named = containers.iter().find(|found| container.is_some_and(|name| found["name"] == name));
        let found = named.or_else(|| containers.first()).unwrap_or(&Value::Null);
        let exit_code = found["exitCode"].as_i64().and_then(|code| i32::try_from(code).ok());
        let said = [text("stoppedReason"), found["reason"].as_str().unwrap_or_default().to_owned()];
        let mut reasons: Vec<String> = said.into_iter().filter(|reason| !reason.is_empty()).collect();
        reasons.dedup();
        let (status, stop_code, reason) = (text("lastStatus"), text("stopCode"), reasons.join("; "));
        let outcome = ending(&status, &stop_code, &reason, exit_code);
        Ok(TaskReport {
            task: text("taskArn"),
            cluster: text("clusterArn"),
            group: text("group"),
            task_definition: text("taskDefinitionArn"),
            outcome,
            exit_code,
            advice: if outcome == Ending::Running { None } else { advice(&reason, exit_code) },
            status,
            stop_code,
            reason,
        })
    }

    /// Puts it into a bucket, as `{task id}.json`.
    ///
    /// # Errors
    /// What the store answers.
    pub async fn keep(&self, store: &str, objects: &ObjectOptions) -> Result<(), Error> {
        let bucket = Bucket::connect(Stage::Report, store, objects).await?;
        let key = bucket.prefix.clone().join(format!("{}.json", self.id()));
        let text = serde_json::to_vec(self)
            .map_err(|error| Error::new(Stage::Report, Kind::Internal, "making a report").caused_by(error))?;
        let put = bucket.store.put(&key, text.into()).await;
        put.map(drop).map_err(|error| failure(Stage::Report, &format!("writing {key}"), error))
    }

    /// The task's id: the end of its ARN.
    pub fn id(&self) -> &str {
        self.task.rsplit('/').next().unwrap_or_default()
    }

    /// One sentence for people.
    pub fn sentence(&self) -> String {
        let id = self.id();
        let what = match (self.outcome, self.exit_code) {
            (Ending::Running, _) => return format!("task {id} is {}", self.status),
            (Ending::Done, _) => "is done".to_owned(),
            (Ending::Failed, Some(code)) => format!("failed with exit code {code}"),
            (Ending::Failed, None) => "failed".to_owned(),
            (Ending::Lost, _) => "was lost".to_owned(),
            (Ending::Stopped, _) => "was stopped".to_owned(),
            (Ending::NotStarted, _) => "did not start".to_owned(),
        };
        let said = [self.reason.as_str(), self.advice.unwrap_or_default()];
        let said = said.into_iter().filter(|said| !said.is_empty() && self.outcome != Ending::Done);
        let said: Vec<&str> = said.collect();
        if said.is_empty() {
            format!("task {id} {what}")
        } else {
            format!("task {id} {what}: {}", said.join("; "))
        }
    }
}

fn ending(status: &str, stop_code: &str, reason: &str, exit_code: Option<i32>) -> Ending {
    match (stop_code, exit_code) {
        _ if status != "STOPPED" => Ending::Running,
        // An interrupted task's container often ends in good order, with a code of its own.
        ("SpotInterruption" | "TerminationNotice", _) => Ending::Lost,
        ("UserInitiated", _) => Ending::Stopped,
        ("TaskFailedToStart", _) if is_shortage(reason) => Ending::Lost,
        ("TaskFailedToStart", _) => Ending::NotStarted,
        (_, Some(0)) => Ending::Done,
        (_, Some(_)) => Ending::Failed,
        (_, None) if is_shortage(reason) => Ending::Lost,
        (_, None) => Ending::NotStarted,
    }
}

/// Whether there was no room, or a moment's trouble, rather than something that is wrong.
fn is_shortage(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    [
        "capacity is unavailable",
        "capacity unavailable",
        "timeout waiting for network interface",
        "unexpected ec2 error",
    ]
    .iter()
    .any(|words| reason.contains(words))
}

fn advice(reason: &str, exit_code: Option<i32>) -> Option<&'static str> {
    let has = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if has(&["OutOfMemory"]) {
        return Some("it ran out of memory: give the task definition more, or --memory less");
    }
    if has(&["CannotPullContainer", "pull image", "pull command failed"]) {
        return Some(
            "its image could not be pulled: check the image's name and tag, the execution role's ecr permissions, and \
             that the subnet has a way to the registry",
        );
    }
    if has(&["ResourceInitializationError"]) {
        return Some(
            "check the execution role's permissions and the subnet's way to secrets, logs and registry",
        );
    }
    if has(&["ResourceNotFoundException", "log group does not exist"]) {
        return Some("make the log group of the task definition, or set awslogs-create-group");
    }
    match exit_code {
        Some(137) => Some("it was killed, most often for its memory: give the task definition more"),
        Some(139) => Some("it crashed: please report it with the last log lines"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(change: Value) -> Value {
        let mut detail = json!({
            "taskArn": "arn:aws:ecs:eu-west-1:123456789012:task/imgmill/0b69d5c0d655",
            "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/imgmill",
            "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/go-iiif-process-ecs:1",
            "group": "family:go-iiif-process-ecs", "lastStatus": "STOPPED", "desiredStatus": "STOPPED",
            "containers": [{"name": "sidecar", "exitCode": 9}, {"name": "iiif", "exitCode": 0, "lastStatus": "STOPPED"}],
            "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"
        });
        detail.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({"detail-type": "ECS Task State Change", "source": "aws.ecs", "detail": detail})
    }

    fn report(change: Value) -> TaskReport {
        TaskReport::of(&event(change), Some("iiif")).unwrap()
    }

    #[test]
    fn a_task_that_is_done() {
        let done = report(json!({}));
        assert_eq!((done.outcome, done.exit_code), (Ending::Done, Some(0)));
        assert_eq!(done.sentence(), "task 0b69d5c0d655 is done");
        assert_eq!(TaskReport::of(&event(json!({})), None).unwrap().exit_code, Some(9), "the first");
        let bare = TaskReport::of(&event(json!({}))["detail"], Some("iiif")).unwrap();
        assert_eq!(bare, done, "DescribeTasks has the same fields");
        assert_eq!(report(json!({"lastStatus": "RUNNING"})).outcome, Ending::Running);
    }

    #[test]
    fn why_a_task_stopped_is_said() {
        let containers =
            |code: Value, reason: &str| json!([{"name": "iiif", "exitCode": code, "reason": reason}]);
        for (change, outcome, says) in [
            (
                json!({"containers": containers(137.into(), "OutOfMemoryError: Container killed due to memory usage")}),
                Ending::Failed,
                "exit code 137: Essential container in task exited; OutOfMemoryError: Container killed due to memory \
                 usage; it ran out of memory",
            ),
            (
                json!({"stopCode": "TaskFailedToStart", "containers": [{"name": "iiif"}],
                    "stoppedReason": "CannotPullContainerError: pull image manifest has been retried 5 time(s)"}),
                Ending::NotStarted,
                "did not start: CannotPullContainerError: pull image manifest has been retried 5 time(s); its image could not be pulled",
            ),
            (
                json!({"stopCode": "SpotInterruption", "stoppedReason": "Your Spot Task was interrupted.",
                    "containers": containers(143.into(), "")}),
                Ending::Lost,
                "was lost: Your Spot Task was interrupted.",
            ),
            (
                json!({"stopCode": "TaskFailedToStart", "containers": [],
                    "stoppedReason": "Capacity is unavailable at this time. Please try again later"}),
                Ending::Lost,
                "was lost: Capacity is unavailable",
            ),
            (json!({"stopCode": "UserInitiated"}), Ending::Stopped, "was stopped"),
            (json!({"containers": containers(3.into(), "")}), Ending::Failed, "failed with exit code 3"),
        ] {
            let report = report(change);
            assert_eq!(report.outcome, outcome, "{report:?}");
            assert!(report.sentence().contains(says), "{}", report.sentence());
        }
    }

    #[test]
    fn what_is_no_task_is_refused() {
        let error = TaskReport::of(&json!({"detail": {}}), None).unwrap_err();
        assert!(error.message().contains("ECS Task State Change"));
    }
}
