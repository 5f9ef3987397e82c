use std::io;
use std::path::PathBuf;

use crate::ProvisionError;
use crate::supervisor::SupervisorError;

/// Exit code for a wrong setting.
pub const EXIT_SETTINGS: u8 = 2;

/// Why a command of the stack did not do what it was asked: one line each that says what to do, with the end of a log where one helps.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// Containers were asked for, and nobody runs them.
    #[error("{0}; STACK=native goes without")]
    NoEngine(String),
    /// Containers were asked for, and there is nothing to make them of.
    #[error("{0}; make images-offline makes stand-ins, STACK=native goes without")]
    NoImages(String),
    /// Compose has said why.
    #[error("Compose failed: {0}")]
    Compose(String),
    /// Containers that did not get well.
    #[error("not healthy: {0}; see: make local-logs")]
    Unwell(String),
    /// The nodes are no replica set.
    #[error("{0}")]
    ReplicaSet(String),
    /// A service does not say that it is ready.
    #[error("{0}")]
    NotReady(String),
    /// STACK has another value.
    #[error("STACK: {0} is unknown; use STACK=native or STACK=containers, or leave it away")]
    UnknownStack(String),
    /// Someone else starts or stops this stack now.
    #[error(
        "another command{holder} starts or stops {folder} right now; wait for it, or end it",
        holder = .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default(), folder = .folder.display()
    )]
    Locked {
        /// Its pid, unless it has only just begun.
        pid: Option<u32>,
        /// The stack's folder.
        folder: PathBuf,
    },
    /// A port that is needed is taken.
    #[error(
        "port {port} ({service}) is in use by {holder}; end that, or choose another port: {variable}=… make local-start"
    )]
    PortTaken {
        /// The port.
        port: u16,
        /// What it is needed for.
        service: &'static str,
        /// Who has it.
        holder: String,
        /// The setting that moves it.
        variable: &'static str,
    },
    /// A program of the workspace has not been built.
    #[error("the program {0} is not built; run: make local-start")]
    NotBuilt(PathBuf),
    /// There is no stack to talk to.
    #[error("the stack is not running; run: make local-start")]
    NotRunning,
    /// No such service.
    #[error("there is no service {0}; there are: mongod, rabbitmq, qdrant, producer, consumer, supervisor")]
    NoSuchService(String),
    /// A service is not well.
    #[error("{service} is not healthy: {why}\n--- the end of {log_file} ---\n{log}", log_file = .log_file.display())]
    Unhealthy {
        /// Which one.
        service: String,
        /// What is wrong.
        why: String,
        /// Its log.
        log_file: PathBuf,
        /// The last lines of it.
        log: String,
    },
    /// The change data capture did not do what it should.
    #[error("{0}")]
    Cdc(String),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// What is needed could not be had.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// The supervisor's files.
    #[error(transparent)]
    Supervisor(#[from] SupervisorError),
    /// MongoDB refused something.
    #[error("MongoDB: {0}")]
    MongoDb(#[from] mongodb::error::Error),
    /// A file or process.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        #[source]
        error: io::Error,
    },
}

impl StackError {
    /// 2 for a wrong setting, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::UnknownStack(_) => EXIT_SETTINGS,
            _ => 1,
        }
    }

    /// Signals cannot be listened for.
    pub fn signals(error: io::Error) -> Self {
        Self::Io { what: "listening for signals".to_owned(), error }
    }

    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |error| Self::Io { what, error }
    }
}
