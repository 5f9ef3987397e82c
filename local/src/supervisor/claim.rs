//! Who keeps a stack: the supervisor holds a lock on `supervisor.pid` as long as it lives, so no file is ever stale.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::{SupervisorError, pid_file};
use crate::layout::Layout;
use crate::process::Process;

const NAME: &str = "supervisor";

/// The right to keep a stack; given back when dropped, or when the process ends in whatever way.
#[derive(Debug)]
pub(super) struct Claim {
    _locked: File,
}

impl Claim {
    /// A command that merely looks takes the lock for an instant, so a refusal is believed after a second.
    pub(super) async fn take(layout: &Layout) -> Result<Self, SupervisorError> {
        let path = layout.pid_file(NAME);
        let broken = |error| SupervisorError::Io { what: path.display().to_string(), error };
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).map_err(broken)?;
        let deadline = Instant::now() + Duration::from_secs(1);
        while let Err(refusal) = file.try_lock() {
            match refusal {
                TryLockError::Error(error) => return Err(broken(error)),
                TryLockError::WouldBlock if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                TryLockError::WouldBlock => {
                    let pid = pid_file::read(&path).unwrap_or_default();
                    return Err(SupervisorError::Taken { pid, folder: layout.root().to_owned() });
                }
            }
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(broken)?;
        Ok(Self { _locked: file })
    }
}

/// The stack's supervisor, if one is at work.
pub(crate) fn running(layout: &Layout) -> io::Result<Option<Process>> {
    let path = layout.pid_file(NAME);
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
        Err(TryLockError::WouldBlock) => pid_file::read(&path).map(Process::open).transpose(),
    }
}
