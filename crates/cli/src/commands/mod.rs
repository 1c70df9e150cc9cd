//! One file a command: settings in, exit code out.

pub mod documents;
pub mod iiif;
pub mod run;
pub mod tile;
