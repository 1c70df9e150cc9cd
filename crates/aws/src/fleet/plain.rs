//! What is asked of fleets and what they answer, without any SDK.

use serde_json::Value;

/// What a task runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launch {
    /// Fargate.
    Fargate,
    /// Fargate's spare capacity, which may be taken away.
    Spot,
}

/// A task to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRequest {
    /// The cluster's name; without one the account's default.
    pub cluster: Option<String>,
    /// The task definition, with or without its revision.
    pub task: String,
    /// The container whose command is replaced.
    pub container: String,
    /// Its command.
    pub command: Vec<String>,
    /// Variables besides the definition's.
    pub environment: Vec<(String, String)>,
    /// The subnets that it may run in.
    pub subnets: Vec<String>,
    /// What it may reach.
    pub security_groups: Vec<String>,
    /// What it runs on.
    pub launch: Launch,
    /// A name that DescribeTasks and events show.
    pub started_by: String,
}

/// Where a container's lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPlace {
    /// The log group.
    pub group: String,
    /// What the names of streams begin with.
    pub prefix: String,
    /// Its region, where it says one.
    pub region: Option<String>,
}

/// Lines, and where to read on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// When each was written, in milliseconds after 1970, and its text.
    pub lines: Vec<(i64, String)>,
    /// What the next page is asked for by; the same as before where nothing more is there.
    pub next: Option<String>,
}

/// What a function answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// 200, or 202 where nobody waited for it, 204 of a dry run.
    pub status: i32,
    /// Why it failed, in a word, if it did.
    pub failed: Option<String>,
    /// What it said, if anything.
    pub said: Value,
}

/// Where an execution is.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED, PENDING_REDRIVE.
    pub status: String,
    /// What it came to.
    pub output: Value,
    /// Why it failed.
    pub reason: String,
}

/// How far the items of all maps of an execution are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MapCounts {
    /// Items known.
    pub total: i64,
    /// Items that are done.
    pub succeeded: i64,
    /// Items of batches that failed, ran out of time or were given up.
    pub failed: i64,
    /// Items in work.
    pub running: i64,
    /// Items that wait.
    pub pending: i64,
}
