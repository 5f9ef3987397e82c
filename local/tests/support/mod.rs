//! What the tests of this crate share.

#![allow(dead_code, reason = "no test uses all of it")]

use std::path::Path;
use std::time::{Duration, Instant};

use local::{Installation, Progress};

/// Everything that is needed, fetched on the first run.
pub(crate) async fn installation() -> Installation {
    Box::pin(local::provision(&local::default_cache(), &Progress::quiet())).await.expect("provisioning")
}

/// Polls until it holds.
pub(crate) async fn eventually(limit: Duration, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// False for a process that is gone, and for a zombie whose parent has not asked yet.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, fields)| !matches!(fields.trim_start().chars().next(), Some('Z' | 'X')))
}

/// The live processes that work in a folder or were told of it; their command lines.
pub(crate) fn processes_of(folder: &Path) -> Vec<String> {
    let pids = std::fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| is_alive(*pid) && *pid != std::process::id())
        .filter_map(|pid| {
            let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
            let at_work = std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
            (at_work || arguments.contains(&folder.display().to_string())).then(|| format!("{pid}: {arguments}"))
        })
        .collect()
}

/// True if nobody listens there.
pub(crate) fn is_free(port: u16) -> bool {
    std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()
}
