//! One module a system: which source, which reporters, which settings. The stages between are the
//! pipeline's, the same for all. Commands and Lambda handlers both call these.

pub mod batch;
pub mod bucket;
#[cfg(feature = "mongodb")]
pub mod collect;
pub mod fleet;
pub mod lambda;
pub mod manifest;
pub mod process;
pub mod reconcile;
pub mod tiles;
pub mod view;
pub mod worker;

mod sources;

pub use sources::Sources;
