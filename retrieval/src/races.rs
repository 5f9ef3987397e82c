//! Searches against writers that move at every possible moment: exhaustively for a few steps, at random for many.
//!
//! The reader's part of the protocol model, with the code itself as the reader. The writers follow the protocol:
//! chunks before manifest, former chunks deleted no sooner after the move than the longest query.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};

use futures_util::FutureExt;
use proptest::prelude::*;
use shared::Revision;
use uuid::Uuid;

use crate::error::SearchError;
use crate::hit::Hit;
use crate::ranking::Wanted;
use crate::search::search;
use crate::store::{Answer, Candidate, Listing, Question, Scope, Store};
use crate::testing::{chunk, chunk_id, identity};

const DOCUMENTS: [&str; 2] = ["a", "b"];

/// A step of a writer, for document `.0` and its revision `.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Step {
    Upsert(usize, usize),
    Move(usize, usize),
    /// The document is gone as of this revision.
    Tombstone(usize, usize),
    DeleteChunks(usize, usize),
}
use Step::{DeleteChunks, Move, Tombstone, Upsert};

/// Where the world could go one way or another: replayed up to a point, then the first that was not tried yet.
enum Choices {
    Every { taken: Vec<(usize, usize)>, at: usize },
    Given { bytes: Vec<u8>, at: usize },
}

impl Choices {
    fn pick(&mut self, of: usize) -> usize {
        match self {
            Self::Every { taken, at } => {
                if *at == taken.len() {
                    taken.push((0, of));
                }
                *at += 1;
                taken[*at - 1].0
            }
            Self::Given { bytes, at } => {
                *at += 1;
                bytes.get(*at - 1).map_or(0, |&byte| usize::from(byte) % of)
            }
        }
    }

    /// The next way through; `None` when all were taken.
    fn advance(self) -> Option<Self> {
        let Self::Every { mut taken, .. } = self else { return None };
        while let Some((last, of)) = taken.pop() {
            if last + 1 < of {
                taken.push((last + 1, of));
                return Some(Self::Every { taken, at: 0 });
            }
        }
        None
    }
}

/// A store whose writers go on between and during the reader's calls.
struct World<'a> {
    script: &'a [Step],
    /// With a filter: whether it lets the chunks of a revision pass.
    passes: fn(usize) -> bool,
    now: Cell<usize>,
    choices: RefCell<Choices>,
    /// A query that the grace rules out was chosen: this way through says nothing.
    impossible: Cell<bool>,
}

impl World<'_> {
    fn pick(&self, of: usize) -> usize {
        self.choices.borrow_mut().pick(of)
    }

    /// Some steps later, or none.
    fn later(&self) -> usize {
        let now = self.now.get();
        self.now.set(now + self.pick(self.script.len() - now + 1));
        self.now.get()
    }

    /// Chunks that stand after `steps` steps; every document begins at revision 1.
    fn chunks(&self, steps: usize) -> BTreeSet<(usize, usize)> {
        let mut standing: BTreeSet<_> = (0..DOCUMENTS.len()).map(|document| (document, 1)).collect();
        for step in &self.script[..steps] {
            match *step {
                Upsert(document, revision) => drop(standing.insert((document, revision))),
                DeleteChunks(document, revision) => drop(standing.remove(&(document, revision))),
                Move(..) | Tombstone(..) => {}
            }
        }
        standing
    }

    fn listing(&self, document: usize, steps: usize) -> Listing {
        let (mut revision, mut deleted) = (1, false);
        for step in &self.script[..steps] {
            match *step {
                Move(moved, to) if moved == document => (revision, deleted) = (to, false),
                Tombstone(moved, to) if moved == document => (revision, deleted) = (to, true),
                _ => {}
            }
        }
        let chunk_ids = if deleted { Vec::new() } else { vec![chunk_id(DOCUMENTS[document], revision)] };
        Listing { revision: Revision::from(revision as i64), deleted, chunk_ids }
    }

    /// A chunk is deleted during the query though its manifest moved only then: the grace does not allow it.
    fn breaks_grace(&self, begun: usize, ended: usize) -> bool {
        (begun..ended).any(|at| match self.script[at] {
            DeleteChunks(document, revision) => self.script[begun..at].iter().any(|step| match *step {
                Move(moved, to) | Tombstone(moved, to) => moved == document && to == revision + 1,
                _ => false,
            }),
            _ => false,
        })
    }
}

