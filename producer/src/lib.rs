//! The relay from MongoDB's change stream to RabbitMQ: every change exactly, in order, confirmed before it counts.
//!
//! The way of a change, a file a stage: [`change_stream`] reads, [`mapping`] turns it into events, [`window`] keeps the
//! order, [`publisher`] sends and awaits confirms, [`checkpoint`] remembers. The loop is `Relay::relay` in [`relay`];
//! [`supervisor`] runs one turn of office after the other.

mod change_id;
mod change_order;
mod change_stream;
mod checkpoint;
mod checkpointer;
mod document_id;
mod error;
mod extended_json;
mod intake;
mod lease;
mod mapping;
mod message;
mod narration;
mod partitions;
mod position;
mod publisher;
mod raw_change;
mod relay;
mod report;
mod settings;
mod snapshot;
mod snapshot_queue;
mod snapshot_reader;
mod source;
mod supervisor;
pub mod telemetry;
mod window;

pub use error::ProducerError;
pub use mapping::MapError;
pub use raw_change::MalformedChange;
pub use report::{reset_checkpoint, show_checkpoint, status};
pub use settings::{HistoryLostPolicy, Settings, SnapshotPolicy};
pub use supervisor::{PARTS, run};
