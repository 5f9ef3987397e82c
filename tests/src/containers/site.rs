//! A stack in containers of its own: folder, ports, project and volumes, all gone at the end.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bson::{Document, doc};
use mongodb::{Client, Collection};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::world::binary;

/// A container that was killed is back, and well, within this on a loaded machine.
const WELL_WITHIN: Duration = Duration::from_secs(240);
const AGAIN: Duration = Duration::from_millis(500);
const PORTS: [&str; 7] = [
    "LOCAL_MONGODB_PORT",
    "LOCAL_RABBITMQ_PORT",
    "LOCAL_RABBITMQ_MANAGEMENT_PORT",
    "LOCAL_RABBITMQ_DISTRIBUTION_PORT",
    "LOCAL_QDRANT_PORT",
    "LOCAL_PRODUCER_PORT",
    "LOCAL_CONSUMER_PORT",
];

/// Driven as a person drives it, by the program behind the Makefile.
pub struct Site {
    folder: TempDir,
    ports: Vec<(&'static str, String)>,
}

impl Site {
    /// Prepared; nothing runs yet.
    ///
    /// # Errors
    /// As the operating system.
    pub fn new() -> Result<Self> {
        // All held until all are known, so that none is given twice.
        let listeners = PORTS.map(|_| TcpListener::bind("127.0.0.1:0"));
        let mut ports = Vec::new();
        for (name, listener) in PORTS.into_iter().zip(listeners) {
            ports.push((name, listener?.local_addr()?.port().to_string()));
        }
        Ok(Self { folder: tempfile::tempdir()?, ports })
    }

    /// A command of `local` that must succeed; what it printed.
    pub(super) fn local(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(binary("local"));
        command.args(arguments).env("LOCAL_DIR", self.folder.path()).env("STACK", "containers");
        said(command.envs(self.ports.iter().map(|(name, port)| (name, port))))
    }

    /// A variable in a file of the stack's folder.
    fn variable(&self, file: &str, name: &str) -> Result<String> {
        let text = std::fs::read_to_string(self.folder.path().join(file))?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        Ok(value.with_context(|| format!("no {name} in {file}"))?.to_owned())
    }

    /// The posts in MongoDB, as reached from outside: through the first node alone.
    pub(super) async fn posts(&self) -> Result<Collection<Document>> {
        Ok(Client::with_uri_str(self.variable("env", "MONGODB_URI")?).await?.database("twin").collection("posts"))
    }

    /// So many new documents, each with the marker in its text.
    pub(super) async fn write(&self, count: usize, marker: &str) -> Result<()> {
        let post =
            |number| doc! { "platform": "demo", "author_id": "ada", "content": format!("{marker} number {number}") };
        let posts = self.posts().await?;
        let begun = Instant::now();
        // Who was primary before a kill may not be it yet.
        while let Err(error) = posts.insert_many((0..count).map(post)).await {
            ensure!(begun.elapsed() < WELL_WITHIN, "MongoDB takes no writes: {error}");
            tokio::time::sleep(AGAIN).await;
        }
        Ok(())
    }

    /// MongoDB and the index agree, document by document.
    pub(super) fn verified(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let consumer = self.container("consumer")?;
            match docker(&["exec", &consumer, "consumer", "verify"]) {
                Ok(_) => return Ok(()),
                Err(error) if begun.elapsed() > WELL_WITHIN => bail!("MongoDB and the index differ: {error}"),
                Err(_) => std::thread::sleep(AGAIN),
            }
        }
    }

    /// The id of a service's container.
    pub(super) fn container(&self, service: &str) -> Result<String> {
        let project = self.variable("containers.env", "COMPOSE_PROJECT_NAME")?;
        let project = format!("label=com.docker.compose.project={project}");
        let service = format!("label=com.docker.compose.service={service}");
        let oneoff = "label=com.docker.compose.oneoff=False";
        let id = docker(&["ps", "--all", "--quiet", "--filter", &project, "--filter", &service, "--filter", oneoff])?;
        ensure!(!id.is_empty() && !id.contains('\n'), "one container of {service}: {id:?}");
        Ok(id)
    }

    /// kill -9 of its first process, from outside, as a crash: Docker takes no part and so starts it again.
    pub(super) fn crash(&self, service: &str) -> Result<()> {
        let container = self.container(service)?;
        let pid: i32 = docker(&["inspect", "--format", "{{.State.Pid}}", &container])?.parse()?;
        let pid = Pid::from_raw(pid).filter(|pid| !pid.is_init()).with_context(|| format!("{service} does not run"))?;
        kill_process(pid, Signal::KILL).with_context(|| format!("kill -9 of the process of {service}"))
    }

    /// Until every service is well again.
    pub(super) fn until_well(&self) -> Result<()> {
        let begun = Instant::now();
        while let Err(error) = self.local(&["status"]) {
            ensure!(begun.elapsed() < WELL_WITHIN, "not well: {error}");
            std::thread::sleep(AGAIN);
        }
        Ok(())
    }

    /// Until a program of ours has noticed that it gets no further, as asked beside it.
    pub(super) fn until_not_ready(&self, program: &str) -> Result<()> {
        let begun = Instant::now();
        let container = self.container(program)?;
        let address = if program == "producer" { "127.0.0.1:9101" } else { "127.0.0.1:9102" };
        while docker(&["exec", &container, "local", "ready", address]).is_ok() {
            ensure!(begun.elapsed() < WELL_WITHIN, "{program} notices nothing");
            std::thread::sleep(AGAIN);
        }
        Ok(())
    }

    /// Cuts a service off from all others until `rejoin`.
    pub(super) fn cut_off(&self, service: &str) -> Result<()> {
        docker(&["network", "disconnect", &self.network(service)?, &self.container(service)?]).map(drop)
    }

    pub(super) fn rejoin(&self, service: &str) -> Result<()> {
        // Cut off, it no longer says which network was its own: the others do.
        let network = self.network(if service == "producer" { "consumer" } else { "producer" })?;
        docker(&["network", "connect", "--alias", service, &network, &self.container(service)?]).map(drop)
    }

    fn network(&self, service: &str) -> Result<String> {
        let format = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}";
        docker(&["inspect", "--format", format, &self.container(service)?])
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Err(error) = self.local(&["clean"]) {
            eprintln!("{error:#}");
        }
    }
}

/// A call of the engine that must succeed; what it printed.
pub(super) fn docker(arguments: &[&str]) -> Result<String> {
    said(Command::new("docker").args(arguments))
}

fn said(command: &mut Command) -> Result<String> {
    let output: Output = command.stdin(Stdio::null()).output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
    ensure!(
        output.status.success(),
        "{program} {}: {}\n{}\n{}",
        arguments.join(" "),
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    Ok(text(&output.stdout))
}
