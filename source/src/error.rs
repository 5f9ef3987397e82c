//! What can go wrong with MongoDB, and what its codes mean.

use std::time::Duration;

use mongodb::error::{Error, ErrorKind, WriteFailure};
use shared::settings::SettingsError;

/// MongoDB's codes for a position that the oplog no longer holds or never held: ChangeStreamHistoryLost,
/// ChangeStreamFatalError, InvalidResumeToken, CappedPositionLost; and those for a token that no server can decode:
/// FailedToParse, Overflow, 50811.
const HISTORY_LOST: [i32; 7] = [286, 280, 260, 136, 9, 15, 50811];

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The connection string is wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// As MongoDB or its driver says.
    #[error("MongoDB: {}", plain(.0))]
    MongoDb(#[from] Error),
    /// It takes connections and does not answer, for so long.
    #[error("MongoDB: no answer within {0:?}")]
    Silent(Duration),
}

/// Whether a change stream cannot be opened where it is asked to: the history of changes does not reach back so far.
pub fn is_history_lost(error: &Error) -> bool {
    code(error).is_some_and(|code| HISTORY_LOST.contains(&code))
        || error.contains_label("NonResumableChangeStreamError")
}

/// The code by which the server refused.
pub fn code(error: &Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => Some(write.code),
        _ => None,
    }
}

/// The driver's error without its inner workings.
pub fn plain(error: &Error) -> String {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => format!("{} ({} {})", command.message, command.code, command.code_name),
        // The topology behind it fills a screen.
        ErrorKind::ServerSelection { message, .. } => message.split(" Topology:").next().unwrap_or_default().to_owned(),
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_error(code: i32) -> Error {
        let json = serde_json::json!({"code": code, "codeName": "Some", "errmsg": "text"});
        ErrorKind::Command(serde_json::from_value(json).unwrap()).into()
    }

    #[test]
    fn lost_history_is_told_from_what_passes() {
        assert!(HISTORY_LOST.into_iter().all(|code| is_history_lost(&server_error(code))));
        assert!(![13, 43, 91, 189, 10107, 11600].into_iter().any(|code| is_history_lost(&server_error(code))));
    }

    #[test]
    fn an_error_is_one_line() {
        assert_eq!(SourceError::MongoDb(server_error(91)).to_string(), "MongoDB: text (91 Some)");
    }
}
