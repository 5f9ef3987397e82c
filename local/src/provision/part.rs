//! Parts: what is made once, all or nothing, and what they are made with.

use std::fs;
use std::path::Path;

use super::apt::Apt;
use super::cache::Cache;
use super::error::{At, ProvisionError};
use super::pip::Pip;
use super::progress::{Progress, Step};
use super::python::Interpreter;

/// What can be asked for by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PartName {
    /// mongod.
    Mongodb,
    /// RabbitMQ and Erlang.
    Rabbitmq,
    /// Qdrant's engine.
    Qdrant,
    /// The library that runs the model.
    Onnxruntime,
    /// The embedding model.
    Model,
}

/// Something that is fetched or built. A part whose folder exists is complete.
pub(super) trait Part {
    /// As people are told.
    fn title(&self) -> String;

    /// Its place in the cache; the name bears the hash of all that it is made from.
    fn folder(&self) -> &Path;

    /// Makes it in `target`, which does not exist yet. An error, or the end of the process, leaves nothing in `folder`.
    async fn make(&self, target: &Path, workshop: &Workshop, step: &Step) -> Result<(), ProvisionError>;
}

/// The tools that parts are made with.
pub(super) struct Workshop {
    pub(super) cache: Cache,
    pub(super) python: Interpreter,
    pub(super) pip: Pip,
    pub(super) apt: Apt,
    progress: Progress,
}

impl Workshop {
    pub(super) fn new(cache: &Cache, python: Interpreter, progress: &Progress) -> Self {
        Self {
            cache: cache.clone(),
            pip: Pip::new(cache, python.clone()),
            python,
            apt: Apt::new(cache),
            progress: progress.clone(),
        }
    }

    /// Makes a part unless it is there: the rename is the moment at which it is.
    pub(super) async fn ensure(&self, part: &impl Part) -> Result<(), ProvisionError> {
        let folder = part.folder();
        if folder.exists() {
            return Ok(());
        }
        let step = self.progress.step(part.title());
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let target = self.cache.partial(&name);
        part.make(&target, self, &step).await?;
        fs::rename(&target, folder).at(folder)?;
        step.done("ready");
        Ok(())
    }
}
