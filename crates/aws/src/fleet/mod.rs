//! What fleets stand on: tasks of ECS, their lines in CloudWatch Logs, functions of Lambda, executions of Step Functions.
//! Each takes and gives plain data, which is always there; what is done with it is decided elsewhere. The SDKs are behind the
//! feature `fleet`.

mod plain;

#[cfg(feature = "fleet")]
mod account;
#[cfg(feature = "fleet")]
mod ecs;
#[cfg(feature = "fleet")]
mod functions;
#[cfg(feature = "fleet")]
mod logs;
#[cfg(feature = "fleet")]
mod states;

#[cfg(feature = "fleet")]
pub use account::{Account, AccountSettings};
#[cfg(feature = "fleet")]
pub use ecs::Ecs;
#[cfg(feature = "fleet")]
pub use functions::Functions;
#[cfg(feature = "fleet")]
pub use logs::CloudWatchLogs;
pub use plain::{Answer, Execution, Launch, LogPlace, MapCounts, Page, TaskRequest};
#[cfg(feature = "fleet")]
pub use states::StateMachines;
