//! Holding a service: kept stopped while the hold file is there and its placer lives.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::pid_file;
use crate::layout::{Layout, write_atomically};
use crate::process::Process;

/// A service held by this process; dropping it lets the service go on.
#[derive(Debug)]
pub(crate) struct Hold {
    file: PathBuf,
}

impl Hold {
    /// Places the hold and waits until the supervisor has stopped the service.
    pub(crate) async fn place(layout: &Layout, service: &str, limit: Duration) -> io::Result<Self> {
        let hold = Self { file: layout.hold_file(service) };
        write_atomically(&hold.file, format!("{}\n", std::process::id()))?;
        let deadline = Instant::now() + limit;
        while layout.pid_file(service).exists() {
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("{service} did not stop within {} s", limit.as_secs())));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(hold)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

/// True while the service is to be kept stopped. A hold whose placer has died is removed.
pub(super) fn is_held(layout: &Layout, service: &str) -> bool {
    let file = layout.hold_file(service);
    if !file.exists() {
        return false;
    }
    let held = pid_file::read(&file).is_some_and(|placer| Process::open(placer).is_ok_and(|placer| placer.is_alive()));
    if !held {
        let _ = std::fs::remove_file(&file);
    }
    held
}

/// Removes a hold, whoever placed it.
pub(super) fn forget(layout: &Layout, service: &str) {
    let _ = std::fs::remove_file(layout.hold_file(service));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hold_lasts_as_long_as_its_placer() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path()).unwrap();
        assert!(!is_held(&layout, "producer"));
        let hold = Hold::place(&layout, "producer", Duration::from_secs(1)).await.unwrap();
        assert!(is_held(&layout, "producer"));
        drop(hold);
        assert!(!is_held(&layout, "producer"));

        let mut dead = std::process::Command::new("true").spawn().unwrap();
        dead.wait().unwrap();
        std::fs::write(layout.hold_file("producer"), format!("{}\n", dead.id())).unwrap();
        assert!(!is_held(&layout, "producer"));
        assert!(!layout.hold_file("producer").exists());
    }
}
