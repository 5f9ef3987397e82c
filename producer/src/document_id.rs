//! A document's `_id`, which may be one that cannot be read: MongoDB stores strings that are not UTF-8 without a word.

use bson::{Bson, RawDocument};
use serde_json::Value;
use shared::{DocumentType, Identity, UnsupportedId};

use crate::extended_json;

/// Why an `_id` makes no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdFault {
    /// It is of a kind that has none.
    #[error(transparent)]
    Unsupported(#[from] UnsupportedId),
    /// Its bytes are not what their type says.
    #[error("the _id cannot be read: {0}")]
    Unreadable(String),
    /// No message has room for it.
    #[error("the _id is too large: its event has {0} bytes even without a document")]
    TooLarge(usize),
}

impl IdFault {
    /// In two words, to count by.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Unsupported(_) => "unsupported _id",
            Self::Unreadable(_) => "unreadable _id",
            Self::TooLarge(_) => "too large _id",
        }
    }
}

/// An `_id` that makes no identity.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FaultyId {
    pub(crate) fault: IdFault,
    /// As far as it can be shown: bytes that are no text are U+FFFD.
    pub(crate) shown: Value,
}

/// The identity of the document that has this `_id`: of a document or of a change's `documentKey`. A field that is
/// missing is null to MongoDB.
pub(crate) fn identify(document_type: DocumentType, holder: &RawDocument) -> Result<Identity, FaultyId> {
    let id = read(holder).map_err(|problem| FaultyId {
        fault: IdFault::Unreadable(problem),
        shown: extended_json::value(lossy(holder)),
    })?;
    Identity::of(document_type, &id).map_err(|error| FaultyId { fault: error.into(), shown: extended_json::value(id) })
}

fn read(holder: &RawDocument) -> Result<Bson, String> {
    let id = holder.get("_id").map_err(|error| error.to_string())?;
    id.map_or(Ok(Bson::Null), |id| Bson::try_from(id).map_err(|error| error.to_string()))
}

/// Null where not even this can be had.
fn lossy(holder: &RawDocument) -> Bson {
    let id = holder.iter_elements().map_while(Result::ok).find(|element| element.key().as_str() == "_id");
    let text = id.and_then(|id| id.value_utf8_lossy().ok());
    text.and_then(|text| Bson::try_from(text).ok()).unwrap_or(Bson::Null)
}
