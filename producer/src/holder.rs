//! Who holds the lease: a process, described well enough to know when it is gone.

use bson::{Document, doc};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// A process. Its number means something only on one machine since its start, and within one namespace of processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    host: String,
    boot_id: String,
    pid_namespace: String,
    pid: i32,
}

impl Holder {
    /// This process.
    pub(crate) fn this() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Self {
            host: read("/proc/sys/kernel/hostname"),
            boot_id: read("/proc/sys/kernel/random/boot_id"),
            pid_namespace: namespace.to_string_lossy().into_owned(),
            pid: std::process::id().cast_signed(),
        }
    }

    /// For people.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.host, self.pid)
    }

    /// As it is stored.
    pub(crate) fn to_document(&self) -> Document {
        doc! {"host": &self.host, "boot_id": &self.boot_id, "pid_namespace": &self.pid_namespace, "pid": self.pid}
    }

    /// As it was stored; none by a producer that did not.
    pub(crate) fn from_document(stored: &Document) -> Option<Self> {
        let text = |name| stored.get_str(name).ok().map(str::to_owned);
        let pid = stored.get_i32("pid").ok()?;
        Some(Self { host: text("host")?, boot_id: text("boot_id")?, pid_namespace: text("pid_namespace")?, pid })
    }

    /// Whether it is known to be gone: it ran here, and no process has its number. Whatever cannot be told for certain
    /// is taken to be alive; its lease runs out by itself.
    pub(crate) fn is_gone(&self) -> bool {
        let here = Self::this();
        let told = !here.boot_id.is_empty() && !here.pid_namespace.is_empty();
        let ran_here = Self { pid: here.pid, ..self.clone() } == here;
        let Some(pid) = Some(self.pid).filter(|pid| *pid > 0).and_then(Pid::from_raw) else { return false };
        told && ran_here && test_kill_process(pid) == Err(Errno::SRCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended() -> i32 {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        child.id().cast_signed()
    }

    #[test]
    fn only_a_process_that_ran_here_and_ended_is_gone() {
        let this = Holder::this();
        let gone = Holder { pid: ended(), ..this.clone() };
        assert!(gone.is_gone());
        assert!(!this.is_gone());
        assert!(!Holder { pid: 1, ..this.clone() }.is_gone(), "not ours, but there");
        for elsewhere in [
            Holder { boot_id: "another".into(), ..gone.clone() },
            Holder { pid_namespace: "pid:[1]".into(), ..gone.clone() },
            Holder { host: "another".into(), ..gone.clone() },
            Holder { pid: 0, ..gone.clone() },
            Holder { pid: -1, ..gone },
        ] {
            assert!(!elsewhere.is_gone(), "{elsewhere:?}");
        }
    }

    #[test]
    fn a_holder_survives_its_document() {
        let this = Holder::this();
        assert_eq!(Holder::from_document(&this.to_document()), Some(this));
        assert_eq!(Holder::from_document(&doc! {}), None);
    }
}
