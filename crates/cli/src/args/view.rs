//! The arguments of `imgmill view`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::LogArguments;
use super::quantity::{at_least_one, count, size};

pub(super) const EXAMPLES: &str = "\
Examples:
  What a run stored, at http://127.0.0.1:8182/:
    imgmill view outputs
  Originals beside what was made of them:
    imgmill view outputs --originals scans
  For a team, under a name of its own:
    imgmill view s3://bucket/pyramids --listen 0.0.0.0:8182 --host images.example.org
";

pub(super) const END: &str = "\
Pyramids are served by the IIIF Image API at level 2: /iiif/3/IDENTIFIER and /iiif/2/IDENTIFIER, the identifier being the
pyramid's key with its slashes as %2F; its ending may be left out.";

#[derive(Debug, Args)]
pub struct ViewArguments {
    /// A folder, or s3://bucket/prefix, gs://…, az://….
    #[arg(value_name = "STORE", value_hint = ValueHint::DirPath)]
    pub store: String,
    /// The folder that originals may be shown from, where they are files of this machine.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub originals: Option<PathBuf>,
    /// Where to listen. Anybody who reaches this address sees the whole store.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8182")]
    pub listen: SocketAddr,
    /// A name that this server goes by besides its addresses and localhost; may be repeated. Requests for others are
    /// refused.
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
    /// The URL that it is reached at, where something stands before it.
    #[arg(long, value_name = "URL")]
    pub base: Option<String>,
    /// Pixels of one answer.
    #[arg(long, value_name = "COUNT", default_value = "16M", value_parser = count)]
    pub max_pixels: u64,
    /// Bytes of made images that are kept in memory.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    pub cache: u64,
    /// Images made at once. Default: the number of cores.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub logs: LogArguments,
}
