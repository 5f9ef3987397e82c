//! Tools of the system, run to their end; what they say is kept for the error and the log.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::Command;

use super::cache::{self, Cache};
use super::error::ProvisionError;
use super::fault::Fault;

/// One call of a tool. It ends with the future that waits for it.
pub(super) struct Tool {
    name: String,
    remedy: String,
    command: Command,
}

/// What a tool said and whether it succeeded.
pub(super) struct Finished {
    name: String,
    pub(super) success: bool,
    pub(super) stdout: String,
    /// stdout and stderr, in the order they came.
    pub(super) output: String,
}

impl Tool {
    /// `remedy` is what to do where the tool is not there. Its messages are asked for in English: they are read by `Fault`.
    pub(super) fn new(program: impl AsRef<OsStr>, remedy: &str) -> Self {
        let program = program.as_ref();
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command.env("LC_ALL", "C.UTF-8").env_remove("LANGUAGE").env_remove("PYTHONPATH").env_remove("PYTHONHOME");
        Self { name: program.to_string_lossy().into_owned(), remedy: remedy.to_owned(), command }
    }

    pub(super) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub(super) fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(super) fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub(super) async fn run(self) -> Result<Finished, ProvisionError> {
        self.run_watched(|_| ()).await
    }

    /// `heed` gets each line of stdout as it comes.
    pub(super) async fn run_watched(mut self, heed: impl FnMut(&str)) -> Result<Finished, ProvisionError> {
        match self.communicate(heed).await {
            Ok(finished) => Ok(finished),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ProvisionError::MissingTool { tool: self.name, remedy: self.remedy })
            }
            Err(error) => Err(ProvisionError::Io { path: self.name.into(), error }),
        }
    }

    async fn communicate(&mut self, mut heed: impl FnMut(&str)) -> io::Result<Finished> {
        let mut child = self.command.spawn()?;
        let (mut out, mut err) = (lines(child.stdout.take()), lines(child.stderr.take()));
        let mut finished =
            Finished { name: self.name.clone(), success: false, stdout: String::new(), output: String::new() };
        let (mut out_open, mut err_open) = (true, true);
        while out_open || err_open {
            let (line, is_out) = tokio::select! {
                line = next(&mut out), if out_open => (line?, true),
                line = next(&mut err), if err_open => (line?, false),
            };
            match line {
                Some(line) => {
                    if is_out {
                        heed(&line);
                        finished.stdout.push_str(&line);
                        finished.stdout.push('\n');
                    }
                    finished.output.push_str(&line);
                    finished.output.push('\n');
                }
                None if is_out => out_open = false,
                None => err_open = false,
            }
        }
        finished.success = child.wait().await?.success();
        Ok(finished)
    }
}

impl Finished {
    /// Itself if it succeeded, else why not. `what` is what the tool was run for.
    pub(super) fn succeeded(self, what: &str, cache: &Cache) -> Result<Self, ProvisionError> {
        if self.success { Ok(self) } else { Err(self.failure(what, cache)) }
    }

    /// What its output complains of, whether or not it says that it failed.
    pub(super) fn fault(&self, what: &str, cache: &Cache) -> Option<ProvisionError> {
        (!self.output.is_empty()).then(|| self.failure(what, cache))
    }

    /// The tool's failure in our words; its own go to the log.
    fn failure(&self, what: &str, cache: &Cache) -> ProvisionError {
        let what = what.to_owned();
        // A disk too full for the log is no reason to hide the fault.
        let _ = File::options()
            .create(true)
            .append(true)
            .open(cache.log())
            .and_then(|mut log| writeln!(log, "{what}: {}:\n{}", self.name, self.output));
        match Fault::of(&self.output) {
            Fault::NoSpace => cache::no_space(&cache.log()),
            Fault::Hash(why) => ProvisionError::HashMismatch { what, why },
            Fault::Untrusted(why) => ProvisionError::Untrusted { what, why },
            Fault::Network(why) => ProvisionError::NoNetwork { what, why },
            Fault::NoBuild(why) => {
                ProvisionError::Architecture { what, machine: std::env::consts::ARCH.to_owned(), why }
            }
            Fault::Other(why) => ProvisionError::Tool { what, tool: self.name.clone(), why, log: cache.log() },
        }
    }
}

fn lines<R: AsyncRead + Unpin>(pipe: Option<R>) -> Option<Lines<BufReader<R>>> {
    pipe.map(|pipe| BufReader::new(pipe).lines())
}

async fn next<R: AsyncRead + Unpin>(lines: &mut Option<Lines<BufReader<R>>>) -> io::Result<Option<String>> {
    match lines {
        Some(lines) => lines.next_line().await,
        None => Ok(None),
    }
}

/// Where a program stands: a name is looked for on PATH, a path is taken as it is.
pub(super) fn find_program(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| is_program(path));
    }
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| is_program(path))
}

/// A file with a run bit.
pub(super) fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The program that an environment variable names in place of ours.
pub(super) fn overridden(variable: &'static str) -> Result<Option<PathBuf>, ProvisionError> {
    let Some(path) = std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from) else {
        return Ok(None);
    };
    if is_program(&path) { Ok(Some(path)) } else { Err(ProvisionError::Override { variable, path }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_streams_are_kept_and_stdout_is_heeded() {
        let mut heeded = Vec::new();
        let tool = Tool::new("sh", "").args(["-c", "echo out; echo err >&2; exit 3"]);
        let finished = tool.run_watched(|line| heeded.push(line.to_owned())).await.unwrap();
        assert!(!finished.success);
        assert_eq!((heeded.as_slice(), finished.stdout.as_str()), (["out".to_owned()].as_slice(), "out\n"));
        assert!(finished.output.contains("out\n") && finished.output.contains("err\n"));
    }

    #[tokio::test]
    async fn a_missing_tool_is_named_with_its_remedy() {
        let Err(error) = Tool::new("no-such-tool-here", "install it").run().await else { panic!("it ran") };
        assert_eq!(error.to_string(), "no-such-tool-here was not found: install it");
    }
}
