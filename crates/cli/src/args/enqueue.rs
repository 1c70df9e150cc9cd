//! The arguments of `imgmill enqueue`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::shared::{ListArguments, LogArguments};
use super::worker::QueueArguments;

pub(super) const EXAMPLES: &str = "\
Examples:
  A message for every row; workers resize the images and post what became of each:
    imgmill enqueue --input list.csv --queue-url $QUEUE_URL --postback-url https://example.org/done
  On this machine, with a folder as the queue:
    imgmill enqueue --input list.csv --queue dir:messages --redirect-queue done
    imgmill worker --queue dir:messages --store images --until-empty
";

#[derive(Debug, Args)]
pub struct EnqueueArguments {
    /// The list: a CSV file with the one column `url`, or as below; all URLs http or https. A file or an object (s3://…).
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub input: PathBuf,
    /// The queue that workers send each message on to.
    #[arg(long, value_name = "QUEUE", required_unless_present = "postback_url")]
    pub redirect_queue: Option<String>,
    /// Where workers post each message.
    #[arg(long, value_name = "URL")]
    pub postback_url: Option<String>,
    /// The folder that images go into, below images-resized.
    #[arg(long, value_name = "NAME")]
    pub bucket_name: Option<String>,
    /// Another field of every message, as text; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    pub field: Vec<String>,
    /// Rows up to this one were sent before.
    #[arg(long, value_name = "ROW", default_value_t = 0)]
    pub after: u64,
    #[command(flatten)]
    pub list: ListArguments,
    #[command(flatten)]
    pub queue: QueueArguments,
    #[command(flatten)]
    pub logs: LogArguments,
}
