//! MongoDB, where the documents are, as the producer and the commands of the consumer see it: the connection, which
//! documents are relayed, what a resume token tells, and what an error means to both.

mod connection;
mod error;
mod filter;
mod selection;
mod token;

pub use connection::{Source, answer};
pub use error::{SourceError, code, is_history_lost, plain};
pub use filter::{Filter, FilterError};
pub use selection::{Selection, SelectionSettings, Selections};
pub use token::time_of;
