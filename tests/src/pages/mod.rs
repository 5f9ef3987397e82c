//! How well the text of web pages is found: cleaning held against texts that were written beside the pages, or that the pages were made
//! from.
//!
//! `sources` fetches the pages, `expected` reads the texts, `words` and `shapes` compare, `compare` makes the table.

mod compare;
mod expected;
mod shapes;
mod sources;
mod words;

pub use compare::compare;
pub(crate) use sources::{Page, Set, pages};
