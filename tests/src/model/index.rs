//! The store as the model sees it: one document's record, its chunks, and the floor under it.

use std::fmt;

/// What a document says: up to two texts, and whose they are. Each text is one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Content {
    texts: [bool; 2],
    author: bool,
}

/// The first text, by the first author.
pub const A: Content = Content { texts: [true, false], author: false };
/// The second text, by the first author.
pub const B: Content = Content { texts: [false, true], author: false };
/// The first text, by the second author.
pub const A_BY_ANOTHER: Content = Content { texts: [true, false], author: true };

impl Content {
    /// Text and author of each chunk.
    pub(super) fn chunks(self) -> impl Iterator<Item = (u8, bool)> {
        (0..2_u8).filter(move |text| self.texts[usize::from(*text)]).map(move |text| (text, self.author))
    }

    pub(super) fn author(self) -> bool {
        self.author
    }

    fn texts(self) -> usize {
        self.texts.iter().filter(|there| **there).count()
    }
}

/// A set of chunk ids: one bit for each revision (0 to 7), text and author.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Chunks(u32);

impl Chunks {
    pub(super) const NONE: Self = Self(0);

    pub(super) fn one(revision: u8, text: u8, author: bool) -> Self {
        Self(1 << (revision * 4 + text * 2 + u8::from(author)))
    }

    /// All that were introduced at this revision or before.
    pub(super) fn up_to(revision: u8) -> Self {
        Self(u32::try_from((1_u64 << (4 * (u64::from(revision) + 1))) - 1).unwrap_or(u32::MAX))
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn with(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    pub(super) fn without(self, less: Self) -> Self {
        Self(self.0 & !less.0)
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn within(self, other: Self) -> bool {
        self.without(other).is_empty()
    }

    /// Each chunk by itself.
    pub(super) fn each(self) -> impl Iterator<Item = Self> {
        let lowest = |set: u32| (set != 0).then_some(Self(set & set.wrapping_neg()));
        std::iter::successors(lowest(self.0), move |one| lowest(self.0 & !(one.0 | (one.0 - 1))))
    }

    /// Every set between this one and `most`.
    pub(super) fn each_up_to(self, most: Self) -> Vec<Self> {
        most.without(self)
            .each()
            .fold(vec![self], |sets, one| sets.iter().flat_map(|set| [*set, set.with(one)]).collect())
    }

    /// The chunk with this text and, where it counts, this author.
    pub(super) fn find(self, text: u8, author: Option<bool>) -> Option<Self> {
        self.each().find(|one| one.text() == text && author.is_none_or(|author| one.author() == author))
    }

    fn text(self) -> u8 {
        (self.0.trailing_zeros() as u8 >> 1) & 1
    }

    /// The author of this one chunk.
    pub(super) fn author(self) -> bool {
        self.0.trailing_zeros() & 1 == 1
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |one: Self| {
            let author = if one.author() { "'" } else { "" };
            format!("{}{author}@{}", ["a", "b"][usize::from(one.text())], one.0.trailing_zeros() / 4)
        };
        write!(f, "[{}]", self.each().map(name).collect::<Vec<_>>().join(" "))
    }
}

/// A stored record: a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Record {
    pub(super) revision: u8,
    /// `None`: a tombstone.
    pub(super) content: Option<Content>,
    pub(super) listed: Chunks,
    /// Nothing can be read of it but its revision.
    pub(super) damaged: bool,
}

impl Record {
    pub(super) fn tombstone(revision: u8) -> Self {
        Self { revision, content: None, listed: Chunks::NONE, damaged: false }
    }

    /// What a reader may believe in.
    pub(super) fn believed(self) -> Chunks {
        if self.damaged || self.content.is_none() { Chunks::NONE } else { self.listed }
    }

    /// Whether it lists a chunk for each text.
    pub(super) fn is_complete(self) -> bool {
        self.content.is_none_or(|content| self.listed.each().count() == content.texts())
    }
}

/// The store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Index {
    pub(super) record: Option<Record>,
    pub(super) chunks: Chunks,
    pub(super) floor: u8,
}

impl Index {
    /// The revision that a change must exceed.
    pub(super) fn revision(&self) -> u8 {
        self.record.map_or(self.floor, |record| record.revision)
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.record.is_some_and(|record| record.damaged)
    }

    pub(super) fn listed(&self) -> Chunks {
        self.record.map_or(Chunks::NONE, |record| if record.damaged { Chunks::NONE } else { record.listed })
    }
}
