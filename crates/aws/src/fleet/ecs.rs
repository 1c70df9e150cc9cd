//! ECS: tasks are started, looked at and stopped. A task comes as JSON with the fields that EventBridge and DescribeTasks
//! have for it, so that whoever reads one reads both.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, ContainerOverride, KeyValuePair,
    LaunchType, LogDriver, NetworkConfiguration, Task, TaskOverride,
};
use imgmill_pipeline::{Error, Kind, Stage};
use serde_json::{Value, json};

use super::{Account, Launch, LogPlace, TaskRequest};
use crate::failure::{self, Service};

const ECS: Service = Service {
    name: "ECS",
    missing: &["ClusterNotFound"],
    advice: "there is no such cluster; check its name and the region",
};
/// DescribeTasks takes no more.
const MOST_AT_ONCE: usize = 100;

/// ECS in an account.
#[derive(Debug, Clone)]
pub struct Ecs {
    client: Client,
}

impl Ecs {
    /// Of this account.
    pub fn of(account: &Account) -> Ecs {
        Ecs { client: Client::new(&account.config) }
    }

    /// Starts a task, and answers its ARN.
    ///
    /// # Errors
    /// Why there is none; transient where there is no room at the moment.
    pub async fn run(&self, request: &TaskRequest) -> Result<String, Error> {
        let network = AwsVpcConfiguration::builder()
            .set_subnets(Some(request.subnets.clone()))
            .set_security_groups(Some(request.security_groups.clone()))
            .assign_public_ip(AssignPublicIp::Enabled)
            .build()
            .map_err(|error| internal(&error))?;
        let variables = request.environment.iter();
        let variables =
            variables.map(|(name, value)| KeyValuePair::builder().name(name).value(value).build());
        let container = ContainerOverride::builder()
            .name(&request.container)
            .set_command(Some(request.command.clone()))
            .set_environment(Some(variables.collect()))
            .build();
        let mut run = self
            .client
            .run_task()
            .set_cluster(request.cluster.clone())
            .task_definition(&request.task)
            .count(1)
            .started_by(&request.started_by)
            .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(network).build());
        if !request.command.is_empty() {
            run = run.overrides(TaskOverride::builder().container_overrides(container).build());
        }
        run = match request.launch {
            Launch::Fargate => run.launch_type(LaunchType::Fargate),
            Launch::Spot => {
                let spot =
                    CapacityProviderStrategyItem::builder().capacity_provider("FARGATE_SPOT").weight(1);
                run.capacity_provider_strategy(spot.build().map_err(|error| internal(&error))?)
            }
        };
        let answer = run.send().await.map_err(|error| explain("starting the task", &request.task, &error))?;
        if let Some(arn) = answer.tasks().first().and_then(Task::task_arn) {
            return Ok(arn.to_owned());
        }
        let said = answer.failures().first().map(|failure| {
            let detail = failure.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
            format!("{}{detail}", failure.reason().unwrap_or("no reason is given"))
        });
        Err(refused(&request.task, &said.unwrap_or_else(|| "ECS gives no reason".to_owned())))
    }

    /// Looks at tasks. Those that ECS does not know are not in the answer.
    ///
    /// # Errors
    /// What ECS answers.
    pub async fn describe(&self, cluster: Option<&str>, tasks: &[String]) -> Result<Vec<Value>, Error> {
        let mut found = Vec::with_capacity(tasks.len());
        for some in tasks.chunks(MOST_AT_ONCE) {
            let asked = self.client.describe_tasks().set_cluster(cluster.map(str::to_owned));
            let answer = asked.set_tasks(Some(some.to_vec())).send().await;
            let answer = answer.map_err(|error| explain("asking about", "tasks", &error))?;
            found.extend(answer.tasks().iter().map(as_json));
        }
        Ok(found)
    }

    /// Stops a task.
    ///
    /// # Errors
    /// What ECS answers.
    pub async fn stop(&self, cluster: Option<&str>, task: &str, reason: &str) -> Result<(), Error> {
        let stop = self.client.stop_task().set_cluster(cluster.map(str::to_owned)).task(task).reason(reason);
        stop.send().await.map(drop).map_err(|error| explain("stopping", task, &error))
    }

    /// Where a container of a task definition writes its lines to, if that is CloudWatch Logs.
    ///
    /// # Errors
    /// What ECS answers.
    pub async fn log_place(&self, task_definition: &str, container: &str) -> Result<Option<LogPlace>, Error> {
        let asked = self.client.describe_task_definition().task_definition(task_definition);
        let answer = asked.send().await.map_err(|error| explain("asking about", task_definition, &error))?;
        let containers = answer.task_definition().map_or(&[][..], |found| found.container_definitions());
        let found = containers.iter().find(|found| found.name() == Some(container)).or(containers.first());
        let logs = found.and_then(|found| found.log_configuration());
        let Some(logs) = logs.filter(|logs| *logs.log_driver() == LogDriver::Awslogs) else {
            return Ok(None);
        };
        let option = |name: &str| logs.options().and_then(|options| options.get(name)).cloned();
        let (Some(group), Some(prefix)) = (option("awslogs-group"), option("awslogs-stream-prefix")) else {
            return Ok(None);
        };
        Ok(Some(LogPlace { group, prefix, region: option("awslogs-region") }))
    }
}

fn as_json(task: &Task) -> Value {
    let containers = task.containers().iter().map(|container| {
        json!({
            "name": container.name(),
            "exitCode": container.exit_code(),
            "reason": container.reason(),
            "lastStatus": container.last_status(),
        })
    });
    json!({
        "taskArn": task.task_arn(),
        "clusterArn": task.cluster_arn(),
        "taskDefinitionArn": task.task_definition_arn(),
        "group": task.group(),
        "lastStatus": task.last_status(),
        "stopCode": task.stop_code().map(|code| code.as_str()),
        "stoppedReason": task.stopped_reason(),
        "containers": containers.collect::<Vec<_>>(),
    })
}

/// Why RunTask gave no task: what passes is told from what does not.
fn refused(task: &str, reason: &str) -> Error {
    let lower = reason.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let passes = has(&["capacity", "resource:", "agent", "limit", "rate exceeded", "throttl"]);
    let advice = match () {
        () if has(&["limit"]) => "; ask for a higher quota of Fargate vCPUs, or start fewer at once",
        () if has(&["capacity", "resource:"]) => "; other subnets may have room",
        () => "",
    };
    let message = format!("ECS did not start {task}: {reason}{advice}");
    Error::new(Stage::Source, Kind::Io, message).transient(passes)
}

fn explain<E>(doing: &str, what: &str, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    SdkError<E>: std::error::Error,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
    let said = error.as_service_error().and_then(ProvideErrorMetadata::message).unwrap_or_default();
    if said.contains("limit") || said.contains("apacity") {
        return refused(what, &format!("{code} {said}"));
    }
    failure::failure(&ECS, doing, what, error)
}

fn internal(error: &dyn std::fmt::Display) -> Error {
    Error::new(Stage::Source, Kind::Internal, format!("a request to ECS could not be put together: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        for (reason, passes) in [
            ("Capacity is unavailable at this time. Please try again later", true),
            ("RESOURCE:MEMORY", true),
            ("You've reached the limit on the number of vCPUs you can run concurrently", true),
            ("MISSING", false),
            ("InvalidParameterException TaskDefinition is inactive", false),
        ] {
            assert_eq!(refused("t:1", reason).is_transient(), passes, "{reason}");
        }
        assert!(refused("t:1", "reached the limit").message().contains("quota"));
    }
}
