//! One section into chunks.

use std::ops::Range;

use shared::embedding::TokenCounter;
use shared::{Language, Metadata};

use super::boundary::{Structure, Window};
use super::breadcrumb::{Breadcrumb, Trail};
use super::outline::Outline;
use super::syntax::Definitions;
use super::token_map::{Refused, TokenMap};
use super::{Chunk, ChunkError, MAX_CHUNKS};
use crate::clean::emoji::without_emoji;
use crate::clean::{Format, Section};

/// Bytes of a chunk: blanks have no tokens, and to some models a word of a hundred letters is one.
const MAX_BYTES: usize = 4096;
/// Blanks before a chunk's first character that are kept, so that a line keeps its indentation.
const MAX_INDENT: usize = 200;
/// Tokens with which a chunk of code is enough to stand by itself: the next definition begins another.
const ENOUGH: usize = 48;
/// Tokens of what is no chunk by itself: a closing brace, `end`.
const CRUMB: usize = 8;

pub(super) struct Splitter<'a> {
    title: Option<&'a str>,
    section: &'a Section,
    language: Language,
    structure: Structure<'a>,
    /// Of code in a known language.
    definitions: Definitions,
    map: TokenMap<'a>,
    tokens: &'a TokenCounter,
    /// The last breadcrumb, with what it is of.
    breadcrumb: (Over, Breadcrumb),
}

/// What a chunk stands under: a heading, a definition, neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Over {
    heading: Option<usize>,
    definition: Option<usize>,
}

impl<'a> Splitter<'a> {
    pub(super) fn new(
        metadata: &'a Metadata,
        section: &'a Section,
        tokens: &'a TokenCounter,
    ) -> Result<Self, ChunkError> {
        let text = section.text.as_str();
        let outline = Outline::of(text, section.format);
        let structure = Structure { text, format: section.format, outline };
        let map = TokenMap::new(text, tokens);
        let definitions = match (section.format, &section.path) {
            (Format::Code, Some(path)) => Definitions::of(text, path),
            _ => Definitions::default(),
        };
        // Code is written in English words, whatever its comments are in.
        let language = match section.format {
            Format::Code => Language::ENGLISH,
            Format::Markdown | Format::Plain => Language::of(metadata.language.as_deref(), text),
        };
        let (title, breadcrumb) = (metadata.title.as_deref(), (Over::default(), Breadcrumb::default()));
        let mut splitter = Self { title, section, language, structure, definitions, map, tokens, breadcrumb };
        splitter.breadcrumb.1 =
            splitter.breadcrumb_under(Over::default()).ok_or_else(|| splitter.refused(Refused(0)))?;
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
        self.stand_under(start..start + 1)?;
        let limit = self.tokens.limit();
        let mut budget = limit.saturating_sub(self.breadcrumb.1.tokens).max(1);
        let mut bytes = MAX_BYTES;
        loop {
            let end = self.end(start, budget, bytes).map_err(|refused| self.refused(refused))?;
            let text = self.section.text[start..end].trim_end();
            self.stand_under(start..start + text.len())?;
            let chunk = self.chunk(text);
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

    /// Chooses what stands over the chunk.
    fn stand_under(&mut self, chunk: Range<usize>) -> Result<(), ChunkError> {
        let over = Over {
            heading: self.structure.outline.heading_over(chunk.start),
            definition: self.definitions.home(&chunk),
        };
        if over != self.breadcrumb.0 {
            let breadcrumb = self.breadcrumb_under(over).ok_or_else(|| self.refused(Refused(chunk.start)))?;
            self.breadcrumb = (over, breadcrumb);
        }
        Ok(())
    }

    /// Where the chunk from `start` on ends, by the tokens of the map.
    fn end(&mut self, start: usize, budget: usize, bytes: usize) -> Result<usize, Refused> {
        if self.definitions.is_empty() {
            return self.cut(start, self.section.text.len(), budget, bytes);
        }
        let mut end = start;
        while let Some(at) = self.next_start(end) {
            let unit = self.unit_end(at, budget, bytes)?;
            let fits = self.fits(start..unit, budget, bytes)?;
            if end == start && !fits {
                return self.cut(start, unit, budget, bytes);
            }
            let goes_on = end == start || self.map.count(start..end)? < ENOUGH || self.is_crumb(at..unit)?;
            if !(fits && goes_on) {
                return Ok(end);
            }
            end = unit;
        }
        Ok(self.section.text.len())
    }

    /// The end of what is best kept together from `at` on: the outermost definition that begins here and fits, else the
    /// text up to where the next one begins or ends.
    fn unit_end(&mut self, at: usize, budget: usize, bytes: usize) -> Result<usize, Refused> {
        let whole: Vec<usize> = self.definitions.ends_from(at).collect();
        for end in whole {
            if self.fits(at..end, budget, bytes)? {
                return Ok(end);
            }
        }
        Ok(self.definitions.boundary_after(at).unwrap_or(self.section.text.len()))
    }

    fn is_crumb(&mut self, unit: Range<usize>) -> Result<bool, Refused> {
        Ok(!self.definitions.begins_at(unit.start) && self.fits(unit, CRUMB, MAX_BYTES)?)
    }

    fn fits(&mut self, range: Range<usize>, budget: usize, bytes: usize) -> Result<bool, Refused> {
        Ok(range.len() <= bytes && self.map.count(range)? <= budget)
    }

    /// Where the chunk from `start` on ends, of a text that ends at `length`.
    fn cut(&mut self, start: usize, length: usize, budget: usize, bytes: usize) -> Result<usize, Refused> {
        let reach = self.map.reach(start, budget, bytes)?.min(length);
        if reach == length {
            return Ok(length);
        }
        // Rather two halves than a whole and a crumb.
        let beyond = self.map.reach(start, budget + budget / 2, bytes + bytes / 2)?.min(length);
        let to = if beyond == length {
            let left = self.map.count(start..length)?;
            self.map.reach(start, (left * 2 / 3).clamp(1, budget), ((length - start) * 2 / 3).clamp(1, bytes))?
        } else {
            reach
        };
        let first = self.first_end(start);
        let to = to.max(first);
        let held = self.map.count(start..to)?.min(budget);
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

    fn chunk(&self, text: &str) -> Chunk {
        let body = if self.section.format == Format::Code { text.to_owned() } else { without_emoji(text) };
        Chunk {
            text: text.to_owned(),
            embedded_text: format!("{}{body}", self.breadcrumb.1.text),
            heading_bytes: self.breadcrumb.1.text.len(),
            language: self.language,
            path: self.section.path.clone(),
            symbol: self.breadcrumb.0.definition.map(|at| self.definitions.symbol(at)),
        }
    }

    fn breadcrumb_under(&self, over: Over) -> Option<Breadcrumb> {
        let symbol = over.definition.map(|at| self.definitions.symbol(at));
        let headings = over.heading.map(|at| self.structure.outline.path(at, &self.section.text));
        let path = self.section.path.as_deref().map_or_else(Vec::new, |path| path.split('/').collect());
        let trails = [
            Trail { parts: path, separator: "/" },
            Trail { parts: headings.unwrap_or_default(), separator: " > " },
            Trail { parts: symbol.as_deref().into_iter().collect(), separator: "" },
        ];
        Breadcrumb::new(self.title, &trails, self.tokens)
    }

    fn refused(&self, refused: Refused) -> ChunkError {
        ChunkError::Untokenizable { section: self.name(), at: refused.0 }
    }

    fn name(&self) -> String {
        self.section.path.clone().unwrap_or_else(|| "the text".into())
    }
}
