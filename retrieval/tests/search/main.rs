//! The library and the program against a real server with the real model. `TEST_QDRANT_URL` names a server to use
//! instead of a private one; collections called `twin_…` on it are deleted.

mod answers;
mod authors;
mod bad_input;
mod cross_encoder;
mod index;
mod program;
mod requests;
mod rerank;
