//! The relay from MongoDB's change stream to RabbitMQ: every change exactly, in order, confirmed before it counts.
//!
//! The way of a change, a file a stage: [`change_stream`] reads, [`mapping`] turns it into events, [`window`] keeps the
//! order, [`publisher`] sends and awaits confirms, [`checkpointer`] decides when progress is written, [`checkpoint`]
//! stores it. The loop is `Relay::relay` in [`relay`]; [`supervisor`] runs one turn of office after the other, and
//! [`service`] runs that.

mod binding;
mod boundary;
mod change_id;
mod change_order;
mod change_stream;
mod checkpoint;
mod checkpointer;
mod console;
mod document_id;
mod error;
mod extended_json;
mod fragments;
mod holder;
mod intake;
mod lease;
mod mapping;
mod message;
mod oplog;
mod partitions;
mod position;
mod publisher;
mod raw_change;
mod relay;
mod report;
mod resync;
mod resync_inbox;
mod resync_wait;
mod server;
mod service;
mod settings;
mod snapshot;
mod snapshot_queue;
mod snapshot_reader;
mod snapshot_report;
mod snapshot_rows;
mod stream_query;
mod supervisor;
mod telemetry;
mod watchdog;
mod window;

pub use error::ProducerError;
pub use mapping::MapError;
pub use raw_change::MalformedChange;
pub use report::{reset_checkpoint, say, show_checkpoint, status};
pub use resync::{ResyncSettings, resync};
pub use service::run;
pub use settings::{HistoryLostPolicy, Settings, SnapshotPolicy};
