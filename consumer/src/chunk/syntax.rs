//! The definitions of a source file: functions and what holds them, by its grammar (tree-sitter).
//!
//! Bounded whatever the file holds: parsing stops after a number of steps that grows with the file, and the tree is walked
//! without recursion. Where there is no grammar, or parsing stopped, there are no definitions, and the file is cut by its
//! lines. Of files that no person wrote (`&+&+&+…`) single steps may take long: those that repeat themselves are not parsed,
//! and whatever else takes long is stopped by the thread's own clock. Only these can be cut otherwise on another machine.

mod grammar;
mod kind;
mod repetition;
mod walk;

use std::cmp::Reverse;
use std::ops::{ControlFlow, Range};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tree_sitter::{ParseOptions, Parser, Tree};

use grammar::Grammar;
use repetition::repeats_itself;
use walk::Found;

/// Reports that parsing may make, one for a hundred steps. Of 26,000 files of eight languages none needed over 58 a KiB.
const REPORTS_PER_KIB: usize = 100;
const LEAST_REPORTS: usize = 1_000;
/// The clock is a call of the system: one report in so many looks at it.
const REPORTS_A_LOOK: usize = 16;
/// Processor time that parsing may take; of an ordinary file of 1 MiB it is a quarter.
const LONGEST: Duration = Duration::from_secs(1);
/// Definitions around one another that a symbol names.
const MAX_NAMES: usize = 6;
/// Bytes after a definition on its last line that still belong to it: `,`, `;`, a remark.
const MAX_REST: usize = 120;

/// The definitions of a file by their beginnings; one that is inside another comes after it.
#[derive(Default)]
pub(super) struct Definitions {
    all: Vec<Definition>,
    separator: &'static str,
}

/// A function, a type, a module.
struct Definition {
    /// Whole lines, where it does not share them: from its comment's first to its own last one.
    range: Range<usize>,
    /// Where it begins without its comment.
    body: usize,
    name: String,
    is_function: bool,
    parent: Option<usize>,
}

impl Definitions {
    /// Those of the file `text`; none where its path tells no language that is known here.
    pub(super) fn of(text: &str, path: &str) -> Self {
        let Some(grammar) = Grammar::of(path) else {
            return Self::default();
        };
        let tree = if repeats_itself(text) { None } else { parse(text, grammar) };
        let Some(tree) = tree else {
            return Self::default();
        };
        Self { all: nested(text, walk::found(text, &tree, &grammar.roles)), separator: grammar.separator }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Ends of the definitions that begin at `at`, with or without their comments; outer ones first.
    pub(super) fn ends_from(&self, at: usize) -> impl Iterator<Item = usize> {
        let commented = self.around(at).filter(move |definition| definition.body == at);
        let here = self.all[self.first_from(at)..].iter().take_while(move |definition| definition.range.start == at);
        commented.chain(here).map(|definition| definition.range.end)
    }

    /// Whether a definition begins at `at`, with or without its comment.
    pub(super) fn begins_at(&self, at: usize) -> bool {
        self.ends_from(at).next().is_some()
    }

    /// The next place after `at` where a definition begins or ends, or where the comment over one does.
    pub(super) fn boundary_after(&self, at: usize) -> Option<usize> {
        let next = self.all.get(self.first_from(at + 1)).map(|definition| definition.range.start);
        let inner = self.around(at + 1).next();
        let body = inner.map(|definition| definition.body).filter(|body| *body > at);
        [next, body, inner.map(|definition| definition.range.end)].into_iter().flatten().min()
    }

    /// The definition that a chunk is from: the function around it or the one that begins in it, else the innermost around it.
    pub(super) fn home(&self, chunk: &Range<usize>) -> Option<usize> {
        let inner = self.index_around(chunk.start + 1);
        let around = self.outwards(inner).find(|at| self.all[*at].range.end >= chunk.end);
        let is_function = |at: &usize| self.all[*at].is_function;
        let mut functions = self.functions_in(chunk);
        match (around.filter(is_function), functions.next(), functions.next()) {
            (Some(function), ..) | (None, Some(function), None) => Some(function),
            // The end of a function, and what closes its type.
            (None, None, None) => inner.filter(is_function).or(around),
            _ => around,
        }
    }

    /// Its name, under those of what it is in.
    pub(super) fn symbol(&self, definition: usize) -> String {
        let around = self.outwards(Some(definition)).take(MAX_NAMES);
        let mut names: Vec<&str> = around.map(|at| self.all[at].name.as_str()).collect();
        names.reverse();
        names.join(self.separator)
    }

    /// Functions that begin in the chunk and in no other of it.
    fn functions_in(&self, chunk: &Range<usize>) -> impl Iterator<Item = usize> {
        let mut end = 0;
        let begun = self.first_from(chunk.start)..self.first_from(chunk.end);
        begun.filter(move |at| {
            let Definition { range, is_function, .. } = &self.all[*at];
            let counts = *is_function && range.start >= end;
            if counts {
                end = range.end;
            }
            counts
        })
    }

    /// Definitions that begin before `at` and do not end before it, inner ones first.
    fn around(&self, at: usize) -> impl Iterator<Item = &Definition> {
        self.outwards(self.index_around(at)).map(|index| &self.all[index])
    }

    fn index_around(&self, at: usize) -> Option<usize> {
        self.outwards(self.first_from(at).checked_sub(1)).find(|index| self.all[*index].range.end >= at)
    }

    fn outwards(&self, from: Option<usize>) -> impl Iterator<Item = usize> {
        std::iter::successors(from, |at| self.all[*at].parent)
    }

    fn first_from(&self, at: usize) -> usize {
        self.all.partition_point(|definition| definition.range.start < at)
    }
}

fn parse(text: &str, grammar: &Grammar) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&grammar.language).ok()?;
    let mut reports = LEAST_REPORTS + text.len() / 1024 * REPORTS_PER_KIB;
    let start = processor_time();
    let mut report = |_: &_| {
        reports = reports.saturating_sub(1);
        let late = || processor_time().saturating_sub(start) > LONGEST;
        let stops = reports == 0 || (reports.is_multiple_of(REPORTS_A_LOOK) && late());
        if stops { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut report);
    let mut rest = |at: usize, _| text.as_bytes().get(at..).unwrap_or_default();
    parser.parse_with_options(&mut rest, None, Some(options))
}

/// Of this thread: what else the machine does, does not count.
pub(super) fn processor_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

/// In order, each with the one that it is in.
fn nested(text: &str, mut found: Vec<Found>) -> Vec<Definition> {
    found.sort_by_key(|definition| (definition.start, Reverse(definition.end)));
    let mut all = Vec::<Definition>::with_capacity(found.len());
    let mut open = None;
    for at in 0..found.len() {
        let Found { start, body, end, name, is_function } = std::mem::take(&mut found[at]);
        let next = found.get(at + 1).map_or(text.len(), |next| next.start);
        let end = if next >= end { next.min(line_end(text, end)) } else { end };
        let parent = std::iter::successors(open, |&outer: &usize| all[outer].parent)
            .find(|outer: &usize| all[*outer].range.end > start);
        // What is found in another ends with it, whatever follows on its last line.
        let end = parent.map_or(end, |outer| end.min(all[outer].range.end));
        open = Some(all.len());
        all.push(Definition { range: start..end, body, name, is_function, parent });
    }
    all
}

/// The end of the line in which a definition ends, where the rest of it is short.
fn line_end(text: &str, end: usize) -> usize {
    let rest = &text[end..];
    let rest = &rest[..rest.floor_char_boundary(MAX_REST)];
    rest.find('\n').map_or(end, |length| end + length)
}
