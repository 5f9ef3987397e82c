//! What all private servers have in common: start, end, pause, restart.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::ServerError;
use crate::guard::Guarded;
use crate::health::Health;
use crate::launch::Launch;
use crate::log_file;

const READY_WITHIN: Duration = Duration::from_secs(120);
const STOP_GRACE: Duration = Duration::from_secs(30);

/// One server of a test. It keeps its port, its folder and its data over `kill9`, `stop` and `restart`; dropping it ends its
/// processes, waits until they are gone and removes the folder.
#[derive(Debug)]
pub struct Private {
    name: &'static str,
    port: u16,
    uri: String,
    launch: Launch,
    health: Health,
    // Declared before the folder, so dropped before it: nobody writes there any more when it is removed.
    running: Option<Guarded>,
    folder: TempDir,
}

impl Private {
    /// Not running yet: `restart` starts it.
    pub(crate) fn new(
        name: &'static str,
        port: u16,
        uri: String,
        folder: TempDir,
        launch: Launch,
        health: Health,
    ) -> Self {
        Self { name, port, uri, launch, health, running: None, folder }
    }

    /// What a client connects to.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// How it is run.
    pub(super) fn launch(&self) -> &Launch {
        &self.launch
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder with its data and its log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The server's own process (for RabbitMQ the Erlang machine's); None while stopped or killed by us.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.process().pid())
    }

    /// False as soon as its process has ended, whoever ended it.
    pub fn is_running(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.process().is_alive())
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        log_file::tail(&self.log(), 30)
    }

    /// Kills it as a crash would, and waits until it is gone. Port and data stay for `restart`.
    pub async fn kill9(&mut self) -> Result<(), ServerError> {
        let running = self.running.take().ok_or(ServerError::NotRunning { name: self.name })?;
        self.signalled(running.process().signal(Signal::KILL))?;
        self.signalled(running.process().exited().await)
    }

    /// Ends it in order (SIGTERM, after 30 s SIGKILL). Port and data stay for `restart`.
    pub async fn stop(&mut self) -> Result<(), ServerError> {
        let running = self.running.take().ok_or(ServerError::NotRunning { name: self.name })?;
        let stopped = running.stop(STOP_GRACE).await;
        self.signalled(stopped).map(|_| ())
    }

    /// Starts it on the same port and data, after killing it if it runs; returns when it is ready.
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.launch_only()?;
        self.ready().await
    }

    /// Stops it in its tracks (SIGSTOP): connections stay open and nothing answers.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on after `pause`.
    pub fn resume(&self) -> Result<(), ServerError> {
        self.signal(Signal::CONT)
    }

    /// Starts the process and does not wait for it to be ready.
    pub(crate) fn launch_only(&mut self) -> Result<(), ServerError> {
        self.running = None;
        let launched = Guarded::spawn(&self.launch, &self.log(), Some(self.folder.path()));
        self.running = Some(launched.map_err(|error| ServerError::Launch { name: self.name, error })?);
        Ok(())
    }

    async fn ready(&self) -> Result<(), ServerError> {
        let ready = self.health.wait(READY_WITHIN, || self.is_running()).await;
        ready.map_err(|why| ServerError::NotReady { name: self.name, port: self.port, why, log: self.log_tail() })
    }

    fn signal(&self, signal: Signal) -> Result<(), ServerError> {
        let running = self.running.as_ref().ok_or(ServerError::NotRunning { name: self.name })?;
        self.signalled(running.process().signal(signal))
    }

    fn signalled<T>(&self, result: std::io::Result<T>) -> Result<T, ServerError> {
        result.map_err(|error| ServerError::Signal { name: self.name, error })
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }
}

/// A new folder for a private server.
pub(crate) fn folder(name: &'static str) -> Result<TempDir, ServerError> {
    let folder = tempfile::Builder::new().prefix(&format!("llm-twin-{name}-")).tempdir();
    folder.map_err(|error| ServerError::Launch { name, error })
}
