//! The outline of a text: its headings and its fenced code. Read line by line, so in linear time whatever it holds.

use std::ops::Range;

use crate::clean::{Fence, Format};

/// Bytes of a heading's text that are kept.
const MAX_HEADING: usize = 200;

/// Headings and fences of a text, in order.
#[derive(Default)]
pub(super) struct Outline {
    headings: Vec<Heading>,
    fences: Vec<Range<usize>>,
}

/// A heading: `# Title`, or a line underlined with `===` or `---`.
pub(super) struct Heading {
    /// Where its line begins.
    at: usize,
    level: u8,
    text: Range<usize>,
    parent: Option<usize>,
}

impl Outline {
    /// The outline of `text`. Only Markdown has headings.
    pub(super) fn of(text: &str, format: Format) -> Self {
        let mut outline = Self::default();
        if format == Format::Code {
            return outline;
        }
        let mut fence: Option<(Fence, usize)> = None;
        let mut above = 0..0;
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let (start, bare) = (at, line.trim_end());
            at += line.len();
            if let Some((open, from)) = fence.take() {
                if open.closed_by(bare) {
                    outline.fences.push(from..at);
                } else {
                    fence = Some((open, from));
                }
                above = 0..0;
                continue;
            }
            fence = Fence::opened_by(bare).map(|open| (open, start));
            if fence.is_none() && format == Format::Markdown {
                if let Some((level, text)) = heading(bare) {
                    outline.push(start, level, start + text.start..start + text.end);
                } else if let Some(level) = underline(bare).filter(|_| is_title(&text[above.clone()])) {
                    outline.push(above.start, level, above);
                }
            }
            above = start..start + bare.len();
        }
        outline.fences.extend(fence.map(|(_, from)| from..text.len()));
        outline
    }

    /// The level of the heading whose line begins at `at`.
    pub(super) fn level_at(&self, at: usize) -> Option<u8> {
        let found = self.headings.binary_search_by_key(&at, |heading| heading.at).ok()?;
        Some(self.headings[found].level)
    }

    /// Whether `at` is inside a block of fenced code.
    pub(super) fn is_fenced(&self, at: usize) -> bool {
        let next = self.fences.partition_point(|fence| fence.start < at);
        next > 0 && at < self.fences[next - 1].end
    }

    /// The heading that a piece from `start` on stands under; one that it begins with is in the piece itself.
    pub(super) fn heading_over(&self, start: usize) -> Option<usize> {
        let before = self.headings.partition_point(|heading| heading.at < start).checked_sub(1);
        match self.headings.binary_search_by_key(&start, |heading| heading.at) {
            Ok(own) => self.headings[own].parent,
            Err(_) => before,
        }
    }

    /// The texts of this heading and those over it, highest first.
    pub(super) fn path<'a>(&self, heading: usize, text: &'a str) -> Vec<&'a str> {
        let up = std::iter::successors(Some(heading), |&at| self.headings[at].parent);
        let mut path: Vec<&str> = up.map(|at| &text[self.headings[at].text.clone()]).collect();
        path.reverse();
        path
    }

    fn push(&mut self, at: usize, level: u8, text: Range<usize>) {
        let mut parent = self.headings.len().checked_sub(1);
        while let Some(over) = parent.filter(|&over| self.headings[over].level >= level) {
            parent = self.headings[over].parent;
        }
        self.headings.push(Heading { at, level, text, parent });
    }
}

/// Level and place of the text of `## Text ##`.
fn heading(line: &str) -> Option<(u8, Range<usize>)> {
    let bare = line.trim_start_matches(' ');
    let marks = bare.bytes().take_while(|&byte| byte == b'#').count();
    let is_heading = (1..=6).contains(&marks) && bare[marks..].starts_with([' ', '\t']) && line.len() - bare.len() <= 3;
    let text = bare.get(marks..).filter(|_| is_heading)?.trim();
    let text = text.trim_end_matches('#').trim_end();
    if text.is_empty() {
        return None;
    }
    let start = line.len() - bare.len() + bare.find(text)?;
    Some((marks as u8, start..start + text.floor_char_boundary(MAX_HEADING)))
}

fn underline(line: &str) -> Option<u8> {
    let mark = line.bytes().next().filter(|mark| matches!(mark, b'=' | b'-'))?;
    let whole = line.len() >= 3 && line.bytes().all(|byte| byte == mark);
    whole.then_some(if mark == b'=' { 1 } else { 2 })
}

/// Whether an underlined line reads as a title, not as a list, a table or the end of a paragraph.
fn is_title(line: &str) -> bool {
    !line.is_empty()
        && line.len() <= MAX_HEADING
        && !line.starts_with([' ', '#', '>', '|', '*', '-', '+', '='])
        && line.contains(char::is_alphanumeric)
}
