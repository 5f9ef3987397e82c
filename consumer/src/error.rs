//! What can go wrong, and the one table that decides whether trying again can help.

use lapin::ErrorKind;
use qdrant_client::QdrantError;
use shared::dead_letter::DeadLetterError;
use shared::embedding::{EmbedError, ModelError};
use shared::health::HealthError;
use shared::index::IndexError;
use shared::settings::{EXIT_SETTINGS, SettingsError};
use tonic::Code;

/// Exit code of what is no setting's fault.
const EXIT_FAILED: i32 = 1;

/// A request to the vector store that failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// As Qdrant.
    #[error("qdrant: {0}")]
    Qdrant(Box<QdrantError>),
    /// A point of ours is not as we wrote it.
    #[error("the index holds a damaged {0}")]
    Damaged(&'static str),
    /// The consumer was to end before the store had answered.
    #[error("stopped while waiting for the store")]
    Interrupted,
    /// Still failing after the time that we wait for a store.
    #[error("the store has not answered for {seconds} s: {last}")]
    Away {
        /// How long it was tried.
        seconds: u64,
        /// The last failure.
        last: Box<StoreError>,
    },
}

impl From<QdrantError> for StoreError {
    fn from(error: QdrantError) -> Self {
        Self::Qdrant(Box::new(error))
    }
}

/// Whether the same request can succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The store, the network or an operator will mend it: wait.
    Transient,
    /// The request itself is at fault: it will fail again.
    Permanent,
}

impl StoreError {
    /// The one table.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Qdrant(error) => qdrant_fault(error),
            Self::Damaged(_) => Fault::Permanent,
            Self::Away { .. } | Self::Interrupted => Fault::Transient,
        }
    }
}

/// A text is at fault only where the model, `probe`d with others, works: else memory is short, or the model is gone.
pub(crate) fn embed_fault(error: &EmbedError, probe: &Result<(), EmbedError>) -> Fault {
    match (error, probe) {
        (EmbedError::Model(_), Ok(())) => Fault::Permanent,
        (EmbedError::Model(_), Err(_)) | (EmbedError::Ended, _) => Fault::Transient,
    }
}

fn qdrant_fault(error: &QdrantError) -> Fault {
    match error {
        // gRPC's own words for a message over a server's limit, where other servers say OutOfRange.
        QdrantError::ResponseError { status } if status.message().contains("larger than max") => Fault::Permanent,
        QdrantError::ResponseError { status } => status_fault(status.code()),
        QdrantError::ResourceExhaustedError { .. } | QdrantError::Io(_) => Fault::Transient,
        QdrantError::ConversionError(_)
        | QdrantError::InvalidUri(_)
        | QdrantError::NoSnapshotFound(_)
        | QdrantError::JsonToPayload(_)
        | QdrantError::PayloadDeserialization(_) => Fault::Permanent,
    }
}

/// `NotFound` is a collection that an operator took away, `PermissionDenied` a key that was changed, `Unimplemented` a
/// server of another version, or a proxy that does not know where it is (HTTP's 404): all are mended outside, and no
/// document is at fault.
fn status_fault(code: Code) -> Fault {
    match code {
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable
        | Code::Unimplemented
        | Code::DataLoss
        | Code::Unauthenticated => Fault::Transient,
        Code::InvalidArgument | Code::AlreadyExists | Code::OutOfRange => Fault::Permanent,
    }
}

/// What stops a partition: its channel is closed, and it begins again with what was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum PartitionError {
    /// The channel or the connection is gone.
    #[error("rabbitmq: {}", told(.0))]
    Broker(#[from] lapin::Error),
    /// The broker takes connections and answers nothing.
    #[error("rabbitmq has not answered within {seconds} s")]
    Silent {
        /// How long it was waited for.
        seconds: u64,
    },
    /// The broker ended the subscription.
    #[error("the broker ended the subscription")]
    Cancelled,
    /// The store is away.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store refuses a record that has no content.
    #[error("the store refuses even an empty record of {document}: {error}")]
    RefusesAll {
        /// Of which document.
        document: String,
        /// As the store says.
        error: String,
    },
    /// A dead letter was not taken.
    #[error(transparent)]
    DeadLetter(#[from] DeadLetterError),
    /// The model fails on texts that are known to be good as well: memory is short, or its threads are gone.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// A task of ours ended early.
    #[error("a task ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// The client names no message, for it shows none: it ends the connection, each time that this one is delivered.
fn told(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ParsingError(_) => {
            format!(
                "{error}: a message that waits has headers which the client cannot read, and holds up what is behind it until it is taken out of its queue by hand"
            )
        }
        _ => error.to_string(),
    }
}

/// What ends the consumer.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// A wrong or missing setting.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The model cannot be loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The index was made for something else.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The health port cannot be opened.
    #[error(transparent)]
    Health(#[from] HealthError),
    /// As the operating system.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl ConsumerError {
    /// The program's exit code: 2 for what a person set wrong, else 1.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Model(ModelError::Hub { .. }) => EXIT_FAILED,
            Self::Settings(_)
            | Self::Model(_)
            | Self::Index(IndexError::Mismatch { .. } | IndexError::TooOld(_))
            | Self::Health(HealthError::Listen(_)) => EXIT_SETTINGS,
            Self::Index(_) | Self::Health(HealthError::Metrics(_)) | Self::Io(_) => EXIT_FAILED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Status;

    fn fault(status: Status) -> Fault {
        StoreError::from(QdrantError::ResponseError { status }).fault()
    }

    #[test]
    fn a_request_that_is_too_large_is_at_fault_and_a_server_that_is_short_of_something_is_not() {
        assert_eq!(fault(Status::out_of_range("decoded message length too large")), Fault::Permanent);
        let said = "Received message larger than max (40000000 vs. 33554432)";
        assert_eq!(fault(Status::resource_exhausted(said)), Fault::Permanent);
        assert_eq!(fault(Status::resource_exhausted("out of memory")), Fault::Transient);
        assert_eq!(fault(Status::unavailable("")), Fault::Transient);
        let said = "grpc-status header missing, mapped from HTTP status code 404";
        assert_eq!(fault(Status::unimplemented(said)), Fault::Transient);
    }
}
