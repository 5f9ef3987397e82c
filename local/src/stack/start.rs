//! `local start`: from nothing, or from whatever is there, to a healthy stack.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::contained::Contained;
use super::lock::Lock;
use super::programs::{self, PROGRAMS, SUPERVISOR};
use super::{Settings, StackError, StackKind, choose, env_file, services, stop, wait};
use crate::layout::Layout;
use crate::say::say;
use crate::supervisor::{self, Hold, Plan, Role};
use crate::{Installation, Progress, port, provision};

const DRAIN: Duration = Duration::from_secs(30);

/// Idempotent: what is there and unchanged stays as it is. Rebuilt programs are exchanged; changed servers mean a restart of the whole.
pub async fn start(settings: &Settings) -> Result<(), StackError> {
    let begun = Instant::now();
    let kind = choose(settings).await?;
    let layout = settings.layout()?;
    let _lock = Lock::take(&layout)?;
    if kind == StackKind::Containers {
        let contained = Contained::new(settings, &layout).await?;
        stop::end_all(&layout).await?;
        return contained.start(settings).await;
    }
    if let Some(contained) = Contained::started(settings).await? {
        say("the stack in containers ends; its volumes stay");
        contained.stop().await?;
    }
    let installation = Box::pin(provision(&settings.cache(), &Progress::stderr())).await?;
    tokio::select! {
        up = Box::pin(bring_up(settings, &installation, &layout)) => up?,
        _ = tokio::signal::ctrl_c() => {
            say("interrupted: stopping what was started");
            stop::end_all(&layout).await?;
            return Err(StackError::Interrupted);
        }
    }
    say(format_args!("healthy after {:.1} s", begun.elapsed().as_secs_f32()));
    endpoints(settings, &layout);
    Ok(())
}

async fn bring_up(settings: &Settings, installation: &Installation, layout: &Layout) -> Result<(), StackError> {
    let variables = env_file::variables(settings, installation);
    let plan =
        services::plan(settings, installation, layout, &variables).map_err(StackError::io("preparing the services"))?;
    let running = supervisor::running(layout).map_err(StackError::io("looking for the supervisor"))?;
    let servers_stay = running.is_some() && !programs::is_outdated(layout, SUPERVISOR)? && same_servers(layout, &plan);
    if servers_stay {
        env_file::write(layout, &variables)?;
        exchange_programs(layout, &plan).await?;
        return wait::until_healthy(layout, &plan).await;
    }
    if running.is_some() {
        say("the servers' settings or the supervisor have changed: restarting the stack");
    }
    stop::end_all(layout).await?;
    ports_free(settings)?;
    env_file::write(layout, &variables)?;
    let started = fresh(layout, &plan).await;
    if started.is_err() {
        stop::end_all(layout).await?;
    }
    started
}

/// Everything new: programs, plan, supervisor.
async fn fresh(layout: &Layout, plan: &Plan) -> Result<(), StackError> {
    for name in PROGRAMS.iter().chain([&SUPERVISOR]) {
        if programs::is_outdated(layout, name)? {
            programs::install(layout, name)?;
        }
    }
    plan.write(layout)?;
    detach(layout).map_err(StackError::io("starting the supervisor"))?;
    wait::until_healthy(layout, plan).await
}

/// Stops, exchanges and starts again only those whose program or settings have changed.
async fn exchange_programs(layout: &Layout, plan: &Plan) -> Result<(), StackError> {
    let old = Plan::read(layout)?;
    let mut holds = Vec::new();
    let mut outdated = Vec::new();
    for name in PROGRAMS {
        let rebuilt = programs::is_outdated(layout, name)?;
        if rebuilt {
            outdated.push(name);
        }
        if plan.find(name).is_some() && (rebuilt || old.find(name) != plan.find(name)) {
            say(format_args!("  {name:<9} has changed: restarting it"));
            holds.push(Hold::place(layout, name, DRAIN).await.map_err(StackError::io(name))?);
        }
    }
    for name in outdated {
        programs::install(layout, name)?;
    }
    plan.write(layout)?;
    Ok(())
}

fn same_servers(layout: &Layout, plan: &Plan) -> bool {
    Plan::read(layout).is_ok_and(|old| old.of(Role::Server).eq(plan.of(Role::Server)))
}

fn ports_free(settings: &Settings) -> Result<(), StackError> {
    for (service, port, variable) in settings.ports() {
        if !port::is_free(port) {
            let holder = port::holder(port).unwrap_or_else(|| "another program".to_owned());
            return Err(StackError::PortTaken { port, service, holder, variable });
        }
    }
    Ok(())
}

/// The supervisor makes itself a session of its own, so it survives the terminal.
fn detach(layout: &Layout) -> std::io::Result<()> {
    let log = OpenOptions::new().create(true).append(true).open(layout.log("supervisor"))?;
    let errors = log.try_clone()?;
    Command::new(layout.program(SUPERVISOR))
        .arg("supervise")
        .arg("--dir")
        .arg(layout.root())
        .current_dir(Path::new("/"))
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map(|_| ())
}

fn endpoints(settings: &Settings, layout: &Layout) {
    say(format_args!(
        "
  MongoDB    {mongodb}   database twin
  RabbitMQ   {rabbitmq}   page http://127.0.0.1:{management} (guest, guest)
  Qdrant     http://127.0.0.1:{qdrant}   gRPC
  producer   http://127.0.0.1:{producer}/readyz
  consumer   http://127.0.0.1:{consumer}/readyz
  settings   {env}

  try next:  make local-test-cdc            documents in, found, changed, gone
             make search Q='your question'
             make local-status   make local-logs   make local-stop",
        mongodb = crate::server::mongodb_uri(settings.mongodb_port),
        rabbitmq = crate::server::rabbitmq_uri(settings.rabbitmq_port),
        management = settings.rabbitmq_management_port,
        qdrant = settings.qdrant_port,
        producer = settings.producer_port,
        consumer = settings.consumer_port,
        env = layout.env_file().display(),
    ));
}
