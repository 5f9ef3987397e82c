//! Texts to vectors: the model, and the threads that it runs on.

mod character;
mod embedder;
mod model;
mod tokens;
mod word_pieces;

pub use embedder::{EmbedError, Embedder, Run};
pub use model::{Model, ModelError, ModelInfo, start_runtime};
pub use tokens::TokenCounter;
