//! One event of the change stream as MongoDB sent it, looked at without decoding all of it.

use bson::{DateTime, RawBsonRef, RawDocument, RawDocumentBuf, Timestamp};

/// An event that lacks what every event of its kind has.
#[derive(Debug, thiserror::Error)]
#[error("MongoDB sent a change event with a missing or unreadable `{0}`")]
pub struct MalformedChange(pub(crate) &'static str);

/// An event of the change stream.
#[derive(Debug, Clone)]
pub(crate) struct RawChange(RawDocumentBuf);

impl From<RawDocumentBuf> for RawChange {
    fn from(event: RawDocumentBuf) -> Self {
        Self(event)
    }
}

impl RawChange {
    /// The resume token: the event's own `_id`, never the cursor's, which may be ahead of what was decoded.
    pub(crate) fn token(&self) -> Result<&RawDocument, MalformedChange> {
        self.0.get_document("_id").map_err(|_| MalformedChange("_id"))
    }

    /// `insert`, `update`, `drop` …
    pub(crate) fn operation(&self) -> Result<&str, MalformedChange> {
        self.0.get_str("operationType").map_err(|_| MalformedChange("operationType"))
    }

    /// When, by the oplog: shared by all events of a transaction.
    pub(crate) fn cluster_time(&self) -> Result<Timestamp, MalformedChange> {
        self.0.get_timestamp("clusterTime").map_err(|_| MalformedChange("clusterTime"))
    }

    /// When, by the server's clock: `wallTime` where the server sends it (6.0), else the seconds of the clusterTime.
    pub(crate) fn occurred_at(&self) -> Result<DateTime, MalformedChange> {
        match self.0.get_datetime("wallTime") {
            Ok(wall_time) => Ok(wall_time),
            Err(_) => Ok(DateTime::from_millis(i64::from(self.cluster_time()?.time) * 1000)),
        }
    }

    /// The collection that it happened in.
    pub(crate) fn collection(&self) -> Option<&str> {
        self.name_in("ns", "coll")
    }

    /// The database and collection that a rename leads to.
    pub(crate) fn renamed_to(&self) -> Option<(&str, &str)> {
        Some((self.name_in("to", "db")?, self.name_in("to", "coll")?))
    }

    /// The document's `_id`, as the one field of a document: not every `_id` can be read.
    pub(crate) fn document_key(&self) -> Result<&RawDocument, MalformedChange> {
        self.0.get_document("documentKey").map_err(|_| MalformedChange("documentKey"))
    }

    /// The document after the change: none for a delete, and for an update whose document was gone when looked up.
    pub(crate) fn full_document(&self) -> Option<&RawDocument> {
        self.0.get("fullDocument").ok().flatten().and_then(RawBsonRef::as_document)
    }

    /// Whether an event of this kind bears a document.
    pub(crate) fn has_document(&self) -> Result<bool, MalformedChange> {
        Ok(matches!(self.operation()?, "insert" | "update" | "replace"))
    }

    /// The event with its document put back.
    pub(crate) fn with_document(mut self, document: Option<RawDocumentBuf>) -> Self {
        if let Some(document) = document {
            self.0.append(bson::cstr!("fullDocument"), document);
        }
        self
    }

    fn name_in(&self, namespace: &str, part: &str) -> Option<&str> {
        self.0.get_document(namespace).ok()?.get_str(part).ok()
    }
}
