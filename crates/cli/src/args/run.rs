//! The arguments of `imgmill run`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::shared::{
    AgainArguments, LimitArguments, ListArguments, LogArguments, RecipeArguments, StoreArguments,
};

pub(super) const EXAMPLES: &str = "\
Examples:
  Gray versions of a list of URLs, into the folder outputs:
    imgmill run --input input.csv --output output.csv
  Into S3, with the failed rows in a list that can be run again:
    AWS_REGION=eu-west-1 S3_BUCKET=my-bucket \\
      imgmill run --input input.csv --output output.csv --output-failed failed.csv
  A quarter of a list, of which three other machines do the rest; then all of it:
    imgmill run --input list.csv --output out.csv --shard 0/4
    imgmill merge --input list.csv --output out.csv out.*-of-4.csv
  A museum's list, whose other columns go along into out.csv; objects are named by its inventory numbers:
    imgmill run --input works.jsonl.gz --output out.csv --url-column image --id-column inventory \
      --key '{id}.{ext}' --metadata-column title
  Two thumbnails of each, named after their sources:
    imgmill run --input input.csv --output output.csv --key '{stem}_{label}.{ext}' \\
      --derive 'small=square/!50,50/0/default.jpg' --derive 'large=full/!800,800/0/default.webp'
";

pub(super) const END: &str = "\
Environment:
  S3_BUCKET, AWS_REGION     store in this bucket, unless --store says otherwise
  AWS_ROLE_ARN              assume this role first (AWS_ROLE_URN is read too)
  AWS_ENDPOINT_URL          an S3-compatible server in the place of AWS
  Credentials come from the standard AWS chain: environment, ~/.aws, container, instance.

Exit codes:
  0 all done   1 could not run   2 wrong usage or input file   3 some rows failed
  130 stopped by Ctrl-C   143 stopped by SIGTERM";

#[derive(Debug, Args)]
pub struct RunArguments {
    /// The list: a CSV file with the one column `url`, or as below; `-` is standard input. It may be an object: s3://…,
    /// gs://…, az://….
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub input: PathBuf,
    /// The list of what was stored: url,input,output,s3url; `-` is standard output. It may be an object, too.
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// The list of URLs that failed; itself valid input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output_failed: Option<PathBuf>,
    /// Everything known of every row, as JSON lines.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// One HTML file to look through the run in: pictures before and after, failures first, sizes, times.
    #[arg(long, value_name = "FILE.html", value_hint = ValueHint::FilePath)]
    pub contact_sheet: Option<PathBuf>,
    /// Look only: which rows are stored already, which would be made. Writes nothing but --report.
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub list: ListArguments,
    /// A column that is said of the objects, too, as their metadata; may be repeated.
    #[arg(long, value_name = "NAME", help_heading = "How the list is read")]
    pub metadata_column: Vec<String>,
    #[command(flatten)]
    pub sharding: ShardArguments,
    #[command(flatten)]
    pub recipe: RecipeArguments,
    #[command(flatten)]
    pub store: StoreArguments,
    #[command(flatten)]
    pub again: AgainArguments,
    #[command(flatten)]
    pub limits: LimitArguments,
    #[command(flatten)]
    pub logs: LogArguments,
}

/// A list that several machines work on.
#[derive(Debug, Args)]
#[command(next_help_heading = "One of several machines")]
pub struct ShardArguments {
    /// Which part of the list is worked on: I/N counted from 0, or auto in an array job (AWS Batch, Slurm, Cloud Run,
    /// Kubernetes). Files are named after it: out.csv is out.0-of-4.csv.
    #[arg(long, value_name = "I/N|auto")]
    pub shard: Option<String>,
    /// How many parts there are, where the environment of --shard auto does not say (Kubernetes).
    #[arg(long, value_name = "N", requires = "shard")]
    pub shard_count: Option<u32>,
    /// Whose a row is: by its number, or by its URL's host, so that --per-host holds over all machines.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = ShardKey::Row)]
    pub shard_by: ShardKey,
}

/// Whose a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShardKey {
    /// Rows go round.
    Row,
    /// A host's rows are all one machine's.
    Host,
}
