//! One Debian package, unpacked: a tool that this machine may not have installed.

use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::error::ProvisionError;
use super::part::{Part, Workshop};
use super::progress::Step;

pub(super) struct DebianPackage {
    name: &'static str,
    folder: PathBuf,
}

impl DebianPackage {
    /// Keyed by its name alone: the version is the distribution's choice.
    pub(super) fn new(name: &'static str, cache: &Cache) -> Self {
        Self { name, folder: cache.path(&format!("debian-{name}")) }
    }
}

impl Part for DebianPackage {
    fn title(&self) -> String {
        self.name.to_owned()
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    async fn make(&self, target: &Path, workshop: &Workshop, step: &Step) -> Result<(), ProvisionError> {
        workshop.apt.unpack(&[self.name], &|package| package == self.name, target, step).await.map(|_| ())
    }
}
