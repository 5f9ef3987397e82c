//! What can go wrong, and what is done about it: one table.

use mongodb::error::ErrorKind;
use shared::body::EncodeError;
use shared::health::HealthError;
use shared::settings::{EXIT_SETTINGS, EXIT_UNREACHABLE, SettingsError};
use source::{SourceError, code, is_history_lost, plain};

use crate::mapping::MapError;

/// Why the relay, or one turn of it, ended.
#[derive(Debug, thiserror::Error)]
pub enum ProducerError {
    /// A setting is wrong, or contradicts what was recorded.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The health port cannot be opened.
    #[error(transparent)]
    Health(#[from] HealthError),
    /// As the operating system.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// As MongoDB or its driver says.
    #[error("MongoDB: {}", plain(.0))]
    MongoDb(#[from] mongodb::error::Error),
    /// MongoDB did not answer in time.
    #[error("MongoDB: no answer within {0:?}")]
    MongoDbTimeout(std::time::Duration),
    /// As the broker or its client says.
    #[error("RabbitMQ: {0}")]
    Broker(#[from] lapin::Error),
    /// The broker did not answer in time.
    #[error("RabbitMQ: no answer in time")]
    BrokerTimeout,
    /// The connection ended while nothing was in flight.
    #[error("RabbitMQ: the connection is closed")]
    BrokerGone,
    /// A channel that ought to confirm did not.
    #[error("RabbitMQ: a publish was not confirmed")]
    Unconfirmed,
    /// A message came back that cannot be told.
    #[error("RabbitMQ: a message was returned under an unknown id")]
    UnknownReturn,
    /// Another producer holds the lease by now.
    #[error("another producer has taken over")]
    LeaseLost,
    /// Another producer has claimed the checkpoint, or it was reset.
    #[error("the checkpoint was claimed by another producer or reset")]
    Fenced,
    /// MongoDB no longer holds the changes since the checkpoint.
    #[error("the history since the checkpoint is lost: {}", plain(.0))]
    HistoryLost(mongodb::error::Error),
    /// The same, and the settings say to stop.
    #[error("the history since the checkpoint is lost and ON_HISTORY_LOST=fail; `producer checkpoint reset` resyncs")]
    HistoryLostStop,
    /// Resyncs do not help.
    #[error("the history was lost {0} times without a single change relayed in between; giving up")]
    ResyncsInVain(u32),
    /// An event that the server cannot send, whatever is left out of it: its token alone is too large.
    #[error("an event exceeds 16 MB even without its document, and MongoDB cannot send it: its _id is too long")]
    EventTooLarge,
    /// The same, and the settings say to stop.
    #[error("{} and ON_HISTORY_LOST=fail; `producer checkpoint reset` resyncs", Self::EventTooLarge)]
    EventTooLargeStop,
    /// A reset while a producer is at work.
    #[error("{0} holds the lease; stop it, or reset with --force")]
    AtWork(String),
    /// A request that the running producer will not do.
    #[error("the producer refuses it: {0}")]
    Refused(String),
    /// The stream's task is gone.
    #[error("the change stream's reader ended")]
    ReaderEnded,
    /// A change that cannot be mapped.
    #[error(transparent)]
    Map(#[from] MapError),
    /// A change that cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// Progress that cannot be written as BSON.
    #[error("progress cannot be stored: {0}")]
    Store(#[from] bson::error::Error),
}

impl From<SourceError> for ProducerError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Settings(error) => error.into(),
            SourceError::MongoDb(error) => error.into(),
            SourceError::Silent(waited) => Self::MongoDbTimeout(waited),
        }
    }
}

/// What the supervisor does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The broker: another connection, with the window kept.
    Reconnect,
    /// Passing: another turn after a wait.
    Transient,
    /// Someone else is at work: wait for the lease.
    StandBy,
    /// Relay everything anew, if the settings allow it.
    Resync,
    /// Changes that cannot be had: relay everything anew, if the settings allow it, however often.
    Gap,
    /// A person must act.
    Permanent,
}

impl ProducerError {
    /// The one table.
    pub(crate) fn verdict(&self) -> Verdict {
        match self {
            Self::Broker(_) | Self::BrokerTimeout | Self::BrokerGone | Self::Unconfirmed | Self::UnknownReturn => {
                Verdict::Reconnect
            }
            Self::MongoDb(_) | Self::MongoDbTimeout(_) | Self::ReaderEnded => Verdict::Transient,
            Self::LeaseLost | Self::Fenced => Verdict::StandBy,
            Self::HistoryLost(_) => Verdict::Resync,
            Self::EventTooLarge => Verdict::Gap,
            Self::Settings(_)
            | Self::Health(_)
            | Self::Io(_)
            | Self::HistoryLostStop
            | Self::ResyncsInVain(_)
            | Self::EventTooLargeStop
            | Self::AtWork(_)
            | Self::Refused(_)
            | Self::Map(_)
            | Self::Encode(_)
            | Self::Store(_) => Verdict::Permanent,
        }
    }

