//! The vector store on Qdrant. Every write waits until it is durable.

mod notes;
mod page;
mod record;
mod survey;

use std::collections::{BTreeSet, HashMap};

use qdrant_client::qdrant::vector_output::Vector;
use qdrant_client::qdrant::with_payload_selector::SelectorOptions;
use qdrant_client::qdrant::with_vectors_selector::SelectorOptions as SelectVectors;
use qdrant_client::qdrant::{
    Condition, CountPointsBuilder, DeletePointsBuilder, Filter, GetPointsBuilder, PayloadIncludeSelector, PointId,
    PointStruct, PointsIdsList, RetrievedPoint, ScrollPointsBuilder, ScrollResponse, UpsertPointsBuilder,
    VectorsSelector, WriteOrdering, WriteOrderingType,
};
use qdrant_client::{Payload, Qdrant};
use shared::index::{AUTHORS, DENSE, Index, of_document, uuid_of};
use shared::{BUCKETS, Backoff, DocumentType, Identity, Revision};
use uuid::Uuid;

use crate::error::StoreError;
use crate::store::{Passed, Standing, Swap, VectorStore};
use page::{PAGE, VECTOR_BYTES, pages, text_bytes};
use record::{STANDING_FIELDS, floor_id, is_deleted, manifest_of, record_point, revision_of, unreadable};

/// One index on Qdrant.
pub struct QdrantStore {
    qdrant: Qdrant,
    index: Index,
    partitions: u16,
}

impl QdrantStore {
    /// The store behind this client and index.
    pub fn new(qdrant: Qdrant, index: Index, partitions: u16) -> Self {
        Self { qdrant, index, partitions }
    }

    /// Whether the store answers and its collections are there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.qdrant.count(CountPointsBuilder::new(&self.index.documents).exact(false)).await?;
        Ok(())
    }

    /// The collection that holds the records of this type.
    fn records(&self, document_type: DocumentType) -> &str {
        match document_type {
            DocumentType::Users => AUTHORS,
            DocumentType::Articles | DocumentType::Posts | DocumentType::Repositories => &self.index.documents,
        }
    }

    fn floor_of(&self, identity: &Identity) -> Uuid {
        floor_id(identity.document_type, identity.partition(self.partitions))
    }

    async fn get(
        &self,
        collection: &str,
        ids: BTreeSet<Uuid>,
        fields: &[&str],
    ) -> Result<HashMap<Uuid, RetrievedPoint>, StoreError> {
        let ids: Vec<PointId> = ids.into_iter().map(PointId::from).collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let wanted = GetPointsBuilder::new(collection, ids).with_payload(include(fields));
        let points = self.qdrant.get_points(wanted).await?.result;
        Ok(points.into_iter().filter_map(|point| Some((uuid_of(point.id.as_ref()?)?, point))).collect())
    }

    /// A page of the points that match.
    async fn scroll(
        &self,
        collection: &str,
        matching: Filter,
        fields: &[&str],
        from: Option<PointId>,
    ) -> Result<ScrollResponse, StoreError> {
        let mut page =
            ScrollPointsBuilder::new(collection).filter(matching).limit(PAGE as u32).with_payload(include(fields));
        if let Some(offset) = from {
            page = page.offset(offset);
        }
        Ok(self.qdrant.scroll(page).await?)
    }

    async fn upsert(&self, collection: &str, points: Vec<PointStruct>, only: Option<Filter>) -> Result<(), StoreError> {
        let mut upsert = UpsertPointsBuilder::new(collection, points).wait(true).ordering(strong());
        if let Some(filter) = only {
            upsert = upsert.update_filter(filter);
        }
        self.qdrant.upsert_points(upsert).await?;
        Ok(())
    }

    async fn swap_in(&self, collection: &str, swaps: &[&Swap]) -> Result<(), StoreError> {
        for page in pages(swaps.iter().copied(), |swap| text_bytes(&swap.payload.clone().into())) {
            self.swap_page(collection, &page).await?;
        }
        Ok(())
    }

    /// The filter holds back *updates* only; a record whose id is new is inserted whatever it says.
    async fn swap_page(&self, collection: &str, swaps: &[&Swap]) -> Result<(), StoreError> {
        // What cannot be read stands for nothing. (An empty `should` would match everything.)
        let mut unchanged: Vec<Condition> = vec![unreadable()];
        unchanged.extend(swaps.iter().filter_map(|swap| {
            let id = PointId::from(swap.identity.manifest_id());
            // Equality of integers is exact; a range would compare doubles.
            let as_read = [Condition::has_id([id]), Condition::matches("revision", swap.expected?.get())];
            Some(Condition::from(Filter::must(as_read)))
        }));
        let points = swaps.iter().map(|swap| record_point(swap.identity.manifest_id(), swap.payload.clone())).collect();
        self.upsert(collection, points, Some(Filter::should(unchanged))).await
    }

    /// What is left to tell the order by where a record cannot be read: nothing older than this may stand in its place.
    async fn newest_chunk(&self, identity: &Identity) -> Result<Option<Revision>, StoreError> {
        let chunks =
            if identity.document_type == DocumentType::Users { Vec::new() } else { self.chunks_of(identity).await? };
        Ok(chunks.into_iter().map(|(_, revision)| revision).max())
    }

    async fn floor(&self, document_type: DocumentType, partition: u16) -> Result<Option<Revision>, StoreError> {
        let id = floor_id(document_type, partition);
        let points = self.get(self.records(document_type), BTreeSet::from([id]), &["revision"]).await?;
        Ok(points.get(&id).and_then(revision_of))
    }
}

