//! Drills: named, scripted scenarios beside the random schedule, each with its own promises and figures.
//!
//! A drill is a file with one function `run(&Order, &mut Verdict)` and a row in [`DRILLS`]. It runs on real servers and
//! the built programs ([`site::Site`]), under writers that know what they wrote ([`load::Load`]), and says of each
//! promise what it saw. An error is a drill that could not be judged.

mod authors;
mod broker;
mod consumer_kills;
mod desk;
mod drill;
mod edits;
mod failover;
mod history_lost;
mod idle_roll;
mod index;
mod indexed;
mod judge;
mod load;
mod memory;
mod mortal;
mod oplog;
mod outage;
mod ownership;
mod posts;
mod producer_kills;
mod reads;
mod releases;
mod run;
mod shelf;
mod shuffles;
mod site;
mod snapshot;
mod stages;
mod standby;
mod structure;
mod unbound;
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
        name: "broker",
        about: "kill -9 of the broker, and minutes without it",
        run: |order, verdict| Box::pin(broker::run(order, verdict)),
    },
    Drill {
        name: "unbound",
        about: "a partition's queue is unbound for a minute",
        run: |order, verdict| Box::pin(unbound::run(order, verdict)),
    },
    Drill {
        name: "history-lost",
        about: "deletes that MongoDB has forgotten when the producer comes back",
        run: |order, verdict| Box::pin(history_lost::run(order, verdict)),
    },
    Drill {
        name: "idle-roll",
        about: "nothing watched changes while others fill the oplog",
        run: |order, verdict| Box::pin(idle_roll::run(order, verdict)),
    },
    Drill {
        name: "snapshot",
        about: "a long first copy under writes, with kills",
        run: |order, verdict| Box::pin(snapshot::run(order, verdict)),
    },
    Drill {
        name: "failover",
        about: "the primary is killed or steps down, also on idle streams",
        run: |order, verdict| Box::pin(failover::run(order, verdict)),
    },
    Drill {
        name: "standby",
        about: "two producers, the active one killed, or paused and woken",
        run: |order, verdict| Box::pin(standby::run(order, verdict)),
    },
    Drill {
        name: "structure",
        about: "drop, rename, $out and dropDatabase under changes",
        run: |order, verdict| Box::pin(structure::run(order, verdict)),
    },
    Drill {
        name: "consumer-kills",
        about: "kill -9 of the consumer in the midst of every stage, while posts are changed",
        run: |order, verdict| Box::pin(consumer_kills::run(order, verdict)),
    },
    Drill {
        name: "outage",
        about: "the store is away for fifteen minutes, while posts are changed",
        run: |order, verdict| Box::pin(outage::run(order, verdict)),
    },
    Drill {
        name: "memory",
        about: "memory of the consumer under a backlog of posts that are all different",
        run: |order, verdict| Box::pin(memory::run(order, verdict)),
    },
    Drill {
        name: "edits",
        about: "ten releases each of well-known crates, replayed as updates (made-up texts below full scale)",
        run: |order, verdict| Box::pin(edits::run(order, verdict)),
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
    Drill {
        name: "authors",
        about: "searches by author among a thousand who write the same, while documents change hands without pause",
        run: |order, verdict| Box::pin(authors::run(order, verdict)),
    },
];
