//! The threads on which the model runs: it computes for long and must not hold the runtime's threads.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use futures_util::future::try_join_all;
use tokio::sync::{mpsc, oneshot};

use super::model::{BATCH, Model, ModelError, ModelInfo};
use super::tokens::TokenCounter;
use crate::settings::EmbeddingSettings;

/// Batches that wait for a thread. Enough to keep every thread busy; more would only be memory.
const WAITING_BATCHES: usize = 16;

/// Embeds texts on operating-system threads of its own, each with a session of its own, behind a bounded queue.
#[derive(Clone)]
pub struct Embedder {
    batches: mpsc::Sender<Batch>,
    info: Arc<ModelInfo>,
    tokens: TokenCounter,
}

/// Texts that could not be embedded.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The model refused them.
    #[error("embedding failed: {0}")]
    Model(String),
    /// The threads are gone.
    #[error("the embedding threads have ended")]
    Ended,
}

struct Batch {
    texts: Vec<String>,
    reply: oneshot::Sender<Result<Vec<Vec<f32>>, EmbedError>>,
}

impl Embedder {
    /// Loads the model once for each of `threads` threads and starts them. Takes about half a second a thread.
    ///
    /// # Errors
    /// [`ModelError`], which names the setting to mend.
    pub fn start(settings: &EmbeddingSettings, threads: usize) -> Result<Self, ModelError> {
        let models = (0..threads.max(1)).map(|_| Model::load(settings)).collect::<Result<Vec<_>, _>>()?;
        let info = Arc::new(models[0].info().clone());
        let tokens = TokenCounter::of(&models[0]);
        let (batches, queue) = mpsc::channel(WAITING_BATCHES);
        let queue = Arc::new(Mutex::new(queue));
        for model in models {
            let queue = Arc::clone(&queue);
            thread::spawn(move || serve(model, &queue));
        }
        Ok(Self { batches, info, tokens })
    }

    /// What is known of the model.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The model's way of counting tokens.
    pub fn tokens(&self) -> &TokenCounter {
        &self.tokens
    }

    /// The texts' vectors, in their order. They are run in order of length, a few at a time.
    ///
    /// # Errors
    /// [`EmbedError`]; then none of them was embedded as far as the caller is concerned.
    pub async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        let mut by_length: Vec<usize> = (0..texts.len()).collect();
        by_length.sort_by_key(|&at| texts[at].len());
        let runs = by_length.chunks(BATCH).map(|places| {
            let batch = places.iter().map(|&at| texts[at].clone()).collect();
            self.run(batch)
        });
        let vectors = try_join_all(runs).await?.into_iter().flatten();
        let mut in_order = vec![Vec::new(); texts.len()];
        for (at, vector) in by_length.into_iter().zip(vectors) {
            in_order[at] = vector;
        }
        Ok(in_order)
    }

    async fn run(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, EmbedError> {
        let (reply, answer) = oneshot::channel();
        self.batches.send(Batch { texts, reply }).await.map_err(|_| EmbedError::Ended)?;
        answer.await.map_err(|_| EmbedError::Ended)?
    }
}

fn serve(mut model: Model, queue: &Mutex<mpsc::Receiver<Batch>>) {
    // One idle thread waits inside the lock, the others for it.
    while let Some(batch) = { queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv() } {
        let vectors = model.embed(&batch.texts).map_err(|error| EmbedError::Model(error.to_string()));
        // Nobody waits any more where the asker has given up.
        drop(batch.reply.send(vectors));
    }
}
