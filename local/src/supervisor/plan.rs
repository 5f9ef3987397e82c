//! What a supervisor keeps: the services, in the order of their start.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::SupervisorError;
use crate::health::Health;
use crate::launch::Launch;
use crate::layout::{Layout, write_atomically};
use crate::server::{self, MongoDbOptions, RabbitMqPorts};
use crate::{Mongod, QdrantProgram, RabbitMqFiles};

/// Servers are started first and ended last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Others depend on it.
    Server,
    /// Started once every server has been healthy.
    Program,
}

/// One service: how to run it, and how to see that it is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) endpoint: String,
    pub(crate) launch: Launch,
    pub(crate) health: Health,
}

/// All services of a stack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub(crate) services: Vec<Service>,
}

impl Plan {
    /// The services in the order of their start.
    pub fn new(services: Vec<Service>) -> Self {
        Self { services }
    }

    /// Reads the plan of a stack.
    pub fn read(layout: &Layout) -> Result<Self, SupervisorError> {
        let path = layout.plan();
        let text = std::fs::read(&path).map_err(SupervisorError::io(path.display().to_string()))?;
        serde_json::from_slice(&text).map_err(|error| SupervisorError::Plan { path, error })
    }

    /// Writes the plan of a stack; a running supervisor takes a service's new launch from it at that service's next start.
    pub fn write(&self, layout: &Layout) -> Result<(), SupervisorError> {
        let path = layout.plan();
        let text =
            serde_json::to_vec_pretty(self).map_err(|error| SupervisorError::Plan { path: path.clone(), error })?;
        write_atomically(&path, text).map_err(SupervisorError::io(path.display().to_string()))
    }

    pub(crate) fn of(&self, role: Role) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(move |service| service.role == role)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }
}

impl Service {
    /// mongod as a replica set of one.
    pub fn mongodb(mongod: &Mongod, layout: &Layout, port: u16) -> io::Result<Self> {
        let folder = layout.data_of("mongod");
        let options = MongoDbOptions { oplog_megabytes: 2048, ..MongoDbOptions::default() };
        let launch = server::launch_mongodb(mongod, &folder, port, &options)?;
        let uri = server::mongodb_uri(port);
        Ok(Self::server("mongod", uri.clone(), launch, Health::MongoDb { uri, port }))
    }

    pub(crate) fn rabbitmq(files: &RabbitMqFiles, layout: &Layout, ports: RabbitMqPorts) -> io::Result<Self> {
        let launch = server::launch_rabbitmq(files, &layout.data_of("rabbitmq"), ports)?;
        let uri = server::rabbitmq_uri(ports.amqp);
        Ok(Self::server("rabbitmq", uri.clone(), launch, Health::RabbitMq { uri, port: ports.amqp }))
    }

    pub(crate) fn qdrant(program: &QdrantProgram, layout: &Layout, grpc: u16, http: u16) -> io::Result<Self> {
        let launch = server::launch_qdrant(program, &layout.data_of("qdrant"), grpc, http)?;
        let uri = format!("http://127.0.0.1:{grpc}");
        Ok(Self::server("qdrant", uri.clone(), launch, Health::Qdrant { uri, port: grpc }))
    }

    /// A program of ours that answers 200 to `GET /readyz` when it is at work.
    pub(crate) fn program(name: &str, program: &Path, folder: &Path, address: &str) -> Self {
        let launch = Launch::new(program, folder).arg("run");
        let health = Health::Http { address: address.to_owned(), path: "/readyz".to_owned() };
        Self { name: name.to_owned(), role: Role::Program, endpoint: format!("http://{address}"), launch, health }
    }

    fn server(name: &str, endpoint: String, launch: Launch, health: Health) -> Self {
        Self { name: name.to_owned(), role: Role::Server, endpoint, launch, health }
    }
}
