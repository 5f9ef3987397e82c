use std::io;
use std::path::PathBuf;

/// Why a supervisor could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// Another one keeps this folder.
    #[error("another supervisor (pid {pid}) keeps {folder}", folder = .folder.display())]
    Taken {
        /// Its pid.
        pid: u32,
        /// The stack's folder.
        folder: PathBuf,
    },
    /// The plan cannot be read.
    #[error("{path} is not a plan: {error}", path = .path.display())]
    Plan {
        /// The plan's file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        error: serde_json::Error,
    },
    /// A file or a process of the stack could not be handled.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        #[source]
        error: io::Error,
    },
}

impl SupervisorError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |error| Self::Io { what, error }
    }
}
