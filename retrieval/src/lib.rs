//! Finds what the index holds: hybrid search that shows each document in exactly one revision, and context blocks
//! for prompts.
//!
//! A search goes *query → candidates → manifests → ranking → reranker*: the loop is in `search`, `rounds` decides what of
//! the candidates stands, `ranking` orders it, a `Reranker` has the last word where it is asked for.

mod author;
mod context;
mod cross_encoder;
mod day;
mod error;
mod filter;
mod hit;
mod lines;
mod neighbours;
mod nothing;
mod preferences;
mod qdrant_store;
mod query;
#[cfg(test)]
mod races;
mod ranking;
mod reranker;
mod rounds;
mod search;
mod searcher;
mod store;
#[cfg(test)]
mod testing;

pub use context::context;
pub use cross_encoder::CrossEncoder;
pub use day::Day;
pub use error::SearchError;
pub use hit::{Found, Hit, Place};
pub use lines::{json_line, readable};
pub use nothing::Nothing;
pub use preferences::{PlatformWeight, Preferences};
pub use query::{MOST_HITS, Query, SearchText};
pub use ranking::{Fusion, Ranking, Wanted};
pub use reranker::{RerankError, Reranker, Reranking, Scoring};
pub use search::search;
pub use searcher::{AuthorNames, Searcher};
pub use store::{Answer, Candidate, Listing, Question, Scope, Store};
