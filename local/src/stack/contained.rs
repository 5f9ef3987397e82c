//! The stack in containers: what each command of the Makefile is there.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use super::kind::{self, StackKind};
use super::programs::{self, SUPERVISOR};
use super::service_state::ServiceState;
use super::{Settings, StackError, env_file};
use crate::containers::{Compose, Engine};
use crate::layout::{Layout, write_secretly};
use crate::say::say;
use crate::{port, server};

/// Enough for images to be pulled no more, servers to start on a loaded machine and a model to be loaded.
const LIMIT: Duration = Duration::from_secs(300);
const AGAIN: Duration = Duration::from_secs(1);

/// A stack that was started in containers, or is about to be.
pub(super) struct Contained {
    layout: Layout,
    compose: Compose,
    variables: BTreeMap<String, String>,
}

impl Contained {
    /// The one that was started in this folder, if it was in containers.
    pub(super) async fn started(settings: &Settings) -> Result<Option<Self>, StackError> {
        let Some(layout) = settings.existing()? else { return Ok(None) };
        if kind::started(&layout) == StackKind::Native {
            return Ok(None);
        }
        let variables = env_file::pairs(&layout.containers_file())?;
        let engine = Engine::find_patiently().await.map_err(StackError::NoEngine)?;
        Ok(Some(Self { layout, compose: Compose::new(engine, variables.clone()), variables }))
    }

    /// Prepared: credentials are made up once, since the broker keeps them with its data.
    pub(super) async fn new(settings: &Settings, layout: &Layout) -> Result<Self, StackError> {
        let engine = Engine::find_patiently().await.map_err(StackError::NoEngine)?;
        for stand_in in kind::images(&engine).await.map_err(StackError::NoImages)? {
            say(format_args!("  {stand_in}"));
        }
        let file = layout.containers_file();
        let mut variables = if file.exists() { env_file::pairs(&file)? } else { credentials() };
        variables.insert("COMPOSE_PROJECT_NAME".to_owned(), project(layout));
        for (_, port, name) in settings.ports() {
            variables.insert(name.to_owned(), port.to_string());
        }
        let lines: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        write_secretly(&file, lines).map_err(StackError::io(file.display().to_string()))?;
        Ok(Self { layout: layout.clone(), compose: Compose::new(engine, variables.clone()), variables })
    }

    /// Builds what has changed, starts what does not run or has changed, and waits until all is healthy.
    pub(super) async fn start(&self, settings: &Settings) -> Result<(), StackError> {
        if self.containers().await?.is_empty() {
            self.ports_free(settings)?;
        }
        env_file::write(&self.layout, &self.settings_outside(settings))?;
        // The commands of the Makefile are those of this program, in whichever state the checkout is by then.
        if programs::is_outdated(&self.layout, SUPERVISOR)? {
            programs::install(&self.layout, SUPERVISOR)?;
        }
        // Whoever names an image wants that one.
        if std::env::var_os("LLM_TWIN_TAG").is_none() {
            self.run(&["build"]).await?;
        }
        self.run(&["up", "--detach", "--remove-orphans"]).await?;
        self.until_well().await?;
        self.endpoints(settings);
        Ok(())
    }

    /// Programs first, then servers; volumes stay.
    pub(super) async fn stop(&self) -> Result<(), StackError> {
        self.run(&["down", "--remove-orphans"]).await
    }

    /// With its volumes, and so its data.
    pub(super) async fn remove(&self) -> Result<(), StackError> {
        self.run(&["down", "--remove-orphans", "--volumes"]).await
    }

    /// Where its files are.
    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How each service is.
    pub(super) async fn states(&self) -> Result<Vec<ServiceState>, String> {
        Ok(self.compose.containers().await?.iter().map(ServiceState::from).collect())
    }

    /// A table of the services; true if all are well.
    pub(super) async fn status(&self) -> Result<bool, StackError> {
        let containers = self.containers().await?;
        if containers.is_empty() {
            return Err(StackError::NotRunning);
        }
        say(format_args!("{:<12} {:<36} ports", "service", "container"));
        for container in &containers {
            say(format_args!("{:<12} {:<36} {}", container.service, container.status, container.ports));
        }
        Ok(containers.iter().all(|container| container.is_well()))
    }

    pub(super) async fn logs(&self, service: Option<&str>, follow: bool) -> Result<(), StackError> {
        let lines = if service.is_some() { "100" } else { "10" };
        let mut arguments = vec!["logs", "--tail", lines];
        arguments.extend(follow.then_some("--follow"));
        arguments.extend(service);
        self.run(&arguments).await
    }

    /// `local test-cdc` in a container beside the others, where the replica set can be reached whichever node is primary.
    pub(super) async fn test_cdc(&self) -> Result<(), StackError> {
        self.run(&["run", "--rm", "--no-deps", "-T", "--entrypoint", "local", "retrieval", "test-cdc"]).await
    }

