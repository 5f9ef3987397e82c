//! What stands in the ledger's queue, read from the messages themselves and by no code of the pipeline.

use anyhow::{Context, Result};
use lapin::message::Delivery;
use serde_json::Value;

/// An entry of the ledger.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    /// A relayed change of a document.
    Change(Relayed),
    /// A row of a snapshot.
    Row(Relayed),
    /// A drop or a sweep; it comes once for each partition.
    Barrier(Barrier),
    /// A producer is about to start, and this clusterTime is checkpointed.
    Start(i64),
}

/// One relayed change, or row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Relayed {
    /// The event's id.
    pub(crate) id: String,
    /// `type/kind/entry_id`.
    pub(crate) document: String,
    /// As on the wire.
    pub(crate) operation: String,
    /// As on the wire.
    pub(crate) revision: i64,
    /// The version that the document says it has.
    pub(crate) version: Option<i64>,
}

/// One relayed drop or sweep.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Barrier {
    /// The event's id.
    pub(crate) id: String,
    /// As on the wire.
    pub(crate) operation: String,
    /// Its collection.
    pub(crate) collection: String,
    /// As on the wire.
    pub(crate) revision: i64,
}

impl Entry {
    /// Reads a message.
    ///
    /// # Errors
    /// It is neither an event nor a note of the harness.
    pub(crate) fn read(delivery: &Delivery) -> Result<Self> {
        let encoding = delivery.properties.content_encoding().as_ref().map(ToString::to_string);
        let body = match encoding.as_deref() {
            Some("zstd") => zstd::decode_all(delivery.data.as_slice())?,
            _ => delivery.data.clone(),
        };
        let body: Value = serde_json::from_slice(&body)?;
        if let Some(checkpoint) = body["checkpoint"].as_i64() {
            return Ok(Self::Start(checkpoint));
        }
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let (id, collection) = (text("id").context("id")?, text("type").context("type")?);
        let operation = text("operation").context("operation")?;
        let revision = body["revision"].as_i64().context("revision")?;
        let (Some(kind), Some(entry_id)) = (text("id_kind"), text("entry_id")) else {
            return Ok(Self::Barrier(Barrier { id, operation, collection, revision }));
        };
        let (document, version) = (format!("{collection}/{kind}/{entry_id}"), body["document"]["version"].as_i64());
        let is_row = operation == "snapshot";
        let relayed = Relayed { id, document, operation, revision, version };
        Ok(if is_row { Self::Row(relayed) } else { Self::Change(relayed) })
    }

    /// The event's id; none of a note.
    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Self::Change(relayed) | Self::Row(relayed) => Some(&relayed.id),
            Self::Barrier(barrier) => Some(&barrier.id),
            Self::Start(_) => None,
        }
    }
}
