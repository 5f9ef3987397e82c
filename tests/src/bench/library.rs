//! An index without a pipeline: chunks and manifests written directly, in the shape of the contract, so that size costs minutes instead of hours.

use std::collections::HashMap;

use anyhow::Result;
use qdrant_client::Qdrant;
use qdrant_client::qdrant::{NamedVectors, PointId, PointStruct, ScoredPoint, UpsertPointsBuilder, Vector};
use shared::index::{BM25, CHUNKS, DENSE, DOCUMENTS};
use shared::sparse::{Searched, document_vector};
use shared::{ChunkPayload, DocumentType, IdKind, Identity, Manifest, Metadata, Record, Revision};
use uuid::Uuid;

use crate::text::Text;

const CHUNKS_A_DOCUMENT: usize = 10;
const DOCUMENTS_A_WRITE: usize = 50;
/// A language has far more rare words than common ones; without them every query would meet half the index.
const RARE_WORDS: u64 = 50_000;

/// What has been written so far.
pub(super) struct Library {
    text: Text,
    dimension: usize,
    documents: usize,
}

impl Library {
    /// Empty, for vectors of this length.
    pub(super) fn new(dimension: usize) -> Self {
        Self { text: Text::new(6), dimension, documents: 0 }
    }

    /// Writes more until there are so many chunks; `done` is told how many there are.
    pub(super) async fn grow(&mut self, qdrant: &Qdrant, chunks: usize, done: impl Fn(usize)) -> Result<()> {
        let wanted = chunks.div_ceil(CHUNKS_A_DOCUMENT);
        while self.documents < wanted {
            let count = DOCUMENTS_A_WRITE.min(wanted - self.documents);
            let (mut points, mut manifests) = (Vec::new(), Vec::new());
            for _ in 0..count {
                manifests.push(self.document(&mut points)?);
                self.documents += 1;
            }
            qdrant.upsert_points(UpsertPointsBuilder::new(CHUNKS, points).wait(true)).await?;
            qdrant.upsert_points(UpsertPointsBuilder::new(DOCUMENTS, manifests).wait(true)).await?;
            done(self.documents * CHUNKS_A_DOCUMENT);
        }
        Ok(())
    }

    fn document(&mut self, points: &mut Vec<PointStruct>) -> Result<PointStruct> {
        let identity = Identity {
            document_type: DocumentType::Articles,
            id_kind: IdKind::Int,
            entry_id: self.documents.to_string(),
        };
        let metadata = Metadata {
            author_id: Some(format!("{}", self.documents % 100)),
            platform: Some("medium".into()),
            title: Some(self.text.words(4)),
            ..Metadata::default()
        };
        let mut manifest = Manifest { metadata, ..Manifest::empty(identity, Revision::from(1)) };
        for _ in 0..CHUNKS_A_DOCUMENT {
            let id = Uuid::new_v4();
            points.push(self.chunk(id, &manifest)?);
            manifest.chunk_ids.push(id);
            manifest.chunk_hashes.push(id.simple().to_string());
        }
        let no_vector = HashMap::<String, Vector>::new();
        Ok(PointStruct::new(manifest.identity.manifest_id().to_string(), no_vector, manifest.to_payload()?))
    }

    fn chunk(&mut self, id: Uuid, manifest: &Manifest) -> Result<PointStruct> {
        let rare: Vec<String> = (0..15).map(|_| rare_word(&mut self.text)).collect();
        let text = format!("{} {}", self.text.words(80), rare.join(" "));
        let sparse = document_vector(&Searched::english(&text));
        let vectors = NamedVectors::default()
            .add_vector(DENSE, Vector::new_dense(self.text.vector(self.dimension)))
            .add_vector(BM25, Vector::new_sparse(sparse.indices, sparse.values));
        let payload = ChunkPayload {
            identity: manifest.identity.clone(),
            revision: manifest.revision,
            text,
            path: None,
            symbol: None,
            metadata: manifest.metadata.clone(),
        };
        Ok(PointStruct::new(id.to_string(), vectors, payload.to_payload()?))
    }

    /// The manifest that decides over a chunk that was found.
    pub(super) fn manifest_of(found: &ScoredPoint) -> Option<PointId> {
        let chunk = ChunkPayload::from_payload(found.payload.clone()).ok()?;
        Some(chunk.identity.manifest_id().to_string().into())
    }
}

/// What somebody might ask: some common words, some rare.
pub(super) fn question(text: &mut Text) -> String {
    format!("{} {} {}", text.words(4), rare_word(text), rare_word(text))
}

fn rare_word(text: &mut Text) -> String {
    format!("word{}", text.below(RARE_WORDS))
}
