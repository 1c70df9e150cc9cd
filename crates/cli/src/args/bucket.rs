//! The arguments of `imgmill bucket`: record, drain, rerun, status.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::quantity::seconds;
use super::shared::{LimitArguments, LogArguments};

pub(super) const EXAMPLES: &str = "\
Examples:
  Try it on folders, with no account:
    export RBSC_BUCKET=file://$PWD/originals PROCESS_BUCKET=file://$PWD/process IMAGE_BUCKET=file://$PWD/pyramids
    imgmill bucket rerun && imgmill bucket drain && imgmill bucket status
  Note what an event of S3 tells, then make what is noted:
    PROCESS_BUCKET=my-process imgmill bucket record event.json
    RBSC_BUCKET=my-originals PROCESS_BUCKET=my-process IMAGE_BUCKET=my-pyramids imgmill bucket drain
";

const RERUN_EXAMPLES: &str = "\
Examples:
  How many PNGs of two folders have no pyramid yet:
    imgmill bucket rerun --prefix digital/ --prefix collections/ --ext png --missing-only --dry-run
  Have everything made again that was put since March:
    imgmill bucket rerun --since 2026-03-01
";

const TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

const DRAIN_END: &str = "\
Environment:
  RBSC_BUCKET      what images are put into   (flag --sources)
  PROCESS_BUCKET   the records                (flag --records)
  IMAGE_BUCKET     the pyramids               (flag --images)
    Each is the name of an S3 bucket, or s3://…, gs://…, az://…, file:///folder.
  MAX_THREADS      images made at once, unless --threads says otherwise
  AWS_REGION, AWS_ENDPOINT_URL, AWS_ROLE_ARN and the standard AWS chain, as for `imgmill run`.

Exit codes:
  0 all done   1 could not run   2 wrong usage   3 some images failed
  130 stopped by Ctrl-C   143 stopped by SIGTERM";

#[derive(Debug, Subcommand)]
pub enum BucketCommand {
    /// Note what events of S3 tell: one record for each image that was put, in the process bucket.
    #[command(help_template = TEMPLATE)]
    Record(RecordArguments),
    /// Make a pyramid TIFF of every image that a record waits for.
    #[command(help_template = TEMPLATE, after_help = DRAIN_END)]
    // Originals are large and few beside what is on lists.
    #[command(mut_arg("concurrency", |argument| argument.default_value("8")))]
    #[command(mut_arg("max_bytes", |argument| argument.default_value("1GiB")))]
    #[command(mut_arg("max_pixels", |argument| argument.default_value("1G")))]
    #[command(mut_arg("isolate", |argument| argument.help(
        "Whether each image is made in a process that may crash or be killed. Default: process")))]
    Drain(Box<DrainArguments>),
    /// Write records for images that are in the bucket already, so that their pyramids are made again.
    #[command(help_template = TEMPLATE, before_help = RERUN_EXAMPLES)]
    Rerun(RerunArguments),
    /// Say how many records wait, are worked on and were given up, and why.
    #[command(help_template = TEMPLATE)]
    Status(StatusArguments),
}

#[derive(Debug, Args)]
pub struct RecordsPlace {
    /// The bucket or folder of the records. Default: $PROCESS_BUCKET.
    #[arg(long, value_name = "BUCKET")]
    pub records: Option<String>,
}

#[derive(Debug, Args)]
pub struct SourcesPlace {
    /// The bucket or folder that images are put into. Default: $RBSC_BUCKET.
    #[arg(long, value_name = "BUCKET")]
    pub sources: Option<String>,
}

#[derive(Debug, Args)]
pub struct ImagesPlace {
    /// The bucket or folder that pyramids go to. Default: $IMAGE_BUCKET.
    #[arg(long, value_name = "BUCKET")]
    pub images: Option<String>,
}

#[derive(Debug, Args)]
pub struct RecordArguments {
    /// The event's JSON, as Lambda, SQS, SNS or EventBridge bring it, or several one after another; `-` is standard
    /// input.
    #[arg(value_name = "EVENT", default_value = "-", value_hint = ValueHint::FilePath)]
    pub event: PathBuf,
    /// What the records say of the rights: `copyright` has pyramids made of 843×560 pixels at most.
    #[arg(long, value_name = "STATUS")]
    pub copyright_status: Option<String>,
    #[command(flatten)]
    pub sources: SourcesPlace,
    #[command(flatten)]
    pub records: RecordsPlace,
    #[command(flatten)]
    pub logs: LogArguments,
}

#[derive(Debug, Args)]
pub struct DrainArguments {
    #[command(flatten)]
    pub sources: SourcesPlace,
    #[command(flatten)]
    pub records: RecordsPlace,
    #[command(flatten)]
    pub images: ImagesPlace,
    /// Drain continuously, until a signal comes.
    #[arg(long)]
    pub watch: bool,
    /// With --watch, seconds until records are looked for again where none was there.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub interval: std::time::Duration,
    /// On AWS: start the scheduled task at once, and make nothing here.
    #[arg(long, conflicts_with = "watch")]
    pub now: bool,
    /// Attempts after which a record is moved to failed/.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_attempts: u32,
    /// Seconds after which another drainer takes over what this one worked on when it died.
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    pub claim_time: std::time::Duration,
    /// Everything known of every image, as JSON lines.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// Where large downloads go. Default: imgmill in the system's temp folder.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub work_dir: Option<PathBuf>,
    /// Let ImageMagick read what imgmill does not: EPS. It must be on the PATH.
    #[arg(long)]
    pub delegates: bool,
    #[command(flatten)]
    pub limits: LimitArguments,
    #[command(flatten)]
    pub logs: LogArguments,
}

#[derive(Debug, Args)]
pub struct RerunArguments {
    /// What keys begin with, such as digital/; may be repeated. Default: the whole bucket.
    #[arg(long, value_name = "PREFIX")]
    pub prefix: Vec<String>,
    /// Their extension, such as png; may be repeated. Default: jpeg, jpg, bmp, tif, tiff, png, eps, pdf.
    #[arg(long, value_name = "EXTENSION")]
    pub ext: Vec<String>,
    /// Put at that time or later: 2026-03-01, or 2026-03-01T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only images that have no pyramid.
    #[arg(long)]
    pub missing_only: bool,
    /// Count only; write no record.
    #[arg(long)]
    pub dry_run: bool,
    /// What the records say of the rights, as with `record`. Without it, what earlier records of a key said stands.
    #[arg(long, value_name = "STATUS")]
    pub copyright_status: Option<String>,
    #[command(flatten)]
    pub sources: SourcesPlace,
    #[command(flatten)]
    pub records: RecordsPlace,
    #[command(flatten)]
    pub images: ImagesPlace,
    #[command(flatten)]
    pub logs: LogArguments,
}

#[derive(Debug, Args)]
pub struct StatusArguments {
    /// For machines.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub records: RecordsPlace,
    #[command(flatten)]
    pub logs: LogArguments,
}
