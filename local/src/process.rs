//! A process that cannot be mistaken for another: held by a pidfd, so a signal never reaches a stranger that inherited the number.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// One process, by number and by handle. The handle stays with this process even after its number is given to another; there is none
/// if the process had ended before it could be opened.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
    handle: Option<OwnedFd>,
}

impl Process {
    /// The process with this number now; with no such process, one that has ended.
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return Ok(Self { pid, handle: None });
        };
        match pidfd_open(number, PidfdFlags::empty()) {
            Ok(handle) => Ok(Self { pid, handle: Some(handle) }),
            Err(Errno::SRCH) => Ok(Self { pid, handle: None }),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal; a process that has ended is left in peace.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match self.handle.as_ref().map_or(Ok(()), |handle| pidfd_send_signal(handle, signal)) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Resolves when the process has ended (a zombie counts as ended).
    pub(crate) async fn exited(&self) -> io::Result<()> {
        let Some(handle) = &self.handle else {
            return Ok(());
        };
        #[expect(
            deprecated,
            reason = "its successor is unsafe, and an owned descriptor cannot be exchanged, which is what the safety asks for"
        )]
        let handle = AsyncFd::with_interest(handle.try_clone()?, Interest::READABLE)?;
        handle.readable().await.map(|_| ())
    }

    /// Waits for the end, blocking this thread; true if it came in time.
    pub(crate) fn exited_within(&self, limit: Duration) -> bool {
        let limit = Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        };
        self.handle
            .as_ref()
            .is_none_or(|handle| matches!(poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&limit)), Ok(1..)))
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.exited_within(Duration::ZERO)
    }

    /// SIGTERM, then SIGKILL to what has not ended within the grace. Ok(true): it ended by itself.
    pub(crate) async fn end(&self, grace: Duration) -> io::Result<bool> {
        self.signal(Signal::TERM)?;
        self.signal(Signal::CONT)?;
        if let Ok(ended) = tokio::time::timeout(grace, self.exited()).await {
            return ended.map(|()| true);
        }
        self.signal(Signal::KILL)?;
        self.exited().await.map(|()| false)
    }

    /// True if its program, working folder or arguments lie in the folder (an absolute path): so a number read from
    /// an old pid file is known to be ours. The handle was opened before, so the answer is about the process held.
    pub(crate) fn belongs_to(&self, folder: &Path) -> bool {
        let at = |link: &str| {
            std::fs::read_link(format!("/proc/{}/{link}", self.pid)).is_ok_and(|path| path.starts_with(folder))
        };
        at("exe") || at("cwd") || self.mentions(folder)
    }

    /// True if it was started from this file, though the file may have been replaced since.
    pub(crate) fn runs(&self, program: &Path) -> bool {
        let Ok(running) = std::fs::read_link(format!("/proc/{}/exe", self.pid)) else {
            return false;
        };
        let running = running.to_string_lossy().into_owned();
        Path::new(running.strip_suffix(" (deleted)").unwrap_or(&running)) == program
    }

    fn mentions(&self, folder: &Path) -> bool {
        let arguments = command_line(self.pid);
        arguments.iter().any(|argument| Path::new(argument).starts_with(folder))
    }
}

/// The numbers of all processes.
pub(crate) fn all() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The arguments a process was started with; none if it is gone or not ours to see.
pub(crate) fn command_line(pid: u32) -> Vec<String> {
    let raw = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    raw.split(|byte| *byte == 0)
        .filter(|part| !part.is_empty())
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}

/// The short name of a process, such as `mongod`.
pub(crate) fn name(pid: u32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|name| name.trim().to_owned())
}

/// Resident memory in bytes.
pub(crate) fn memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// How long a process has been running.
pub(crate) fn uptime(pid: u32) -> Option<Duration> {
    let started: u64 = stat_field(pid, 22)?.parse().ok()?; // in ticks since boot
    let ticks = rustix::param::clock_ticks_per_second();
    let boot = std::fs::read_to_string("/proc/uptime").ok()?;
    let now: f64 = boot.split_whitespace().next()?.parse().ok()?;
    #[allow(clippy::cast_precision_loss, reason = "ticks since boot are far below 2^52")]
    Some(Duration::from_secs_f64((now - started as f64 / ticks as f64).max(0.0)))
}

/// A field of `/proc/<pid>/stat` by its number in proc(5), 3 or more. The name, in brackets, may hold blanks: counted from behind it.
fn stat_field(pid: u32, number: usize) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(number - 3).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_known() {
        let me = Process::open(std::process::id()).unwrap();
        assert!(me.is_alive());
        assert!(me.belongs_to(&std::env::current_dir().unwrap()));
        assert!(!me.belongs_to(Path::new("/nowhere/at/all")));
        assert!(memory(me.pid()).unwrap() > 0);
        assert!(uptime(me.pid()).is_some());
    }

    #[test]
    fn a_zombie_counts_as_ended() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let process = Process::open(child.id()).unwrap();
        assert!(process.exited_within(Duration::from_secs(10)));
        assert!(!process.is_alive());
        process.signal(Signal::KILL).unwrap();
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn what_ignores_sigterm_is_killed_after_the_grace() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "trap '' TERM; echo; read x"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        let process = Process::open(child.id()).unwrap();
        assert!(!process.end(Duration::from_millis(50)).await.unwrap());
        child.wait().unwrap();
    }

    #[test]
    fn a_number_without_a_process_is_one_that_has_ended() {
        assert!(!Process::open(0).unwrap().is_alive());
        assert!(!Process::open(u32::MAX).unwrap().is_alive());
    }
}
