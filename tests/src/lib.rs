//! What the tests of the whole way share: real servers, our programs as processes, and an audit that compares
//! MongoDB with the index without any code of the pipeline.

mod audit;
pub mod bench;
pub mod chaos;
pub mod containers;
mod cpu;
mod crates;
mod deadline;
pub mod drills;
pub mod eval;
pub mod functions;
pub mod http;
pub mod model;
mod packages;
pub mod pages;
mod servers;
mod service;
pub mod text;
mod watched_store;
mod world;

pub use audit::{Audit, audit};
pub use deadline::{eventually, eventually_within};
pub use servers::{TestQdrant, embedder, embedding_environment, installation, mongodb, qdrant, rabbitmq};
pub use watched_store::{Call, Page, Watch, WatchedStore};
pub use world::{World, binary, programs};
