//! Arguments that several commands have: what is made, where it is stored, what bounds it, what is told.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::quantity::{at_least_one, count, seconds, share, size};

#[derive(Debug, Args)]
#[command(next_help_heading = "What is made")]
pub struct RecipeArguments {
    /// A derivative as an IIIF Image API request; may be repeated. Default: gray=full/max/0/gray.jpg.
    #[arg(long, value_name = "LABEL=REGION/SIZE/ROTATION/QUALITY.FORMAT", conflicts_with = "recipe")]
    pub derive: Vec<String>,
    /// Derivatives from a JSON file: {"label": {"region", "size", "rotation", "quality", "format"}}.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub recipe: Option<PathBuf>,
    /// How colours become gray.
    #[arg(long, value_enum, value_name = "METHOD", default_value_t = Gray::Luma)]
    pub gray: Gray,
    /// Let ImageMagick read what imgmill does not: EPS, HEIC, PSD, camera raws. It must be on the PATH.
    #[arg(long)]
    pub delegates: bool,
}

/// How colours become gray.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Gray {
    /// Rec. 601 luma; lossless for a JPEG at full size.
    Luma,
    /// The mean of red, green and blue.
    Average,
    /// Rec. 709 luma.
    Rec709,
    /// The mean of the largest and the smallest of red, green and blue.
    Lightness,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Where it is stored")]
pub struct StoreArguments {
    /// s3://bucket/prefix, gs://…, az://…, file:///folder or a folder. Default: $S3_BUCKET, else outputs.
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// How objects are named, from {hash} {stem} {path} {id} {label} {ext} {row}. Default: {hash}.{ext}.
    #[arg(long, value_name = "TEMPLATE")]
    pub key: Option<String>,
    #[command(flatten)]
    pub objects: ObjectArguments,
    /// Where local copies and large downloads go. Default: imgmill in the system's temp folder.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub work_dir: Option<PathBuf>,
    /// Keep no local copies; the columns input and output stay empty.
    #[arg(long)]
    pub discard: bool,
}

/// How a list is read that is not CSV with the one column `url`.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "How the list is read")]
pub struct ListArguments {
    /// What the list is written in. Default: by its name's ending, .tsv, .jsonl, .ndjson, .parquet; else CSV. Gzip and zstd are
    /// unpacked by themselves.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub input_format: Option<InputFormat>,
    /// The column of the URLs; all other columns go along. Of CSV this, too, says that there are others. Default: url.
    #[arg(long, value_name = "NAME")]
    pub url_column: Option<String>,
    /// The column that tells rows apart: {id} in --key, id in the report.
    #[arg(long, value_name = "NAME")]
    pub id_column: Option<String>,
}

/// What a list is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    /// Comma-separated values.
    Csv,
    /// The same with tabs.
    Tsv,
    /// A JSON object a line.
    Jsonl,
    /// Apache Parquet, in builds that have it.
    Parquet,
}

/// What is said of every object that is stored.
#[derive(Debug, Clone, Args)]
pub struct ObjectArguments {
    /// Cache-Control of the objects.
    #[arg(long, value_name = "TEXT")]
    pub cache_control: Option<String>,
    /// Storage class of the objects, such as STANDARD_IA.
    #[arg(long, value_name = "CLASS")]
    pub storage_class: Option<String>,
    /// Server-side encryption: AES256, aws:kms or aws:kms:KEY.
    #[arg(long, value_name = "METHOD")]
    pub sse: Option<String>,
    /// A tag for the objects; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    pub tag: Vec<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "What was made before")]
pub struct AgainArguments {
    /// Whether to ask origins if their images changed since they were stored.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Revalidate::Always)]
    pub revalidate: Revalidate,
    /// Begin again: download and make everything, whatever is stored.
    #[arg(long)]
    pub refresh: bool,
}

/// When origins are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Revalidate {
    /// Wherever the origin gave an ETag or a date to ask by.
    Always,
    /// Not at all: what is stored stands.
    Never,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArguments {
    /// Images between the start of their download and the end of their upload.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least_one)]
    pub concurrency: usize,
    /// Downloads at once from one host.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = at_least_one)]
    pub per_host: usize,
    /// Attempts after the first, for failures that may pass.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub retries: u32,
    /// Bytes of one source.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    pub max_bytes: u64,
    /// Pixels of one source, width × height.
    #[arg(long, value_name = "COUNT", default_value = "100M", value_parser = count)]
    pub max_pixels: u64,
    /// What becomes of an image that breaks off (JPEG, PNG, GIF): it fails, or what is there of it is taken.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = OnTruncated::Fail)]
    pub on_truncated: OnTruncated,
    /// Seconds until a connection stands.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub connect_timeout: std::time::Duration,
    /// Seconds between two pieces of a download.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub idle_timeout: std::time::Duration,
    /// Seconds for one whole download.
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    pub fetch_timeout: std::time::Duration,
    /// Memory of the whole program, derive processes included. Default: half of what the machine or container has.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memory: Option<u64>,
    /// Whether each image is made in a process that may crash or be killed. Default: none; PDF, SVG, JPEG 2000 and AVIF
    /// always are.
    #[arg(long, value_enum, value_name = "HOW")]
    pub isolate: Option<Isolate>,
    /// Seconds for making one image's derivatives; then its process is killed. A thread ends as soon as it can.
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    pub job_timeout: std::time::Duration,
    /// Bytes of all derivatives of one image together.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub max_output: u64,
    /// Stop when more of the last 100 rows than this fail for one reason, such as 0.5 or 50%. Default: never.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub max_failure_rate: Option<f64>,
    /// Images made at once. Default: the number of cores.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<usize>,
}

/// Where images are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Isolate {
    /// In this program's own threads: for images that can be trusted.
    None,
    /// In processes that are shut in, and replaced when one dies: for strangers' images.
    Process,
}

/// What becomes of an image that breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnTruncated {
    /// The row fails.
    Fail,
    /// Missing pixels become grey or transparent; the report says `truncated`, and the object gets a name of its own.
    Accept,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Messages")]
pub struct LogArguments {
    /// How much is told on standard error. Default: info.
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,
    /// How it is told.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Only errors: no progress, no summary.
    #[arg(long, short)]
    pub quiet: bool,
}

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}
