//! The walk over a syntax tree: each definition with its comment. Without recursion, so that nesting costs no stack.

use std::ops::Range;

use tree_sitter::{Node, Tree};

use super::kind::{Kind, Roles, SMALLEST};

/// A definition as it stands in the text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) body: usize,
    pub(super) end: usize,
    pub(super) name: String,
    pub(super) is_function: bool,
}

/// What is known of a node's children while they are gone through.
#[derive(Default)]
struct Level {
    /// Comments and attributes right before the next child.
    notes: Option<Range<usize>>,
    /// What is around the first definition here and belongs to it: its beginning with comment, without, and its end.
    wrapper: Option<(usize, usize, usize)>,
}

struct Walk<'a> {
    text: &'a str,
    roles: &'a Roles,
    levels: Vec<Level>,
    found: Vec<Found>,
}

/// All definitions of a file.
pub(super) fn found(text: &str, tree: &Tree, roles: &Roles) -> Vec<Found> {
    let mut walk = Walk { text, roles, levels: vec![Level::default()], found: Vec::new() };
    let mut cursor = tree.walk();
    let mut inside = cursor.goto_first_child();
    while inside {
        if let Some(level) = walk.enter(cursor.node())
            && cursor.goto_first_child()
        {
            walk.levels.push(level);
            continue;
        }
        while !cursor.goto_next_sibling() {
            inside = cursor.goto_parent() && walk.levels.len() > 1;
            if !inside {
                break;
            }
            walk.levels.pop();
        }
    }
    walk.found
}

impl Walk<'_> {
    /// Takes a node; gives what its children begin with, where they are to be gone through.
    fn enter(&mut self, node: Node<'_>) -> Option<Level> {
        let range = node.byte_range();
        let level = self.levels.last_mut()?;
        if !node.is_named() {
            level.notes = None;
            return None;
        }
        let kind = Kind::of(node, self.roles, self.text);
        if kind == Kind::Note {
            level.note(self.text, range);
            return None;
        }
        let notes = level.notes.take().filter(|notes| adjoin(self.text, notes.end, range.start));
        let (mut start, mut body, mut end) = (notes.map_or(range.start, |notes| notes.start), range.start, range.end);
        if kind != Kind::Other
            && let Some((wrapper_start, wrapper_body, wrapper_end)) = level.wrapper.take()
        {
            (start, body, end) = (start.min(wrapper_start), body.min(wrapper_body), end.max(wrapper_end));
        }
        match kind {
            Kind::Definition { name, is_function } => {
                let (start, body) = (line_start(self.text, start), line_start(self.text, body));
                self.found.push(Found { start, body, end, name, is_function });
                Some(Level::default())
            }
            Kind::Wrapper => Some(Level { notes: None, wrapper: Some((start, body, end)) }),
            Kind::Note | Kind::Other => (range.len() >= SMALLEST).then(Level::default),
        }
    }
}

impl Level {
    /// A remark behind code is that code's.
    fn note(&mut self, text: &str, range: Range<usize>) {
        let own_line =
            matches!(text[..range.start].trim_end_matches([' ', '\t']).chars().next_back(), None | Some('\n'));
        let before = self.notes.take().filter(|before| adjoin(text, before.end, range.start));
        self.notes = match before {
            Some(before) => Some(before.start..range.end),
            None => own_line.then_some(range),
        };
    }
}

/// Whether no blank line is between the two places.
fn adjoin(text: &str, end: usize, start: usize) -> bool {
    let end = text[..end].trim_end().len();
    text.get(end..start).is_some_and(|between| between.trim().is_empty() && between.matches('\n').count() < 2)
}

/// The beginning of the line, where only blanks are before `at`; else `at` itself.
fn line_start(text: &str, at: usize) -> usize {
    let bare = text[..at].trim_end_matches([' ', '\t']);
    if bare.is_empty() || bare.ends_with('\n') { bare.len() } else { at }
}
