//! Many machines: `iiif-process` as a task of ECS, and lists that fleets of tasks or functions work on. What is asked of AWS
//! is put together here; who asks is in `crates/aws`, behind the two interfaces of `engine`.
//!
//! `request` is a task's command line, `launch` starts it, `wait` follows it to its end with its log lines, `report` is what
//! became of it; `event` is what a function is called with; `dsn` says where an account is.

pub mod report;
pub mod uris;

#[cfg(feature = "aws")]
pub mod dispatch;
#[cfg(feature = "aws")]
pub mod dsn;
#[cfg(feature = "aws")]
pub mod engine;
#[cfg(feature = "aws")]
pub mod event;
#[cfg(feature = "aws")]
pub mod launch;
#[cfg(feature = "aws")]
pub mod request;
pub mod results;
#[cfg(feature = "aws")]
pub mod wait;
