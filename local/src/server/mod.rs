//! Private servers: each on a port of 127.0.0.1, in a folder of its own, gone with its owner.

mod error;
mod members;
mod mongodb;
mod private;
mod qdrant;
mod rabbitmq;
mod replica_set;

pub use error::ServerError;
pub use mongodb::{MongoDb, MongoDbOptions};
pub use private::Private;
pub use qdrant::Qdrant;
pub use rabbitmq::RabbitMq;
pub use replica_set::ReplicaSet;

pub(crate) use members::unite;
pub(crate) use mongodb::{
    direct_uri as direct_mongodb_uri, initiate_if_new, is_writable_primary, launch as launch_mongodb,
    uri as mongodb_uri,
};
pub(crate) use qdrant::{grpc_health, launch as launch_qdrant};
pub(crate) use rabbitmq::{Ports as RabbitMqPorts, amqp_login, launch as launch_rabbitmq, uri as rabbitmq_uri};
