//! A place in the change stream.

use bson::{RawDocument, RawDocumentBuf, Timestamp};
use serde::{Deserialize, Serialize};

/// Where to read on. As a document: `{token: {…}}` or `{operation_time: Timestamp}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Position {
    /// After the event, or the empty batch, that bore this token.
    Token(RawDocumentBuf),
    /// At the first event of this clusterTime or later.
    OperationTime(Timestamp),
}

impl Position {
    /// After the event that bears this token.
    pub(crate) fn after(token: &RawDocument) -> Self {
        Self::Token(token.to_owned())
    }
}
