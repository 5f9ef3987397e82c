//! The fault harness: a seeded writer, a ledger of what is relayed, a reader that never rests, and a schedule of faults
//! over real servers and the real programs. In the end everything that the system promises is looked at, and a run that
//! broke a promise prints the command that repeats it.

pub(crate) mod checkpoint;
pub(crate) mod document;
pub(crate) mod entry;
mod fault;
pub(crate) mod history;
pub(crate) mod judgement;
pub(crate) mod ledger;
pub(crate) mod outcome;
pub(crate) mod promise;
pub(crate) mod proxy;
mod reader;
mod report;
mod run;
mod sampler;
pub(crate) mod site;
mod stage;
mod timeline;
pub(crate) mod verdict;
pub(crate) mod words;
pub(crate) mod writer;

pub use fault::Faults;
pub use report::{Report, table};
pub use run::{Plan, run};
