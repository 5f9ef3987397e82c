//! The relay against a real MongoDB and a real RabbitMQ, as the built program.

mod bench;
mod changes;
mod checkpoint;
mod deadline;
mod health;
mod http;
mod kills;
mod lease;
mod process;
mod reader;
mod repertoire;
mod resync;
mod resync_on_demand;
mod selection;
mod settings;
mod snapshot;