    /// The exit code that the contract names.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Settings(_) | Self::Health(HealthError::Listen(_)) => EXIT_SETTINGS,
            Self::MongoDb(_) | Self::MongoDbTimeout(_) => EXIT_UNREACHABLE,
            _ => 1,
        }
    }
}

/// What an error of the change stream means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamFault {
    /// Network, elections, a lack of rights that someone will mend while /readyz says so: open it again.
    Passing,
    /// The position is gone.
    HistoryLost,
    /// The next event exceeds what a server can send (16 MB).
    EventTooLarge,
    /// A stage of the pipeline that this server does not know.
    StageUnknown,
}

/// MongoDB's codes for an event that it cannot send: BSONObjectTooLarge; a resume token over 16 MB; a piece of a split event
/// that is still too large.
const EVENT_TOO_LARGE: [i32; 3] = [10334, 16493, 7_182_500];
/// "Unrecognized pipeline stage name", which has no name of its own.
const STAGE_UNKNOWN: i32 = 40324;
/// MongoDB's code for what the user has no right to.
const UNAUTHORIZED: i32 = 13;
/// MongoDB's code for an insert or upsert that met an existing document.
const DUPLICATE_KEY: i32 = 11000;

/// Classifies an error of the change stream.
pub(crate) fn stream_fault(error: &mongodb::error::Error) -> StreamFault {
    match code(error) {
        Some(code) if EVENT_TOO_LARGE.contains(&code) => StreamFault::EventTooLarge,
        Some(STAGE_UNKNOWN) => StreamFault::StageUnknown,
        _ if is_history_lost(error) => StreamFault::HistoryLost,
        _ => StreamFault::Passing,
    }
}

/// Whether the user may not do that.
pub(crate) fn is_unauthorized(error: &mongodb::error::Error) -> bool {
    code(error) == Some(UNAUTHORIZED)
}

/// Whether the connection broke.
pub(crate) fn is_broken(error: &mongodb::error::Error) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::Io(_))
}

/// Whether a document of that `_id` exists already.
pub(crate) fn is_duplicate_key(error: &mongodb::error::Error) -> bool {
    code(error) == Some(DUPLICATE_KEY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::error::CommandError;

    fn server_error(code: i32) -> mongodb::error::Error {
        let json = serde_json::json!({"code": code, "codeName": "Some", "errmsg": "text"});
        ErrorKind::Command(serde_json::from_value::<CommandError>(json).unwrap()).into()
    }

    #[test]
    fn lost_history_and_large_events_are_told_from_what_passes() {
        assert_eq!(stream_fault(&server_error(286)), StreamFault::HistoryLost);
        for code in [13, 43, 91, 189, 10107, 11600] {
            assert_eq!(stream_fault(&server_error(code)), StreamFault::Passing, "{code}");
        }
        for code in EVENT_TOO_LARGE {
            assert_eq!(stream_fault(&server_error(code)), StreamFault::EventTooLarge, "{code}");
        }
        assert_eq!(stream_fault(&server_error(40324)), StreamFault::StageUnknown);
        assert!(is_duplicate_key(&server_error(11000)));
    }

    /// A new connection to the broker restarts no reader and finds no other primary.
    #[test]
    fn only_what_the_broker_did_is_mended_by_another_connection() {
        for error in [ProducerError::BrokerTimeout, ProducerError::BrokerGone, ProducerError::Unconfirmed] {
            assert_eq!(error.verdict(), Verdict::Reconnect, "{error}");
        }
        let timeout = ProducerError::MongoDbTimeout(std::time::Duration::from_secs(1));
        for error in [ProducerError::ReaderEnded, ProducerError::MongoDb(server_error(91)), timeout] {
            assert_eq!(error.verdict(), Verdict::Transient, "{error}");
        }
    }
}
