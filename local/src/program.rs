//! A program of ours in a test: under the same guard as a private server, so that it never outlives the test.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::guard::Guarded;
use crate::launch::Launch;
use crate::log_file;

/// A program with its arguments, environment, working folder and log. Dropping it kills it and removes the folder.
#[derive(Debug)]
pub struct Program {
    launch: Launch,
    // Declared before the folder, so dropped before it.
    running: Option<Guarded>,
    folder: TempDir,
}

impl Program {
    /// Not running yet. Of the environment it sees only what is given here.
    pub fn new<'a>(
        program: &Path,
        arguments: &[&str],
        environment: impl IntoIterator<Item = (&'a str, String)>,
    ) -> io::Result<Self> {
        let folder = TempDir::new()?;
        let launch =
            arguments.iter().fold(Launch::new(program, folder.path()), |launch, argument| launch.arg(argument));
        let launch = environment.into_iter().fold(launch, |launch, (name, value)| launch.env(name, value));
        Ok(Self { launch, running: None, folder })
    }

    /// Starts it, after killing it if it runs. Its output is appended to the log.
    pub fn start(&mut self) -> io::Result<()> {
        self.running = None;
        self.running = Some(Guarded::spawn(&self.launch, &self.log(), None)?);
        Ok(())
    }

    /// Its own process; none while it does not run.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.process().pid())
    }

    /// Kills it as a crash would, and waits until it is gone.
    pub fn kill9(&mut self) {
        self.running = None;
    }

    /// SIGTERM, after the grace SIGKILL. Ok(true): it ended by itself.
    pub async fn terminate(&mut self, grace: Duration) -> io::Result<bool> {
        match self.running.take() {
            Some(running) => running.stop(grace).await,
            None => Ok(true),
        }
    }

    /// SIGSTOP.
    pub fn pause(&self) -> io::Result<()> {
        self.running.as_ref().map_or(Ok(()), |running| running.process().signal(Signal::STOP))
    }

    /// SIGCONT.
    pub fn resume(&self) -> io::Result<()> {
        self.running.as_ref().map_or(Ok(()), |running| running.process().signal(Signal::CONT))
    }

    /// Where its output goes.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// The last lines of its output.
    pub fn log_tail(&self) -> String {
        self.last_lines(60)
    }

    /// So many of the last lines of its output, of 64 KiB at most.
    pub fn last_lines(&self, lines: usize) -> String {
        log_file::tail(&self.log(), lines)
    }
}
