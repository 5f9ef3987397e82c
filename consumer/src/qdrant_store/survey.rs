//! What the index holds, read to be compared: every record and every chunk once, page by page, or those of some documents.

use std::collections::{BTreeSet, HashMap};

use qdrant_client::Payload;
use qdrant_client::qdrant::{Condition, CountPointsBuilder, Filter, PointId, RetrievedPoint, SetPayloadPointsBuilder};
use shared::index::AUTHORS;
use shared::{DocumentType, Identity, Revision};
use uuid::Uuid;

use super::{QdrantStore, strong};
use crate::error::StoreError;

/// What is compared of a manifest and of a user's record.
const RECORD_FIELDS: [&str; 14] = [
    "meta",
    "type",
    "id_kind",
    "entry_id",
    "revision",
    "deleted",
    "error",
    "bucket",
    "source_hash",
    "fingerprint",
    "chunk_ids",
    "first_name",
    "last_name",
    "full_name",
];
const CHUNK_FIELDS: [&str; 4] = ["type", "id_kind", "entry_id", "revision"];

/// Points, and where the next page begins.
pub(crate) type Page = (Vec<RetrievedPoint>, Option<PointId>);

impl QdrantStore {
    /// About how many points there are.
    pub(crate) async fn size(&self) -> Result<u64, StoreError> {
        let mut points = 0;
        for collection in [AUTHORS, &self.index.documents, &self.index.chunks] {
            let counted = self.qdrant.count(CountPointsBuilder::new(collection).exact(false)).await?;
            points += counted.result.map_or(0, |result| result.count);
        }
        Ok(points)
    }

    /// A page of the records of these types (all of users, or all of others) in these buckets.
    pub(crate) async fn records_page(
        &self,
        types: &[DocumentType],
        buckets: Option<&[i64]>,
        from: Option<PointId>,
    ) -> Result<Page, StoreError> {
        let collection = types.first().map_or(AUTHORS, |document_type| self.records(*document_type));
        let page = self.scroll(collection, within(types, buckets), &RECORD_FIELDS, from).await?;
        Ok((page.result, page.next_page_offset))
    }

    /// A page of the chunks of these types in these buckets.
    pub(crate) async fn chunks_page(
        &self,
        types: &[DocumentType],
        buckets: Option<&[i64]>,
        from: Option<PointId>,
    ) -> Result<Page, StoreError> {
        let page = self.scroll(&self.index.chunks, within(types, buckets), &CHUNK_FIELDS, from).await?;
        Ok((page.result, page.next_page_offset))
    }

    /// The records of these documents, by their ids.
    pub(crate) async fn records_of(
        &self,
        identities: &[Identity],
    ) -> Result<HashMap<Uuid, RetrievedPoint>, StoreError> {
        let mut points = HashMap::new();
        for users in [false, true] {
            let ids: BTreeSet<Uuid> = identities
                .iter()
                .filter(|identity| (identity.document_type == DocumentType::Users) == users)
                .map(Identity::manifest_id)
                .collect();
            let collection = if users { AUTHORS } else { &self.index.documents };
            points.extend(self.get(collection, ids, &RECORD_FIELDS).await?);
        }
        Ok(points)
    }

    /// The chunks of these documents of one type, and maybe of others that share an `entry_id` with one of them.
    pub(crate) async fn chunks_of_entries(
        &self,
        document_type: DocumentType,
        entries: Vec<String>,
    ) -> Result<Vec<RetrievedPoint>, StoreError> {
        let theirs = Filter::must([
            Condition::matches("type", document_type.to_string()),
            Condition::matches("entry_id", entries),
        ]);
        let (mut points, mut from) = (Vec::new(), None);
        loop {
            let page = self.scroll(&self.index.chunks, theirs.clone(), &CHUNK_FIELDS, from).await?;
            points.extend(page.result);
            from = page.next_page_offset;
            if from.is_none() {
                return Ok(points);
            }
        }
    }

    /// Takes back a revision that no change can have had, so that a repair counts as newer. What readers see stays.
    pub(crate) async fn take_back(&self, identity: &Identity, revision: Revision) -> Result<(), StoreError> {
        let id = PointId::from(identity.manifest_id());
        let unchanged = Filter::must([Condition::has_id([id]), Condition::matches("revision", revision.get())]);
        let lowest = Payload::try_from(serde_json::json!({"revision": Revision::ZERO}));
        let payload = lowest.map_err(|_| StoreError::Damaged("revision"))?;
        let set = SetPayloadPointsBuilder::new(self.records(identity.document_type), payload);
        self.qdrant.set_payload(set.points_selector(unchanged).wait(true).ordering(strong())).await?;
        Ok(())
    }
}

fn within(types: &[DocumentType], buckets: Option<&[i64]>) -> Filter {
    let names: Vec<String> = types.iter().map(ToString::to_string).collect();
    let mut conditions = vec![Condition::matches("type", names)];
    if let Some(buckets) = buckets {
        conditions.push(Condition::matches("bucket", buckets.to_vec()));
    }
    Filter::must(conditions)
}
