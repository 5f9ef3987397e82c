//! Where to cut: the strongest boundary in a stretch of text, the last of these. Boundaries belong to the text around
//! them, not to their distance from its beginning; so after an edit the cuts soon fall where they fell before.

use unicode_segmentation::UnicodeSegmentation;

use super::outline::Outline;
use crate::clean::Format;

/// How good a place is for a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    /// Between two lines of a paragraph.
    Line,
    /// Between two lines of code of which the second is indented.
    CodeLine,
    /// Between two lines that are more than a wrapped paragraph: a sentence ends, a table's row.
    LineEnd,
    /// Before a list's item, after a line that introduces something, at a blank line in code.
    Item,
    /// Between paragraphs; before a function.
    Block,
    /// Before a heading; higher ones are stronger.
    Heading(u8),
}

/// A text and all that is known of its structure.
pub(super) struct Structure<'a> {
    pub(super) text: &'a str,
    pub(super) format: Format,
    pub(super) outline: Outline,
}

/// Places for the end of a piece.
pub(super) struct Window {
    /// Where the piece begins.
    pub(super) start: usize,
    /// From here on before a heading, or where nothing else is left; after the piece's first character.
    pub(super) heading_from: usize,
    /// From here on anywhere else.
    pub(super) from: usize,
    /// At most here.
    pub(super) to: usize,
}

impl Structure<'_> {
    /// The best cut in the window: a character boundary in `from..=to` or, before a heading, in `heading_from..=to`.
    pub(super) fn best_cut(&self, window: &Window) -> usize {
        let lines = self.line_starts(window).filter_map(|at| Some((self.strength(window.start, at)?, at)));
        let best = lines.filter(|&(strength, at)| at >= window.from || matches!(strength, Strength::Heading(_))).max();
        match best {
            Some((strength, at)) if strength > Strength::Line => at,
            _ => self.sentence_cut(window).or(best.map(|(_, at)| at)).unwrap_or_else(|| self.word_cut(window)),
        }
    }

    /// Starts of the lines in the window that are not blank.
    fn line_starts(&self, window: &Window) -> impl Iterator<Item = usize> {
        // In bytes: what comes before `heading_from` may be the last byte of a character.
        let before = &self.text.as_bytes()[window.heading_from - 1..window.to];
        let ends = before.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let starts = ends.map(|(end, _)| window.heading_from + end);
        starts.filter(|&start| start < window.to && !self.line(start).trim().is_empty())
    }

    fn line(&self, start: usize) -> &str {
        let rest = &self.text[start..];
        rest[..rest.floor_char_boundary(LOOK)].split('\n').next().unwrap_or_default()
    }

    /// The strength of a cut before the line that starts at `at`; `None` right below a heading.
    fn strength(&self, start: usize, at: usize) -> Option<Strength> {
        if let Some(level) = self.outline.level_at(at) {
            return Some(Strength::Heading(7 - level));
        }
        let before = &self.text[start..at];
        let above = before.trim_end();
        let blank = before[above.len()..].matches('\n').count() > 1;
        let above_start = above.rfind('\n').map_or(start, |end| start + end + 1);
        if self.outline.level_at(above_start).is_some() || is_underline(&self.text[above_start..at]) {
            return None;
        }
        let line = self.line(at);
        if self.format == Format::Code || self.outline.is_fenced(at) {
            return Some(code_strength(line, blank, self.format));
        }
        let introduces = above.ends_with(':');
        let is_item = is_item(line);
        Some(match blank {
            true if introduces || is_item || line.starts_with("  ") => Strength::Item,
            true => Strength::Block,
            false if is_item && !introduces => Strength::Item,
            false if above.ends_with(['.', '!', '?', '。', '！', '？', '।', '|', '؟', '۔']) => Strength::LineEnd,
            false => Strength::Line,
        })
    }

    /// After the last sentence that ends in the window, by Unicode's rules (UAX #29).
    fn sentence_cut(&self, window: &Window) -> Option<usize> {
        // A line end within a paragraph ends no sentence, though it does in UAX #29.
        let stretch = self.stretch(window).replace('\n', " ");
        let ends = stretch.split_sentence_bound_indices().map(|(at, _)| window.start + at);
        ends.filter(|at| (window.from..=window.to).contains(at)).last()
    }

    /// After the last blank, else between words, else between letters as people see them.
    fn word_cut(&self, window: &Window) -> usize {
        let stretch = self.stretch(window);
        let last = |from: usize, cuts: &mut dyn Iterator<Item = usize>| {
            cuts.map(|at| window.start + at).filter(|at| (from..=window.to).contains(at)).last()
        };
        let blanks = stretch.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, c)| at + c.len_utf8());
        let words = stretch.split_word_bound_indices().map(|(at, _)| at);
        let letters = || stretch.grapheme_indices(true).map(|(at, _)| at);
        last(window.from, &mut { blanks })
            .or_else(|| last(window.from, &mut { words }))
            .or_else(|| last(window.from, &mut letters()))
            .or_else(|| last(window.heading_from, &mut letters()))
            .unwrap_or(window.to)
    }

    /// The text of the window and a little after it, to tell whether it ends at a boundary itself.
    fn stretch(&self, window: &Window) -> &str {
        &self.text[window.start..self.text.floor_char_boundary(window.to + LOOK)]
    }
}

/// Bytes of a line that are looked at.
const LOOK: usize = 64;

fn code_strength(line: &str, blank: bool, format: Format) -> Strength {
    let indented = line.starts_with([' ', '\t']);
    let continues = line.starts_with([')', '}', ']']) || line.starts_with("else") || line.starts_with("```");
    match (blank, indented || continues) {
        (true, false) if format == Format::Code => Strength::Block,
        (true, _) => Strength::Item,
        (false, false) => Strength::LineEnd,
        (false, true) => Strength::CodeLine,
    }
}

fn is_item(line: &str) -> bool {
    let line = line.trim_start();
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let bullet = ["* ", "- ", "+ ", "• "].iter().any(|mark| line.starts_with(mark));
    bullet || ((1..4).contains(&digits) && line[digits..].starts_with(['.', ')']))
}

fn is_underline(line: &str) -> bool {
    let line = line.trim_end();
    line.len() >= 3 && (line.bytes().all(|byte| byte == b'=') || line.bytes().all(|byte| byte == b'-'))
}
