//! What producer, consumer and retrieval agree on: the change event and its wire form, the topology on RabbitMQ, the
//! index on Qdrant, the embedding model, settings, logs and health.

mod backoff;
pub mod body;
pub mod broker;
mod change_event;
pub mod dead_letter;
pub mod document;
pub mod embedding;
pub mod extended_json;
pub mod health;
mod identity;
pub mod index;
mod language;
mod manifest;
mod output;
pub mod resync;
mod revision;
pub mod settings;
pub mod shutdown;
pub mod sparse;
pub mod telemetry;
pub mod topology;

pub use backoff::Backoff;
pub use change_event::{ChangeEvent, InvalidEvent, Operation, Subject};
pub use identity::{BUCKETS, DocumentType, IdKind, Identity, NAMESPACE, UnsupportedId};
pub use language::Language;
pub use manifest::{Author, ChunkPayload, MAX_CLEANED_TEXT, Manifest, Metadata, Record};
pub use output::Output;
pub use revision::{Revision, RevisionOverflow};
