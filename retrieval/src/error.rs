//! What a search can fail of, and which exit code that is.

use qdrant_client::QdrantError;
use shared::embedding::{EmbedError, ModelError};
use shared::index::IndexError;
use shared::settings::{EXIT_SETTINGS, EXIT_UNREACHABLE, SettingsError};
use tonic::Code;

use crate::query::MOST_HITS;
use crate::reranker::RerankError;

/// Exit code of everything that is neither a setting nor a server that is away; also of an index that is not there.
const EXIT_FAILED: i32 = 1;

/// A search that has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// Nothing to look for.
    #[error("the query is empty: say what to look for")]
    EmptyQuery,
    /// Users have a name and no text.
    #[error("--type: users have no text to search (known: articles, posts, repositories)")]
    UsersHaveNoText,
    /// A filter that is given and says nothing would let nothing pass.
    #[error("{0}: is blank: say what to look for, or leave it away")]
    BlankFilter(&'static str),
    /// Nothing lies between the two days.
    #[error("--before: is no later day than --since")]
    NoDays,
    /// Nothing, or more than is read at once.
    #[error("{0}: must be a number from 1 to {MOST_HITS}")]
    NoCount(&'static str),
    /// No score is at least that.
    #[error("--min-score: must be a number")]
    NoScore,
    /// A second look is asked for, and nobody is there to take it.
    #[error("RERANK_MODEL_DIR: --rerank needs a folder with a cross-encoder; name one, or leave --rerank away")]
    NoReranker,
    /// A setting is missing or wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The model cannot be loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The query could not be embedded.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The cross-encoder cannot be loaded or run.
    #[error(transparent)]
    Rerank(#[from] RerankError),
    /// No answer from Qdrant.
    #[error("QDRANT_URL: qdrant cannot be reached: {0}")]
    Unreachable(String),
    /// Qdrant wants another key.
    #[error("QDRANT_API_KEY: qdrant refuses it: {0}")]
    Refused(String),
    /// No index, a damaged one, or one made for another model.
    #[error(transparent)]
    Index(IndexError),
    /// Any other answer of Qdrant's.
    #[error("qdrant: {0}")]
    Qdrant(Box<QdrantError>),
}

impl SearchError {
    /// 2 for what the person asked or set, 3 for a server that cannot be reached, 1 for the rest: no index yet is a 1.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Unreachable(_) | Self::Model(ModelError::Hub { .. }) => EXIT_UNREACHABLE,
            Self::EmptyQuery
            | Self::UsersHaveNoText
            | Self::BlankFilter(_)
            | Self::NoDays
            | Self::NoCount(_)
            | Self::NoScore
            | Self::NoReranker
            | Self::Settings(_)
            | Self::Model(_)
            | Self::Refused(_) => EXIT_SETTINGS,
            Self::Rerank(RerankError::Runtime(_) | RerankError::File { .. } | RerankError::NoCrossEncoder { .. }) => {
                EXIT_SETTINGS
            }
            Self::Index(IndexError::Mismatch { .. } | IndexError::TooOld(_)) => EXIT_SETTINGS,
            Self::Embed(_)
            | Self::Rerank(RerankError::Failed(_) | RerankError::Ended)
            | Self::Qdrant(_)
            | Self::Index(IndexError::Qdrant(_) | IndexError::Missing | IndexError::Damaged(_)) => EXIT_FAILED,
        }
    }
}

impl From<IndexError> for SearchError {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Qdrant(error) => Self::from(*error),
            other => Self::Index(other),
        }
    }
}

impl From<QdrantError> for SearchError {
    fn from(error: QdrantError) -> Self {
        let QdrantError::ResponseError { status } = &error else {
            return Self::Qdrant(Box::new(error));
        };
        let said = status.message().to_owned();
        match status.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown => Self::Unreachable(said),
            // What the client makes of a connection that it cannot open; the address, then the reasons in Debug form.
            Code::Internal if said.starts_with("Failed to connect") => {
                Self::Unreachable(said.split(": ").next().unwrap_or_default().to_lowercase())
            }
            // A connection that broke, or a port of something else.
            Code::Internal if said.contains("h2 protocol error") => {
                Self::Unreachable(format!("{said} (is this its gRPC port?)"))
            }
            Code::Unauthenticated | Code::PermissionDenied => Self::Refused(said),
            _ => Self::Qdrant(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Status;

    fn code_of(status: Status) -> i32 {
        SearchError::from(QdrantError::ResponseError { status }).exit_code()
    }

    #[test]
    fn a_server_that_is_away_is_told_from_one_that_refuses() {
        assert_eq!(code_of(Status::unavailable("")), 3);
        assert_eq!(code_of(Status::internal("Failed to connect to http://127.0.0.1:1/: transport::Error(…)")), 3);
        assert_eq!(code_of(Status::internal("h2 protocol error: http2 error")), 3);
        assert_eq!(code_of(Status::unauthenticated("no key")), 2);
        assert_eq!(code_of(Status::internal("out of memory")), 1);
        assert_eq!(SearchError::from(IndexError::Missing).exit_code(), 1);
        let hub = ModelError::Hub { file: "model.onnx".into(), problem: "connection refused".into() };
        assert_eq!(SearchError::from(hub).exit_code(), 3);
    }
}
