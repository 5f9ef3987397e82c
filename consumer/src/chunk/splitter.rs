//! One section into chunks.

use shared::embedding::TokenCounter;

use super::boundary::{Structure, Window};
use super::breadcrumb::Breadcrumb;
use super::outline::Outline;
use super::token_map::{Refused, TokenMap};
use super::{Chunk, ChunkError, MAX_CHUNKS};
use crate::clean::emoji::without_emoji;
use crate::clean::{Format, Section};

/// Bytes of a chunk: blanks have no tokens, and to some models a word of a hundred letters is one.
const MAX_BYTES: usize = 4096;
/// Blanks before a chunk's first character that are kept, so that a line keeps its indentation.
const MAX_INDENT: usize = 200;

pub(super) struct Splitter<'a> {
    title: Option<&'a str>,
    section: &'a Section,
    structure: Structure<'a>,
    map: TokenMap<'a>,
    tokens: &'a TokenCounter,
    /// The last breadcrumb, with the heading that it is of.
    breadcrumb: (Option<usize>, Breadcrumb),
}

impl<'a> Splitter<'a> {
    pub(super) fn new(
        title: Option<&'a str>,
        section: &'a Section,
        tokens: &'a TokenCounter,
    ) -> Result<Self, ChunkError> {
        let text = section.text.as_str();
        let outline = Outline::of(text, section.format);
        let structure = Structure { text, format: section.format, outline };
        let map = TokenMap::new(text, tokens);
        let mut splitter = Self { title, section, structure, map, tokens, breadcrumb: (None, Breadcrumb::default()) };
        splitter.breadcrumb.1 = splitter.breadcrumb_under(None).ok_or_else(|| splitter.refused(Refused(0)))?;
        Ok(splitter)
    }

    /// Appends the section's chunks.
    pub(super) fn split_into(mut self, chunks: &mut Vec<Chunk>) -> Result<(), ChunkError> {
        let mut at = 0;
        while let Some(start) = self.next_start(at) {
            if chunks.len() == MAX_CHUNKS {
                return Err(ChunkError::TooMany);
            }
            let (chunk, end) = self.next_chunk(start)?;
            chunks.push(chunk);
            at = end;
        }
        Ok(())
    }

    /// The start of the next text that is not blank, with the indentation of its line.
    fn next_start(&self, at: usize) -> Option<usize> {
        let rest = &self.section.text[at..];
        let first = rest.find(|c: char| !c.is_whitespace())?;
        let line = rest[..first].rfind('\n').map_or(0, |end| end + 1);
        Some(at + if first - line <= MAX_INDENT { line } else { first })
    }

    /// The chunk from `start` on, and its end. Its tokens are estimated to choose the end, then counted in the very text that
    /// is embedded; where the estimate was too low, it is made again with less.
    fn next_chunk(&mut self, start: usize) -> Result<(Chunk, usize), ChunkError> {
        self.map.move_to(start);
        let heading = self.structure.outline.heading_over(start);
        if heading != self.breadcrumb.0 {
            let breadcrumb = self.breadcrumb_under(heading).ok_or_else(|| self.refused(Refused(start)))?;
            self.breadcrumb = (heading, breadcrumb);
        }
        let limit = self.tokens.limit();
        let mut budget = limit.saturating_sub(self.breadcrumb.1.tokens).max(1);
        let mut bytes = MAX_BYTES;
        loop {
            let end = self.end(start, budget, bytes).map_err(|refused| self.refused(refused))?;
            let chunk = self.chunk(&self.section.text[start..end]);
            let count = self.tokens.count(&chunk.embedded_text).ok_or_else(|| self.refused(Refused(start)))?;
            if count <= limit {
                return Ok((chunk, end));
            }
            if budget > 1 {
                budget = budget.saturating_sub((count - limit).max(budget / 8)).max(1);
            } else if bytes > 1 {
                bytes = (end - start).min(bytes) / 2;
            } else {
                return Err(ChunkError::Indivisible { section: self.name(), at: start });
            }
        }
    }

    /// Where the chunk from `start` on ends, by the tokens of the map.
    fn end(&mut self, start: usize, budget: usize, bytes: usize) -> Result<usize, Refused> {
        let length = self.section.text.len();
        let reach = self.map.reach(start, budget, bytes)?;
        if reach == length {
            return Ok(length);
        }
        // Rather two halves than a whole and a crumb.
        let beyond = self.map.reach(start, budget + budget / 2, bytes + bytes / 2)?;
        let to = if beyond == length {
            let left = self.map.count(start..length);
            self.map.reach(start, (left * 2 / 3).clamp(1, budget), ((length - start) * 2 / 3).clamp(1, bytes))?
        } else {
            reach
        };
        let first = self.first_end(start);
        let to = to.max(first);
        let held = self.map.count(start..to).min(budget);
        let mut part =
            |share: usize| Ok(self.map.reach(start, (held / share).max(1), (to - start) / share)?.max(first).min(to));
        let (heading_from, from) = (part(4)?, part(2)?);
        Ok(self.structure.best_cut(&Window { start, heading_from, from, to }))
    }

    /// The end of the first character that is not blank.
    fn first_end(&self, start: usize) -> usize {
        let rest = &self.section.text[start..];
        let mut characters = rest.char_indices().skip_while(|(_, c)| c.is_whitespace()).skip(1);
        start + characters.next().map_or(rest.len(), |(at, _)| at)
    }

    fn chunk(&self, stretch: &str) -> Chunk {
        let text = stretch.trim_end();
        let body = if self.section.format == Format::Code { text.to_owned() } else { without_emoji(text) };
        Chunk {
            text: text.to_owned(),
            embedded_text: format!("{}{body}", self.breadcrumb.1.text),
            path: self.section.path.clone(),
            symbol: None,
        }
    }

    fn breadcrumb_under(&self, heading: Option<usize>) -> Option<Breadcrumb> {
        match (&self.section.path, heading) {
            (None, None) => Breadcrumb::new(self.title, &[], " > ", self.tokens),
            (None, Some(at)) => {
                Breadcrumb::new(self.title, &self.structure.outline.path(at, &self.section.text), " > ", self.tokens)
            }
            (Some(path), Some(at)) => {
                let headings = self.structure.outline.path(at, &self.section.text);
                Breadcrumb::new(self.title, &[&[path.as_str()], headings.as_slice()].concat(), " > ", self.tokens)
            }
            (Some(path), None) => Breadcrumb::new(self.title, &path.split('/').collect::<Vec<_>>(), "/", self.tokens),
        }
    }

    fn refused(&self, refused: Refused) -> ChunkError {
        ChunkError::Untokenizable { section: self.name(), at: refused.0 }
    }

    fn name(&self) -> String {
        self.section.path.clone().unwrap_or_else(|| "the text".into())
    }
}
