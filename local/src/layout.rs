//! The folder `.local`: what lies where.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// All paths of one stack. Two stacks with different folders and ports do not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Creates the folder where there is none.
    pub fn create(root: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(root)?;
        let layout = Self { root: root.canonicalize()? };
        for folder in [layout.run(), layout.logs(), layout.bin(), layout.data()] {
            std::fs::create_dir_all(folder)?;
        }
        Ok(layout)
    }

    /// The folder as it is; None if there is none.
    pub fn existing(root: &Path) -> io::Result<Option<Self>> {
        match root.canonicalize() {
            Ok(root) => Ok(Some(Self { root })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The folder itself, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `KEY=value` lines: what a program needs to reach the servers.
    pub fn env_file(&self) -> PathBuf {
        self.root.join("env")
    }

    /// `KEY=value` lines for Compose: credentials and ports of the stack in containers.
    pub(crate) fn containers_file(&self) -> PathBuf {
        self.root.join("containers.env")
    }

    /// Holds the service's own pid while it runs.
    pub fn pid_file(&self, service: &str) -> PathBuf {
        self.run().join(format!("{service}.pid"))
    }

    /// While it is there (and whoever placed it lives), the service is kept stopped.
    pub fn hold_file(&self, service: &str) -> PathBuf {
        self.run().join(format!("{service}.hold"))
    }

    /// The service's log.
    pub fn log(&self, service: &str) -> PathBuf {
        self.logs().join(format!("{service}.log"))
    }

    /// A program's copy, so that a build under way does not touch what runs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin().join(name)
    }

    /// The services that the supervisor keeps.
    pub fn plan(&self) -> PathBuf {
        self.run().join("plan.json")
    }

    /// Locked by whoever starts or stops the stack.
    pub(crate) fn lock(&self) -> PathBuf {
        self.run().join("lock")
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("log")
    }

    pub(crate) fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The folder of one server.
    pub(crate) fn data_of(&self, service: &str) -> PathBuf {
        self.data().join(service)
    }
}

/// As [`write_atomically`], for its owner's eyes only.
pub(crate) fn write_secretly(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    file.write_all(content.as_ref())?;
    std::fs::rename(&new, path)
}

/// Writes a file so that a reader sees the old content or the new, never a part.
pub(crate) fn write_atomically(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    std::fs::write(&new, content)?;
    std::fs::rename(&new, path)
}
