//! AWS services that imgmill's systems stand on, beside S3, which is a store like others and lives in the pipeline.
//!
//! Nothing here knows what a message means.

pub mod fleet;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod sqs;

mod failure;
