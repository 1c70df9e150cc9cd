//! What was typed, as clap read it. What it means is in `settings`. One file a command, and one for what several share.

mod bucket;
#[cfg(feature = "mongodb")]
mod collect;
#[cfg_attr(not(feature = "fleet"), allow(dead_code, reason = "what is typed is known, what it means is not"))]
mod dispatch;
mod enqueue;
mod go;
mod manifest;
mod merge;
mod quantity;
mod reconcile;
mod run;
mod shared;
mod tile;
mod view;
mod worker;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

pub use bucket::{
    BucketCommand, DrainArguments, ImagesPlace, RecordArguments, RecordsPlace, RerunArguments, SourcesPlace,
    StatusArguments,
};
#[cfg(feature = "mongodb")]
pub use collect::{CollectArguments, CollectOptions, Collection};
pub use dispatch::DispatchArguments;
#[cfg(feature = "fleet")]
pub use dispatch::Engine;
pub use enqueue::EnqueueArguments;
pub use go::SharedArguments;
pub use manifest::{Edition as ManifestEdition, ManifestArguments};
pub use merge::MergeArguments;
pub use reconcile::{ReconcileArguments, Verify};
pub use run::{RunArguments, ShardArguments, ShardKey};
pub use shared::{
    AgainArguments, Gray, InputFormat, Isolate, LimitArguments, ListArguments, LogArguments, LogFormat,
    LogLevel, ObjectArguments, OnTruncated, RecipeArguments, Revalidate, StoreArguments,
};
pub use tile::{TileArguments, TileFormat, TileLayout};
pub use view::ViewArguments;
pub use worker::{
    NetworkArguments, QueueArguments, RedriveAction, RedriveArguments, SendArguments, WorkerArguments,
    WorkerCommand, WorkerMakingArguments,
};

const STYLES: Styles =
    Styles::styled().header(AnsiColor::Green.on_default().bold()).usage(AnsiColor::Green.on_default().bold());

const TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// Turns lists of images into stored derivatives: grayscale, thumbnails, IIIF renditions.
#[derive(Debug, Parser)]
#[command(name = "imgmill", version, styles = STYLES, before_help = run::EXAMPLES, help_template = TEMPLATE)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make derivatives of every image in a CSV list of URLs.
    #[command(before_help = run::EXAMPLES, after_help = run::END, help_template = TEMPLATE)]
    Run(Box<RunArguments>),
    /// Put the parts of a list together that run --shard wrote.
    #[command(before_help = merge::EXAMPLES, after_help = merge::END, help_template = TEMPLATE)]
    Merge(MergeArguments),
    /// Compare what is to be in a store with what is there, and make good what is wrong.
    #[command(before_help = reconcile::EXAMPLES, after_help = reconcile::END, help_template = TEMPLATE)]
    Reconcile(Box<ReconcileArguments>),
    /// Cut images into static tiles for zooming viewers: IIIF level 0 or Deep Zoom.
    #[command(before_help = tile::EXAMPLES, help_template = TEMPLATE)]
    Tile(Box<TileArguments>),
    /// Look at a store of results in a browser; serve its pyramids by the IIIF Image API.
    #[command(before_help = view::EXAMPLES, after_help = view::END, help_template = TEMPLATE)]
    View(Box<ViewArguments>),
    /// Make a pyramid TIFF of every image that is put into a bucket: record, drain, rerun, status.
    #[command(before_help = bucket::EXAMPLES, help_template = TEMPLATE, subcommand_required = true)]
    #[command(arg_required_else_help = true)]
    Bucket {
        #[command(subcommand)]
        command: BucketCommand,
    },
    /// Resize the images that messages of a queue name, and tell those that the messages name.
    #[command(before_help = worker::EXAMPLES, after_help = worker::END, help_template = TEMPLATE, args_override_self = true)]
    Worker(Box<WorkerArguments>),
    /// Send messages to a worker's queue.
    #[command(before_help = worker::SEND_EXAMPLES, help_template = TEMPLATE)]
    Send(Box<SendArguments>),
    /// Spread a list over a worker's queue: a message for each row.
    #[command(before_help = enqueue::EXAMPLES, help_template = TEMPLATE)]
    Enqueue(Box<EnqueueArguments>),
    /// Send messages about documents of MongoDB whose images were never resized.
    #[cfg(feature = "mongodb")]
    #[command(before_help = collect::EXAMPLES, after_help = collect::END, help_template = TEMPLATE)]
    Collect(Box<CollectArguments>),
    /// Send messages about documents of MongoDB, in builds that have it: `make collector`.
    #[cfg(not(feature = "mongodb"))]
    #[command(disable_help_flag = true)]
    Collect {
        /// What would be collected.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORD")]
        words: Vec<String>,
    },
    /// Have a list worked on by many machines of AWS, in one view: tasks of ECS, or Step Functions.
    #[command(before_help = dispatch::EXAMPLES, after_help = dispatch::END, help_template = TEMPLATE)]
    Dispatch(Box<DispatchArguments>),
    /// Have iiif-process run as a task of AWS ECS, as go-iiif-aws does, with its flags: `imgmill ecs -help`; and `imgmill ecs
    /// report`: what became of a task.
    #[command(disable_help_flag = true)]
    Ecs {
        /// report, or flags in Go's style.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORD")]
        words: Vec<String>,
    },
    /// Be a function of AWS Lambda: IMGMILL_HANDLER says what is done with events (record, worker, derive, map, batch, ecs,
    /// report).
    Lambda,
    /// go-iiif's tools, with their own flags: `imgmill iiif process -help`; and `imgmill iiif manifest`: IIIF manifests of a
    /// list.
    #[command(disable_help_flag = true)]
    Iiif {
        /// Which: process, transform, info, tile-seed, manifest.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_consistent() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }
}
