//! Tests of the whole way, on real servers, in one process so that they share them.
#![allow(missing_docs, reason = "tests are named as sentences")]

mod chaos;
mod commands;
mod corpus;
mod dead_letters;
mod deployment;
mod drills;
mod eval;
mod executions;
mod health;
mod ids;
mod kills;
mod model;
mod observe;
mod poison;
mod queues;
mod settings;
mod shares;
mod verify;
mod way;
mod wire;