impl VectorStore for QdrantStore {
    async fn standings(&self, identities: &[Identity]) -> Result<HashMap<Identity, Standing>, StoreError> {
        let mut standings = HashMap::new();
        for users in [false, true] {
            let ours = || identities.iter().filter(|id| (id.document_type == DocumentType::Users) == users);
            let Some(first) = ours().next() else { continue };
            let ids = ours().flat_map(|id| [id.manifest_id(), self.floor_of(id)]).collect();
            let points = self.get(self.records(first.document_type), ids, &STANDING_FIELDS).await?;
            for identity in ours() {
                let mut floor = points.get(&self.floor_of(identity)).and_then(revision_of);
                let record = points.get(&identity.manifest_id());
                let stored = record.and_then(revision_of);
                let deleted = record.is_some_and(is_deleted);
                let manifest = record.filter(|_| !users).map(manifest_of);
                let damaged = matches!(manifest, Some(None)) || (record.is_some() && stored.is_none());
                if record.is_some() && stored.is_none() {
                    floor = floor.max(self.newest_chunk(identity).await?);
                }
                let standing = Standing { stored, floor, deleted, manifest: manifest.flatten(), damaged };
                standings.insert(identity.clone(), standing);
            }
        }
        Ok(standings)
    }

    async fn put_chunks(&self, points: Vec<PointStruct>) -> Result<(), StoreError> {
        for page in pages(points, |point| text_bytes(&point.payload) + VECTOR_BYTES) {
            self.upsert(&self.index.chunks, page, None).await?;
        }
        Ok(())
    }

    async fn swap(&self, swaps: &[Swap]) -> Result<(), StoreError> {
        let (users, documents): (Vec<&Swap>, Vec<&Swap>) =
            swaps.iter().partition(|swap| swap.identity.document_type == DocumentType::Users);
        self.swap_in(AUTHORS, &users).await?;
        self.swap_in(&self.index.documents, &documents).await
    }

    async fn chunks_of(&self, identity: &Identity) -> Result<Vec<(Uuid, Revision)>, StoreError> {
        let mut chunks = Vec::new();
        let mut from: Option<PointId> = None;
        loop {
            let page = self.scroll(&self.index.chunks, of_document(identity), &["revision"], from).await?;
            // An id of another kind is not ours, and a chunk whose revision cannot be read belongs to nothing newer.
            chunks.extend(page.result.iter().filter_map(|point| {
                let id = uuid_of(point.id.as_ref()?)?;
                Some((id, revision_of(point).unwrap_or(Revision::ZERO)))
            }));
            from = page.next_page_offset;
            if from.is_none() {
                return Ok(chunks);
            }
        }
    }

