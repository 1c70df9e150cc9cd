//! The arguments of `imgmill merge`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::shared::{ListArguments, LogArguments};

pub(super) const EXAMPLES: &str = "\
Examples:
  imgmill merge --input list.csv --output out.csv out.*-of-8.csv
  imgmill merge --input s3://lists/list.csv --output s3://lists/out.csv s3://lists/out.{0,1,2,3}-of-4.csv
";

pub(super) const END: &str = "\
Exit codes:
  0 every row is stored   1 could not run   2 wrong usage, or parts of another list
  3 rows failed, or are in no part: what there is was written";

#[derive(Debug, Args)]
pub struct MergeArguments {
    /// The list that was worked on, as run had it; a file or an object.
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub input: PathBuf,
    /// The list of what was stored, in the input's order: what one run over all of it would have written.
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: PathBuf,
    /// The list of URLs that failed; itself valid input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output_failed: Option<PathBuf>,
    /// The list of URLs that no part tells of, as when a shard never ended; itself valid input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output_missing: Option<PathBuf>,
    /// What the shards wrote, in any order.
    #[arg(required = true, value_name = "PART", value_hint = ValueHint::FilePath)]
    pub parts: Vec<PathBuf>,
    #[command(flatten)]
    pub list: ListArguments,
    #[command(flatten)]
    pub logs: LogArguments,
}