impl Store for World<'_> {
    /// Finds what stands throughout, and any of what stands at times.
    async fn candidates(&self, questions: &[Question]) -> Result<Vec<Answer>, SearchError> {
        let (begun, ended) = (self.later(), self.later());
        if matches!(questions[0].scope, Scope::Everywhere { .. }) && self.breaks_grace(begun, ended) {
            self.impossible.set(true);
        }
        let at_times: BTreeSet<_> = (begun..=ended).flat_map(|at| self.chunks(at)).collect();
        let found = at_times
            .into_iter()
            .filter(|chunk| (begun..=ended).all(|at| self.chunks(at).contains(chunk)) || self.pick(2) == 1)
            .filter(|(_, revision)| (self.passes)(*revision))
            .map(|(document, revision)| Candidate {
                id: chunk_id(DOCUMENTS[document], revision),
                chunk: chunk(DOCUMENTS[document], &revision.to_string()),
                dense: Some(0.5),
                bm25: None,
            });
        let found: Vec<Candidate> = found.collect();
        let answer = |question: &Question| {
            let within = |found: &&Candidate| match &question.scope {
                Scope::Everywhere { except } => !except.contains(&found.chunk.identity),
                Scope::Within(ids) => ids.contains(&found.id),
            };
            Answer { candidates: found.iter().filter(within).cloned().collect(), cut: false }
        };
        Ok(std::future::ready(questions.iter().map(answer).collect()).await)
    }

    /// Each manifest at a moment of its own.
    async fn manifests(&self, documents: &[Uuid]) -> Result<HashMap<Uuid, Listing>, SearchError> {
        let mut listings = HashMap::new();
        for (document, entry_id) in DOCUMENTS.iter().enumerate() {
            let id = identity(entry_id).manifest_id();
            if documents.contains(&id) {
                let now = self.later();
                listings.insert(id, self.listing(document, now));
            }
        }
        Ok(std::future::ready(listings).await)
    }
}

/// One search through one world. Gives the choices back for the next.
fn run(script: &[Step], passes: fn(usize) -> bool, choices: Choices) -> Choices {
    let world =
        World { script, passes, now: Cell::new(0), choices: RefCell::new(choices), impossible: Cell::new(false) };
    let begun = world.later();
    let hits = search(&world, &Wanted::new(10, 2), None).now_or_never().expect("the world answers at once").unwrap();
    if !world.impossible.get() {
        for document in 0..DOCUMENTS.len() {
            check(&world, document, begun, &hits);
        }
    }
    world.choices.into_inner()
}

fn check(world: &World<'_>, document: usize, begun: usize, hits: &[Hit]) {
    let of_document = |hit: &&Hit| hit.chunk.identity.entry_id == DOCUMENTS[document];
    let hits: Vec<&Hit> = hits.iter().filter(of_document).collect();
    let listings: Vec<Listing> = (begun..=world.now.get()).map(|at| world.listing(document, at)).collect();
    let story = || format!("{:?} from step {begun} to {}: {hits:?}", world.script, world.now.get());

    let one_revision = |listing: &&Listing| {
        hits.iter().all(|hit| hit.revision == listing.revision && listing.chunk_ids.contains(&hit.chunk_id))
    };
    assert!(hits.is_empty() || listings.iter().any(|l| one_revision(&l)), "not one revision: {}", story());

    let moves = listings.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let matches = |listing: &Listing| !listing.deleted && (world.passes)(listing.revision.get() as usize);
    if listings.iter().all(matches) && moves < 5 {
        assert!(!hits.is_empty(), "a live document was missed: {}", story());
    }
    if !listings.iter().any(matches) {
        assert!(hits.is_empty(), "a document that never matched was shown: {}", story());
    }
}

