//! imgmill's image engine: bytes and a recipe in, renditions out.
//!
//! A recipe says what to make of a source, in the language of the [IIIF Image API 3.0][iiif]; [`derive()`] makes it.
//! Everything is synchronous and in memory; no network, no files, no global state.
//!
//! ```
//! use imgmill_image::{Limits, Recipe, Rendition, derive};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let source = {
//! #     let mut bytes = Vec::new();
//! #     let mut encoder = png::Encoder::new(&mut bytes, 40, 30);
//! #     encoder.set_color(png::ColorType::Rgb);
//! #     encoder.write_header()?.write_image_data(&[128; 40 * 30 * 3])?;
//! #     bytes
//! # };
//! let recipe = Recipe::new(vec![
//!     "gray=full/max/0/gray.jpg".parse()?,
//!     "thumb=square/!16,16/0/default.png".parse()?,
//! ])?;
//! let mut renditions: Vec<Rendition> = Vec::new();
//! derive(&source, &recipe, &mut renditions, &Limits::default())?;
//! assert_eq!((renditions[0].width, renditions[0].height), (40, 30));
//! assert_eq!((renditions[1].width, renditions[1].height), (16, 16));
//! # Ok(())
//! # }
//! ```
//!
//! [`probe`] reads a header alone, [`memory_need`] says what deriving will take, [`Limits`] bounds it.
//!
//! [iiif]: https://iiif.io/api/image/3.0/

mod color;
mod decode;
mod derive;
mod encode;
mod error;
mod exif;
mod finished;
mod header;
mod jpeg;
mod limits;
mod lossless;
mod memory;
mod metadata;
mod ops;
mod pixels;
mod plan;
mod planes;
mod probe;
mod pyramid;
pub mod recipe;
mod scratch;
mod services;
mod sink;
mod sniff;
mod tiles;
mod xml;

pub use derive::{Derived, derive};
pub use encode::ptif::Shape as PyramidShape;
pub use error::{Error, ErrorKind};
pub use header::Header;
pub use limits::{Limits, OnTruncated};
pub use memory::{Needs, memory_need, needs};
pub use probe::{probe, probe_page};
pub use pyramid::read::{Pyramid, PyramidLevel, ReadAt, Resolved};
pub use recipe::{
    Background, Compression, Decimal, Derivative, Edition, EncoderOptions, Entries, Fit, GrayMethod, Icc,
    Metadata, OutputFormat, Quality, Recipe, RecipeError, Region, Request, Rotation, Size,
};
pub use scratch::ScratchFile;
pub use services::{BlurHash, ColourList, Findings, ImageHash, NamedColour, Rgb, Services};
pub use sink::{Coming, Output, Rendition, Sink, Written};
pub use sniff::{SNIFF_LEN, SourceFormat, sniff};
pub use tiles::{Layout, TileSettings, TileSink, Tiled, tile};

/// Changes whenever the same source and request would give other bytes than before.
pub const ENCODER_VERSION: u32 = 4;
