//! One project of Compose: the containers of this checkout, apart from those of any other.

use std::collections::BTreeMap;
use std::io;
use std::process::{ExitStatus, Stdio};

use tokio::process::Command;

use super::engine::{Engine, said};
use super::image::checkout;

/// The services that end once they have done their work.
const ONE_SHOT: &str = "replica-set";

/// The checkout's docker-compose.yml with the variables of a stack, `COMPOSE_PROJECT_NAME` among them.
#[derive(Debug, Clone)]
pub(crate) struct Compose {
    engine: Engine,
    variables: BTreeMap<String, String>,
}

/// A container as the engine shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContainerState {
    pub(crate) service: String,
    /// Such as `Up 3 minutes (healthy)` or `Exited (0) 2 minutes ago`.
    pub(crate) status: String,
    pub(crate) ports: String,
}

impl Compose {
    pub(crate) fn new(engine: Engine, variables: BTreeMap<String, String>) -> Self {
        Self { engine, variables }
    }

    /// Runs a command of Compose, with the terminal as it is.
    pub(crate) async fn run(&self, arguments: &[&str]) -> io::Result<ExitStatus> {
        self.command(arguments).status().await
    }

    /// A command of Compose, to be run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.engine.compose();
        command.args(arguments).envs(&self.variables).current_dir(checkout()).stdin(Stdio::null());
        command
    }

    /// The containers of its services, whether they run or not.
    pub(crate) async fn containers(&self) -> Result<Vec<ContainerState>, String> {
        let project = self.variables.get("COMPOSE_PROJECT_NAME").map_or("", String::as_str);
        let mut command = Command::new("docker");
        command.args(["ps", "--all", "--filter", &format!("label=com.docker.compose.project={project}")]);
        command.args(["--filter", "label=com.docker.compose.oneoff=False"]);
        command.args(["--format", "{{.Label \"com.docker.compose.service\"}}\t{{.Status}}\t{{.Ports}}"]);
        let listed = said(&command.kill_on_drop(true).output().await.map_err(|error| format!("docker: {error}"))?)?;
        let mut containers: Vec<ContainerState> = listed.lines().filter_map(ContainerState::parse).collect();
        containers.sort_by(|one, other| one.service.cmp(&other.service));
        Ok(containers)
    }
}

impl ContainerState {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split('\t').map(str::to_owned);
        Some(Self { service: fields.next()?, status: fields.next()?, ports: fields.next().unwrap_or_default() })
    }

    /// Whether it does what it is there for, or has done it.
    pub(crate) fn is_well(&self) -> bool {
        match self.service.as_str() {
            ONE_SHOT => self.status.starts_with("Exited (0)"),
            _ => self.status.contains("(healthy)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_well_when_healthy_and_the_one_shot_when_it_has_ended_in_order() {
        let well = |line: &str| ContainerState::parse(line).is_some_and(|container| container.is_well());
        assert!(well("mongo1\tUp 3 minutes (healthy)\t127.0.0.1:27017->27017/tcp"));
        assert!(!well("mongo1\tUp 3 minutes (health: starting)\t"));
        assert!(!well("mongo1\tUp 3 minutes (unhealthy)\t"));
        assert!(!well("consumer\tExited (0) 2 minutes ago\t"));
        assert!(well("replica-set\tExited (0) 2 minutes ago\t"));
        assert!(!well("replica-set\tExited (1) 2 minutes ago\t"));
    }
}
