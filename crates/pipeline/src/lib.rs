//! The flow of imgmill: **source → fetch → derive → store → report**, then the source is told *settled*.
//!
//! This crate knows how a job moves, not which system asked for it and not how an image is made: systems
//! build a source and a reporter and call [`run`]; pixels are `imgmill-image`'s. Arrows point one way:
//! [`columns`], [`job`], [`outcome`], [`error`], [`limits`], [`identity`], [`naming`], [`local`] and [`objects`] (clients of object stores, which
//! both fetch and store need) import no stage; the stages ([`source`], [`fetch`],
//! [`delegate`], [`derive`], [`store`], [`report`]) import only those; [`pipeline`] imports the stages.

pub mod body;
pub mod breaker;
pub mod columns;
pub mod delegate;
pub mod derive;
pub mod error;
pub mod fetch;
pub mod identity;
pub mod job;
pub mod keep;
pub mod limits;
pub mod local;
pub mod machine;
pub mod naming;
pub mod objects;
pub mod outcome;
pub mod pipeline;
pub mod redact;
pub mod report;
pub mod source;
pub mod store;
pub mod validators;

mod memo;
mod row;
mod system;

pub use error::{Error, Kind, Stage};
pub use job::{Delivery, Instructions, Job, Settlement};
pub use limits::Limits;
pub use outcome::{Outcome, Status};
pub use pipeline::{End, Stages, run};
