//! The plan: which parts this machine needs, and where each stands.

use std::path::PathBuf;

use super::cache::Cache;
use super::command::{find_program, overridden};
use super::error::ProvisionError;
use super::installation::{Installation, QdrantProgram};
use super::model::Model;
use super::mongodb::MongoDb;
use super::onnxruntime::OnnxRuntime;
use super::part::{Part, Workshop};
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

    pub(super) fn is_complete(&self) -> bool {
        (self.given_mongod.is_some() || self.mongodb.folder().exists())
            && (self.given_qdrant.is_some() || self.qdrant.folder().exists())
            && self.rabbitmq.folder().exists()
            && self.onnxruntime.folder().exists()
            && self.model.folder().exists()
    }

    /// All at once; the first failure ends the others.
    pub(super) async fn make(&self, workshop: &Workshop) -> Result<(), ProvisionError> {
        let mongodb = async { if self.given_mongod.is_none() { workshop.ensure(&self.mongodb).await } else { Ok(()) } };
        let qdrant = async { if self.given_qdrant.is_none() { workshop.ensure(&self.qdrant).await } else { Ok(()) } };
        let others = async {
            tokio::try_join!(
                workshop.ensure(&self.rabbitmq),
                workshop.ensure(&self.onnxruntime),
                workshop.ensure(&self.model)
            )
        };
        tokio::try_join!(Box::pin(mongodb), Box::pin(qdrant), Box::pin(others)).map(|_| ())
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
