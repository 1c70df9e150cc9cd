//! JPEG: a walk through the markers in safe code, and libjpeg (mozjpeg's build of libjpeg-turbo) behind a safe wall.
//!
//! All `unsafe` of JPEG is in `ffi`. What is decided from a file (colour, orientation, profile) is decided elsewhere;
//! this module only reads and writes the format.

mod ffi;
mod huffman;
mod markers;

pub(crate) use ffi::{
    Colour, Copied, Encoding, Scaled, Strips, TileEncoder, Turning, decode, encode, luma_only, turned,
};
pub(crate) use markers::{Frame, Model, count_scans, walk};
