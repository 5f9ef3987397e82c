//! The stack of one checkout, native (five services under a supervisor) or in containers, and the commands of the Makefile.

mod clean;
mod contained;
mod env_file;
mod error;
mod fetch;
mod kind;
mod live;
mod lock;
mod logs;
mod offline;
mod programs;
mod replica_set;
mod search;
mod service_state;
mod services;
mod settings;
mod start;
mod start_cdc;
mod status;
mod stop;
mod test_cdc;
mod wait;

pub use clean::clean;
pub use error::{EXIT_SETTINGS, StackError};
pub use fetch::fetch;
pub use kind::{StackKind, choose, containers};
pub use logs::logs;
pub use offline::images_offline;
pub use replica_set::{ready, replica_set};
pub use search::search;
pub use settings::Settings;
pub use start::start;
pub use start_cdc::start_cdc;
pub use status::status;
pub use stop::stop;
pub use test_cdc::test_cdc;
