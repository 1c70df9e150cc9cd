//! The arguments of `imgmill tile`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::quantity::{at_least_one, count, size};

pub(super) const EXAMPLES: &str = "\
Examples:
  A IIIF level-0 image service in tiles/page, to be served at https://example.org/iiif/page:
    imgmill tile page.jpg --output tiles --base https://example.org/iiif
  Deep Zoom, tiles/page.dzi and tiles/page_files:
    imgmill tile page.jpg --output tiles --layout dzi
";

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
