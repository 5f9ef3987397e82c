//! A cross-encoder from a folder, on a thread of its own: it computes for long and must not hold the runtime's threads.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;

use fastembed::{OnnxSource, RerankInitOptionsUserDefined, TextRerank, TokenizerFiles, UserDefinedRerankingModel};
use shared::embedding::start_runtime;
use tokio::sync::{mpsc, oneshot};

use crate::reranker::{RerankError, Reranker, Scoring};

/// Passages in one run of the model, of about one length: padding is computed as if it were text.
const BATCH: usize = 8;
/// Cores that one query takes at most.
const MOST_THREADS: usize = 4;
/// Queries that wait for the thread.
const WAITING: usize = 16;

/// Reads query and passage together, as models that were trained on MS MARCO do: one number for the pair (Nogueira and
/// Cho, *Passage Re-ranking with BERT*, 2019). Cheap to clone; all clones share one model.
#[derive(Clone)]
pub struct CrossEncoder {
    jobs: mpsc::Sender<Job>,
}

struct Job {
    query: String,
    passages: Vec<String>,
    reply: oneshot::Sender<Result<Vec<f32>, RerankError>>,
}

impl CrossEncoder {
    /// Loads the model from a folder with `model.onnx`, `config.json`, `tokenizer.json`, `tokenizer_config.json` and
    /// `special_tokens_map.json`, has it score a pair, and starts its thread. Takes about half a second.
    ///
    /// # Errors
    /// [`RerankError`], which names the setting to mend.
    pub fn start(dir: &Path, onnxruntime: Option<&Path>) -> Result<Self, RerankError> {
        start_runtime(onnxruntime).map_err(RerankError::Runtime)?;
        let mut model = load(dir)?;
        // What is no cross-encoder loads all the same: only its answer tells.
        scores(&mut model, "query", &["passage".into()])
            .map_err(|error| RerankError::NoCrossEncoder { dir: dir.into(), problem: error.to_string() })?;
        let (jobs, mut queue) = mpsc::channel::<Job>(WAITING);
        thread::spawn(move || {
            while let Some(Job { query, passages, reply }) = queue.blocking_recv() {
                // Nobody waits any more where the asker has given up.
                drop(reply.send(scores(&mut model, &query, &passages)));
            }
        });
        Ok(Self { jobs })
    }

    async fn ask(&self, query: String, passages: Vec<String>) -> Result<Vec<f32>, RerankError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job { query, passages, reply }).await.map_err(|_| RerankError::Ended)?;
        answer.await.map_err(|_| RerankError::Ended)?
    }
}

impl Reranker for CrossEncoder {
    fn scores<'a>(&'a self, query: &'a str, passages: Vec<String>) -> Scoring<'a> {
        Box::pin(self.ask(query.to_owned(), passages))
    }
}

fn load(dir: &Path) -> Result<TextRerank, RerankError> {
    let read = |name: &str| {
        let path = dir.join(name);
        fs::read(&path).map_err(|error| RerankError::File { path, problem: error.to_string() })
    };
    let onnx = OnnxSource::Memory(read("model.onnx")?);
    let files = TokenizerFiles {
        tokenizer_file: read("tokenizer.json")?,
        config_file: read("config.json")?,
        special_tokens_map_file: read("special_tokens_map.json")?,
        tokenizer_config_file: read("tokenizer_config.json")?,
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let options = RerankInitOptionsUserDefined::new()
        .with_intra_threads(threads)
        .with_session_config("session.intra_op.allow_spinning", "0");
    TextRerank::try_new_from_user_defined(UserDefinedRerankingModel::new(onnx, files), options)
        .map_err(|error| RerankError::NoCrossEncoder { dir: dir.into(), problem: error.to_string() })
}

/// In the passages' order.
fn scores(model: &mut TextRerank, query: &str, passages: &[String]) -> Result<Vec<f32>, RerankError> {
    let mut by_length: Vec<usize> = (0..passages.len()).collect();
    by_length.sort_by_key(|&at| passages[at].len());
    let sorted: Vec<&str> = by_length.iter().map(|&at| passages[at].as_str()).collect();
    // It panics at an answer of another shape.
    let results = catch_unwind(AssertUnwindSafe(|| model.rerank(query, &sorted, false, Some(BATCH))))
        .map_err(|_| RerankError::Failed("the model's answer is not one number for each passage".into()))?
        .map_err(|error| RerankError::Failed(error.to_string()))?;
    let mut in_order = vec![0.0; passages.len()];
    for result in results {
        in_order[by_length[result.index]] = probability(result.score);
    }
    Ok(in_order)
}

/// The logistic function of the model's number, which has no bounds.
fn probability(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}
