//! Cleaning of prose, Markdown or plain: HTML turned into Markdown, compatibility forms into plain letters, lines tidied.
//! Fenced and inline code is left as written.

use unicode_normalization::{UnicodeNormalization, is_nfkc};

use super::{html, invisible, urls};

/// Columns of indentation that are kept; nothing means more.
const MAX_INDENT: usize = 32;

/// Times its size that a line may grow to by normalisation, if it is not short.
const MAX_GROWTH: usize = 3;
const SHORT: usize = 64;

/// Not normalised. Thai and Lao AM would be taken apart, which neither language writes; the full-width and the Greek
/// grave accent would become marks of code.
const UNCHANGED: [char; 4] = ['\u{e33}', '\u{eb3}', '\u{ff40}', '\u{1fef}'];

/// Cleaned prose: no blank lines at its ends, never two in a row. Cleaning it again changes nothing, unless what was
/// text in HTML looks like HTML itself.
pub(super) fn clean(raw: &str) -> String {
    let markdown = html::to_markdown(raw);
    let text = invisible::remove(markdown.as_deref().unwrap_or(raw));
    let mut cleaned = String::with_capacity(text.len());
    let mut fence: Option<Fence> = None;
    let mut blank = false;
    for line in text.lines() {
        let line = match &fence {
            Some(_) => line.trim_end().to_owned(),
            None => prose_line(line),
        };
        fence = match fence {
            Some(open) if open.closed_by(&line) => None,
            Some(open) => Some(open),
            None => Fence::opened_by(&line),
        };
        if line.is_empty() {
            blank = true;
            continue;
        }
        if !cleaned.is_empty() {
            cleaned.push_str(if blank { "\n\n" } else { "\n" });
        }
        blank = false;
        cleaned.push_str(&line);
    }
    cleaned
}

/// A text of one line, as a title or a name is.
pub(super) fn line(raw: &str) -> String {
    let words = normalize(&invisible::remove(raw));
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An open block of fenced code (CommonMark 4.5).
pub(crate) struct Fence {
    mark: char,
    length: usize,
}

impl Fence {
    /// The fence that this line opens.
    pub(crate) fn opened_by(line: &str) -> Option<Self> {
        let line = unindented(line)?;
        let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let length = line.chars().take_while(|&c| c == mark).count();
        let info = &line[length..];
        (length >= 3 && !(mark == '`' && info.contains('`'))).then_some(Self { mark, length })
    }

    /// Whether this line closes it.
    pub(crate) fn closed_by(&self, line: &str) -> bool {
        unindented(line).is_some_and(|line| {
            let length = line.chars().take_while(|&c| c == self.mark).count();
            length >= self.length && line[length..].trim().is_empty()
        })
    }
}

/// The line without its indentation, unless that makes it code. A list item's code is indented with it: up to 8 columns.
fn unindented(line: &str) -> Option<&str> {
    let text = line.trim_start_matches(' ');
    (line.len() - text.len() <= 8).then_some(text)
}

fn prose_line(line: &str) -> String {
    let text = if line.is_ascii() { line.to_owned() } else { outside_code(line, normalize) };
    let words = text.trim();
    if words.is_empty() || is_debris(words) {
        return String::new();
    }
    let mut tidy = " ".repeat(indentation(&text));
    let words = if words.contains("  ") || words.contains(|c: char| c != ' ' && c.is_whitespace()) {
        outside_code(words, single_spaced)
    } else {
        words.to_owned()
    };
    tidy.push_str(&urls::shorten(&words));
    tidy
}

/// What a crawler leaves of icons and empty menu entries. Only lines without a letter or a digit.
fn is_debris(words: &str) -> bool {
    matches!(words, "__" | "#" | "*" | "-" | "+" | "* __" | "- __" | "+ __" | "\\")
}

fn indentation(line: &str) -> usize {
    let blanks = line.chars().take_while(|c| c.is_whitespace());
    blanks.map(|c| if c == '\t' { 4 } else { 1 }).sum::<usize>().min(MAX_INDENT)
}

/// Applies `change` to what is not `inline code`. An odd number of runs of backticks is no code.
fn outside_code(line: &str, change: impl Fn(&str) -> String) -> String {
    let parts: Vec<&str> = line.split('`').collect();
    let runs = line.split(|c| c != '`').filter(|run| !run.is_empty()).count();
    if runs == 0 || runs % 2 == 1 {
        return change(line);
    }
    let mut changed = String::with_capacity(line.len());
    let mut code = false;
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            changed.push('`');
            // A run of several ticks is one mark: it turns at the last of them.
            code ^= !part.is_empty() || at + 1 == parts.len();
        }
        if code { changed.push_str(part) } else { changed.push_str(&change(part)) }
    }
    changed
}

/// NFKC: mathematical, full-width and presentation forms become plain letters. A few characters stand for whole
/// sentences; what is made of these alone would grow to eleven times its size, and stays.
fn normalize(text: &str) -> String {
    if is_nfkc(text) {
        return text.to_owned();
    }
    let mut normal = String::with_capacity(text.len());
    for part in text.split_inclusive(UNCHANGED) {
        let letter = part.chars().next_back().filter(|last| UNCHANGED.contains(last));
        let part = &part[..part.len() - letter.map_or(0, char::len_utf8)];
        normal.extend(part.nfkc());
        normal.extend(letter);
    }
    if normal.len() > MAX_GROWTH * text.len().max(SHORT) { text.to_owned() } else { normal }
}

/// A space for each run of blanks, at the ends too.
fn single_spaced(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len());
    for character in text.chars() {
        if !character.is_whitespace() {
            spaced.push(character);
        } else if !spaced.ends_with(' ') {
            spaced.push(' ');
        }
    }
    spaced
}
