//! The arguments of `imgmill collect`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::shared::LogArguments;
use super::worker::QueueArguments;

pub(super) const EXAMPLES: &str = "\
Examples:
  A message for every channel whose image was never resized:
    MONGO_URL=mongodb+srv://user:password@cluster.example.org/db QUEUE_URL=… imgmill collect channels
  What would be sent:
    imgmill collect episodes --dry-run --limit 10
";

pub(super) const END: &str = "\
Environment:
  MONGO_URL            the database; where it is not set, DB_ENVIRONMENT or ENVIRONMENT (PRODUCTION or DEVELOP, which is
                       the default) chooses between MONGO_URL_PRODUCTION and MONGO_URL_DEVELOP
  QUEUE_URL            the queue, unless --queue-url says otherwise
  AWS_ACCESS_KEY_SQS, AWS_SECRET_KEY_SQS    credentials for SQS, in the place of those of the standard AWS chain";

#[derive(Debug, Args)]
pub struct CollectArguments {
    #[command(subcommand)]
    pub what: Collection,
}

#[derive(Debug, Subcommand)]
pub enum Collection {
    /// Documents of the collection channels, for the queue ChannelImages.
    Channels(CollectOptions),
    /// Documents of the collection episodes, for the queue EpisodeImages.
    Episodes(CollectOptions),
}

#[derive(Debug, Args)]
pub struct CollectOptions {
    /// The database, where the URL names none or another.
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// The collection, where it has another name.
    #[arg(long, value_name = "NAME")]
    pub collection: Option<String>,
    /// A query as MongoDB's extended JSON, in the place of: has an image, and no …_info of it.
    #[arg(long, value_name = "JSON")]
    pub filter: Option<String>,
    /// A field of the document that goes into the message, besides _id and the images; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub field: Vec<String>,
    /// The queue that the worker sends the message on to. Default: ChannelImages or EpisodeImages.
    #[arg(long, value_name = "QUEUE")]
    pub redirect_queue: Option<String>,
    /// Where the worker posts the message.
    #[arg(long, value_name = "URL")]
    pub postback_url: Option<String>,
    /// The folder that images go into, below images-resized.
    #[arg(long, value_name = "NAME")]
    pub bucket_name: Option<String>,
    /// Documents read, and messages sent, before it is noted how far it came.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub batch: u32,
    /// Messages at most.
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Only documents with an _id after this one, as extended JSON.
    #[arg(long, value_name = "JSON")]
    pub after: Option<String>,
    /// A file that says how far a run came that was cut short; the next goes on there.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub state: Option<PathBuf>,
    /// Print the messages and send none.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub queue: QueueArguments,
    #[command(flatten)]
    pub logs: LogArguments,
}
