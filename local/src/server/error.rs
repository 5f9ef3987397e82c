use std::io;

/// Why a private server could not be started, stopped or reached.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The program could not be run, or its folder not be prepared.
    #[error("{name} could not be started: {error}")]
    Launch {
        /// Which server.
        name: &'static str,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// It ran, but was not of use in time, or ended.
    #[error("{name} did not become ready on port {port}: {why}; the end of its log:\n{log}")]
    NotReady {
        /// Which server.
        name: &'static str,
        /// Its port.
        port: u16,
        /// What was missing.
        why: String,
        /// The last lines of its log.
        log: String,
    },
    /// It was asked for something while stopped or killed.
    #[error("{name} is not running")]
    NotRunning {
        /// Which server.
        name: &'static str,
    },
    /// It could not be signalled or awaited.
    #[error("{name} could not be signalled: {error}")]
    Signal {
        /// Which server.
        name: &'static str,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// It refused a command.
    #[error("{name} refused: {why}")]
    Refused {
        /// Which server.
        name: &'static str,
        /// What it said.
        why: String,
    },
}
