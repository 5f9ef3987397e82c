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
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::launch::Launch;
use crate::process::Process;

/// `$1`: the folder to remove, or empty. The rest: the program and its arguments. First line out: the server's own pid; second: its exit status.
/// `keep` on the pipe: the folder stays. The parent is compared before the kill, so a number given to another is never hit.
const SCRIPT: &str = r#"
folder=$1; shift
"$@" </dev/null >&2 &
server=$!
trap '' HUP INT PIPE TERM
echo "$server"
read -r word
parent=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$server/status" 2>/dev/null)
[ "$parent" = "$$" ] && kill -9 "$server" 2>/dev/null
wait "$server" 2>/dev/null
status=$?
[ "$word" = keep ] || [ -z "$folder" ] || rm -rf -- "$folder"
echo "$status" 2>/dev/null
kill -9 0
"#;

/// A program under a guard. Dropping it kills the program and waits for its end.
#[derive(Debug)]
pub(crate) struct Guarded {
    process: Process,
    guard: Child,
    leash: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
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
        let (Some(leash), Some(said)) = (guard.stdin.take(), guard.stdout.take()) else {
            return Err(io::Error::other("the guard has no pipes"));
        };
        let mut said = BufReader::new(said);
        let pid = number(&mut said).ok_or_else(|| io::Error::other("the guard did not name its server"))?;
        Ok(Self { process: Process::open(pid)?, guard, leash: Some(leash), said })
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

    /// After it has ended: how, `exit 2` or `signal 9`.
    pub(crate) fn end_status(mut self) -> String {
        match self.release() {
            Some(code @ 0..=128) => format!("exit {code}"),
            Some(code) => format!("signal {}", code - 128),
            None => "unknown".to_owned(),
        }
    }

    /// Lets the guard go (which kills what is left of its group) and waits for it; the exit status as a shell gives it. The folder stays: its
    /// removal is the owner's.
    fn release(&mut self) -> Option<u32> {
        if let Some(mut leash) = self.leash.take() {
            let _ = leash.write_all(b"keep\n"); // A guard that was killed itself cannot hear it.
        }
        let status = number(&mut self.said);
        let _ = self.guard.wait();
        status
    }
}

/// The next line that the guard says.
fn number(said: &mut impl BufRead) -> Option<u32> {
    let mut line = String::new();
    said.read_line(&mut line).ok()?;
    line.trim().parse().ok()
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
        let process = Process::open(guarded.process().pid()).unwrap();
        drop(guarded);
        assert!(!process.is_alive());
        assert!(folder.path().exists());
    }

    #[test]
    fn a_broken_leash_ends_the_program_and_removes_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut guarded = sleeper(folder.path());
        let process = Process::open(guarded.process().pid()).unwrap();
        drop(guarded.leash.take()); // as the kernel does when the owner dies
        guarded.guard.wait().unwrap();
        assert!(!process.is_alive());
        assert!(!folder.path().exists());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_one_that_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let guarded =
            Guarded::spawn(&Launch::new("/no/such/program", folder.path()), &folder.path().join("log"), None).unwrap();
        guarded.process().exited().await.unwrap();
        assert_eq!(guarded.end_status(), "exit 127");
    }

    #[tokio::test]
    async fn the_end_of_the_program_is_noticed_and_its_output_logged() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let launch = Launch::new("sh", folder.path()).arg("-c").arg("echo out; echo err >&2; pwd; exit 3");
        let guarded = Guarded::spawn(&launch, &log, None).unwrap();
        guarded.process().exited().await.unwrap();
        assert_eq!(guarded.end_status(), "exit 3");
        let said = std::fs::read_to_string(log).unwrap();
        assert_eq!(said, format!("out\nerr\n{}\n", folder.path().display()));
    }
}
