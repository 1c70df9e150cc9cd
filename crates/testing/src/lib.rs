//! What imgmill's tests and benches stand on: images drawn by code, a web server that misbehaves on
//! request, and (feature `s3`) an S3 server that checks signatures. Nothing here is ever shipped.
//!
//! Every server owns its thread and stops when it is dropped, so a test may be async or drive the
//! compiled program and wait for it; both use the same handles.

// Support for tests: a broken assumption here is a broken test, and a panic is how a test says so.
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod http;
#[cfg(feature = "s3")]
pub mod s3;
pub mod samples;
