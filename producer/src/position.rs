//! A place in the change stream.

use bson::{RawDocument, RawDocumentBuf, Timestamp};
use serde::{Deserialize, Serialize};
use source::time_of;

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

    /// Its time, in seconds since the epoch. None for a token of an unknown make.
    pub(crate) fn seconds(&self) -> Option<u32> {
        let time = match self {
            Self::OperationTime(time) => Some(*time),
            Self::Token(token) => time_of(token),
        };
        time.map(|time| time.time)
    }
}
