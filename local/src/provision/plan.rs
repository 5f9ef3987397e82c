//! The plan: which parts this machine needs, and where each stands.

use std::path::PathBuf;

use futures_util::future::try_join_all;

use super::cache::Cache;
use super::command::{find_program, overridden};
use super::error::ProvisionError;
use super::installation::{Installation, QdrantProgram};
use super::model::Model;
use super::mongodb::MongoDb;
use super::onnxruntime::OnnxRuntime;
use super::part::{Part, PartName, Workshop};
use super::python::Interpreter;
use super::qdrant::Qdrant;
use super::rabbitmq::RabbitMq;

/// Derived from the checkout, the environment and the interpreter; looks, but makes nothing.
pub(super) struct Plan {
    mongodb: MongoDb,
    given_mongod: Option<PathBuf>,
    rabbitmq: RabbitMq,
    qdrant: Qdrant,
    given_qdrant: Option<PathBuf>,
    onnxruntime: OnnxRuntime,
    model: Model,
    python: PathBuf,
}

impl Plan {
    pub(super) fn new(cache: &Cache, python: Interpreter) -> Result<Self, ProvisionError> {
        Ok(Self {
            mongodb: MongoDb::new(cache)?,
            given_mongod: overridden("MONGOD_BIN")?,
            rabbitmq: RabbitMq::new(cache),
            qdrant: Qdrant::new(cache, &python)?,
            given_qdrant: overridden("QDRANT_BIN")?.or_else(|| find_program("qdrant")),
            onnxruntime: OnnxRuntime::new(cache)?,
            model: Model::new(cache)?,
            python: python.program(),
        })
    }

    /// Whether these are there.
    pub(super) fn has(&self, parts: &[PartName]) -> bool {
        parts.iter().all(|part| match part {
            PartName::Mongodb => self.given_mongod.is_some() || self.mongodb.folder().exists(),
            PartName::Rabbitmq => self.rabbitmq.folder().exists(),
            PartName::Qdrant => self.given_qdrant.is_some() || self.qdrant.folder().exists(),
            PartName::Onnxruntime => self.onnxruntime.folder().exists(),
            PartName::Model => self.model.folder().exists(),
        })
    }

    /// All of these at once; the first failure ends the others.
    pub(super) async fn make(&self, parts: &[PartName], workshop: &Workshop) -> Result<(), ProvisionError> {
        try_join_all(parts.iter().map(|part| Box::pin(self.make_one(*part, workshop)))).await.map(|_| ())
    }

    async fn make_one(&self, part: PartName, workshop: &Workshop) -> Result<(), ProvisionError> {
        match part {
            PartName::Mongodb if self.given_mongod.is_some() => Ok(()),
            PartName::Mongodb => workshop.ensure(&self.mongodb).await,
            PartName::Rabbitmq => workshop.ensure(&self.rabbitmq).await,
            PartName::Qdrant if self.given_qdrant.is_some() => Ok(()),
            PartName::Qdrant => workshop.ensure(&self.qdrant).await,
            PartName::Onnxruntime => workshop.ensure(&self.onnxruntime).await,
            PartName::Model => workshop.ensure(&self.model).await,
        }
    }

    pub(super) fn installation(&self) -> Result<Installation, ProvisionError> {
        Ok(Installation {
            mongod: self.mongodb.found(self.given_mongod.as_ref()),
            rabbitmq: self.rabbitmq.found(),
            qdrant: match &self.given_qdrant {
                Some(program) => QdrantProgram::Native(program.clone()),
                None => self.qdrant.found(self.python.clone()),
            },
            model: self.model.folder().to_owned(),
            onnxruntime: self.onnxruntime.found()?,
            python: self.python.clone(),
        })
    }
}
