//! The bench: what this system costs and how fast it is, each figure beside one that it can be compared with.
//!
//! Everything compared is run in turn (A B A B …) on the same data, and ratios are taken round by round before their median: another's load on the machine
//! then meets both sides. A part is a file: [`chunk`], [`relay`], [`snapshot`], [`index`], [`update`], [`freshness`], [`query`], [`idle`].

mod broker;
mod chunk;
mod corpus;
mod embedding;
mod freshness;
mod idle;
mod index;
mod library;
mod limits;
mod machine;
mod picture;
mod query;
mod relay;
mod report;
mod rivals;
mod samples;
mod site;
mod snapshot;
mod update;

pub use chunk::chunk;
pub use freshness::freshness;
pub use idle::idle;
pub use index::index;
pub use machine::{load, machine};
pub use picture::draw;
pub use query::query;
pub use relay::relay;
pub use report::Report;
pub use site::Bench;
pub use snapshot::snapshot;
pub use update::update;
