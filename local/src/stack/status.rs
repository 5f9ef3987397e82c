//! `local status`: a table of the services.

use std::time::Duration;

use futures_util::future::join_all;

use super::contained::Contained;
use super::{Settings, StackError};
use crate::layout::Layout;
use crate::process;
use crate::say::say;
use crate::supervisor::{self, Plan, Service};

/// Prints the table; true if every service is healthy.
pub async fn status(settings: &Settings) -> Result<bool, StackError> {
    if let Some(contained) = Contained::started(settings).await? {
        return contained.status().await;
    }
    let layout = settings.existing()?.ok_or(StackError::NotRunning)?;
    if supervisor::running(&layout).map_err(StackError::io("looking for the supervisor"))?.is_none() {
        return Err(StackError::NotRunning);
    }
    let plan = Plan::read(&layout)?;
    let rows = join_all(plan.services.iter().map(|service| Box::pin(row(&layout, service)))).await;
    say(format_args!("{:<9} {:>8} {:>9} {:>8}  {:<52} health", "service", "pid", "up", "memory", "endpoint"));
    for (_, line) in &rows {
        say(line);
    }
    Ok(rows.iter().all(|(healthy, _)| *healthy))
}

async fn row(layout: &Layout, service: &Service) -> (bool, String) {
    let pid = supervisor::process_of(layout, &service.name).ok().flatten().map(|process| process.pid());
    let health = match (pid, service.health.check().await) {
        (Some(_), Ok(())) => Ok(()),
        (Some(_), Err(why)) => Err(why),
        (None, _) => Err("not running".to_owned()),
    };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let line = format!(
        "{:<9} {:>8} {:>9} {:>8}  {:<52} {}",
        service.name,
        or_dash(pid.map(|pid| pid.to_string())),
        or_dash(pid.and_then(process::uptime).map(duration)),
        or_dash(pid.and_then(process::memory).map(|bytes| format!("{} MB", bytes / 1_000_000))),
        service.endpoint,
        health.as_ref().map_or_else(String::as_str, |()| "healthy"),
    );
    (health.is_ok(), line)
}

fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..100 => format!("{seconds} s"),
        seconds @ 100..6000 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
