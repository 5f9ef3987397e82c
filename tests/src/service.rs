//! One of our programs, under measurement or attack.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use local::Program;

use crate::http;
use crate::world::programs;

const READY_WITHIN: Duration = Duration::from_secs(60);
const WORK_WITHIN: Duration = Duration::from_secs(300);
const GRACE: Duration = Duration::from_secs(30);
/// How often a counter is read. Each reading costs the program well under a millisecond.
const POLL: Duration = Duration::from_millis(5);

/// A producer or consumer, built beside this program.
pub(crate) struct Service {
    name: &'static str,
    program: Program,
    port: u16,
}

impl Service {
    /// Not running yet; its log level is the environment's affair.
    ///
    /// # Errors
    /// It was not built.
    pub(crate) fn new(name: &'static str, environment: &[(&'static str, String)]) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let listen = if name == "producer" { "PRODUCER_HTTP_LISTEN" } else { "CONSUMER_HTTP_LISTEN" };
        let mut environment = environment.to_vec();
        environment.push((listen, format!("127.0.0.1:{port}")));
        Ok(Self { name, program: Program::new(&built(name)?, &["run"], environment)?, port })
    }

    /// Starts it and waits until it is ready; how long that took.
    pub(crate) async fn start(&mut self) -> Result<Duration> {
        let begun = Instant::now();
        self.program.start()?;
        while self.ready().await.is_err() {
            ensure!(begun.elapsed() < READY_WITHIN, "{} is not ready:\n{}", self.name, self.program.log_tail());
            tokio::time::sleep(POLL).await;
        }
        Ok(begun.elapsed())
    }

    /// Starts it without waiting.
    pub(crate) fn launch(&mut self) -> Result<()> {
        Ok(self.program.start()?)
    }

    /// Waits until a counter has reached a value; the value that it has then.
    pub(crate) async fn reaches(&self, counter: &str, least: f64) -> Result<f64> {
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
    pub(crate) async fn counter(&self, counter: &str) -> Result<f64> {
        http::metric(self.port, counter).await
    }

    /// Whether it says that it is ready, and if not, why. An error too while its port is not open.
    pub(crate) async fn ready(&self) -> Result<()> {
        http::get(self.port, "/readyz").await.map(drop)
    }

    /// kill -9.
    pub(crate) fn kill9(&mut self) {
        self.program.kill9();
    }

    /// SIGSTOP.
    pub(crate) fn pause(&self) -> Result<()> {
        Ok(self.program.pause()?)
    }

    /// SIGCONT.
    pub(crate) fn resume(&self) -> Result<()> {
        Ok(self.program.resume()?)
    }

    /// The end of its log.
    pub(crate) fn log_tail(&self) -> String {
        format!("--- {}\n{}", self.name, self.program.log_tail())
    }

    /// Where it logs.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.program.log()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.program.pid().with_context(|| format!("{} does not run", self.name))
    }

    /// Ends it in order.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        ensure!(self.program.terminate(GRACE).await?, "{} did not drain:\n{}", self.name, self.program.log_tail());
        Ok(())
    }
}

/// A program of this workspace, beside this one.
fn built(name: &str) -> Result<PathBuf> {
    let path = programs().join(name);
    ensure!(path.exists(), "{} is missing: `make test`, `make bench` and `make chaos` build it", path.display());
    Ok(path)
}
