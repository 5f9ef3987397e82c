//! The threads on which the model runs: it computes for long and must not hold the runtime's threads.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::{mpsc, oneshot};

use super::model::{BATCH, Model, ModelError, ModelInfo};
use super::tokens::TokenCounter;
use crate::settings::EmbeddingSettings;

/// Batches that wait for a thread. Enough to keep every thread busy; more would only be memory.
const WAITING_BATCHES: usize = 16;

/// What a thread runs: texts to their vectors.
pub type Run = Box<dyn FnMut(&[String]) -> Result<Vec<Vec<f32>>, ModelError> + Send>;

/// Embeds texts on operating-system threads of its own, each with a session of its own, behind a bounded queue.
#[derive(Clone)]
pub struct Embedder {
    batches: mpsc::Sender<Batch>,
    info: Arc<ModelInfo>,
    tokens: TokenCounter,
    /// Batches of one call that wait or run at the same time.
    at_once: usize,
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
        let (info, tokens) = (models[0].info().clone(), TokenCounter::of(&models[0]));
        let settings = settings.clone();
        let renew = move || Model::load(&settings).map(run);
        Ok(Self::of(info, tokens, models.into_iter().map(run).collect(), renew))
    }

    /// An embedder of these runs, each on a thread of its own; a run that panics is replaced by what `renew` makes.
    pub fn of(
        info: ModelInfo,
        tokens: TokenCounter,
        runs: Vec<Run>,
        renew: impl Fn() -> Result<Run, ModelError> + Send + Sync + 'static,
    ) -> Self {
        let (batches, queue) = mpsc::channel(WAITING_BATCHES);
        let (queue, renew, at_once) = (Arc::new(Mutex::new(queue)), Arc::new(renew), 2 * runs.len());
        for run in runs {
            let (queue, renew) = (Arc::clone(&queue), Arc::clone(&renew));
            thread::spawn(move || serve(run, &*renew, &queue));
        }
        Self { batches, info: Arc::new(info), tokens, at_once }
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
        let batch = |places: &[usize]| self.run(places.iter().map(|&at| texts[at].clone()).collect());
        let runs: Vec<_> = by_length.chunks(BATCH).map(batch).collect();
        // Not all at once: the queue is fair, and a short text would wait for the whole of a long document.
        let vectors: Vec<Vec<Vec<f32>>> = stream::iter(runs).buffered(self.at_once).try_collect().await?;
        let vectors = vectors.into_iter().flatten();
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

fn run(mut model: Model) -> Run {
    Box::new(move |texts| model.embed(texts))
}

/// A panic is the answer to the batch that it came from: the thread goes on, with a model that was not in it.
fn serve(mut run: Run, renew: &dyn Fn() -> Result<Run, ModelError>, queue: &Mutex<mpsc::Receiver<Batch>>) {
    // One idle thread waits inside the lock, the others for it.
    while let Some(batch) = { queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv() } {
        let vectors = match catch_unwind(AssertUnwindSafe(|| run(&batch.texts))) {
            Ok(vectors) => vectors.map_err(|error| EmbedError::Model(error.to_string())),
            Err(panic) => {
                match renew() {
                    Ok(renewed) => run = renewed,
                    Err(error) => tracing::error!(%error, "the model panicked and cannot be loaded again"),
                }
                Err(EmbedError::Model(format!("panic: {}", message(&*panic))))
            }
        };
        // Nobody waits any more where the asker has given up.
        drop(batch.reply.send(vectors));
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> TokenCounter {
        let json = serde_json::json!({"version": "1.0", "added_tokens": [], "model": {"type": "WordLevel", "unk_token": "?",
            "vocab": {"?": 0}}});
        TokenCounter::new(json.to_string().parse().unwrap(), 256)
    }

    /// Panics at every text that says so.
    fn touchy() -> Run {
        Box::new(|texts| {
            assert!(!texts.iter().any(|text| text == "panic"), "touched");
            Ok(vec![vec![1.0]; texts.len()])
        })
    }

    #[tokio::test]
    async fn a_panic_of_the_model_is_an_error_of_its_texts_and_the_thread_goes_on() {
        let (name, fingerprint) = ("touchy".into(), String::new());
        let info = ModelInfo { name, dimension: 1, max_tokens: 256, fingerprint, batch_independent: true };
        let embedder = Embedder::of(info, tokens(), vec![touchy()], || Ok(touchy()));
        for _ in 0..3 {
            let refused = embedder.embed(vec!["panic".into()]).await.unwrap_err();
            assert!(matches!(&refused, EmbedError::Model(why) if why.contains("touched")), "{refused}");
            assert_eq!(embedder.embed(vec!["text".into()]).await.unwrap(), [[1.0]]);
        }
    }
}
