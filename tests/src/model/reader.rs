//! The reader: hits, then what the record lists; again where that leaves a live document without a hit.

use super::index::{Chunks, Record};
use super::rules::Rule;
use super::scroll::Scroll;
use super::state::{Broken, Frame, Move, Next, State};

/// Most times that it asks.
const ROUNDS: u8 = 5;

const WHO: &str = "reader";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Reader {
    /// It may begin at any moment.
    Waiting,
    Querying {
        query: Scroll,
        search: Search,
    },
    /// It has hits, and reads what is listed.
    Judging {
        hits: Chunks,
        kept: Chunks,
        search: Search,
    },
    Done,
}

/// What is remembered from one query to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Search {
    round: u8,
    /// The document was live, with something to find, ever since the search began.
    live: bool,
    /// How often its record moved meanwhile.
    moves: u8,
    /// What the records that were read list, where each hit is judged by one of its own.
    lists: [Chunks; 3],
}

impl Reader {
    pub(super) fn query(&mut self) -> Option<&mut Scroll> {
        match self {
            Self::Querying { query, .. } => Some(query),
            Self::Waiting | Self::Judging { .. } | Self::Done => None,
        }
    }

    pub(super) fn is_querying(&self) -> bool {
        matches!(self, Self::Querying { .. })
    }

    pub(super) fn record_moved(&mut self, record: &Record) {
        if let Self::Querying { search, .. } | Self::Judging { search, .. } = self {
            search.moves = (search.moves + 1).min(ROUNDS);
            search.live &= !record.believed().is_empty();
        }
    }
}

impl State {
    pub(super) fn reader_steps(&self, frame: Frame<'_>, next: &mut Next) {
        match self.reader {
            Reader::Waiting => {
                let live = self.index.record.is_some_and(|record| !record.believed().is_empty());
                let search = Search { round: 1, live, moves: 0, lists: [Chunks::NONE; 3] };
                self.ask(Chunks::up_to(7), search, "asks", next);
            }
            Reader::Querying { query, search } => {
                for hits in query.results() {
                    let mut state = *self;
                    state.query_ended();
                    state.reader = Reader::Judging { hits, kept: Chunks::NONE, search };
                    if hits.is_empty() && search.round == 1 {
                        state.conclude(Chunks::NONE, search);
                    }
                    next.push((Move(WHO, "has its hits"), state));
                }
            }
            Reader::Judging { hits, kept, search } => self.judge_hits(hits, kept, search, frame, next),
            Reader::Done => {}
        }
    }

    fn ask(&self, among: Chunks, search: Search, what: &'static str, next: &mut Next) {
        let mut state = *self;
        state.reader = Reader::Querying { query: Scroll::begin(self.index.chunks, among), search };
        next.push((Move(WHO, what), state));
    }

    fn judge_hits(&self, hits: Chunks, kept: Chunks, mut search: Search, frame: Frame<'_>, next: &mut Next) {
        let listed = self.index.record.map_or(Chunks::NONE, Record::believed);
        let mut state = *self;
        let judged = match hits.each().next() {
            Some(one) if !frame.keep(Rule::OneRecordRead) => one,
            _ => hits,
        };
        if let Some(free) = search.lists.iter_mut().find(|list| list.is_empty() || **list == listed) {
            *free = listed;
        }
        let kept = kept.with(judged.and(listed));
        let author = self.index.record.and_then(|record| record.content).map(|content| content.author());
        if judged.and(listed).each().any(|one| Some(one.author()) != author) {
            state.seen = Some(Broken::ForeignAuthor);
        }
        let left = hits.without(judged);
        if !left.is_empty() {
            state.reader = Reader::Judging { hits: left, kept, search };
        } else if kept.is_empty() && !listed.is_empty() && search.round < ROUNDS && frame.keep(Rule::ReaderAsksAgain) {
            search.round += 1;
            search.lists = [Chunks::NONE; 3];
            return self.ask(listed, search, "is left without a hit, and asks again", next);
        } else {
            state.conclude(kept, search);
        }
        next.push((Move(WHO, "reads what is listed"), state));
    }

    fn conclude(&mut self, kept: Chunks, search: Search) {
        self.reader = Reader::Done;
        if kept.is_empty() && search.live && search.moves < ROUNDS {
            self.seen = Some(Broken::Absent);
        }
        if !search.lists.iter().any(|list| kept.within(*list)) {
            self.seen = Some(Broken::Mixed);
        }
    }
}
