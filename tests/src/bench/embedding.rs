//! Bare embedding: the model and nothing else, at the best setting known. Texts sorted by length in batches of eight, a session for each thread.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use shared::embedding::{Model, TokenCounter};
use shared::settings::EmbeddingSettings;

use crate::cpu::{Meter, Used};

const BATCH: usize = 8;

/// A model for each thread.
pub(super) struct Bare {
    models: Vec<Model>,
    tokens: TokenCounter,
}

impl Bare {
    pub(super) fn load(settings: &EmbeddingSettings, threads: usize) -> Result<Self> {
        let models = (0..threads).map(|_| Model::load(settings)).collect::<Result<Vec<_>, _>>()?;
        let tokens = TokenCounter::of(models.first().context("at least one thread")?);
        Ok(Self { models, tokens })
    }

    /// The model's way of counting.
    pub(super) fn tokens(&self) -> &TokenCounter {
        &self.tokens
    }

    /// Tokens of these texts as the model sees them, the two special ones of each included.
    pub(super) fn count(&self, texts: &[String]) -> usize {
        texts.iter().map(|text| self.tokens.count(text).unwrap_or_default() + 2).sum()
    }

    /// Embeds all, on all threads.
    pub(super) fn embed(&mut self, texts: &[String]) -> Result<Used<1>> {
        let mut sorted = texts.to_vec();
        sorted.sort_by_key(String::len);
        // The longest first, so that no thread is left alone with one at the end.
        let batches: Vec<&[String]> = sorted.chunks(BATCH).rev().collect();
        let next = AtomicUsize::new(0);
        let meter = Meter::start([std::process::id()])?;
        let work = |model: &mut Model| -> Result<()> {
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                std::hint::black_box(model.embed(batch)?);
            }
            Ok(())
        };
        let ended: Vec<Result<()>> = std::thread::scope(|scope| {
            let threads: Vec<_> = self.models.iter_mut().map(|model| scope.spawn(|| work(model))).collect();
            let joined =
                threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| anyhow::bail!("a thread panicked")));
            joined.collect()
        });
        ended.into_iter().collect::<Result<()>>()?;
        meter.read()
    }
}
