//! Which part of a page is its text, told by what its elements hold, in one pass and without a tree.
//!
//! *Prose* is what stands in stretches of a sentence or more outside of links. The text is the smallest element that holds
//! nearly all of it, without the elements in there that are named as something else, or are little but links.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::iter::once;
use std::ops::Range;

use super::role::{Role, role};

/// Letters of the shortest stretch that counts as prose.
const SENTENCE: usize = 60;
/// What a letter of a script without spaces between words counts.
const DENSE: usize = 3;
/// The share of a page's prose, in percent, that the text has at least.
const NEARLY_ALL: usize = 97;
/// The share of the letters outside of links that it has at least: a text may be little but short lines.
const MOST: usize = 80;
/// The share of it that an element has at least which the page marks as its text.
const MARKED: usize = 50;
/// The share that an element has at most which is left out.
const LEFT_OUT: usize = 30;
/// The share of links, in percent of its letters, from which on an element without prose is a list of links.
const LINKS: usize = 60;
/// Links of the shortest list of these.
const LIST: usize = 3;

/// An element, from where to where it reaches in what is written.
#[derive(Debug, Clone)]
struct Part {
    role: Role,
    range: Range<usize>,
    letters: usize,
    linked: usize,
    links: usize,
    prose: usize,
}

impl Part {
    fn new(role: Role, at: usize) -> Self {
        Self { role, range: at..at, letters: 0, linked: 0, links: 0, prose: 0 }
    }

    /// Letters that are not in links.
    fn own(&self) -> usize {
        self.letters - self.linked
    }
}

struct Open {
    name: String,
    part: Part,
}

/// The elements of a page.
pub(super) struct Parts {
    page: Part,
    open: Vec<Open>,
    /// How many of each name are open.
    names: HashMap<String, usize>,
    closed: Vec<Part>,
    in_link: bool,
    /// Letters since a block began or ended, and those of them in links.
    stretch: (usize, usize),
}

impl Default for Parts {
    fn default() -> Self {
        let page = Part::new(Role::Container, 0);
        Self { page, open: Vec::new(), names: HashMap::new(), closed: Vec::new(), in_link: false, stretch: (0, 0) }
    }
}

impl Parts {
    pub(super) fn start(&mut self, name: &str, attribute: impl Fn(&str) -> Option<String>, at: usize) {
        if name == "a" {
            self.in_link = attribute("href").is_some_and(|href| !href.starts_with('#'));
            self.innermost().links += usize::from(self.in_link);
        }
        let Some(role) = role(name, attribute) else {
            return;
        };
        self.end_stretch();
        let is_again = self.open.last().is_some_and(|open| open.name == name);
        if is_again && matches!(name, "p" | "li" | "td" | "th" | "tr" | "dt" | "dd") {
            self.close(at);
        }
        *self.names.entry(name.to_owned()).or_default() += 1;
        self.open.push(Open { name: name.to_owned(), part: Part::new(role, at) });
    }

    pub(super) fn end(&mut self, name: &str, at: usize) {
        if name == "a" {
            self.in_link = false;
        }
        if self.names.get(name).is_none_or(|open| *open == 0) {
            return;
        }
        self.end_stretch();
        while self.close(at).is_some_and(|closed| closed != name) {}
    }

    pub(super) fn text(&mut self, text: &str) {
        let letters = text.chars().filter(|c| c.is_alphanumeric());
        let letters = letters.map(|letter| if letter >= '\u{2e80}' { DENSE } else { 1 }).sum::<usize>();
        self.stretch.0 += letters;
        self.stretch.1 += if self.in_link { letters } else { 0 };
    }

    /// What of the written is the text: of a fragment all, unless a part is marked.
    pub(super) fn chosen(mut self, length: usize, is_page: bool) -> Vec<Range<usize>> {
        self.end_stretch();
        while !self.open.is_empty() {
            self.close(length);
        }
        self.page.range.end = length;
        self.closed.sort_unstable_by_key(|part| (part.range.start, Reverse(part.range.end)));
        let scope = self.marked().unwrap_or(&self.page);
        if !is_page {
            return vec![scope.range.clone()];
        }
        let text = self.text_of(scope);
        let mut kept = Vec::new();
        let mut at = text.range.start;
        for left_out in self.left_out(text) {
            kept.push(at..left_out.range.start);
            at = left_out.range.end;
        }
        kept.push(at..text.range.end);
        kept
    }

