//! Qdrant's engine: the Python packages of the program in `local/qdrant`. The program itself runs from the checkout.

use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::digest;
use super::error::ProvisionError;
use super::installation::QdrantProgram;
use super::part::{Part, Workshop};
use super::progress::Step;
use super::python::Interpreter;
use super::requirements::{Requirements, in_checkout};

pub(super) struct Qdrant {
    folder: PathBuf,
    requirements: Requirements,
}

impl Qdrant {
    pub(super) fn new(cache: &Cache, python: &Interpreter) -> Result<Self, ProvisionError> {
        let requirements = Requirements::read("qdrant/requirements.txt")?;
        let key = digest::key(&[&requirements.text, python.abi()]);
        Ok(Self { folder: cache.path(&format!("python-{key}")), requirements })
    }

    pub(super) fn found(&self, python: PathBuf) -> QdrantProgram {
        QdrantProgram::Edge { python, python_path: self.folder.clone(), program: in_checkout("qdrant") }
    }
}

impl Part for Qdrant {
    fn title(&self) -> String {
        format!("Qdrant's engine {}", self.requirements.version("qdrant-edge-py"))
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    async fn make(&self, target: &Path, workshop: &Workshop, step: &Step) -> Result<(), ProvisionError> {
        workshop.pip.install(&self.requirements, &["--compile"], target, &workshop.apt, step).await
    }
}
