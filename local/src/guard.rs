//! The guard: a small shell between us and a server, so that no server outlives its owner.
//!
//! The guard starts the server and then waits on its standard input, a pipe whose other end only the owner holds. When the owner ends, in
//! whatever way, the kernel closes that end; the guard then kills the server and its process group and removes the folder it was told to.
//! There is no moment at which the server runs and the guard does not. The guard leads a process group of its own, so Ctrl-C at
//! the terminal reaches neither of the two.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::launch::Launch;
use crate::process::Process;

/// `$1`: the folder to remove, or empty. The rest: the program and its arguments. First line out: the server's own pid.
/// `keep` on the pipe: the folder stays. The parent is compared before the kill, so a number given to another is never hit.
const SCRIPT: &str = r#"
folder=$1; shift
"$@" </dev/null >&2 &
server=$!
trap '' HUP INT TERM
echo "$server"
exec >/dev/null
read -r word
parent=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$server/status" 2>/dev/null)
[ "$parent" = "$$" ] && kill -9 "$server" 2>/dev/null
wait "$server" 2>/dev/null
[ "$word" = keep ] || [ -z "$folder" ] || rm -rf -- "$folder"
kill -9 0
"#;

/// A program under a guard. Dropping it kills the program and waits for its end.
#[derive(Debug)]
pub(crate) struct Guarded {
    process: Process,
    guard: Child,
    leash: Option<ChildStdin>,
}

impl Guarded {
    /// Starts the program; its output is appended to the log. `remove`: a folder to delete if the owner dies without saying goodbye.
    pub(crate) fn spawn(launch: &Launch, log: &Path, remove: Option<&Path>) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let mut guard = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "guard"])
            .arg(remove.unwrap_or(Path::new("")))
            .arg(&launch.program)
            .args(&launch.arguments)
            .env_clear()
            .envs(&launch.environment)
            .current_dir(&launch.folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let leash = guard.stdin.take();
        let process = server_of(&mut guard)?;
        Ok(Self { process, guard, leash })
    }

    /// The program's own process, not the guard's.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// SIGTERM, a grace, SIGKILL; then the guard is let go. Ok(true): it ended by itself.
    pub(crate) async fn stop(mut self, grace: Duration) -> io::Result<bool> {
        let by_itself = self.process.end(grace).await?;
        self.release();
        Ok(by_itself)
    }

    /// Lets the guard go (which kills what is left of its group) and waits for it. The folder stays: its removal is the owner's.
    fn release(&mut self) {
        if let Some(mut leash) = self.leash.take() {
            let _ = leash.write_all(b"keep\n"); // A guard that was killed itself cannot hear it.
        }
        let _ = self.guard.wait();
    }
}

fn server_of(guard: &mut Child) -> io::Result<Process> {
    let mut line = String::new();
    if let Some(output) = guard.stdout.take() {
        BufReader::new(output).read_line(&mut line)?;
    }
    let pid = line.trim().parse().map_err(|_| io::Error::other("the guard did not name its server"))?;
    Process::open(pid)?.ok_or_else(|| io::Error::other("the guard's server is not there"))
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if self.leash.is_none() {
            return;
        }
        let _ = self.process.signal(Signal::KILL);
        self.process.exited_within(Duration::from_secs(10));
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(folder: &Path) -> Guarded {
        let launch = Launch::new("sleep", folder).arg(1000);
        Guarded::spawn(&launch, &folder.join("log"), Some(folder)).unwrap()
    }

    #[test]
    fn dropping_ends_the_program_and_leaves_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let guarded = sleeper(folder.path());
        let process = Process::open(guarded.process().pid()).unwrap().unwrap();
        drop(guarded);
        assert!(!process.is_alive());
        assert!(folder.path().exists());
    }

    #[test]
    fn a_broken_leash_ends_the_program_and_removes_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut guarded = sleeper(folder.path());
        let process = Process::open(guarded.process().pid()).unwrap().unwrap();
        drop(guarded.leash.take()); // as the kernel does when the owner dies
        guarded.guard.wait().unwrap();
        assert!(!process.is_alive());
        assert!(!folder.path().exists());
    }

    #[tokio::test]
    async fn the_end_of_the_program_is_noticed_and_its_output_logged() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let launch = Launch::new("sh", folder.path()).arg("-c").arg("echo out; echo err >&2; pwd");
        let guarded = Guarded::spawn(&launch, &log, None).unwrap();
        guarded.process().exited().await.unwrap();
        let said = std::fs::read_to_string(log).unwrap();
        assert_eq!(said, format!("out\nerr\n{}\n", folder.path().display()));
    }
}
