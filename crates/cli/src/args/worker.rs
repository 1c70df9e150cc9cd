//! The arguments of `imgmill worker`, `imgmill worker redrive` and `imgmill send`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};

use super::quantity::{at_least_one, seconds};
use super::shared::{LimitArguments, LogArguments, ObjectArguments};

pub(super) const EXAMPLES: &str = "\
Examples:
  A folder as the queue, another as the store, until all messages are done:
    imgmill worker --queue dir:messages --store images --until-empty
  An SQS queue and a bucket:
    QUEUE_URL=https://sqs.eu-west-1.amazonaws.com/123456789012/ImageQueue.fifo S3_BUCKET=my-bucket imgmill worker
  What came too often and why, and back with it:
    imgmill worker redrive list
    imgmill worker redrive return --all
";

pub(super) const END: &str = "\
Environment:
  QUEUE_URL                         the queue, unless --queue-url says otherwise; its region too
  S3_BUCKET                         store in this bucket, unless --store says otherwise
  AWS_ACCESS_KEY_S3, AWS_SECRET_KEY_S3      credentials for S3, in the place of those of the standard AWS chain
  AWS_ACCESS_KEY_SQS, AWS_SECRET_KEY_SQS    the same for SQS
  POSTBACK_SECRET_KEY               sent along in postbacks as postback_secret_key
  POSTBACK_SIGNING_KEY              what postbacks are signed with: header X-Imgmill-Signature
  CALLS_TO_UPDATE_LIST_SQS_QUEUES   receives after which the list of queues is fetched again; default 100000
  LEVEL                             DEBUG, INFO, WARNING, ERROR or CRITICAL, unless --log-level says otherwise

Exit codes:
  0 the queue is empty (--until-empty)   1 could not run   2 wrong usage, or a queue that cannot be read
  130 stopped by Ctrl-C   143 stopped by SIGTERM";

pub(super) const SEND_EXAMPLES: &str = "\
Examples:
  imgmill send --queue-url $QUEUE_URL '{\"image_url\": \"https://example.org/a.jpg\", \"redirect_queue\": \"ChannelImages\"}'
  imgmill send --queue-url $QUEUE_URL --file messages.jsonl
";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct WorkerArguments {
    #[command(subcommand)]
    pub command: Option<WorkerCommand>,

    #[command(flatten)]
    pub queue: QueueArguments,
    /// Images made at once, as --threads: image-service's name for it.
    #[arg(long, short, value_name = "N", value_parser = at_least_one, conflicts_with = "threads")]
    pub workers: Option<usize>,
    /// The wait before a message is tried again that failed in a way that may pass; it doubles each time.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub retry_delay: Duration,
    /// End when the queue is empty; it is asked once a second then.
    #[arg(long)]
    pub until_empty: bool,
    /// Where /healthz, /readyz and /metrics are to be found, such as 127.0.0.1:9100.
    #[arg(long, value_name = "ADDRESS")]
    pub metrics_addr: Option<SocketAddr>,
    /// How long messages under way may go on after a signal.
    #[arg(long, value_name = "SECONDS", default_value = "25", value_parser = seconds)]
    pub grace: Duration,

    #[command(flatten)]
    pub making: WorkerMakingArguments,
    #[command(flatten)]
    pub network: NetworkArguments,
    #[command(flatten)]
    pub limits: LimitArguments,
    #[command(flatten)]
    pub logs: LogArguments,
}

#[derive(Debug, Subcommand)]
pub enum WorkerCommand {
    /// Dead letters: messages that were received too often. List them, show them, return them to their queue.
    Redrive(RedriveArguments),
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Queue")]
pub struct QueueArguments {
    /// An SQS queue's URL, or dir:PATH for a folder of JSON files. Default: $QUEUE_URL.
    #[arg(long, visible_alias = "queue", value_name = "URL")]
    pub queue_url: Option<String>,
    /// How long a message stays hidden from others; it is hidden anew while it is worked on.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub visibility: Duration,
    /// How long to wait for messages at a time; SQS waits for 20 at the most.
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    pub wait: Duration,
    /// How often a message is received before it is given up, where the queue itself does not say.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_receives: u32,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "What is made, and where it is stored")]
pub struct WorkerMakingArguments {
    /// Another derivative than 50x50, 250X250 and 800x800, as an IIIF Image API request; may be repeated.
    #[arg(long, value_name = "LABEL=REGION/SIZE/ROTATION/QUALITY.FORMAT", conflicts_with = "recipe")]
    pub derive: Vec<String>,
    /// The same from a JSON file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub recipe: Option<PathBuf>,
    /// Make images anew that are stored already, as after a change of what a label stands for.
    #[arg(long)]
    pub refresh: bool,
    /// s3://bucket/prefix, gs://…, az://…, file:///folder or a folder. Default: $S3_BUCKET, else outputs.
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// What the url in …_info fields looks like: path, virtual, or base=URL.
    #[arg(long, value_name = "STYLE", default_value = "path")]
    pub url_style: String,
    #[command(flatten)]
    pub objects: ObjectArguments,
    /// Where large downloads go. Default: imgmill in the system's temp folder.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub work_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Where messages may lead")]
pub struct NetworkArguments {
    /// A host whose addresses may be private, HOST or HOST:PORT; may be repeated.
    #[arg(long, value_name = "HOST")]
    pub allow_host: Vec<String>,
    /// A port besides 80 and 443; may be repeated.
    #[arg(long, value_name = "PORT")]
    pub allow_port: Vec<u16>,
    /// Any address at any port: for queues that no stranger's URL can reach.
    #[arg(long)]
    pub allow_private_network: bool,
    /// For one attempt at a postback.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub postback_timeout: Duration,
    /// For all attempts at a postback; then its message goes back to the queue.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub postback_deadline: Duration,
}

#[derive(Debug, Args)]
pub struct RedriveArguments {
    #[command(subcommand)]
    pub action: RedriveAction,
}

#[derive(Debug, Subcommand)]
pub enum RedriveAction {
    /// One line each: id, how often it was received, how old it is, what it begins with.
    List {
        #[command(flatten)]
        queue: QueueArguments,
        /// No more than this.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// Whole messages.
    Show {
        /// Their ids.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        #[command(flatten)]
        queue: QueueArguments,
    },
    /// Send messages back to the queue that they came from.
    Return {
        /// Their ids.
        #[arg(value_name = "ID", required_unless_present = "all")]
        ids: Vec<String>,
        /// All of them.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        #[command(flatten)]
        queue: QueueArguments,
    },
}

#[derive(Debug, Args)]
pub struct SendArguments {
    /// Messages, each a JSON object.
    #[arg(value_name = "JSON", required_unless_present = "file")]
    pub messages: Vec<String>,
    /// Messages from a file, one a line; `-` is standard input.
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// The group of a FIFO queue, whose order is kept. Default: one for each _id, else for each image.
    #[arg(long, value_name = "NAME")]
    pub group: Option<String>,
    /// What a FIFO queue knows the message by for five minutes; for one message. Default: the hash of its text.
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    pub deduplication: Option<String>,
    #[command(flatten)]
    pub queue: QueueArguments,
}
