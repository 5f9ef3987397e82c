//! The relay against a real MongoDB and a real RabbitMQ, as the built program.

mod bench;
mod changes;
mod checkpoint;
mod kills;
mod lease;
mod resync;
mod resync_on_demand;
mod settings;
mod snapshot;
