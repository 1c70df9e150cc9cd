//! What was typed, as clap read it. What it means is in `settings`.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

const STYLES: Styles =
    Styles::styled().header(AnsiColor::Green.on_default().bold()).usage(AnsiColor::Green.on_default().bold());

const TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

const EXAMPLES: &str = "\
Examples:
  Gray versions of a list of URLs, into the folder outputs:
    imgmill run --input input.csv --output output.csv
  Into S3, with the failed rows in a list that can be run again:
    AWS_REGION=eu-west-1 S3_BUCKET=my-bucket \\
      imgmill run --input input.csv --output output.csv --output-failed failed.csv
  Two thumbnails of each, named after their sources:
    imgmill run --input input.csv --output output.csv --key '{stem}_{label}.{ext}' \\
      --derive 'small=square/!50,50/0/default.jpg' --derive 'large=full/!800,800/0/default.webp'
";

const TILE_EXAMPLES: &str = "\
Examples:
  A IIIF level-0 image service in tiles/page, to be served at https://example.org/iiif/page:
    imgmill tile page.jpg --output tiles --base https://example.org/iiif
  Deep Zoom, tiles/page.dzi and tiles/page_files:
    imgmill tile page.jpg --output tiles --layout dzi
";

const RUN_END: &str = "\
Environment:
  S3_BUCKET, AWS_REGION     store in this bucket, unless --store says otherwise
  AWS_ROLE_ARN              assume this role first (AWS_ROLE_URN is read too)
  AWS_ENDPOINT_URL          an S3-compatible server in the place of AWS
  Credentials come from the standard AWS chain: environment, ~/.aws, container, instance.

Exit codes:
  0 all done   1 could not run   2 wrong usage or input file   3 some rows failed
  130 stopped by Ctrl-C   143 stopped by SIGTERM";

/// Turns lists of images into stored derivatives: grayscale, thumbnails, IIIF renditions.
#[derive(Debug, Parser)]
#[command(name = "imgmill", version, styles = STYLES, before_help = EXAMPLES, help_template = TEMPLATE)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make derivatives of every image in a CSV list of URLs.
    #[command(before_help = EXAMPLES, after_help = RUN_END, help_template = TEMPLATE)]
    Run(Box<RunArguments>),
    /// Cut images into static tiles for zooming viewers: IIIF level 0 or Deep Zoom.
    #[command(before_help = TILE_EXAMPLES, help_template = TEMPLATE)]
    Tile(Box<TileArguments>),
    /// go-iiif's tools, with their own flags: `imgmill iiif tile-seed -help`.
    #[command(disable_help_flag = true)]
    Iiif {
        /// Which: tile-seed.
        tool: String,
        /// Its flags and sources, in Go's style.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORD")]
        words: Vec<String>,
    },
    /// Print a shell's completion script.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff): `imgmill man | man -l -`.
    Man,
}

#[derive(Debug, Args)]
pub struct RunArguments {
    /// The list: a CSV file with the one column `url`; `-` is standard input.
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub input: PathBuf,
    /// The list of what was stored: url,input,output,s3url; `-` is standard output.
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// The list of URLs that failed; itself valid input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output_failed: Option<PathBuf>,
    /// Everything known of every row, as JSON lines.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// Look only: which rows are stored already, which would be made. Writes nothing but --report.
    #[arg(long)]
    pub dry_run: bool,

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

#[derive(Debug, Args)]
pub struct TileArguments {
    /// Images: files, and URLs of http, https, s3, gs and az.
    #[arg(required = true, value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    pub sources: Vec<String>,
    /// The folder that tiles go into, each image's under its own name.
    #[arg(long, short, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub output: PathBuf,
    /// What the files are called, and what describes them.
    #[arg(long, value_enum, value_name = "LAYOUT", default_value_t = TileLayout::Iiif3)]
    pub layout: TileLayout,
    /// Pixels a side of a tile: an even number.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(64..=4096))]
    pub tile: u32,
    /// What tiles are encoded as.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = TileFormat::Jpg)]
    pub format: TileFormat,
    /// Quality of jpg and webp, 1 to 100. Default: 85, for webp 80.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub q: Option<u8>,
    /// The URL that the output folder will be served at; `id` in info.json begins with it.
    #[arg(long, value_name = "URL", default_value = "http://localhost:8000")]
    pub base: String,
    /// Make again what is there.
    #[arg(long)]
    pub refresh: bool,
    /// Pixels of one source, width × height.
    #[arg(long, value_name = "COUNT", default_value = "1G", value_parser = count)]
    pub max_pixels: u64,
    /// Bytes of one source.
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = size)]
    pub max_bytes: u64,
    /// Threads that tiles are made on. Default: the number of cores.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<usize>,
    /// Only errors.
    #[arg(long)]
    pub quiet: bool,
}

/// What the files are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TileLayout {
    /// A level-0 service by IIIF Image API 3.0.
    Iiif3,
    /// A level-0 service by IIIF Image API 2.1.
    Iiif2,
    /// Deep Zoom.
    Dzi,
}

/// What tiles are encoded as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TileFormat {
    Jpg,
    Png,
    Webp,
}

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
    /// How objects are named, from {hash} {stem} {path} {label} {ext} {row}. Default: {hash}.{ext}.
    #[arg(long, value_name = "TEMPLATE")]
    pub key: Option<String>,
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
    /// Where local copies and large downloads go. Default: imgmill in the system's temp folder.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub work_dir: Option<PathBuf>,
    /// Keep no local copies; the columns input and output stay empty.
    #[arg(long)]
    pub discard: bool,
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
    /// How much is told on standard error.
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = LogLevel::Info)]
    pub log_level: LogLevel,
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

/// More at once than any machine or server is good for.
const MOST: usize = 10_000;

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=MOST) => Ok(number),
        _ => Err(format!("expected a whole number from 1 to {MOST}")),
    }
}

fn seconds(text: &str) -> Result<std::time::Duration, String> {
    let number: f64 = text.parse().map_err(|_| "expected seconds, such as 30 or 0.5".to_owned())?;
    match std::time::Duration::try_from_secs_f64(number) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("expected seconds, more than 0".to_owned()),
    }
}

/// A share as a number up to 1 or as a percentage.
fn share(text: &str) -> Result<f64, String> {
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    match number {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a share of the rows, such as 0.5 or 50%".to_owned()),
    }
}

fn size(text: &str) -> Result<u64, String> {
    let units = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
    ];
    scaled(text, &units).ok_or_else(|| "expected bytes, such as 1000000, 64MiB or 2GB".to_owned())
}

fn count(text: &str) -> Result<u64, String> {
    let units = [("k", 1000), ("M", 1_000_000), ("G", 1_000_000_000)];
    scaled(text, &units).ok_or_else(|| "expected a number, such as 1000000 or 100M".to_owned())
}

/// A number above zero with one of `units` behind it, or none.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (digits, factor) = units
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
        .unwrap_or((text, 1));
    let number: u64 = digits.trim().parse().ok()?;
    number.checked_mul(factor).filter(|product| *product > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_consistent() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn quantities_have_units() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("10"), Ok(10));
        assert_eq!(count("100M"), Ok(100_000_000));
        for bad in ["", "0", "-1", "5 parsecs", "99999999999GiB"] {
            assert!(size(bad).is_err() && count(bad).is_err(), "{bad}");
        }
        assert!(seconds("0").is_err() && seconds("nan").is_err() && seconds("-3").is_err());
        assert_eq!(seconds("0.5"), Ok(std::time::Duration::from_millis(500)));
    }
}
