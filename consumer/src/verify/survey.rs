//! The survey: each side read once, to find the documents that are worth a closer look.
//!
//! MongoDB cannot be read by hash buckets and the index can. So what MongoDB holds goes to temporary files first, one
//! for each group of buckets, about 150 bytes a document; then group by group is compared in memory.

use std::collections::{BTreeSet, HashMap};
use std::pin::pin;

use futures_util::TryStreamExt;
use qdrant_client::qdrant::PointId;
use shared::index::uuid_of;
use shared::{BUCKETS, DocumentType, Identity, Revision};
use uuid::Uuid;

use super::difference::{self, Terms};
use super::expected::Expected;
use super::progress::Progress;
use super::record::{Record, Says, chunk, whose};
use super::sides::Sides;
use super::spill::Spill;
use crate::command_error::CommandError;

/// What was read, and what of it differs.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Documents in MongoDB.
    pub(super) documents: u64,
    /// Of them, those whose `_id` makes no identity.
    pub(super) unidentified: u64,
    /// Records in the index.
    pub(super) records: u64,
    /// Of them, those that say why their document is not indexed.
    pub(super) failed: u64,
    /// Chunks in the index.
    pub(super) chunks: u64,
    /// Documents that seem to differ; the pipeline may just be behind.
    pub(super) suspects: BTreeSet<Identity>,
}

/// One group of buckets, in memory.
struct Group<'a> {
    types: &'a [DocumentType],
    /// None: all of them.
    buckets: Option<Vec<i64>>,
    /// What the index should say, by the record's id. What is left of it in the end is missing.
    expected: HashMap<Uuid, (Identity, Expected)>,
    /// Which record lists a chunk. What is left of it in the end is gone.
    listed: HashMap<Uuid, Uuid>,
    /// Whose records there are, and where they stand.
    known: HashMap<Uuid, (Identity, Option<Revision>)>,
}

impl Survey {
    /// Reads everything of these types once, comparing about so many documents and chunks at a time.
    pub(super) async fn make(
        sides: &Sides,
        types: &[DocumentType],
        at_once: u64,
        progress: &Progress,
    ) -> Result<Self, CommandError> {
        let mut total = sides.patience.ask("count points", || sides.store.size()).await?;
        let groups = u16::try_from(total / at_once.max(1) + 1).unwrap_or(BUCKETS).min(BUCKETS);
        for document_type in types {
            total += sides.documents.size(*document_type).await?;
        }
        progress.begin(total);
        let (mut survey, mut spill) = (Self::default(), Spill::new(groups)?);
        for document_type in types {
            survey.read_documents(sides, *document_type, &mut spill, progress).await?;
        }
        for group in 0..groups {
            let buckets = (groups > 1).then(|| spill.buckets(group));
            let (expected, listed, known) = (spill.take(group)?, HashMap::new(), HashMap::new());
            survey.compare(sides, Group { types, buckets, expected, listed, known }, progress).await?;
        }
        Ok(survey)
    }

    async fn read_documents(
        &mut self,
        sides: &Sides,
        document_type: DocumentType,
        spill: &mut Spill,
        progress: &Progress,
    ) -> Result<(), CommandError> {
        let mut pages = pin!(sides.documents.all(document_type).await?);
        while let Some(page) = pages.try_next().await? {
            self.documents += page.len() as u64;
            progress.advance(page.len());
            for (identity, expected) in page {
                match identity {
                    Some(identity) => spill.put(&identity, &expected)?,
                    None => self.unidentified += 1,
                }
            }
        }
        Ok(())
    }

    async fn compare(&mut self, sides: &Sides, mut group: Group<'_>, progress: &Progress) -> Result<(), CommandError> {
        let (users, others): (Vec<_>, Vec<_>) = group.types.iter().partition(|known| **known == DocumentType::Users);
        for types in [users, others.clone()] {
            let mut from: Option<PointId> = None;
            while !types.is_empty() {
                let read = || sides.store.records_page(&types, group.buckets.as_deref(), from.clone());
                let (page, next) = sides.patience.ask("read records", read).await?;
                // Asked for after the records: none of them can be later.
                let terms = sides.terms().await?;
                progress.advance(page.len());
                for point in page {
                    self.take_record(point, &mut group, &terms);
                }
                from = next;
                if from.is_none() {
                    break;
                }
            }
        }
        self.suspects.extend(group.expected.drain().map(|(_, (identity, _))| identity));
        let mut from: Option<PointId> = None;
        while !others.is_empty() {
            let read = || sides.store.chunks_page(&others, group.buckets.as_deref(), from.clone());
            let (page, next) = sides.patience.ask("read chunks", read).await?;
            progress.advance(page.len());
            for point in &page {
                self.take_chunk(point, &mut group);
            }
            from = next;
            if from.is_none() {
                break;
            }
        }
        let bereft = group.listed.values().filter_map(|record| group.known.get(record));
        self.suspects.extend(bereft.map(|(identity, _)| identity.clone()));
        Ok(())
    }

    fn take_record(&mut self, point: qdrant_client::qdrant::RetrievedPoint, group: &mut Group<'_>, terms: &Terms) {
        let Some(id) = point.id.as_ref().and_then(uuid_of) else { return };
        let (expected, whose) = (group.expected.remove(&id), whose(&point));
        let Some(identity) = expected.as_ref().map(|(identity, _)| identity.clone()).or(whose) else {
            tracing::warn!(%id, "a record says not whose it is and is left alone");
            return;
        };
        let record = Record::of(&identity, point);
        self.records += 1;
        self.failed += u64::from(record.says == Says::Failed);
        if difference::of_record(expected.as_ref().map(|(_, expected)| expected), Some(&record), terms).is_some() {
            self.suspects.insert(identity.clone());
        }
        group.listed.extend(record.chunk_ids.iter().map(|chunk| (*chunk, id)));
        group.known.insert(id, (identity, record.revision));
    }

    fn take_chunk(&mut self, point: &qdrant_client::qdrant::RetrievedPoint, group: &mut Group<'_>) {
        let (Some(identity), Some((id, revision))) = (whose(point), chunk(point)) else {
            tracing::warn!(id = ?point.id, "a chunk says not whose it is and is left alone");
            return;
        };
        self.chunks += 1;
        let record = identity.manifest_id();
        if group.listed.get(&id) == Some(&record) {
            group.listed.remove(&id);
            return;
        }
        let standing = group.known.get(&record);
        if standing.is_none_or(|(_, stands)| Some(revision) <= *stands) {
            self.suspects.insert(identity);
        }
    }
}
