//! What a stack can leave behind: services of a supervisor that was killed together with its guards, and programs started by hand.

use std::io;
use std::time::Duration;

use super::{hold, pid_file};
use crate::layout::Layout;
use crate::process::{self, Process};

const GRACE: Duration = Duration::from_secs(5);
/// Programs first, so that they drain while their servers are there.
const ORDER: [&str; 5] = ["consumer", "producer", "qdrant", "rabbitmq", "mongod"];

/// Ends what the pid files name, if it is ours, and removes the files; gives the names of those ended. A stranger that was given the number of a
/// dead service is left alone. Only to be called while no supervisor is at work.
pub(crate) async fn end_orphans(layout: &Layout) -> io::Result<Vec<&'static str>> {
    let mut ended = Vec::new();
    for service in ORDER {
        if let Some(process) = pid_file::process_of(layout, service)? {
            process.end(GRACE).await?;
            ended.push(service);
        }
        pid_file::remove(layout, service)?;
        hold::forget(layout, service);
    }
    Ok(ended)
}

/// Ends programs of the stack that no pid file names, such as a producer in the foreground; gives their names.
pub(crate) async fn end_strays(layout: &Layout, programs: &[&'static str]) -> io::Result<Vec<&'static str>> {
    let mut ended = Vec::new();
    for pid in process::all() {
        let process = Process::open(pid)?;
        if let Some(name) = programs.iter().find(|name| process.runs(&layout.program(name))) {
            process.end(GRACE).await?;
            ended.push(*name);
        }
    }
    Ok(ended)
}
