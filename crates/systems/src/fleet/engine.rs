//! The two interfaces that tasks are worked with, so that waiting can be tried without an account.

use async_trait::async_trait;
use imgmill_aws::fleet::{LogPlace, Page, TaskRequest};
use imgmill_pipeline::Error;
use serde_json::Value;

/// Starts, looks at and stops tasks.
#[async_trait]
pub trait Tasks: Send + Sync {
    /// Starts one, and answers its ARN. An error says whether another try may end better.
    async fn run(&self, request: &TaskRequest) -> Result<String, Error>;

    /// Looks at tasks, as DescribeTasks has them. What is not known is not in the answer.
    async fn describe(&self, cluster: Option<&str>, tasks: &[String]) -> Result<Vec<Value>, Error>;

    /// Stops one.
    async fn stop(&self, cluster: Option<&str>, task: &str, reason: &str) -> Result<(), Error>;

    /// Where the lines of a container of a task definition go.
    async fn log_place(&self, task_definition: &str, container: &str) -> Result<Option<LogPlace>, Error>;
}

/// Reads lines of containers.
#[async_trait]
pub trait Logs: Send + Sync {
    /// What stands in a stream behind `from`; nothing where there is no such stream.
    async fn read(&self, group: &str, stream: &str, from: Option<&str>) -> Result<Option<Page>, Error>;
}

#[cfg(feature = "fleet")]
mod aws {
    use super::*;
    use imgmill_aws::fleet::{CloudWatchLogs, Ecs};

    #[async_trait]
    impl Tasks for Ecs {
        async fn run(&self, request: &TaskRequest) -> Result<String, Error> {
            Ecs::run(self, request).await
        }

        async fn describe(&self, cluster: Option<&str>, tasks: &[String]) -> Result<Vec<Value>, Error> {
            Ecs::describe(self, cluster, tasks).await
        }

        async fn stop(&self, cluster: Option<&str>, task: &str, reason: &str) -> Result<(), Error> {
            Ecs::stop(self, cluster, task, reason).await
        }

        async fn log_place(&self, task_definition: &str, container: &str) -> Result<Option<LogPlace>, Error> {
            Ecs::log_place(self, task_definition, container).await
        }
    }

    #[async_trait]
    impl Logs for CloudWatchLogs {
        async fn read(&self, group: &str, stream: &str, from: Option<&str>) -> Result<Option<Page>, Error> {
            CloudWatchLogs::read(self, group, stream, from).await
        }
    }
}
