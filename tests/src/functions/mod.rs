//! Whether functions stay whole: real files of twelve languages, cut by the consumer, held against functions that are told by
//! their layout alone, without the grammars that the consumer goes by.
//!
//! `language` says where files are from and how functions stand in them, `sources` fetches, `layout` finds functions, `compare`
//! makes the table.

mod compare;
mod language;
mod layout;
mod sources;

pub use compare::compare;
