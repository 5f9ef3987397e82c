//! The supervisor's own life: claim the stack, start, wait for the word, end in order.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::claim::Claim;
use super::keeper::Keeper;
use super::{Plan, Role, Service, SupervisorError, end_orphans};
use crate::layout::Layout;
use crate::log_file;

const LOG_CAP: u64 = 64 * 1024 * 1024;
const LOG_LOOK: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(100);

/// Keeps the services of the plan until the shutdown. Servers are started first; programs once every server has been healthy. At the end the
/// programs drain first, then the servers are stopped; no process and no pid file of theirs is left.
pub async fn supervise(layout: &Layout, shutdown: CancellationToken) -> Result<(), SupervisorError> {
    let _claim = Claim::take(layout).await?;
    let plan = Plan::read(layout)?;
    end_orphans(layout).await.map_err(SupervisorError::io("services of a former supervisor"))?;

    let (servers_shutdown, programs_shutdown) = (CancellationToken::new(), CancellationToken::new());
    let servers = keep(plan.of(Role::Server), layout, &servers_shutdown);
    let programs = async {
        if shutdown.run_until_cancelled(healthy(&plan)).await.is_some() {
            let programs = keep(plan.of(Role::Program), layout, &programs_shutdown);
            shutdown.run_until_cancelled(cap_logs(&plan, layout)).await;
            programs_shutdown.cancel();
            programs.join_all().await;
        }
    };
    programs.await;
    info!("programs ended");
    servers_shutdown.cancel();
    servers.join_all().await;
    info!("servers ended");
    Ok(())
}

fn keep<'a>(services: impl Iterator<Item = &'a Service>, layout: &Layout, shutdown: &CancellationToken) -> JoinSet<()> {
    let keepers =
        services.map(|service| Keeper { service: service.clone(), layout: layout.clone(), shutdown: shutdown.clone() });
    keepers.map(Keeper::keep).collect()
}

/// Returns when each server has been seen healthy once.
async fn healthy(plan: &Plan) {
    for server in plan.of(Role::Server) {
        while server.health.ready().await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
        info!(service = server.name, "healthy");
    }
}

/// Never returns.
async fn cap_logs(plan: &Plan, layout: &Layout) {
    loop {
        for service in &plan.services {
            if let Err(error) = log_file::rotate(&layout.log(&service.name), LOG_CAP) {
                info!(service = service.name, %error, "log could not be rotated");
            }
        }
        tokio::time::sleep(LOG_LOOK).await;
    }
}
