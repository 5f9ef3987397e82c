//! Why provisioning failed, each in one line that says what to do.

use std::io;
use std::path::{Path, PathBuf};

/// What was missing or went wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what its fields are")]
pub enum ProvisionError {
    /// A program is not on PATH.
    #[error("{tool} was not found: {remedy}")]
    MissingTool { tool: String, remedy: String },
    /// There is a Python, but none that will do.
    #[error(
        "{program} is Python {found}, and 3.11 or newer is needed: install one, or name it in the environment variable PYTHON"
    )]
    OldPython { program: String, found: String },
    /// The interpreter comes without pip and it could not be fetched.
    #[error(
        "{program} has no pip: install it (on Debian: apt-get install python3-pip), or name another interpreter in the environment variable PYTHON"
    )]
    NoPip { program: String },
    /// Nothing answered at the other end.
    #[error(
        "{what}: the network cannot be reached ({why}): check the connection and any proxy or index settings, then try again"
    )]
    NoNetwork { what: String, why: String },
    /// The other end's certificate is not trusted here.
    #[error(
        "{what}: the server's TLS certificate is not trusted ({why}): install ca-certificates, or name your authority's file in PIP_CERT"
    )]
    Untrusted { what: String, why: String },
    /// The disk is full or nearly so.
    #[error("not enough disk space in {}: {free} MB free, {needed} MB needed: make room, or set LLM_TWIN_CACHE to a folder on another disk", folder.display())]
    NoSpace { folder: PathBuf, free: u64, needed: u64 },
    /// What came is not what is pinned.
    #[error(
        "{what}: the sha256 of what was fetched or built is not the pinned one ({why}): nothing of it was kept; try again, and if it stays so, do not trust the source"
    )]
    HashMismatch { what: String, why: String },
    /// No build for this machine.
    #[error(
        "{what}: there is no build for this Python on {machine} ({why}): use an x86_64 or aarch64 machine with glibc and CPython 3.11 to 3.14 (environment variable PYTHON)"
    )]
    Architecture { what: String, machine: String, why: String },
    /// A program runs only with libraries that are not here.
    #[error("{program} needs {libraries}, which this system lacks: as root, apt-get install {packages}")]
    MissingLibrary { program: String, libraries: String, packages: String },
    /// An override names something that cannot be run.
    #[error("{variable} names {}, which is not a program that can be run: correct it or unset it", path.display())]
    Override { variable: &'static str, path: PathBuf },
    /// The checkout that this program was built in is gone.
    #[error("{} is missing: this program works from the checkout it was built in: build it again in yours", path.display())]
    Checkout { path: PathBuf },
    /// A tool failed for a reason of its own.
    #[error("{what}: {tool} failed: {why}: the whole output is in {}", log.display())]
    Tool { what: String, tool: String, why: String, log: PathBuf },
    /// The cache could not be read or written.
    #[error("{}: {error}: check the folder's permissions, or set LLM_TWIN_CACHE to another", path.display())]
    Io {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
}

/// Turns an I/O error into ours by naming the path; a full disk is told apart.
pub(super) trait At<T> {
    fn at(self, path: &Path) -> Result<T, ProvisionError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, ProvisionError> {
        self.map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => super::cache::no_space(path),
            _ => ProvisionError::Io { path: path.to_owned(), error },
        })
    }
}
