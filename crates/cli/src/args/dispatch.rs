//! The arguments of `imgmill dispatch`.

use clap::{Args, ValueEnum};

use super::run::ShardKey;
use super::shared::LogArguments;

pub(super) const EXAMPLES: &str = "\
Examples:
  Twenty tasks of Fargate Spot over a list, each on its shard; their parts are merged:
    imgmill dispatch --engine ecs --tasks 20 --spot --input s3://work/lists/list.csv --output s3://work/runs/1/out.csv \\
      --cluster imgmill --task imgmill-run --subnet subnet-1 --security-group sg-1 -- --derive 'small=full/!250,250/0/default.jpg'
  The same by a Distributed Map of Step Functions:
    imgmill dispatch --engine stepfunctions --state-machine arn:aws:states:… --input s3://work/lists/list.csv \\
      --output s3://work/runs/1/out.csv
";

pub(super) const END: &str = "\
Exit codes:
  0 every row is stored   1 could not run, or a shard did not go through   2 wrong usage or input file
  3 rows failed, or are missing: what there is was merged
  130 stopped by Ctrl-C, and with it what ran   143 stopped by SIGTERM
The same command again goes on: what is stored is found, not made again.";

#[derive(Debug, Args)]
pub struct DispatchArguments {
    /// What the list is worked on by.
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub engine: Engine,
    /// The list, an object: s3://bucket/key. With Step Functions it may be the manifest.json of an S3 Inventory, too.
    #[arg(long, short, value_name = "URL")]
    pub input: String,
    /// Where the list of what was stored goes, an object; parts and results lie beside it.
    #[arg(long, short, value_name = "URL")]
    pub output: String,
    /// The list of URLs that failed.
    #[arg(long, value_name = "URL")]
    pub output_failed: Option<std::path::PathBuf>,
    /// The list of URLs that nobody tells of.
    #[arg(long, value_name = "URL")]
    pub output_missing: Option<std::path::PathBuf>,
    #[command(flatten)]
    pub ecs: EcsArguments,
    #[command(flatten)]
    pub states: StatesArguments,
    /// Arguments of `imgmill run` for all of them.
    #[arg(last = true, value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
    #[command(flatten)]
    pub logs: LogArguments,
}

/// What works on a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// Tasks of ECS on Fargate, each on its shard.
    Ecs,
    /// A Distributed Map of Step Functions.
    Stepfunctions,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Tasks of ECS")]
pub struct EcsArguments {
    /// How many tasks share the list.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000), required_if_eq("engine", "ecs"))]
    pub tasks: Option<u32>,
    /// The cluster. Default: the account's default cluster.
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// The task definition.
    #[arg(long, value_name = "NAME", required_if_eq("engine", "ecs"))]
    pub task: Option<String>,
    /// Its container. Default: the name of the task definition.
    #[arg(long, value_name = "NAME")]
    pub container: Option<String>,
    /// A subnet that tasks may run in; may be repeated.
    #[arg(long, value_name = "ID", required_if_eq("engine", "ecs"))]
    pub subnet: Vec<String>,
    /// A security group of the tasks; may be repeated.
    #[arg(long, value_name = "ID")]
    pub security_group: Vec<String>,
    /// Run on Fargate Spot, which costs less and may be taken away: lost shards are started again.
    #[arg(long)]
    pub spot: bool,
    /// How often a shard is started again that was lost.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub restarts: u32,
    /// Whose a row is: by its number, or by its URL's host, so that --per-host holds over all tasks.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = ShardKey::Row)]
    pub shard_by: ShardKey,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Step Functions")]
pub struct StatesArguments {
    /// The state machine that the CDK app makes.
    #[arg(long, value_name = "ARN", required_if_eq("engine", "stepfunctions"))]
    pub state_machine: Option<String>,
    /// Rows of a batch. Default: the state machine's.
    #[arg(long, value_name = "N")]
    pub batch: Option<u32>,
    /// Batches at once. Default: the state machine's.
    #[arg(long, value_name = "N")]
    pub max_concurrency: Option<u32>,
    /// The share of rows, in percent, whose batches may fail before all is given up. Default: the state machine's.
    #[arg(long, value_name = "PERCENT")]
    pub tolerated_failures: Option<u32>,
    /// Go on with an execution that failed, instead of starting one.
    #[arg(long, value_name = "ARN")]
    pub redrive: Option<String>,
}