    /// The producer in the foreground; the one in the background goes on afterwards.
    pub(super) async fn start_cdc(&self) -> Result<bool, StackError> {
        self.run(&["stop", "producer"]).await?;
        say("\nthe producer, in the foreground (Ctrl-C ends it; the one in the background then goes on):");
        let foreground = ["run", "--rm", "--no-deps", "-T", "producer", "producer", "run", "--show-changes"];
        let mut producer = self.compose.command(&foreground).spawn().map_err(StackError::io("Compose"))?;
        // Ctrl-C at the terminal reaches Compose directly; here it is only not to end us before it.
        let ended = loop {
            tokio::select! {
                ended = producer.wait() => break ended.map_err(StackError::io("Compose"))?,
                _ = tokio::signal::ctrl_c() => {}
            }
        };
        self.run(&["start", "producer"]).await?;
        Ok(ended.success())
    }

    /// Becomes `retrieval search` in a container; returns only if that is impossible.
    pub(super) fn search(&self, arguments: &[String]) -> Result<Infallible, StackError> {
        let mut search = self.compose.command(&["run", "--rm", "--no-deps", "-T", "retrieval", "search"]);
        Err(StackError::io("Compose")(search.args(arguments).as_std_mut().exec()))
    }

    async fn run(&self, arguments: &[&str]) -> Result<(), StackError> {
        let status = self.compose.run(arguments).await.map_err(StackError::io("Compose"))?;
        if status.success() { Ok(()) } else { Err(StackError::Compose(arguments.join(" "))) }
    }

    async fn containers(&self) -> Result<Vec<crate::containers::ContainerState>, StackError> {
        self.compose.containers().await.map_err(StackError::NoEngine)
    }

    async fn until_well(&self) -> Result<(), StackError> {
        let begun = Instant::now();
        loop {
            let containers = self.containers().await?;
            let unwell: Vec<String> = containers
                .iter()
                .filter(|container| !container.is_well())
                .map(|container| format!("{} ({})", container.service, container.status))
                .collect();
            if unwell.is_empty() {
                return Ok(());
            }
            if begun.elapsed() > LIMIT {
                return Err(StackError::Unwell(unwell.join(", ")));
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn ports_free(&self, settings: &Settings) -> Result<(), StackError> {
        // RabbitMQ's tools need no port of this machine's: they run in the container.
        let published =
            settings.ports().into_iter().filter(|(_, port, _)| *port != settings.rabbitmq_distribution_port);
        for (service, port, variable) in published {
            if !port::is_free(port) {
                let holder = port::holder(port).unwrap_or_else(|| "another program".to_owned());
                return Err(StackError::PortTaken { port, service, holder, variable });
            }
        }
        Ok(())
    }

    /// What reaches the servers from outside their network. Of MongoDB that is the first node alone, which is primary unless it is lost: the names that
    /// the nodes have for each other mean nothing here.
    fn settings_outside(&self, settings: &Settings) -> Vec<(&'static str, String)> {
        let own = |name: &str| self.variables.get(name).map_or("", String::as_str);
        let broker = format!(
            "amqp://{}:{}@127.0.0.1:{}/%2f",
            own("RABBITMQ_USER"),
            own("RABBITMQ_PASSWORD"),
            settings.rabbitmq_port
        );
        env_file::shared(settings, StackKind::Containers, server::direct_mongodb_uri(settings.mongodb_port), broker)
    }

    fn endpoints(&self, settings: &Settings) {
        say(format_args!(
            "
  MongoDB    {mongodb}   database twin
  RabbitMQ   127.0.0.1:{amqp}   page http://127.0.0.1:{management} (user and password: {file})
  Qdrant     http://127.0.0.1:{qdrant}   gRPC
  producer   http://127.0.0.1:{producer}/readyz
  consumer   http://127.0.0.1:{consumer}/readyz
  settings   {env}

  try next:  make local-test-cdc            documents in, found, changed, gone
             make search Q='your question'
             make local-status   make local-logs   make local-stop",
            mongodb = server::direct_mongodb_uri(settings.mongodb_port),
            amqp = settings.rabbitmq_port,
            management = settings.rabbitmq_management_port,
            file = self.layout.containers_file().display(),
            qdrant = settings.qdrant_port,
            producer = settings.producer_port,
            consumer = settings.consumer_port,
            env = self.layout.env_file().display(),
        ));
    }
}

fn credentials() -> BTreeMap<String, String> {
    let password = uuid::Uuid::new_v4().simple().to_string();
    [("RABBITMQ_USER", "twin".to_owned()), ("RABBITMQ_PASSWORD", password)]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

/// One for each folder, so that two stacks do not meet.
fn project(layout: &Layout) -> String {
    let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, layout.root().to_string_lossy().as_bytes());
    format!("llm-twin-{}", &id.simple().to_string()[..8])
}
