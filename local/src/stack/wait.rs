//! Waiting until every service of the stack is healthy, with a line for each.

use std::collections::BTreeSet;
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
/// A supervisor that has only just been started has this long to show itself.
const SHOWN: Duration = Duration::from_secs(5);
/// A service that is started this often (about 8 s of trying) without getting healthy is not going to.
const STARTS: usize = 10;

/// Ok once all are healthy. The first that cannot get there ends the wait.
pub(super) async fn until_healthy(layout: &Layout, plan: &Plan) -> Result<(), StackError> {
    let waits = plan.services.iter().map(|service| Box::pin(Wait::begin(layout, service).until_healthy()));
    try_join_all(waits).await.map(|_| ())
}

/// The wait for one service.
struct Wait<'a> {
    layout: &'a Layout,
    service: &'a Service,
    begun: Instant,
    said: Instant,
    /// Every pid it has had meanwhile.
    pids: BTreeSet<u32>,
}

impl<'a> Wait<'a> {
    fn begin(layout: &'a Layout, service: &'a Service) -> Self {
        let now = Instant::now();
        Self { layout, service, begun: now, said: now, pids: BTreeSet::new() }
    }

    async fn until_healthy(mut self) -> Result<(), StackError> {
        while let Err(why) = self.ask().await {
            let supervised = supervisor::running(self.layout).is_ok_and(|process| process.is_some());
            if self.is_hopeless(supervised) {
                return Err(self.unhealthy(&why, supervised));
            }
            if self.said.elapsed() > STILL {
                self.said = Instant::now();
                say(format_args!("  {:<9} {:.0} s … {why}", self.service.name, self.begun.elapsed().as_secs_f32()));
            }
            tokio::time::sleep(AGAIN).await;
        }
        say(format_args!("  {:<9} healthy after {:.1} s", self.service.name, self.begun.elapsed().as_secs_f32()));
        Ok(())
    }

    async fn ask(&mut self) -> Result<(), String> {
        let name = &self.service.name;
        self.pids.extend(supervisor::recorded_pid(self.layout, name));
        match supervisor::process_of(self.layout, name) {
            Ok(Some(_)) => self.service.health.check().await,
            _ if self.pids.is_empty() => Err("not started yet".to_owned()),
            _ => Err("it has ended and is started again".to_owned()),
        }
    }

    fn is_hopeless(&self, supervised: bool) -> bool {
        let waited = self.begun.elapsed();
        self.pids.len() >= STARTS || waited > LIMIT || (!supervised && waited > SHOWN)
    }

    fn unhealthy(&self, why: &str, supervised: bool) -> StackError {
        let (service, why) = match supervised {
            false => ("supervisor", "it has ended"),
            true if self.pids.len() >= STARTS => (self.service.name.as_str(), "it ends soon after each start"),
            true => (self.service.name.as_str(), why),
        };
        let log_file = self.layout.log(service);
        let log = log_file::tail(&log_file, 15);
        StackError::Unhealthy { service: service.to_owned(), why: why.to_owned(), log_file, log }
    }
}
