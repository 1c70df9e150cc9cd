//! One file a command: settings in, exit code out.

pub mod bucket;
#[cfg(feature = "mongodb")]
pub mod collect;
pub mod dispatch;
pub mod documents;
pub mod ecs;
pub mod enqueue;
pub mod iiif;
pub mod lambda;
pub mod merge;
pub mod reconcile;
pub mod run;
pub mod send;
pub mod tile;
pub mod view;
pub mod worker;
