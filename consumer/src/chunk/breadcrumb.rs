//! What stands over a chunk when it is embedded: its document's title, then its headings, or its path and symbol.

use shared::embedding::TokenCounter;

use crate::clean::emoji::without_emoji;

/// Share of a chunk's tokens that may go to what stands over it (one in …).
const SHARE: usize = 4;
/// Share of these that the title may have, where there is something else (two in …).
const TITLE_SHARE: usize = 3;

/// Lines to put over a chunk's text, within a part of its budget.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Breadcrumb {
    /// Ends in a blank line, unless it is empty.
    pub(super) text: String,
    /// Its tokens.
    pub(super) tokens: usize,
}

/// A line of it: parts, of which the last are the most particular.
pub(super) struct Trail<'a> {
    pub(super) parts: Vec<&'a str>,
    pub(super) separator: &'static str,
}

impl Breadcrumb {
    /// `title` over `trails`, of which the last says most and is cut last. `None` for a text that the tokenizer does not take.
    pub(super) fn new(title: Option<&str>, trails: &[Trail<'_>], tokens: &TokenCounter) -> Option<Self> {
        let mut rest = tokens.limit() / SHARE;
        let title = title.map(plain).unwrap_or_default();
        let trails: Vec<(Vec<String>, &str)> = trails
            .iter()
            .map(|trail| (trail.parts.iter().map(|part| plain(part)), trail.separator))
            .map(|(parts, separator)| (parts.filter(|part| *part != title && !part.is_empty()).collect(), separator))
            .filter(|(parts, _): &(Vec<String>, _)| !parts.is_empty())
            .collect();
        let title = cut(&title, if trails.is_empty() { rest } else { rest * 2 / TITLE_SHARE }, tokens)?;
        rest = rest.saturating_sub(tokens.count(&title)?);
        let mut lines = Vec::new();
        for (parts, separator) in trails.iter().rev() {
            let line = last_parts(parts, separator, rest, tokens)?;
            rest = rest.saturating_sub(tokens.count(&line)?);
            lines.push(line);
        }
        lines.push(title);
        lines.reverse();
        lines.retain(|line| !line.is_empty());
        if lines.is_empty() {
            return Some(Self::default());
        }
        let text = format!("{}\n\n", lines.join("\n"));
        let tokens = tokens.count(&text)?;
        Some(Self { text, tokens })
    }
}

/// As many of the last parts as fit, the last one cut where it alone does not.
fn last_parts(parts: &[String], separator: &str, budget: usize, tokens: &TokenCounter) -> Option<String> {
    let Some((last, over)) = parts.split_last() else {
        return Some(String::new());
    };
    let mut joined = cut(last, budget, tokens)?;
    for part in over.iter().rev() {
        let longer = format!("{part}{separator}{joined}");
        if tokens.count(&longer)? > budget {
            break;
        }
        joined = longer;
    }
    Some(joined)
}

/// `text` up to `budget` tokens.
fn cut(text: &str, budget: usize, tokens: &TokenCounter) -> Option<String> {
    let ranges = tokens.ranges(text)?;
    let Some(next) = ranges.get(budget) else {
        return Some(text.to_owned());
    };
    Some(text[..text.floor_char_boundary(next.start)].trim_end().to_owned())
}

/// A title or heading without emphasis and emoji.
fn plain(text: &str) -> String {
    let bare = text.replace(['*', '`'], "");
    without_emoji(&bare).trim().to_owned()
}