fn exhaust(script: &[Step], passes: fn(usize) -> bool) -> usize {
    let mut ways = 0;
    let mut next = Some(Choices::Every { taken: Vec::new(), at: 0 });
    while let Some(choices) = next {
        next = run(script, passes, choices).advance();
        ways += 1;
    }
    ways
}

/// Every order of the writers' steps in which the steps of each lane keep theirs.
fn interleavings(lanes: &[&[Step]]) -> HashSet<Vec<Step>> {
    if lanes.iter().all(|lane| lane.is_empty()) {
        return HashSet::from([Vec::new()]);
    }
    let mut orders = HashSet::new();
    for (at, lane) in lanes.iter().enumerate() {
        let Some((first, rest)) = lane.split_first() else { continue };
        let mut remaining = lanes.to_vec();
        remaining[at] = rest;
        let with_first = |order: Vec<Step>| std::iter::once(*first).chain(order).collect::<Vec<_>>();
        orders.extend(interleavings(&remaining).into_iter().map(with_first));
    }
    orders
}

#[test]
fn a_document_that_changes_twice_is_seen_in_one_revision_and_never_missed() {
    let lanes: [&[Step]; 2] =
        [&[Upsert(0, 2), Move(0, 2), DeleteChunks(0, 1)], &[Upsert(0, 3), Move(0, 3), DeleteChunks(0, 2)]];
    let in_order = |script: &Vec<Step>| {
        let at = |step| script.iter().position(|known| *known == step);
        at(Move(0, 2)) < at(Upsert(0, 3))
    };
    let ways: usize =
        interleavings(&lanes).iter().filter(|script| in_order(script)).map(|script| exhaust(script, |_| true)).sum();
    assert!(ways > 10_000, "{ways} are not all");
}

#[test]
fn two_documents_that_change_at_once_do_not_disturb_each_other() {
    let lanes: [&[Step]; 2] = [&[Upsert(0, 2), Move(0, 2)], &[Upsert(1, 2), Move(1, 2), DeleteChunks(1, 1)]];
    for script in interleavings(&lanes) {
        exhaust(&script, |_| true);
    }
}

#[test]
fn a_deleted_document_is_not_shown_once_it_is_gone() {
    exhaust(&[Tombstone(0, 2), DeleteChunks(0, 1), Upsert(0, 3), Move(0, 3)], |_| true);
}

/// Execution 9: the filter lets only the first author's chunks pass; the second revision is another author's.
#[test]
fn a_document_that_changed_hands_is_not_shown_as_the_former_authors() {
    exhaust(&[Upsert(0, 2), Move(0, 2), DeleteChunks(0, 1)], |revision| revision == 1);
    exhaust(&[Upsert(0, 2), Move(0, 2), Upsert(0, 3), Move(0, 3), DeleteChunks(0, 1)], |revision| revision != 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// More changes than there are rounds, at any pace.
    #[test]
    fn a_search_among_many_changes_ends_and_sees_one_revision(bytes in prop::collection::vec(any::<u8>(), 0..120), late in 0..3_usize) {
        let mut script = Vec::new();
        for revision in 2..9 {
            script.extend([Upsert(0, revision), Move(0, revision)]);
            if revision > 2 + late {
                script.push(DeleteChunks(0, revision - 1 - late));
            }
        }
        // Small steps: the world must not be over before the reader has begun.
        let bytes = bytes.into_iter().map(|byte| byte % 5).collect();
        run(&script, |_| true, Choices::Given { bytes, at: 0 });
    }
}
