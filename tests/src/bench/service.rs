//! One of our programs under measurement.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use local::Program;

use super::http;
use crate::world::programs;

const READY_WITHIN: Duration = Duration::from_secs(60);
const WORK_WITHIN: Duration = Duration::from_secs(300);
const GRACE: Duration = Duration::from_secs(30);
/// How often a counter is read. Each reading costs the program well under a millisecond.
const POLL: Duration = Duration::from_millis(5);

/// A producer or consumer, built beside this program.
pub(super) struct Service {
    name: &'static str,
    program: Program,
    port: u16,
}

impl Service {
    /// Not running yet.
    ///
    /// # Errors
    /// It was not built.
    pub(super) fn new(name: &'static str, environment: &[(&'static str, String)]) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let listen = if name == "producer" { "PRODUCER_HTTP_LISTEN" } else { "CONSUMER_HTTP_LISTEN" };
        let mut environment = environment.to_vec();
        environment.push((listen, format!("127.0.0.1:{port}")));
        environment.push(("RUST_LOG", "warn".into()));
        Ok(Self { name, program: Program::new(&built(name)?, &["run"], environment)?, port })
    }

    /// Starts it and waits until it is ready; how long that took.
    pub(super) async fn start(&mut self) -> Result<Duration> {
        let begun = Instant::now();
        self.program.start()?;
        while http::get(self.port, "/readyz").await.is_err() {
            ensure!(begun.elapsed() < READY_WITHIN, "{} is not ready:\n{}", self.name, self.program.log_tail());
            tokio::time::sleep(POLL).await;
        }
        Ok(begun.elapsed())
    }

    /// Starts it without waiting.
    pub(super) fn launch(&mut self) -> Result<()> {
        Ok(self.program.start()?)
    }

    /// Waits until a counter has reached a value; the value that it has then.
    pub(super) async fn reaches(&self, counter: &str, least: f64) -> Result<f64> {
        let begun = Instant::now();
        loop {
            // Before its port is open there is nothing to count.
            let value = http::metric(self.port, counter).await.unwrap_or(0.0);
            if value >= least {
                return Ok(value);
            }
            if begun.elapsed() > WORK_WITHIN {
                bail!("{}: {counter} is {value}, not {least}:\n{}", self.name, self.program.log_tail());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// A counter now.
    pub(super) async fn counter(&self, counter: &str) -> Result<f64> {
        http::metric(self.port, counter).await
    }

    /// Its process.
    pub(super) fn pid(&self) -> Result<u32> {
        self.program.pid().with_context(|| format!("{} does not run", self.name))
    }

    /// Ends it in order.
    pub(super) async fn stop(&mut self) -> Result<()> {
        ensure!(self.program.terminate(GRACE).await?, "{} did not drain:\n{}", self.name, self.program.log_tail());
        Ok(())
    }
}

/// A program of this workspace, beside this one.
fn built(name: &str) -> Result<PathBuf> {
    let path = programs().join(name);
    ensure!(path.exists(), "{} is missing: `make bench` builds it", path.display());
    Ok(path)
}
