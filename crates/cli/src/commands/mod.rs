//! One file a command: settings in, exit code out.

pub mod bucket;
#[cfg(feature = "mongodb")]
pub mod collect;
pub mod documents;
pub mod iiif;
pub mod run;
pub mod send;
pub mod tile;
pub mod worker;
