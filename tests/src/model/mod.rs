//! A model of the protocol between consumers, the store and a reader, small enough to try every interleaving.
//!
//! One document, one partition, up to two consumers, a janitor and a reader, each a request to the store at a time;
//! consumers are killed and paused, records damaged, chunks lost. `explorer` goes through all states that this can come
//! to and holds each against what must never be. Each [`Rule`] can be left out, to see what it is for: keep the model
//! in step with `consumer/src/sync.rs`, `barrier.rs` and `janitor.rs`, and with `retrieval/src/rounds.rs`.
//!
//! Not in it: a store that is replicated, and consumers that are paused for longer than tombstones are kept.

mod consumer;
mod explorer;
mod index;
mod janitor;
mod reader;
mod rules;
mod scenario;
mod scroll;
mod state;

pub use explorer::{Counterexample, Explored, explore};
pub use index::{A, A_BY_ANOTHER, B, Content};
pub use rules::{Rule, Rules};
pub use scenario::{Faults, Message, Says, Scenario, barrier, delete, elsewhere, put, repair};
pub use state::Broken;
