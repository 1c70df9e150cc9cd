//! Tests of the compiled program, driven as a user drives it, against servers that misbehave.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic is how a test says that something is wrong"
)]

mod again;
mod aside;
mod batch;
mod bucket;
mod delegates;
mod fetch;
mod fleet;
mod harness;
mod iiif;
mod input;
mod isolation;
mod lists;
mod long_list;
mod pyramids;
mod reconcile;
mod s3;
mod shards;
mod sheet;
mod signals;
mod terminal;
mod view;
mod worker;
