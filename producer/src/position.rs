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

    /// Its time, in seconds since the epoch. A token's text begins with a clusterTime as MongoDB's KeyString has it:
    /// `82`, then eight hexadecimal digits of seconds. None for a token of another make.
    pub(crate) fn seconds(&self) -> Option<u32> {
        match self {
            Self::OperationTime(time) => Some(time.time),
            Self::Token(token) => {
                let text = token.get_str("_data").ok()?.strip_prefix("82")?;
                u32::from_str_radix(text.get(..8)?, 16).ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::rawdoc;

    #[test]
    fn a_token_tells_its_time() {
        let seconds = |data: &str| Position::Token(rawdoc! {"_data": data}).seconds();
        assert_eq!(seconds("826A72C0D7000000012B0229296E04"), Some(0x6A72_C0D7));
        assert_eq!((seconds("82FFFF"), seconds("xyz"), seconds("")), (None, None, None));
        assert_eq!(Position::OperationTime(Timestamp { time: 7, increment: 1 }).seconds(), Some(7));
    }
}