    async fn dense_vectors(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<f32>>, StoreError> {
        let mut vectors = HashMap::new();
        for page in ids.chunks(PAGE) {
            let ids: Vec<PointId> = page.iter().copied().map(PointId::from).collect();
            let wanted = GetPointsBuilder::new(&self.index.chunks, ids)
                .with_vectors(SelectVectors::Include(VectorsSelector { names: vec![DENSE.into()] }));
            let points = self.qdrant.get_points(wanted.with_payload(false)).await?.result;
            vectors.extend(points.into_iter().filter_map(|point| match point.vectors?.get_vector_by_name(DENSE)? {
                Vector::Dense(dense) => Some((uuid_of(point.id.as_ref()?)?, dense.data)),
                _ => None,
            }));
        }
        Ok(vectors)
    }

    async fn delete_chunks(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        for page in ids.chunks(PAGE) {
            let ids = page.iter().copied().map(PointId::from).collect();
            let delete = DeletePointsBuilder::new(&self.index.chunks).points(PointsIdsList { ids });
            self.qdrant.delete_points(delete.wait(true).ordering(strong())).await?;
        }
        Ok(())
    }

    async fn recorded(
        &self,
        document_type: DocumentType,
        partition: u16,
        from: Option<PointId>,
    ) -> Result<(Vec<Identity>, Option<PointId>), StoreError> {
        let buckets: Vec<i64> =
            (0..BUCKETS).filter(|bucket| bucket % self.partitions == partition).map(i64::from).collect();
        let ours = Filter::must([
            Condition::matches("type", document_type.as_str().to_owned()),
            Condition::matches("bucket", buckets),
        ]);
        let identifying = ["type", "id_kind", "entry_id"];
        let page = self.scroll(self.records(document_type), ours, &identifying, from).await?;
        // No event can be about a record that does not say whose it is.
        let identity = |point: RetrievedPoint| {
            let id = point.id;
            let identity = Payload::from(point.payload).deserialize();
            identity.inspect_err(|error| tracing::warn!(?id, %error, "record without an identity left alone")).ok()
        };
        Ok((page.result.into_iter().filter_map(identity).collect(), page.next_page_offset))
    }

    async fn purge(&self, tombstones: &[(Identity, Revision)]) -> Result<(), StoreError> {
        let (users, documents): (Vec<_>, Vec<_>) =
            tombstones.iter().partition(|(identity, _)| identity.document_type == DocumentType::Users);
        for (collection, tombstones) in [(AUTHORS, users), (&self.index.documents, documents)] {
            for page in tombstones.chunks(PAGE) {
                let still = page.iter().map(|(identity, revision)| {
                    let id = Condition::has_id([PointId::from(identity.manifest_id())]);
                    let as_read = [Condition::matches("revision", revision.get()), Condition::matches("deleted", true)];
                    Condition::from(Filter::must([id].into_iter().chain(as_read)))
                });
                let delete = DeletePointsBuilder::new(collection).points(Filter::should(still));
                self.qdrant.delete_points(delete.wait(true).ordering(strong())).await?;
            }
        }
        Ok(())
    }

    async fn bind(&self, source: &str) -> Result<String, StoreError> {
        self.bound_to(source).await
    }

    async fn trials(&self, partition: u16, message: &str) -> Result<u32, StoreError> {
        self.noted_trials(partition, message).await
    }

    async fn set_trials(&self, partition: u16, message: &str, trials: u32) -> Result<(), StoreError> {
        self.note_trials(partition, message, trials).await
    }

    async fn passed(
        &self,
        document_type: DocumentType,
        partition: u16,
        barrier: Uuid,
    ) -> Result<Option<Passed>, StoreError> {
        self.noted_place(document_type, partition, barrier).await
    }

    async fn note_passed(
        &self,
        document_type: DocumentType,
        partition: u16,
        barrier: Uuid,
        passed: &Passed,
    ) -> Result<(), StoreError> {
        self.note_place(document_type, partition, barrier, passed).await
    }

    async fn raise_floor(
        &self,
        document_type: DocumentType,
        partition: u16,
        revision: Revision,
    ) -> Result<(), StoreError> {
        let (id, mut backoff) = (floor_id(document_type, partition), Backoff::default());
        let mut attempts = 0;
        loop {
            attempts += 1;
            // The second reads what the first has written; from then on it is no race.
            if attempts > 2 {
                backoff.wait().await;
            }
            let standing = self.floor(document_type, partition).await?;
            if standing.is_some_and(|floor| floor >= revision) {
                return Ok(());
            }
            let fields = serde_json::json!({ "meta": "floor", "floor_type": document_type,
                "floor_partition": partition, "revision": revision });
            let payload = Payload::try_from(fields).map_err(|_| StoreError::Damaged("floor"))?;
            let as_read = match standing {
                Some(floor) => Condition::matches("revision", floor.get()),
                None => unreadable(),
            };
            let point = record_point(id, payload);
            self.upsert(self.records(document_type), vec![point], Some(Filter::must([as_read]))).await?;
        }
    }
}

fn include(fields: &[&str]) -> SelectorOptions {
    SelectorOptions::Include(PayloadIncludeSelector { fields: fields.iter().map(ToString::to_string).collect() })
}

fn strong() -> WriteOrdering {
    WriteOrdering { r#type: WriteOrderingType::Strong.into() }
}
