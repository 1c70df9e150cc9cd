//! The arguments of `imgmill reconcile`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::quantity::share;
use super::shared::{LimitArguments, ListArguments, LogArguments, RecipeArguments, StoreArguments};

pub(super) const EXAMPLES: &str = "\
Examples:
  Is there a derivative of every original, and is it of this version of it?
    imgmill reconcile --originals s3://originals/ --store s3://derivatives/ --key '{path}/{stem}_{label}.{ext}' \\
      --derive 'small=full/!250,250/0/default.jpg' --report report.jsonl
  The same for a list; what is missing, stale or cut is made again:
    imgmill reconcile --input list.csv --store s3://derivatives/ --key '{stem}.{ext}' --verify --fix
  What an S3 Inventory says of a bucket of any size; orphans are shown and removed:
    imgmill reconcile --inventory s3://inventories/originals/daily/2026-11-20T01-00Z/manifest.json \\
      --store s3://derivatives/ --key '{path}/{stem}.{ext}' --fix --prune --checkpoint reconcile.json
";

pub(super) const END: &str = "\
Exit codes:
  0 every derivative is there and good, as far as was looked   1 could not run   2 wrong usage or input
  3 something is missing, stale, unreadable or in conflict, and was not made good (orphans alone are 0)
  130 stopped by Ctrl-C   143 stopped by SIGTERM; with --checkpoint the same command goes on";

#[derive(Debug, Args)]
pub struct ReconcileArguments {
    #[command(flatten)]
    pub originals: OriginalsArguments,
    #[command(flatten)]
    pub list: ListArguments,
    /// A column of a list that is said of the objects that are made, too, as their metadata; may be repeated.
    #[arg(long, value_name = "NAME", help_heading = "How the list is read", requires = "input")]
    pub metadata_column: Vec<String>,
    /// What is wrong and what was done, as JSON lines, and a last one with the numbers.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,

    /// Read what the store notes of each original: tells a changed recipe, another version, another length. A request for
    /// each original. Always so with {hash} in the key.
    #[arg(long)]
    pub notes: bool,
    /// Ask the origins of a list's rows, too, whether their images changed since they were noted. Implies --notes.
    #[arg(long)]
    pub ask_origins: bool,
    /// Look at each object: at its beginning and end, or decode all of it.
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "ends")]
    pub verify: Option<Verify>,
    /// Make what is missing, stale or unreadable.
    #[arg(long)]
    pub fix: bool,
    /// Remove orphans, after showing them.
    #[arg(long)]
    pub prune: bool,
    /// The share of the store's objects that may be removed; where more are orphans, none is.
    #[arg(long, value_name = "SHARE", default_value = "50%", value_parser = share)]
    pub max_prune: f64,
    /// Look only: nothing is made or removed, whatever else is said.
    #[arg(long)]
    pub dry_run: bool,
    /// Keep the state here (and beside it), so that the same command goes on where this one was stopped.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub checkpoint: Option<PathBuf>,
    /// Sort the store's listing here: for servers that list in another order than S3.
    #[arg(long)]
    pub sort_listing: bool,

    #[command(flatten)]
    pub recipe: RecipeArguments,
    #[command(flatten)]
    pub store: StoreArguments,
    #[command(flatten)]
    pub limits: LimitArguments,
    #[command(flatten)]
    pub logs: LogArguments,
}

/// What derivatives are to be there of.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct OriginalsArguments {
    /// All images below this: s3://bucket/prefix, gs://…, az://…, file:///folder or a folder.
    #[arg(long, value_name = "URL", conflicts_with_all = ["input", "inventory"])]
    pub originals: Option<String>,
    /// The rows of a list, as of run.
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "inventory")]
    pub input: Option<PathBuf>,
    /// What an S3 Inventory names: its manifest.json, a file or an object.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub inventory: Option<PathBuf>,
    /// Extensions of originals, where no list names them; may be repeated. Default: all that images have.
    #[arg(long, value_name = "NAME", conflicts_with = "input")]
    pub extension: Vec<String>,
}

/// How closely objects are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Verify {
    /// At their beginning and end, as ranges: the header, and whether they are cut.
    Ends,
    /// By decoding them.
    Full,
}
