//! The evaluation: how well what the pipeline makes of a folder of documents is found, by the pipeline's own code.
//!
//! `data` reads the folder, `code_set` builds one of code and `manual_set` one of manuals, `vectors` embeds (remembered on disk), `library` holds the index in memory and answers
//! retrieval's own search, `measures` judges, `trials` compares choices, `table` and `picture` show.

mod code_set;
mod data;
mod library;
mod manual_set;
mod measures;
mod picture;
mod table;
mod trials;
mod vectors;

pub use data::{Data, Question, event};
pub use library::{Library, Lists, Shown, Words};
pub use measures::{MEASURES, Measured, Outcome, measure, outcome};
pub use picture::draw;
pub use shared::sparse::Weighting;
pub use table::table;
pub use trials::{Trial, trials};
pub use vectors::{embedder, vectors};
