//! Which candidates stand: the manifest check as a state machine, apart from all I/O.
//!
//! Promises of one search, whatever the writers do meanwhile (`Qdrant`, *Reader* in ARCHITECTURE.md):
//! * every document is judged by exactly one read of its manifest, and stays judged: all its hits are of one revision;
//! * a live document whose candidates were all unlisted is asked again over what its manifest lists, so that a
//!   manifest that moves between the two reads hides nothing, unless five moves beat five reads.

use std::collections::HashMap;

use shared::{Identity, Revision};
use uuid::Uuid;

use crate::store::{Candidate, Listing, Question, Scope};

/// Times that a document is asked again over what its manifest lists.
const MOST_ROUNDS: u32 = 5;

/// Candidates to ask of a document that is asked again, for each hit that it may have: the two lists differ in order.
const REFILL_FACTOR: usize = 8;

/// All documents that a search has met.
#[derive(Debug)]
pub(crate) struct Rounds {
    per_document: usize,
    documents: HashMap<Uuid, Document>,
}

/// A candidate that its document's manifest lists, with what the manifest says of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listed {
    pub(crate) candidate: Candidate,
    pub(crate) revision: Revision,
    pub(crate) position: usize,
}

#[derive(Debug)]
struct Document {
    identity: Identity,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Its manifest is to be read before anything of it is shown. `asked` is the listing that it was asked again over.
    Open { candidates: HashMap<Uuid, Candidate>, asked: Option<Listing>, rounds: u32 },
    /// Judged by this listing.
    Present { listing: Listing, standing: HashMap<Uuid, Listed> },
    /// Judged to have nothing to show.
    Absent,
}

impl Rounds {
    /// For a search that shows at most `per_document` hits of a document.
    pub(crate) fn new(per_document: usize) -> Self {
        Self { per_document, documents: HashMap::new() }
    }

    /// Takes the candidates of a question to the whole index.
    pub(crate) fn take(&mut self, candidates: Vec<Candidate>) {
        for candidate in candidates {
            let identity = &candidate.chunk.identity;
            let document = self
                .documents
                .entry(identity.manifest_id())
                .or_insert_with(|| Document { identity: identity.clone(), state: State::open(None, 0) });
            document.state.take(candidate);
        }
    }

    /// Documents whose manifests are to be read now, all in one go.
    pub(crate) fn open(&self) -> Vec<Uuid> {
        let open = |(id, document): (&Uuid, &Document)| matches!(document.state, State::Open { .. }).then_some(*id);
        self.documents.iter().filter_map(open).collect()
    }

    /// Judges every open document by its manifest. Those to be asked again are returned, with the question.
    pub(crate) fn judge(&mut self, mut manifests: HashMap<Uuid, Listing>) -> Vec<(Uuid, Question)> {
        let mut again = Vec::new();
        for (id, document) in &mut self.documents {
            let State::Open { candidates, asked, rounds } = &mut document.state else { continue };
            let state = judge(std::mem::take(candidates), asked.take(), *rounds, manifests.remove(id));
            if let State::Open { asked: Some(listing), .. } = &state {
                again.push((*id, question(listing, self.per_document)));
            }
            document.state = state;
        }
        again
    }

    /// Takes what a document that was asked again had to show; an empty answer leaves it open all the same.
    pub(crate) fn refill(&mut self, document: Uuid, candidates: Vec<Candidate>) {
        let Some(document) = self.documents.get_mut(&document) else { return };
        for candidate in candidates {
            document.state.take(candidate);
        }
    }

    /// Documents of which a further question to the whole index can bring nothing that would be shown.
    pub(crate) fn settled(&self) -> Vec<Identity> {
        let settled = |document: &&Document| match &document.state {
            State::Open { .. } => false,
            State::Present { standing, .. } => standing.len() >= self.per_document,
            State::Absent => true,
        };
        self.documents.values().filter(settled).map(|document| document.identity.clone()).collect()
    }

    /// How many hits could be shown of what stands, in whichever order.
    pub(crate) fn count_shown(&self) -> usize {
        let shown = |document: &Document| match &document.state {
            State::Present { standing, .. } => standing.len().min(self.per_document),
            State::Open { .. } | State::Absent => 0,
        };
        self.documents.values().map(shown).sum()
    }

    /// Everything that stands, in no order.
    pub(crate) fn standing(self) -> Vec<Listed> {
        let standing = |document: Document| match document.state {
            State::Present { standing, .. } => standing,
            State::Open { .. } | State::Absent => HashMap::new(),
        };
        self.documents.into_values().flat_map(|document| standing(document).into_values()).collect()
    }
}

impl State {
    fn open(asked: Option<Listing>, rounds: u32) -> Self {
        Self::Open { candidates: HashMap::new(), asked, rounds }
    }

    /// A document that is judged stays so: candidates that come later are held against the same listing.
    fn take(&mut self, candidate: Candidate) {
        match self {
            Self::Open { candidates, .. } => {
                let id = candidate.id;
                candidates.entry(id).and_modify(|known| known.merge(&candidate)).or_insert(candidate);
            }
            Self::Present { listing, standing } => {
                let id = candidate.id;
                if let Some(known) = standing.get_mut(&id) {
                    known.candidate.merge(&candidate);
                } else if let Some(found) = listing.find(candidate) {
                    standing.insert(id, found);
                }
            }
            Self::Absent => {}
        }
    }
}

impl Listing {
    fn find(&self, candidate: Candidate) -> Option<Listed> {
        let position = self.chunk_ids.iter().position(|listed| *listed == candidate.id)?;
        Some(Listed { candidate, revision: self.revision, position })
    }
}

fn judge(
    candidates: HashMap<Uuid, Candidate>,
    asked: Option<Listing>,
    rounds: u32,
    manifest: Option<Listing>,
) -> State {
    // A chunk stands before its manifest does: without one, the document is not there yet.
    let Some(listing) = manifest else { return State::Absent };
    if listing.deleted || listing.chunk_ids.is_empty() {
        return State::Absent;
    }
    let nothing_found = candidates.is_empty();
    let find = |(id, candidate)| Some((id, listing.find(candidate)?));
    let standing: HashMap<_, _> = candidates.into_iter().filter_map(find).collect();
    if !standing.is_empty() {
        return State::Present { listing, standing };
    }
    // Unchanged since it was asked, its chunks stood throughout the question: they do not match (an author's filter
    // on a document that has changed hands).
    let no_match = nothing_found && asked.as_ref() == Some(&listing);
    if no_match || rounds == MOST_ROUNDS {
        return State::Absent;
    }
    State::open(Some(listing), rounds + 1)
}

fn question(listing: &Listing, per_document: usize) -> Question {
    let limit = listing.chunk_ids.len().min(per_document.saturating_mul(REFILL_FACTOR));
    Question { scope: Scope::Within(listing.chunk_ids.clone()), limit }
}
