//! An S3 server in the test's own process, with real signature checks, over a temporary directory.
//! `s3s` speaks the protocol and `s3s-fs` keeps the objects; what is added here is buckets that are
//! missing or closed, faults on demand, conditional puts with one winner, and a record of every request.
//!
//! Not here, because `s3s-fs` has no notion of it: regions (any will do), session tokens, tags, storage
//! classes and encryption as a stored fact (their request headers are in the record), and a key `a`
//! beside a key `a/b` (objects are files in directories).

mod listing;
mod record;
mod server;
mod storage;

pub use record::S3Request;
pub use server::{S3Server, S3ServerBuilder};

/// What may go wrong with a request that was signed as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 503 `SlowDown`: nothing was done.
    SlowDown,
    /// 500 `InternalError`: nothing was done.
    InternalError,
    /// 403 `AccessDenied`: nothing was done.
    AccessDenied,
    /// The work is done, but the connection closes before the answer.
    AnswerLost,
    /// Nothing is done and nothing answered, as long as the client waits.
    Silence,
}
