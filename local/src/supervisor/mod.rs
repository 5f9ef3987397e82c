//! The supervisor: one process that owns the services of a stack, restarts what dies and ends all in order.
//!
//! It is told what to keep by a file (the [`Plan`]) and steered by signals (SIGTERM: end everything) and by hold files (keep one service stopped for
//! a while). If it is killed itself, the guards end its services at once; what may be left even so is ended by the next command.

mod claim;
mod daemon;
mod error;
mod hold;
mod keeper;
mod orphans;
mod pace;
mod pid_file;
mod plan;

pub use daemon::supervise;
pub use error::SupervisorError;
pub use plan::{Plan, Role, Service};

pub(crate) use claim::running;
pub(crate) use hold::Hold;
pub(crate) use orphans::{end_orphans, end_strays};
pub(crate) use pid_file::{process_of, recorded_pid};
