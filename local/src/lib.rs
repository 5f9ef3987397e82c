//! MongoDB, RabbitMQ and Qdrant on one machine, for development and for tests: without containers, or with them.
//!
//! Three layers, each usable alone:
//!
//! * *provisioning* ([`provision`]): the servers' programs and the embedding model, fetched once into a cache, pinned and verified by hash;
//! * *servers* ([`MongoDb`], [`ReplicaSet`], [`RabbitMq`], [`Qdrant`]): private instances on free ports of 127.0.0.1, each in a folder of its own;
//! * *the stack* ([`stack`]): the supervisor and the commands behind `make local-start`, `local-stop`, `local-status` …
//!
//! # Servers in a test
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use local::{MongoDb, MongoDbOptions, Qdrant, RabbitMq};
//!
//! let installation = local::provision(&local::default_cache(), &local::Progress::quiet()).await?;
//! let mut mongodb = MongoDb::start(&installation, MongoDbOptions::default()).await?; // a replica set of one, writable
//! let rabbitmq = RabbitMq::start(&installation).await?; // guest:guest, management plugin on
//! let mut qdrant = Qdrant::start(&installation).await?;
//!
//! let amqp = rabbitmq.create_vhost("one-per-test").await?; // the URI of the new virtual host
//! println!("{} {} {}", mongodb.uri(), amqp, qdrant.uri());
//!
//! mongodb.kill9().await?; // as a crash: no flush, no goodbye
//! mongodb.restart().await?; // same port, same data, ready again
//! qdrant.pause()?; // SIGSTOP: a hung server
//! qdrant.resume()?;
//! # Ok(()) }
//! ```
//!
//! Each of them also has `port()`, `pid()`, `stop()` (graceful, keeps the data for `restart()`), `log_tail()` and `folder()`.
//! `start` returns once the server is of use: a writable primary, an AMQP login, an answered gRPC health check.
//!
//! **A server never outlives its owner.** Dropping it ends its processes and removes its folder; and so does the end of the owning process, whatever
//! the way (a panic, `exit` with the server in a `static`, kill -9): each runs under a guard, a small shell that waits on a pipe only the owner holds open.

mod containers;
mod guard;
mod health;
mod http;
mod launch;
mod layout;
mod log_file;
mod port;
mod process;
mod program;
mod provision;
mod say;
mod server;
pub mod stack;
pub mod supervisor;

pub use layout::Layout;
pub use port::free_port;
pub use program::Program;
pub use provision::{
    Installation, Mongod, PartName, Progress, ProvisionError, QdrantProgram, RabbitMqFiles, Step, debian_package,
    default_cache, provision, provision_parts, python_packages,
};
pub use server::{MongoDb, MongoDbOptions, Private, Qdrant, RabbitMq, ReplicaSet, ServerError};
