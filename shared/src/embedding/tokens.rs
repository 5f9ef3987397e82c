//! Tokens of a text, as the model will count them.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use tokenizers::Tokenizer;

use super::model::{Model, ModelError};
use super::word_pieces::{Stretch, WordPieces};

/// Tells where a text's tokens lie. Cheap to clone; never cuts and never pads.
#[derive(Clone)]
pub struct TokenCounter {
    tokenizer: Arc<Tokenizer>,
    /// Where the tokenizer goes by rules that are known here.
    pieces: Option<Arc<WordPieces>>,
    special_tokens: usize,
    max_tokens: usize,
}

impl TokenCounter {
    /// The counter of this model.
    pub fn of(model: &Model) -> Self {
        Self::new(model.tokenizer().clone(), model.info().max_tokens)
    }

    /// The counter of a `tokenizer.json`, for a model that takes `max_tokens` tokens, special ones counted.
    ///
    /// # Errors
    /// [`ModelError::File`] where it cannot be read.
    pub fn from_file(path: &Path, max_tokens: usize) -> Result<Self, ModelError> {
        let problem = |error: tokenizers::Error| ModelError::File { path: path.into(), problem: error.to_string() };
        Ok(Self::new(Tokenizer::from_file(path).map_err(problem)?, max_tokens))
    }

    pub(super) fn new(mut tokenizer: Tokenizer, max_tokens: usize) -> Self {
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).expect("only an invalid stride is refused, and there is none");
        let special_tokens = tokenizer.encode("", true).map_or(2, |encoding| encoding.len());
        let pieces = WordPieces::of(&tokenizer).map(Arc::new);
        Self { tokenizer: Arc::new(tokenizer), pieces, special_tokens, max_tokens }
    }

    /// Tokens that a text may have and still be embedded whole: the model's limit less its special tokens.
    pub fn limit(&self) -> usize {
        self.max_tokens - self.special_tokens
    }

    /// The byte range of each token, in ascending order, special tokens left out. `None` for a text that the
    /// tokenizer does not take.
    pub fn ranges(&self, text: &str) -> Option<Vec<Range<usize>>> {
        let mut ranges = Vec::new();
        match &self.pieces {
            None => self.each_by_tokenizer(text, 0..text.len(), |range| ranges.push(range))?,
            Some(pieces) => {
                for stretch in pieces.stretches(text) {
                    match stretch {
                        Stretch::Plain(stretch) => pieces.each(text, stretch, |range| ranges.push(range)),
                        Stretch::Other(stretch) => {
                            self.each_by_tokenizer(text, stretch, |range| ranges.push(range))?;
                        }
                    }
                }
            }
        }
        Some(ranges)
    }

    /// Number of tokens, special tokens left out.
    pub fn count(&self, text: &str) -> Option<usize> {
        let Some(pieces) = &self.pieces else {
            return Some(self.tokenizer.encode_fast(text, false).ok()?.len());
        };
        let mut count = 0;
        for stretch in pieces.stretches(text) {
            match stretch {
                Stretch::Plain(stretch) => pieces.each(text, stretch, |_| count += 1),
                Stretch::Other(stretch) => count += self.tokenizer.encode_fast(&text[stretch], false).ok()?.len(),
            }
        }
        Some(count)
    }

    fn each_by_tokenizer(&self, text: &str, stretch: Range<usize>, mut take: impl FnMut(Range<usize>)) -> Option<()> {
        // The plain `encode` counts offsets in bytes of the text given.
        let encoding = self.tokenizer.encode(&text[stretch.clone()], false).ok()?;
        encoding.get_offsets().iter().for_each(|(start, end)| take(stretch.start + start..stretch.start + end));
        Some(())
    }
}
