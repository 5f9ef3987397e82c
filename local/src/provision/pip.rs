//! pip: hash-pinned packages into a folder of their own. No virtual environment, which Debian splits off into a package of its own.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::sync::OnceCell;

use super::apt::Apt;
use super::cache::Cache;
use super::command::Tool;
use super::error::{At, ProvisionError};
use super::progress::Step;
use super::python::Interpreter;
use super::requirements::Requirements;
use super::watch::watch;

/// The pip of an interpreter; where it has none, Debian's, unpacked for this run only.
pub(super) struct Pip {
    cache: Cache,
    python: Interpreter,
    borrowed: OnceCell<Option<PathBuf>>,
}

/// A complete list: nothing is installed that it does not name.
pub(super) const COMPLETE: &[&str] = &["--no-deps", "--no-compile"];

impl Pip {
    pub(super) fn new(cache: &Cache, python: Interpreter) -> Self {
        Self { cache: cache.clone(), python, borrowed: OnceCell::new() }
    }

    /// Wheels only, each with one of its pinned hashes; no code of a package runs.
    pub(super) async fn install(
        &self,
        requirements: &Requirements,
        options: &[&str],
        target: &Path,
        apt: &Apt,
        step: &Step,
    ) -> Result<(), ProvisionError> {
        let scratch = target.with_extension("pip");
        fs::create_dir_all(&scratch).at(&scratch)?;
        let call = self.call(apt, step).await?.env("TMPDIR", &scratch);
        let call = call.args([
            "install",
            "--require-hashes",
            "--only-binary",
            ":all:",
            "--no-input",
            "--progress-bar",
            "off",
            "--retries",
            "2",
        ]);
        let call = call.args(options).arg("--target").arg(target).arg("-r").arg(&requirements.path);
        let heed = |line: &str| {
            if let Some(bytes) = announced(line) {
                step.downloading(bytes);
            } else if line.starts_with("Installing collected packages") {
                step.doing("unpacking");
            }
        };
        let finished = watch(call.run_watched(heed), &scratch, step).await?;
        finished.succeeded(&format!("packages of {}", name(&requirements.path)), &self.cache)?;
        fs::remove_dir_all(&scratch).at(&scratch)
    }

    async fn call(&self, apt: &Apt, step: &Step) -> Result<Tool, ProvisionError> {
        let borrowed = self.borrowed.get_or_try_init(|| self.borrow(apt, step)).await?;
        Ok(self.bare(borrowed.as_deref()))
    }

    fn bare(&self, packages: Option<&Path>) -> Tool {
        let call = self.python.tool().args(["-m", "pip"]).env("PYTHONUNBUFFERED", "1");
        // A user's configuration for indexes, proxies and certificates counts; one for places of installation would clash with --target.
        let call = call
            .env("PIP_USER", "0")
            .env("PIP_REQUIRE_VIRTUALENV", "0")
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .env("PIP_ROOT_USER_ACTION", "ignore");
        match packages {
            Some(folder) => call.env("PYTHONPATH", folder),
            None => call,
        }
    }

    /// None where the interpreter has a pip, else a folder for PYTHONPATH that has one.
    async fn borrow(&self, apt: &Apt, step: &Step) -> Result<Option<PathBuf>, ProvisionError> {
        if self.bare(None).arg("--version").run().await?.success {
            return Ok(None);
        }
        step.doing("fetching pip, which this Python lacks");
        let root = self.cache.partial("pip");
        apt.unpack(&["python3-pip"], &|package| package == "python3-pip", &root, step).await?;
        let packages = root.join("usr/lib/python3/dist-packages");
        let works = self.bare(Some(&packages)).arg("--version").run().await?.success;
        if works {
            Ok(Some(packages))
        } else {
            Err(ProvisionError::NoPip { program: self.python.program().display().to_string() })
        }
    }
}

fn name(path: &Path) -> String {
    let mut parts = path.components().rev().take(2).map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>();
    parts.reverse();
    parts.join("/")
}

/// The size in a line such as `Downloading x.whl (42.2 MB)` or `Using cached x.whl (1.2 kB)`.
fn announced(line: &str) -> Option<u64> {
    let line = line.trim();
    if !line.starts_with("Downloading ") && !line.starts_with("Using cached ") {
        return None;
    }
    let (number, unit) = line.strip_suffix(')')?.rsplit_once('(')?.1.split_once(' ')?;
    let factor = match unit {
        "bytes" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * factor;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a file's size, from pip's rounded figure"
    )]
    Some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_what_pip_announces() {
        assert_eq!(announced("  Downloading x-1-py3-none-any.whl (42.2 MB)"), Some(42_200_000));
        assert_eq!(announced("Using cached x.whl (612 kB)"), Some(612_000));
        assert_eq!(announced("Downloading x.whl.metadata (49 bytes)"), Some(49));
        assert_eq!(announced("Collecting x==1"), None);
    }
}
