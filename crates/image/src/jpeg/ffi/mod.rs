//! The only unsafe code for JPEG: mozjpeg's C library behind functions that cannot be misused.
//!
//! How it is kept sound:
//! - A codec object is boxed once and then reached by its raw pointer only, because the C side keeps pointers into it.
//!   Its owner frees it on drop, whatever happened before: libjpeg's destroy functions are valid in every state.
//! - Errors leave C by unwinding (`extern "C-unwind"`): the handler raises a typed payload, `guarded` catches it. No
//!   panic hook runs and nothing is printed. This is why the workspace must never build with `panic = "abort"`.
//! - libjpeg reads only from the source slice that the reader borrows and writes only into buffers whose sizes are
//!   computed from its own output dimensions, just before; coefficients lie in arrays of its own or in `coefficients`,
//!   which hands out what it asked for and nothing else.
#![allow(unsafe_code)]

mod coefficients;
mod fault;
mod planes;
mod reader;
mod strips;
mod tiles;
mod transcode;
mod turn;
mod writer;

pub(crate) use planes::{PlaneRows, PlaneStrips};
pub(crate) use reader::{Colour, Scaled, decode};
pub(crate) use strips::Strips;
pub(crate) use tiles::TileEncoder;
pub(crate) use transcode::{Copied, luma_only};
pub(crate) use turn::{Turning, turned};
pub(super) use writer::exif_segment;
pub(crate) use writer::{Encoding, encode, encode_planes};
