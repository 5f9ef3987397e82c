//! Keeps one service running.

use std::io;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::pace::Pace;
use super::plan::{Plan, Service};
use super::{hold, pid_file};
use crate::guard::Guarded;
use crate::layout::Layout;

/// How often hold files are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// A service gets this long to end by itself.
const GRACE: Duration = Duration::from_secs(20);

/// One service and what steers it.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) service: Service,
    pub(super) layout: Layout,
    pub(super) shutdown: CancellationToken,
}

/// Why a service does not run any more.
enum Ended {
    ByItself,
    Held,
    Shutdown,
}

impl Keeper {
    /// The loop: run it, and when it has died, run it again; until the shutdown, after which it is ended and its pid file gone.
    pub(super) async fn keep(mut self) {
        let mut pace = Pace::default();
        while self.released().await {
            self.take_new_launch();
            let started = Instant::now();
            match self.run_once().await {
                Ok(Ended::Shutdown) => break,
                Ok(Ended::Held) => continue,
                Ok(Ended::ByItself) => {}
                Err(error) => error!(service = self.service.name, %error, "could not be run"),
            }
            let delay = pace.delay_after(started.elapsed());
            if !delay.is_zero() {
                warn!(
                    service = self.service.name,
                    delay_ms = delay.as_millis(),
                    "dies soon after each start, waiting before the next"
                );
            }
            if self.shutdown.run_until_cancelled(tokio::time::sleep(delay)).await.is_none() {
                break;
            }
        }
        let _ = pid_file::remove(&self.layout, &self.service.name);
    }

    /// One life of the service: from its start to its end.
    async fn run_once(&self) -> io::Result<Ended> {
        let name = &self.service.name;
        let running = Guarded::spawn(&self.service.launch, &self.layout.log(name), None)?;
        let pid = running.process().pid();
        pid_file::write(&self.layout, name, pid)?;
        info!(service = name, pid, "started");
        let ended = tokio::select! {
            ended = running.process().exited() => {
                ended?;
                warn!(service = name, pid, how = running.end_status(), "ended by itself");
                return Ok(Ended::ByItself);
            }
            () = self.held() => Ended::Held,
            () = self.shutdown.cancelled() => Ended::Shutdown,
        };
        let by_itself = running.stop(GRACE).await?;
        info!(service = name, pid, killed = !by_itself, "stopped");
        pid_file::remove(&self.layout, name)?;
        Ok(ended)
    }

    /// Waits while the service is held. False: shut down.
    async fn released(&self) -> bool {
        while !self.shutdown.is_cancelled() {
            if !hold::is_held(&self.layout, &self.service.name) {
                return true;
            }
            let _ = pid_file::remove(&self.layout, &self.service.name);
            self.shutdown.run_until_cancelled(tokio::time::sleep(LOOK)).await;
        }
        false
    }

    async fn held(&self) {
        while !hold::is_held(&self.layout, &self.service.name) {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A plan written since is followed from this start on; one that cannot be read is not.
    fn take_new_launch(&mut self) {
        if let Ok(plan) = Plan::read(&self.layout)
            && let Some(service) = plan.find(&self.service.name)
        {
            self.service = service.clone();
        }
    }
}
