//! Where a stack lives and which ports it takes.

use std::io;
use std::path::{Path, PathBuf};

use super::{StackError, StackKind};
use crate::layout::Layout;
use crate::server::RabbitMqPorts;

/// Settings of the stack; each from the environment or a flag.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// The stack's folder [default: .local in the workspace]
    #[arg(long, env = "LOCAL_DIR", global = true)]
    dir: Option<PathBuf>,
    /// Where the servers' programs and the model are kept [default: llm-twin in the user's cache folder]
    #[arg(long, env = "LLM_TWIN_CACHE", global = true)]
    cache: Option<PathBuf>,
    /// Where the servers run: native, or containers [default: containers where an engine answers and has the images]
    #[arg(long, env = "STACK", default_value = "", hide_default_value = true, global = true)]
    stack: String,
    /// Port of MongoDB
    #[arg(long, env = "LOCAL_MONGODB_PORT", default_value_t = 27017, global = true)]
    pub(crate) mongodb_port: u16,
    /// Port of RabbitMQ (AMQP)
    #[arg(long, env = "LOCAL_RABBITMQ_PORT", default_value_t = 5672, global = true)]
    pub(crate) rabbitmq_port: u16,
    /// Port of RabbitMQ's management page and API
    #[arg(long, env = "LOCAL_RABBITMQ_MANAGEMENT_PORT", default_value_t = 15672, global = true)]
    pub(crate) rabbitmq_management_port: u16,
    /// Port of RabbitMQ's command line tools
    #[arg(long, env = "LOCAL_RABBITMQ_DISTRIBUTION_PORT", default_value_t = 25672, global = true)]
    pub(crate) rabbitmq_distribution_port: u16,
    /// Port of Qdrant (gRPC); a real server also takes the port below it for HTTP
    #[arg(long, env = "LOCAL_QDRANT_PORT", default_value_t = 6334, global = true)]
    pub(crate) qdrant_port: u16,
    /// Port of the producer's health and metrics
    #[arg(long, env = "LOCAL_PRODUCER_PORT", default_value_t = 9101, global = true)]
    pub(crate) producer_port: u16,
    /// Port of the consumer's health and metrics
    #[arg(long, env = "LOCAL_CONSUMER_PORT", default_value_t = 9102, global = true)]
    pub(crate) consumer_port: u16,
    /// Port of the retrieval API, when it is started
    #[arg(long, env = "LOCAL_RETRIEVAL_PORT", default_value_t = 9103, global = true)]
    pub(crate) retrieval_port: u16,
}

impl Settings {
    /// The stack's folder, made where there is none.
    pub(crate) fn layout(&self) -> Result<Layout, StackError> {
        let folder = self.folder()?;
        Layout::create(&folder).map_err(StackError::io(folder.display().to_string()))
    }

    /// The stack's folder if there is one.
    pub fn existing(&self) -> Result<Option<Layout>, StackError> {
        let folder = self.folder()?;
        Layout::existing(&folder).map_err(StackError::io(folder.display().to_string()))
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.cache.clone().unwrap_or_else(crate::default_cache)
    }

    /// The one that was asked for.
    pub(crate) fn stack(&self) -> Result<Option<StackKind>, StackError> {
        match self.stack.as_str() {
            "" => Ok(None),
            "native" => Ok(Some(StackKind::Native)),
            "containers" => Ok(Some(StackKind::Containers)),
            other => Err(StackError::UnknownStack(other.to_owned())),
        }
    }

    pub(crate) fn rabbitmq_ports(&self) -> RabbitMqPorts {
        RabbitMqPorts {
            amqp: self.rabbitmq_port,
            management: self.rabbitmq_management_port,
            distribution: self.rabbitmq_distribution_port,
        }
    }

    /// The ports that must be free before a start: what for, the port, the setting that moves it.
    pub(crate) fn ports(&self) -> [(&'static str, u16, &'static str); 7] {
        [
            ("MongoDB", self.mongodb_port, "LOCAL_MONGODB_PORT"),
            ("RabbitMQ", self.rabbitmq_port, "LOCAL_RABBITMQ_PORT"),
            ("RabbitMQ management", self.rabbitmq_management_port, "LOCAL_RABBITMQ_MANAGEMENT_PORT"),
            ("RabbitMQ tools", self.rabbitmq_distribution_port, "LOCAL_RABBITMQ_DISTRIBUTION_PORT"),
            ("Qdrant", self.qdrant_port, "LOCAL_QDRANT_PORT"),
            ("producer", self.producer_port, "LOCAL_PRODUCER_PORT"),
            ("consumer", self.consumer_port, "LOCAL_CONSUMER_PORT"),
        ]
    }

    fn folder(&self) -> Result<PathBuf, StackError> {
        if let Some(dir) = &self.dir {
            return Ok(dir.clone());
        }
        let here = std::env::current_dir().map_err(StackError::io("the current folder"))?;
        Ok(workspace_of(&here).unwrap_or(&here).join(".local"))
    }
}

/// The nearest folder upwards with a Cargo.lock.
fn workspace_of(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| folder.join("Cargo.lock").is_file())
}

/// The path of a program built beside this one.
pub(super) fn built(name: &str) -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}
