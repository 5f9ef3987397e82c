//! The built program as a process.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::deadline::{PATIENCE, eventually};

/// What the program has logged so far.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<String>>);

impl Log {
    fn of(stderr: ChildStderr) -> Self {
        let log = Self::default();
        let lines = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.0.lock().expect("log").push_str(&(line + "\n"));
            }
        });
        log
    }

    /// Waits until it contains this.
    pub(crate) async fn until(&self, text: &str) {
        eventually(text, async || self.0.lock().expect("log").contains(text)).await;
    }
}

/// The program as a process; killed when dropped.
pub(crate) struct Producer(Child);

impl Producer {
    /// Starts it.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().expect("producer starts"))
    }

    /// Starts it and reads what it logs.
    pub(crate) fn spawn_logged(command: &mut Command) -> (Self, Log) {
        let mut producer = Self::spawn(command.stderr(Stdio::piped()));
        let log = Log::of(producer.0.stderr.take().expect("stderr"));
        (producer, log)
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// SIGTERM, and the exit code.
    pub(crate) async fn stop(&mut self) -> Option<i32> {
        self.signal("-TERM");
        self.ended().await
    }

    /// Sends a signal by its flag: `-STOP`, `-CONT`, `-TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.0.id().to_string()]).status().expect("kill");
        assert!(sent.success());
    }

    /// Its exit code, once it has ended.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().expect("wait") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the producer did not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a finished program said and its exit code.
pub(crate) fn output(command: &mut Command) -> (Option<i32>, String) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let status = child.wait().expect("ends");
    let mut said = String::new();
    child.stdout.take().expect("stdout").read_to_string(&mut said).expect("text");
    child.stderr.take().expect("stderr").read_to_string(&mut said).expect("text");
    (status.code(), said)
}
