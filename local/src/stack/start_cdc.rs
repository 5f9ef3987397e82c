//! `local start-cdc`: the producer alone, in the foreground, each change a line.

use std::time::Duration;

use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::contained::Contained;
use super::{Settings, StackError, start};
use crate::process::Process;
use crate::say::say;
use crate::supervisor::{Hold, Plan};

const DRAIN: Duration = Duration::from_secs(30);

/// The supervised producer is held meanwhile and goes on afterwards; this one is launched as it is. Ends with the producer, which Ctrl-C or SIGTERM ends in order; true if all went well.
pub async fn start_cdc(settings: &Settings) -> Result<bool, StackError> {
    Box::pin(start(settings)).await?;
    if let Some(contained) = Contained::started(settings).await? {
        return contained.start_cdc().await;
    }
    let layout = settings.existing()?.ok_or(StackError::NotRunning)?;
    let plan = Plan::read(&layout)?;
    let launch = &plan.find("producer").ok_or(StackError::NotRunning)?.launch;
    let _hold =
        Hold::place(&layout, "producer", DRAIN).await.map_err(StackError::io("holding the supervised producer"))?;
    say("\nthe producer, in the foreground (Ctrl-C ends it; the supervised one then goes on):");

    let broken = |error| StackError::Io { what: "the producer".to_owned(), error };
    // Ctrl-C at the terminal reaches the producer directly; here it is only not to end us before it.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(broken)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(broken)?;
    let mut producer = Command::new(&launch.program)
        .args(&launch.arguments)
        .arg("--show-changes")
        .env_clear()
        .envs(&launch.environment)
        .current_dir(&launch.folder)
        .kill_on_drop(true)
        .spawn()
        .map_err(broken)?;
    loop {
        tokio::select! {
            ended = producer.wait() => return ended.map(|status| status.success()).map_err(broken),
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {
                if let Some(process) = producer.id().map(Process::open).transpose().map_err(broken)? {
                    process.signal(rustix::process::Signal::TERM).map_err(broken)?;
                }
            }
        }
    }
}
