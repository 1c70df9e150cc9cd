//! A reader for the JPEG that nearly all are: baseline, 8 bits, Huffman-coded, grey or three components in one scan.
//!
//! libjpeg reads every JPEG, and this reads none that it does not. It is here for what libjpeg cannot do fast: planes
//! scaled in the DCT without upsampling and colour conversion, each at a scale of its own, and luma copied code by
//! code. It is strict where libjpeg is forgiving: for anything unusual, damaged or cut it says `None`, and the caller
//! turns to libjpeg, whose word on such files holds.

mod bits;
mod block;
mod idct;
mod luma;
mod planes;
mod scan;
mod table;
mod writer;

pub(crate) use luma::luma_only;
pub(crate) use planes::{Plane, Scales, planes};
pub(crate) use scan::coded_bytes_most;
