//! How a service is: of the native stack by its process and its answer, in containers by the engine's word.

use std::time::Duration;

use crate::containers::ContainerState;
use crate::layout::Layout;
use crate::process;
use crate::supervisor::{self, Service};

/// One service at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServiceState {
    pub(super) name: String,
    pub(super) pid: Option<u32>,
    /// None: it is still asked. Err: one line why it is not healthy.
    pub(super) health: Option<Result<(), String>>,
    pub(super) up: Option<String>,
    pub(super) memory: Option<String>,
    pub(super) endpoint: String,
}

impl ServiceState {
    /// Of a service that nobody has asked yet.
    pub(super) fn unknown(service: &Service) -> Self {
        Self {
            name: service.name.clone(),
            pid: None,
            health: None,
            up: None,
            memory: None,
            endpoint: service.endpoint.clone(),
        }
    }

    /// By its process as it is now, and by what it has answered.
    pub(super) fn of(layout: &Layout, service: &Service, answer: Result<(), String>) -> Self {
        let pid = supervisor::process_of(layout, &service.name).ok().flatten().map(|process| process.pid());
        Self {
            pid,
            health: Some(if pid.is_some() { answer } else { Err("not running".to_owned()) }),
            up: pid.and_then(process::uptime).map(duration),
            memory: pid.and_then(process::memory).map(|bytes| format!("{} MB", bytes / 1_000_000)),
            ..Self::unknown(service)
        }
    }

    /// Whether there is a process of it, well or not.
    pub(super) fn runs(&self) -> bool {
        self.up.is_some()
    }

    pub(super) fn is_healthy(&self) -> bool {
        matches!(self.health, Some(Ok(())))
    }
}

impl From<&ContainerState> for ServiceState {
    fn from(container: &ContainerState) -> Self {
        let health = if container.is_well() { Ok(()) } else { Err(container.status.clone()) };
        let up = container.status.strip_prefix("Up ").map(|up| up.split(" (").next().unwrap_or(up).to_owned());
        Self {
            name: container.service.clone(),
            pid: None,
            health: Some(health),
            up,
            memory: None,
            endpoint: container.ports.clone(),
        }
    }
}

/// In the one unit that tells most.
pub(super) fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..100 => format!("{seconds} s"),
        seconds @ 100..6000 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
