//! The manifest diff: which chunks stay, which are new, and which record is to stand. Pure.

use std::collections::{BTreeSet, HashMap, VecDeque};

use qdrant_client::Payload;
use shared::{Author, ChunkPayload, DocumentType, Identity, Language, Manifest, NAMESPACE, Record, Revision};
use uuid::Uuid;

use crate::change::Change;
use crate::prepare::{Content, Prepared, text_hash};
use crate::store::{Standing, Swap};

/// A chunk that the index does not hold yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewChunk {
    /// Its point id: never one that any other revision of the document uses.
    pub(crate) id: Uuid,
    /// Its payload.
    pub(crate) payload: ChunkPayload,
    /// What is embedded.
    pub(crate) embedded_text: String,
    /// The chunk that its document listed with the same text under other metadata, or itself where an earlier attempt
    /// may have written it: the vector that it has in the index is this one's too.
    pub(crate) same_text: Option<Uuid>,
    /// Bytes of it that stand over the chunk's own text.
    pub(crate) heading_bytes: usize,
    /// Of its words.
    pub(crate) language: Language,
}

/// What to write for one change.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The record's compare-and-set.
    pub(crate) swap: Swap,
    /// Chunks to write before it.
    pub(crate) new_chunks: Vec<NewChunk>,
    /// How many chunks stay as they are.
    pub(crate) kept: usize,
    /// Chunks that the record read lists: what of them does not stay becomes stale.
    pub(crate) former: BTreeSet<Uuid>,
}

/// Plans a change that is newer than what stands.
///
/// # Errors
/// As `serde_json`: not for records of ours.
pub(crate) fn plan(
    change: &Change,
    content: &Content,
    standing: &Standing,
    fingerprint: &str,
) -> Result<Plan, serde_json::Error> {
    let (identity, revision) = (change.identity.clone(), change.event.revision);
    let (payload, new_chunks, kept) = match content {
        Content::Author(name) => (author(&identity, revision, name).to_payload()?, Vec::new(), 0),
        Content::Gone => (empty_record(&identity, revision, None)?, Vec::new(), 0),
        Content::Failed(error) => (empty_record(&identity, revision, Some(error))?, Vec::new(), 0),
        Content::Document(prepared) => {
            // A repair rewrites every chunk under a new id: what the manifest lists may be damaged.
            let kept = standing.manifest.as_ref().filter(|old| old.fingerprint == fingerprint && !change.event.repair);
            let (manifest, mut new_chunks) = diff(&identity, revision, prepared, kept, fingerprint);
            // A document that takes longer to embed than a broker waits for it would be begun again for ever.
            if change.redelivered && !change.event.repair {
                for chunk in &mut new_chunks {
                    chunk.same_text.get_or_insert(chunk.id);
                }
            }
            let kept = manifest.chunk_ids.len() - new_chunks.len();
            (manifest.to_payload()?, new_chunks, kept)
        }
    };
    let swap = Swap { identity, expected: standing.stored, payload };
    Ok(Plan { swap, new_chunks, kept, former: standing.listed() })
}

fn diff(
    identity: &Identity,
    revision: Revision,
    prepared: &Prepared,
    kept: Option<&Manifest>,
    fingerprint: &str,
) -> (Manifest, Vec<NewChunk>) {
    let mut reusable: HashMap<&str, VecDeque<Uuid>> = HashMap::new();
    let mut same_text: HashMap<&str, Uuid> = HashMap::new();
    for (hash, id) in kept.iter().flat_map(|old| old.chunk_hashes.iter().zip(&old.chunk_ids)) {
        reusable.entry(hash).or_default().push_back(*id);
        same_text.insert(text_hash(hash), *id);
    }
    let (mut chunk_ids, mut new_chunks) = (Vec::new(), Vec::new());
    let mut occurrences: HashMap<&str, usize> = HashMap::new();
    let chunk_hashes = prepared.chunk_hashes();
    for (chunk, hash) in prepared.chunks.iter().zip(&chunk_hashes) {
        let occurrence = occurrences.entry(hash).or_default();
        *occurrence += 1;
        if let Some(id) = reusable.get_mut(hash.as_str()).and_then(VecDeque::pop_front) {
            chunk_ids.push(id);
            continue;
        }
        let id = chunk_id(identity, revision, hash, *occurrence, fingerprint);
        chunk_ids.push(id);
        let payload = ChunkPayload {
            identity: identity.clone(),
            revision,
            text: chunk.text.clone(),
            path: chunk.path.clone(),
            symbol: chunk.symbol.clone(),
            metadata: prepared.metadata.clone(),
        };
        let (embedded_text, same_text) = (chunk.embedded_text.clone(), same_text.get(text_hash(hash)).copied());
        let (heading_bytes, language) = (chunk.heading_bytes, chunk.language);
        new_chunks.push(NewChunk { id, payload, embedded_text, same_text, heading_bytes, language });
    }
    let manifest = Manifest {
        source_hash: prepared.source_hash.clone(),
        fingerprint: fingerprint.into(),
        chunk_ids,
        chunk_hashes,
        cleaned_text: prepared.cleaned_text.clone(),
        metadata: prepared.metadata.clone(),
        ..Manifest::empty(identity.clone(), revision)
    };
    (manifest, new_chunks)
}

/// The revision makes the id new whenever the chunk is: a chunk that went and comes back is another point, so that
/// whoever still means to delete the first one cannot hit the second (executions 2, 16 and 17).
fn chunk_id(identity: &Identity, revision: Revision, hash: &str, occurrence: usize, fingerprint: &str) -> Uuid {
    let name = format!("{}\0{revision}\0{hash}\0{occurrence}\0{fingerprint}", identity.key());
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

fn author(identity: &Identity, revision: Revision, name: &crate::clean::AuthorName) -> Author {
    Author {
        deleted: false,
        first_name: name.first_name.clone(),
        last_name: name.last_name.clone(),
        full_name: name.full_name.clone(),
        ..gone_author(identity.clone(), revision)
    }
}

fn gone_author(identity: Identity, revision: Revision) -> Author {
    Author { identity, revision, deleted: true, error: None, first_name: None, last_name: None, full_name: None }
}

/// A tombstone for a record of any type.
///
/// # Errors
/// As `serde_json`: not for records of ours.
pub(crate) fn tombstone(
    identity: &Identity,
    revision: Revision,
    expected: Option<Revision>,
) -> Result<Swap, serde_json::Error> {
    Ok(Swap { identity: identity.clone(), expected, payload: empty_record(identity, revision, None)? })
}

/// The record of a document of any type that has nothing to show: a tombstone, or why it failed.
fn empty_record(identity: &Identity, revision: Revision, error: Option<&str>) -> Result<Payload, serde_json::Error> {
    let identity = identity.clone();
    match (identity.document_type, error) {
        (DocumentType::Users, None) => gone_author(identity, revision).to_payload(),
        (DocumentType::Users, Some(error)) => {
            Author { deleted: false, error: Some(error.into()), ..gone_author(identity, revision) }.to_payload()
        }
        (_, None) => Manifest::tombstone(identity, revision).to_payload(),
        (_, Some(error)) => Manifest::failed(identity, revision, error.into()).to_payload(),
    }
}
