//! `local status`: how the stack is, as a table or anew each second on a terminal.

use futures_util::future::join_all;

use super::contained::Contained;
use super::service_state::ServiceState;
use super::{Settings, StackError, live};
use crate::layout::Layout;
use crate::say::say;
use crate::supervisor::{self, Plan};

/// Shows the stack until somebody leaves, which is true; or, with `once` and where there is no terminal, prints a table of the services: true if every
/// one is healthy.
pub async fn status(settings: &Settings, once: bool) -> Result<bool, StackError> {
    let live = !once && live::terminal_is_there();
    if let Some(contained) = Contained::started(settings).await? {
        return match live {
            true => Box::pin(live::contained(&contained)).await.map(|()| true),
            false => contained.status().await,
        };
    }
    let layout = settings.existing()?.ok_or(StackError::NotRunning)?;
    if supervisor::running(&layout).map_err(StackError::io("looking for the supervisor"))?.is_none() {
        return Err(StackError::NotRunning);
    }
    let plan = Plan::read(&layout)?;
    match live {
        true => Box::pin(live::native(&layout, &plan)).await.map(|()| true),
        false => Ok(table(&layout, &plan).await),
    }
}

/// True if every service is healthy.
async fn table(layout: &Layout, plan: &Plan) -> bool {
    let asked = plan
        .services
        .iter()
        .map(|service| Box::pin(async { ServiceState::of(layout, service, service.health.check().await) }));
    let states = join_all(asked).await;
    say(format_args!("{:<9} {:>8} {:>9} {:>8}  {:<52} health", "service", "pid", "up", "memory", "endpoint"));
    states.iter().for_each(|state| say(row(state)));
    states.iter().all(ServiceState::is_healthy)
}

fn row(state: &ServiceState) -> String {
    let or_dash = |text: Option<&String>| text.map_or("-", String::as_str).to_owned();
    format!(
        "{:<9} {:>8} {:>9} {:>8}  {:<52} {}",
        state.name,
        or_dash(state.pid.map(|pid| pid.to_string()).as_ref()),
        or_dash(state.up.as_ref()),
        or_dash(state.memory.as_ref()),
        state.endpoint,
        match &state.health {
            Some(Ok(())) => "healthy",
            Some(Err(why)) => why,
            None => "-",
        },
    )
}
