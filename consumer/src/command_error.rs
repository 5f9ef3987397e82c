//! What ends a command that ends by itself, and with which exit code.

use shared::index::IndexError;
use shared::settings::{EXIT_SETTINGS, EXIT_UNREACHABLE, SettingsError};
use source::SourceError;

use crate::error::StoreError;

/// Why a one-shot command gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A wrong or missing setting.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// What was asked cannot be done.
    #[error("{0}")]
    Refused(String),
    /// RabbitMQ cannot be reached, or left.
    #[error("RABBITMQ_URI: {0}")]
    Broker(#[from] lapin::Error),
    /// MongoDB cannot be reached, or left.
    #[error("MongoDB: {}", source::plain(.0))]
    MongoDb(#[from] mongodb::error::Error),
    /// Qdrant cannot be reached, or left.
    #[error("QDRANT_URL: {0}")]
    Store(#[from] StoreError),
    /// There is no index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A server takes connections and does not answer.
    #[error("{server}: no answer within {seconds} s")]
    Silent {
        /// Which one.
        server: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
    /// As the operating system.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl CommandError {
    /// The program's exit code.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Settings(_) | Self::Index(IndexError::Mismatch { .. } | IndexError::TooOld(_)) => EXIT_SETTINGS,
            Self::Broker(_) | Self::MongoDb(_) | Self::Store(_) | Self::Index(_) | Self::Silent { .. } => {
                EXIT_UNREACHABLE
            }
            Self::Refused(_) | Self::Io(_) => 1,
        }
    }

    /// The same for a comparison, where 1 says that something differs: whatever kept it from being told is 3.
    pub fn exit_code_of_comparison(&self) -> i32 {
        match self.exit_code() {
            EXIT_SETTINGS => EXIT_SETTINGS,
            _ => EXIT_UNREACHABLE,
        }
    }
}

impl From<SourceError> for CommandError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Settings(error) => error.into(),
            SourceError::MongoDb(error) => error.into(),
            SourceError::Silent(waited) => Self::Silent { server: "MongoDB", seconds: waited.as_secs() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_comparison_from_being_made_is_no_difference() {
        let full = || CommandError::Io(std::io::ErrorKind::StorageFull.into());
        for error in
            [CommandError::Refused("no".into()), full(), CommandError::Silent { server: "MongoDB", seconds: 30 }]
        {
            assert_eq!(error.exit_code_of_comparison(), EXIT_UNREACHABLE, "{error}");
        }
        let wrong = CommandError::from(SettingsError::new("FILTER", "is no filter"));
        assert_eq!(wrong.exit_code_of_comparison(), EXIT_SETTINGS);
        assert_eq!(full().exit_code(), 1);
    }
}
