//! Waiting until every service of the stack is healthy, with a line for each.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::StackError;
use crate::layout::Layout;
use crate::log_file;
use crate::say::say;
use crate::supervisor::{self, Plan, Service};

const LIMIT: Duration = Duration::from_secs(180);
const AGAIN: Duration = Duration::from_millis(100);
const STILL: Duration = Duration::from_secs(5);
/// A service that is started this often without getting healthy is not going to.
const STARTS: usize = 6;

/// Ok once all are healthy. The first that cannot get there ends the wait.
pub(super) async fn until_healthy(layout: &Layout, plan: &Plan) -> Result<(), StackError> {
    try_join_all(plan.services.iter().map(|service| Box::pin(one(layout, service)))).await.map(|_| ())
}

async fn one(layout: &Layout, service: &Service) -> Result<(), StackError> {
    let begun = Instant::now();
    let mut said = begun;
    let mut pids = Vec::new();
    loop {
        let pid = supervisor::process_of(layout, &service.name).ok().flatten().map(|process| process.pid());
        if pid.is_some() && !pids.contains(&pid) {
            pids.push(pid);
        }
        let why = match (pid, service.health.check().await) {
            (Some(_), Ok(())) => {
                say(format_args!("  {:<9} healthy after {:.1} s", service.name, begun.elapsed().as_secs_f32()));
                return Ok(());
            }
            (Some(_), Err(why)) => why,
            (None, _) => "not started yet".to_owned(),
        };
        let supervised = supervisor::running(layout).is_ok_and(|process| process.is_some());
        if pids.len() >= STARTS || begun.elapsed() > LIMIT || (!supervised && begun.elapsed() > Duration::from_secs(5))
        {
            return Err(unhealthy(layout, service, &why, supervised));
        }
        if said.elapsed() > STILL {
            said = Instant::now();
            say(format_args!("  {:<9} {:.0} s … {why}", service.name, begun.elapsed().as_secs_f32()));
        }
        tokio::time::sleep(AGAIN).await;
    }
}

fn unhealthy(layout: &Layout, service: &Service, why: &str, supervised: bool) -> StackError {
    let (name, why) = if supervised { (service.name.as_str(), why) } else { ("supervisor", "it has ended") };
    let log_file = layout.log(name);
    StackError::Unhealthy {
        service: name.to_owned(),
        why: why.to_owned(),
        log: log_file::tail(&log_file, 15),
        log_file,
    }
}
