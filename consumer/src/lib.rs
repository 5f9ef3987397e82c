//! The consumer: takes change events from RabbitMQ, partition by partition, and makes the index on Qdrant equal to them.
//!
//! The way of a document: [`partition`](crate::Partition) (the loop) takes a batch from `intake`, `change` folds it,
//! `sync` applies it (`prepare` → `clean` → `chunk`, `plan`, `vectors`, `store`), `settlement` acknowledges it.

mod barrier;
mod binding;
mod change;
mod chunk;
mod clean;
mod command_error;
mod dead_letters;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod holdings;
mod in_flight;
mod intake;
mod janitor;
mod origin;
mod partition;
mod patience;
mod plan;
mod prefetch;
mod prepare;
mod presence;
mod pulse;
mod qdrant_store;
mod quarantine;
mod requests;
mod service;
mod settings;
mod settlement;
mod share;
mod store;
mod subscriptions;
mod sync;
mod telemetry;
mod vectors;
mod verify;

pub use barrier::Barrier;
pub use binding::{SourceSettings, source};
pub use change::{Change, Message, coalesce};
pub use chunk::Chunk;
pub use command_error::CommandError;
pub use dead_letters::{DeadLettersCommand, dead_letters};
pub use error::{ConsumerError, Fault, PartitionError, StoreError};
pub use janitor::Expired;
pub use partition::Partition;
pub use prefetch::PREFETCH;
pub use prepare::{chunks, cleaned_text, embedded_texts};
pub use qdrant_store::QdrantStore;
pub use service::run;
pub use settings::ConsumerSettings;
pub use store::{Passed, Standing, Swap, VectorStore};
pub use sync::{DeadLetters, Synchronizer};
pub use vectors::Vectors;
pub use verify::{VerifySettings, verify};