    /// The one element that is marked as the text, the more particular kind first.
    fn marked(&self) -> Option<&Part> {
        let page = &self.page;
        [Role::Article, Role::Main].into_iter().find_map(|role| {
            let mut marked = self.closed.iter().filter(|part| part.role == role);
            let (part, more) = (marked.next()?, marked.next());
            // Without any prose it is the letters that tell.
            let enough = if page.prose > 0 {
                part.prose * 100 >= page.prose * MARKED
            } else {
                part.letters * 100 >= page.letters * MARKED
            };
            (more.is_none() && enough && part.letters > 0).then_some(part)
        })
    }

    /// The smallest element that holds nearly all of `scope`, but for its surroundings.
    fn text_of<'a>(&'a self, scope: &'a Part) -> &'a Part {
        let left_out = self.left_out(scope);
        let sums: Vec<(usize, usize)> = once((0, 0))
            .chain(left_out.iter().scan((0, 0), |sum, part| {
                *sum = (sum.0 + part.prose, sum.1 + part.own());
                Some(*sum)
            }))
            .collect();
        let rest = |part: &Part| {
            let first = left_out.partition_point(|out| out.range.start < part.range.start);
            let end = left_out.partition_point(|out| out.range.end <= part.range.end).max(first);
            let out = (sums[end].0 - sums[first].0, sums[end].1 - sums[first].1);
            (part.prose.saturating_sub(out.0), part.own().saturating_sub(out.1))
        };
        let all = rest(scope);
        let holds = |part: &&Part| {
            let of = rest(part);
            part.role.is_container() && of.0 > 0 && of.0 * 100 >= all.0 * NEARLY_ALL && of.1 * 100 >= all.1 * MOST
        };
        self.inside(scope.range.clone()).filter(holds).min_by_key(|part| part.range.len()).unwrap_or(scope)
    }

    /// The outermost elements in `text` that do not belong to it, in order.
    fn left_out<'a>(&'a self, text: &Part) -> Vec<&'a Part> {
        let is_small = |part: &Part| part.prose * 100 <= text.prose * LEFT_OUT;
        let is_links = |part: &Part| {
            part.role != Role::Item
                && part.prose == 0
                && part.links >= LIST
                && part.linked * 100 >= part.letters * LINKS
        };
        let mut end = 0;
        let left_out = self.inside(text.range.clone()).filter(|part| {
            let is_out = text.prose > 0
                && part.range.start >= end
                && part.range.len() < text.range.len()
                && is_small(part)
                && (part.role == Role::Surroundings || is_links(part));
            if is_out {
                end = part.range.end;
            }
            is_out
        });
        left_out.collect()
    }

    fn inside(&self, range: Range<usize>) -> impl Iterator<Item = &Part> {
        self.closed.iter().filter(move |part| part.range.start >= range.start && part.range.end <= range.end)
    }

    fn innermost(&mut self) -> &mut Part {
        self.open.last_mut().map_or(&mut self.page, |open| &mut open.part)
    }

    fn end_stretch(&mut self) {
        let (letters, linked) = std::mem::take(&mut self.stretch);
        let part = self.innermost();
        part.letters += letters;
        part.linked += linked;
        let own = letters - linked;
        if own >= SENTENCE && own > linked && part.role != Role::Heading {
            part.prose += own;
        }
    }

    /// Closes the innermost; gives its name.
    fn close(&mut self, at: usize) -> Option<String> {
        let Open { name, mut part } = self.open.pop()?;
        part.range.end = at.max(part.range.start);
        self.names.entry(name.clone()).and_modify(|count| *count -= 1);
        let outer = self.innermost();
        outer.letters += part.letters;
        outer.linked += part.linked;
        outer.links += part.links;
        outer.prose += part.prose;
        if part.letters > 0 {
            self.closed.push(part);
        }
        Some(name)
    }
}
