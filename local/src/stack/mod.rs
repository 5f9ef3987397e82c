//! The stack of one checkout: five services under a supervisor, and the commands of the Makefile.

mod clean;
mod env_file;
mod error;
mod fetch;
mod lock;
mod logs;
mod programs;
mod search;
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
pub use logs::logs;
pub use search::search;
pub use settings::Settings;
pub use start::start;
pub use start_cdc::start_cdc;
pub use status::status;
pub use stop::stop;
pub use test_cdc::test_cdc;
