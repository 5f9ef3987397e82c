//! `.local/run/<service>.pid`: the service's own pid, for people and programs outside.

use std::io;
use std::path::Path;

use crate::layout::{Layout, write_atomically};
use crate::process::Process;

pub(super) fn write(layout: &Layout, service: &str, pid: u32) -> io::Result<()> {
    write_atomically(&layout.pid_file(service), format!("{pid}\n"))
}

pub(super) fn remove(layout: &Layout, service: &str) -> io::Result<()> {
    match std::fs::remove_file(layout.pid_file(service)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The number in a pid file.
pub(super) fn read(path: &Path) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The pid that a service had last, whether or not it lives.
pub(crate) fn recorded_pid(layout: &Layout, service: &str) -> Option<u32> {
    read(&layout.pid_file(service))
}

/// The service's live process. A number that meanwhile belongs to a stranger, or to nobody, is None.
pub(crate) fn process_of(layout: &Layout, service: &str) -> io::Result<Option<Process>> {
    let Some(pid) = read(&layout.pid_file(service)) else {
        return Ok(None);
    };
    let process = Process::open(pid)?;
    Ok((process.is_alive() && process.belongs_to(layout.root())).then_some(process))
}
