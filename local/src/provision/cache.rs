//! The cache: one folder of the user's for all checkouts, with a lock, a workbench (`partial/`) and a log.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{At, ProvisionError};
use super::progress::Progress;

/// What all parts take while they are being made, with some air.
const NEEDED_MB: u64 = 3_000;
const LOCK_RETRY: Duration = Duration::from_millis(200);

/// `$LLM_TWIN_CACHE`, else `$XDG_CACHE_HOME/llm-twin`, else `~/.cache/llm-twin`.
pub fn default_cache() -> PathBuf {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let user = || {
        named("XDG_CACHE_HOME")
            .or_else(|| named("HOME").map(|home| home.join(".cache")))
            .map(|folder| folder.join("llm-twin"))
    };
    named("LLM_TWIN_CACHE").or_else(user).unwrap_or_else(|| std::env::temp_dir().join("llm-twin"))
}

/// The folder; absolute, since programs in it are run from other folders.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(super) fn open(folder: &Path) -> Result<Self, ProvisionError> {
        fs::create_dir_all(folder).at(folder)?;
        Ok(Self { folder: folder.canonicalize().at(folder)? })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where a part is made: renamed from here into place, emptied by the next run otherwise.
    pub(super) fn partial(&self, name: &str) -> PathBuf {
        self.folder.join("partial").join(name)
    }

    /// Everything that the tools said.
    pub(super) fn log(&self) -> PathBuf {
        self.path("provision.log")
    }

    /// Waits for its turn. The lock ends with the file, also when this process is killed.
    pub(super) async fn lock(&self, progress: &Progress) -> Result<File, ProvisionError> {
        let path = self.path("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path).at(&path)?;
        let mut waiting = None;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    waiting
                        .get_or_insert_with(|| progress.step("waiting for another run that provisions the same cache"));
                    tokio::time::sleep(LOCK_RETRY).await;
                }
                Err(TryLockError::Error(error)) => return Err(ProvisionError::Io { path, error }),
            }
        }
        if let Some(step) = waiting {
            step.done("it has finished");
        }
        Ok(file)
    }

    /// Under the lock, before anything is made: room to work, and nothing left of a run that was killed.
    pub(super) fn begin(&self) -> Result<(), ProvisionError> {
        self.end()?;
        if free_mb(&self.folder).at(&self.folder)? < NEEDED_MB {
            return Err(no_space(&self.folder));
        }
        let partial = self.path("partial");
        fs::create_dir(&partial).at(&partial)
    }

    /// Empties the workbench.
    pub(super) fn end(&self) -> Result<(), ProvisionError> {
        let partial = self.path("partial");
        match fs::remove_dir_all(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).at(&partial),
            _ => Ok(()),
        }
    }
}

/// The error of a full disk, with the figures of the disk that holds `path`.
pub(super) fn no_space(path: &Path) -> ProvisionError {
    let folder = path.ancestors().find(|folder| folder.is_dir()).unwrap_or(path).to_owned();
    ProvisionError::NoSpace { free: free_mb(&folder).unwrap_or(0), needed: NEEDED_MB, folder }
}

fn free_mb(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize) / 1_000_000)
}
