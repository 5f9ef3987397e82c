//! Python packages that somebody else's requirement file names, for programs that are run beside the servers (the bench's rivals).

use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::digest;
use super::error::ProvisionError;
use super::part::{Part, Workshop};
use super::pip::COMPLETE;
use super::progress::Step;
use super::python::Interpreter;
use super::requirements::Requirements;

pub(super) struct Packages {
    title: String,
    folder: PathBuf,
    requirements: Requirements,
}

impl Packages {
    pub(super) fn new(
        title: &str,
        requirements: &Path,
        cache: &Cache,
        python: &Interpreter,
    ) -> Result<Self, ProvisionError> {
        let requirements = Requirements::at(requirements)?;
        let key = digest::key(&[&requirements.text, python.abi()]);
        Ok(Self { title: title.to_owned(), folder: cache.path(&format!("packages-{key}")), requirements })
    }
}

impl Part for Packages {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    async fn make(&self, target: &Path, workshop: &Workshop, step: &Step) -> Result<(), ProvisionError> {
        workshop.pip.install(&self.requirements, COMPLETE, target, &workshop.apt, step).await
    }
}
