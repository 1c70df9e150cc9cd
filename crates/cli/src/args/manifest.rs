//! The arguments of `imgmill iiif manifest`.

use std::path::PathBuf;

use clap::{Parser, ValueEnum, ValueHint};

pub const EXAMPLES: &str = "\
Examples:
  A manifest of the pages of a list, whose pyramids imgmill view (or any image server) serves:
    imgmill iiif manifest book.csv --images pyramids --image-base https://images.example.org/iiif/3 \\
      --output manifests --base https://example.org/manifests
  With static tiles in the place of an image server:
    imgmill tile *.jpg --output tiles --base https://example.org/tiles
    imgmill iiif manifest book.csv --images tiles --image-base https://example.org/tiles \\
      --output manifests --base https://example.org/manifests
";

pub const END: &str = "\
The list (CSV or TSV) names its columns in the first line: id is an image's name in the store, its ending may be left out;
label, order, range (Part I > Chapter 2), manifest (which one it is a page of), manifest_label, summary, rights and
required_statement mean what they mean to the API. Every other column is metadata: of the manifest where it says the same in
all rows, else of the page. Of several manifests a collection is written beside them.";

/// Write IIIF Presentation 3.0 manifests of a list of images, and a collection of them.
#[derive(Debug, Parser)]
#[command(name = "imgmill iiif manifest", before_help = EXAMPLES, after_help = END)]
pub struct ManifestArguments {
    /// The list.
    #[arg(value_name = "LIST", value_hint = ValueHint::FilePath)]
    pub list: PathBuf,
    /// Where the images are: pyramids, folders of tiles or plain files in a folder, or s3://bucket/prefix, gs://…, az://….
    #[arg(long, value_name = "STORE", value_hint = ValueHint::DirPath)]
    pub images: String,
    /// The URL that they are served at: image services have their names below it.
    #[arg(long, value_name = "URL")]
    pub image_base: String,
    /// Which edition of the Image API pyramids are served by there.
    #[arg(long, value_enum, value_name = "EDITION", default_value_t = Edition::Three)]
    pub image_api: Edition,
    /// The folder that manifests go into.
    #[arg(long, short, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub output: PathBuf,
    /// The URL that this folder is served at; a manifest's id is below it.
    #[arg(long, value_name = "URL")]
    pub base: String,
    /// The title of the manifest, where the list has none; of several, that of their collection.
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
    /// The language of all texts, such as en or de-CH.
    #[arg(long, value_name = "LANGUAGE", default_value = "none")]
    pub language: String,
    /// The URI of a licence (Creative Commons) or a rights statement (rightsstatements.org), where the list has none.
    #[arg(long, value_name = "URI")]
    pub rights: Option<String>,
    /// What has to be shown with the images, such as \"Attribution: Example Library\", where the list has none.
    #[arg(long, value_name = "LABEL: TEXT")]
    pub required_statement: Option<String>,
    /// How pages go together: paged, individuals, continuous and the like; may be repeated.
    #[arg(long, value_name = "WORD")]
    pub behavior: Vec<String>,
    /// Where one goes on: left-to-right, right-to-left, top-to-bottom, bottom-to-top.
    #[arg(long, value_name = "DIRECTION")]
    pub viewing_direction: Option<String>,
    /// Only errors.
    #[arg(long, short)]
    pub quiet: bool,
}

/// An edition of the Image API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Edition {
    /// 2.1.
    #[value(name = "2")]
    Two,
    /// 3.0.
    #[value(name = "3")]
    Three,
}
