//! The fault harness: a seeded writer, a ledger of what is relayed, a reader that never rests, and a schedule of faults
//! over real servers and the real programs. In the end everything that the system promises is looked at, and a run that
//! broke a promise prints the command that repeats it.

mod document;
mod fault;
mod history;
mod ledger;
mod proxy;
mod reader;
mod report;
mod run;
mod sampler;
mod site;
mod stage;
mod timeline;
mod verdict;
mod words;
mod writer;

pub use fault::Faults;
pub use report::{Report, table};
pub use run::{Plan, run};
