//! Bucket to pyramids: every image that is put into one bucket becomes a pyramid TIFF in another.
//!
//! [`note`] writes down what the bucket's events tell, one record an object and version; [`drain`] makes pyramids of
//! what is written down; [`rerun`] writes records for what is there already; [`status`] counts them. Between them stands
//! nothing but the [`ledger`], the folders of a bucket: any number of each may run at once, wherever they are.

pub mod changes;
pub mod claims;
pub mod drain;
pub mod keys;
pub mod ledger;
pub mod note;
pub mod record;
pub mod rerun;
pub mod sequencer;
pub mod status;

use crate::Sources;

/// Whoever may put an object into the bucket has its image made here.
pub const SOURCES: Sources = Sources::Strangers;
