//! Drills: named, scripted scenarios beside the random schedule, each with its own promises and figures.
//!
//! A drill is a file with one function `run(&Order, &mut Verdict)` and a row in [`DRILLS`]. It runs on real servers and
//! the built programs ([`site::Site`]), under writers that know what they wrote ([`load::Load`]), and says of each
//! promise what it saw. An error is a drill that could not be judged.

mod desk;
mod drill;
mod judge;
mod load;
mod mortal;
mod producer_kills;
mod reads;
mod run;
mod shuffles;
mod site;
mod verdict;

pub use drill::{Drill, Order};
pub use run::{drill, named, run};
pub use verdict::{Verdict, table};

/// All of them.
pub const DRILLS: &[Drill] = &[
    Drill {
        name: "producer-kills",
        about: "kill -9 of the producer in mid-flow, again and again",
        run: |order, verdict| Box::pin(producer_kills::run(order, verdict)),
    },
    Drill {
        name: "shuffles",
        about: "the events of a document in any order, repeated, taken by two consumers that die in between",
        run: |order, verdict| Box::pin(shuffles::run(order, verdict)),
    },
    Drill {
        name: "reads",
        about: "searches for a document of a hundred chunks that is rewritten without pause",
        run: |order, verdict| Box::pin(reads::run(order, verdict)),
    },
];
