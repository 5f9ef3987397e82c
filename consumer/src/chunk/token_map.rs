//! Where a text's tokens lie, found once and in passing: a window that moves along, so that memory does not grow with
//! the text.

use std::ops::Range;

use shared::embedding::TokenCounter;

/// Bytes tokenised at once. The tokenizer holds some hundred bytes for each.
const SEGMENT: usize = 32 * 1024;

/// The tokens of a text around a place that only moves forward.
pub(super) struct TokenMap<'a> {
    text: &'a str,
    tokens: &'a TokenCounter,
    ranges: Vec<Range<usize>>,
    /// Up to here the text is tokenised.
    covered: usize,
}

/// Where the text that the tokenizer refused begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused(pub(super) usize);

impl<'a> TokenMap<'a> {
    pub(super) fn new(text: &'a str, tokens: &'a TokenCounter) -> Self {
        Self { text, tokens, ranges: Vec::new(), covered: 0 }
    }

    /// Forgets the tokens before `start`.
    pub(super) fn move_to(&mut self, start: usize) {
        let passed = self.first(start);
        // Each token is moved at most once for each that is dropped.
        if passed * 2 > self.ranges.len() {
            self.ranges.drain(..passed);
        }
    }

    /// The furthest end of a stretch from `start` that has at most `budget` tokens and `bytes` bytes: a character
    /// boundary, beyond `start` wherever the text goes on. Tokens that are cut count once, so this is an estimate.
    pub(super) fn reach(&mut self, start: usize, budget: usize, bytes: usize) -> Result<usize, Refused> {
        let furthest = self.text.floor_char_boundary(start.saturating_add(bytes));
        self.cover(furthest)?;
        let next = self.ranges.get(self.first(start) + budget);
        let end = next.map_or(furthest, |token| token.start.min(furthest));
        let end = self.text.floor_char_boundary(end);
        Ok(if end > start { end } else { self.text.ceil_char_boundary(start + 1) })
    }

    /// Number of tokens that lie in or reach into `range`.
    pub(super) fn count(&mut self, range: Range<usize>) -> Result<usize, Refused> {
        self.cover(range.end)?;
        let end = self.ranges.partition_point(|token| token.start < range.end);
        Ok(end.saturating_sub(self.first(range.start)))
    }

    fn first(&self, start: usize) -> usize {
        self.ranges.partition_point(|token| token.end <= start)
    }

    fn cover(&mut self, end: usize) -> Result<(), Refused> {
        while self.covered < end {
            let segment = self.next_segment();
            let refused = Refused(self.covered);
            let ranges = self.tokens.ranges(segment).ok_or(refused)?;
            self.ranges.extend(ranges.into_iter().map(|token| token.start + self.covered..token.end + self.covered));
            self.covered += segment.len();
        }
        Ok(())
    }

    /// Ends at a blank where there is one, since tokens end there too.
    fn next_segment(&self) -> &'a str {
        let rest = &self.text[self.covered..];
        let segment = &rest[..rest.floor_char_boundary(SEGMENT)];
        if segment.len() == rest.len() {
            return rest;
        }
        let end = segment.rfind('\n').or_else(|| segment.rfind(char::is_whitespace)).filter(|&end| end > 0);
        &segment[..end.unwrap_or(segment.len())]
    }
}
