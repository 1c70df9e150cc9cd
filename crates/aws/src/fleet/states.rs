//! Step Functions: executions of a state machine, and the items of its maps.

use aws_sdk_sfn::Client;
use imgmill_pipeline::Error;
use serde_json::Value;

use super::{Account, Execution, MapCounts};
use crate::failure::{self, Service};

const STATES: Service = Service {
    name: "Step Functions",
    missing: &["StateMachineDoesNotExist", "ExecutionDoesNotExist"],
    advice: "there is no such thing; check the ARN and the region",
};

/// State machines of an account.
#[derive(Debug, Clone)]
pub struct StateMachines {
    client: Client,
}

impl StateMachines {
    /// Of this account.
    pub fn of(account: &Account) -> StateMachines {
        StateMachines { client: Client::new(&account.config) }
    }

    /// Starts an execution, and answers its ARN. The same name and input again is the same execution.
    ///
    /// # Errors
    /// What Step Functions answers.
    pub async fn start(&self, machine: &str, name: Option<&str>, input: &Value) -> Result<String, Error> {
        let start = self.client.start_execution().state_machine_arn(machine).input(input.to_string());
        let started = start.set_name(name.map(str::to_owned)).send().await;
        let started = started.map_err(|error| failure::failure(&STATES, "starting", machine, &error))?;
        Ok(started.execution_arn().to_owned())
    }

    /// Goes on with an execution that failed: what was done stays.
    ///
    /// # Errors
    /// What Step Functions answers.
    pub async fn redrive(&self, execution: &str) -> Result<(), Error> {
        let redriven = self.client.redrive_execution().execution_arn(execution).send().await;
        redriven.map(drop).map_err(|error| failure::failure(&STATES, "redriving", execution, &error))
    }

    /// Stops an execution.
    ///
    /// # Errors
    /// What Step Functions answers.
    pub async fn stop(&self, execution: &str) -> Result<(), Error> {
        let stopped = self.client.stop_execution().execution_arn(execution).send().await;
        stopped.map(drop).map_err(|error| failure::failure(&STATES, "stopping", execution, &error))
    }

    /// Looks at an execution.
    ///
    /// # Errors
    /// What Step Functions answers.
    pub async fn look(&self, execution: &str) -> Result<Execution, Error> {
        let found = self.client.describe_execution().execution_arn(execution).send().await;
        let found = found.map_err(|error| failure::failure(&STATES, "asking about", execution, &error))?;
        let output = found.output().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let reasons = [found.error(), found.cause()];
        let reasons: Vec<&str> = reasons.into_iter().flatten().filter(|text| !text.is_empty()).collect();
        Ok(Execution { status: found.status().as_str().to_owned(), output, reason: reasons.join(": ") })
    }

    /// How far its maps are.
    ///
    /// # Errors
    /// What Step Functions answers.
    pub async fn counts(&self, execution: &str) -> Result<MapCounts, Error> {
        let runs = self.client.list_map_runs().execution_arn(execution).send().await;
        let runs =
            runs.map_err(|error| failure::failure(&STATES, "asking about the maps of", execution, &error))?;
        let mut all = MapCounts::default();
        for run in runs.map_runs() {
            let found = self.client.describe_map_run().map_run_arn(run.map_run_arn()).send().await;
            let found = found
                .map_err(|error| failure::failure(&STATES, "asking about", run.map_run_arn(), &error))?;
            if let Some(counts) = found.item_counts() {
                all.total += counts.total();
                all.succeeded += counts.succeeded();
                all.failed += counts.failed() + counts.timed_out() + counts.aborted();
                all.running += counts.running();
                all.pending += counts.pending();
            }
        }
        Ok(all)
    }
}
