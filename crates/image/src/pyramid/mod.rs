//! Pyramids: an image cut into tiles, again at half the size, and again, down to where one tile holds it all.
//!
//! Rows come in from top to bottom, however their source is read; [`bands`] halves them level by level as they arrive
//! and hands on each level in bands one tile high, so that memory is bounded by the width of the image and not by its
//! area. [`line`](mod@line) has several threads compress the tiles of a band and takes them back in order, so that the bytes are
//! the same on any number of threads. [`tiff`] makes a tiled multi-resolution TIFF of them.
//!
//! What is in the rows (colour, orientation, alpha) is decided before; nothing that writes looks at a source. [`read`] is
//! the other way: parts of a pyramid, drawn from its tiles.

mod bands;
mod levels;
mod line;
pub(crate) mod read;
mod shrink;
mod tiff;
mod tile;

pub(crate) use bands::{Band, Bands, Take};
pub(crate) use levels::{until_one_pixel, until_one_tile};
pub(crate) use line::{Line, with_line};
pub(crate) use tiff::{Packing, Settings, write, write_planes};
pub(crate) use tile::Tile;
