//! How far the relay has come, in `twin_cdc.checkpoints`, one document per watched database.
//!
//! Majority, monotone, fenced: a write names the epoch of the lease that it was made under and a number higher than
//! the last; a predecessor's late write matches nothing.

use std::collections::{BTreeMap, BTreeSet};

use bson::{DateTime, Document, Timestamp, doc};
use futures_util::future::{BoxFuture, FutureExt};
use mongodb::Collection;
use mongodb::options::ReturnDocument;
use serde::{Deserialize, Serialize};
use shared::DocumentType;
use uuid::Uuid;

use crate::error::{ProducerError, is_duplicate_key};
use crate::position::Position;
use crate::server::answer;
use crate::snapshot::{Scope, Snapshot};
use crate::window::Mark;
use source::Source;

/// What is known to be relayed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Where the stream goes on; none before the first start.
    #[serde(default)]
    pub(crate) position: Option<Position>,
    /// Types whose documents from before are relayed or on their way.
    #[serde(default)]
    pub(crate) types: BTreeSet<DocumentType>,
    /// Fingerprints of what was selected of each type (`FILTER`, `EXCLUDE_FIELDS`); none: all of it.
    #[serde(default)]
    pub(crate) selections: BTreeMap<String, String>,
    /// Types that need a snapshot, for which no T0 is taken yet.
    #[serde(default)]
    pub(crate) requested: BTreeSet<DocumentType>,
    /// Snapshots that are not yet relayed to their end.
    #[serde(default)]
    pub(crate) snapshots: Vec<Snapshot>,
    /// When the last snapshot had ended.
    #[serde(default)]
    pub(crate) snapshot_finished_at: Option<DateTime>,
}

impl Progress {
    /// Takes up a snapshot. One of a whole type takes the place of an older such.
    pub(crate) fn begin(&mut self, snapshot: Snapshot) {
        let is_former = |former: &Snapshot| former.is_whole() && former.document_type == snapshot.document_type;
        self.snapshots.retain(|former| !(snapshot.is_whole() && is_former(former)) && former.key() != snapshot.key());
        self.snapshots.push(snapshot);
    }

    /// Takes over a mark. Only the window makes marks, in order, each after all that it speaks of is confirmed.
    pub(crate) fn advance(&mut self, mark: Mark) {
        match mark {
            Mark::Reached(reached) => self.position = Some(reached.into_position()),
            Mark::Requested(document_type) => {
                self.requested.insert(document_type);
            }
            Mark::Voided(document_type, dropped_at) => {
                self.snapshots.retain(|snapshot| snapshot.document_type != document_type || snapshot.t0 > dropped_at);
                self.requested.remove(&document_type);
            }
            Mark::Copied { key, copied, .. } => {
                if let Some(snapshot) = self.snapshots.iter_mut().find(|snapshot| snapshot.key() == key) {
                    snapshot.copied = copied;
                }
            }
            Mark::Finished(key) => {
                self.snapshots.retain(|snapshot| snapshot.key() != key);
                if self.snapshots.is_empty() && self.requested.is_empty() {
                    self.snapshot_finished_at = Some(DateTime::now());
                }
            }
        }
    }
}

/// The document as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredCheckpoint {
    /// The lease's epoch under which it was written.
    pub(crate) epoch: i64,
    /// Writes of this epoch so far.
    #[serde(default)]
    writes: i64,
    /// When it was written, by the server's clock.
    #[serde(default)]
    pub(crate) saved_at: Option<DateTime>,
    /// What is known to be relayed.
    #[serde(flatten)]
    pub(crate) progress: Progress,
}

/// Writes the checkpoint under one lease.
#[derive(Debug, Clone)]
pub(crate) struct CheckpointStore {
    source: Source,
    checkpoints: Collection<StoredCheckpoint>,
    epoch: i64,
    writes: i64,
}

impl CheckpointStore {
    /// Claims the checkpoint for this epoch, so that no earlier one can write it, and reads it.
    pub(crate) async fn claim(source: &Source, epoch: i64) -> Result<(Self, Progress), ProducerError> {
        let checkpoints: Collection<StoredCheckpoint> = source.records("checkpoints");
        let older = doc! {"_id": source.name(), "epoch": {"$lt": epoch}};
        let claim = doc! {"$set": {"epoch": epoch, "writes": 0_i64}};
        let claimed = checkpoints.find_one_and_update(older, claim).upsert(true).return_document(ReturnDocument::After);
        let stored = match answer(claimed.into_future()).await {
            // A later epoch has claimed it: nothing older matched, and the upsert met its document.
            Err(ProducerError::MongoDb(error)) if is_duplicate_key(&error) => return Err(ProducerError::Fenced),
            claimed => claimed?.ok_or(ProducerError::Fenced)?,
        };
        let store = Self { source: source.clone(), checkpoints, epoch, writes: 0 };
        Ok((store, stored.progress))
    }

    /// A write, ready to be awaited.
    pub(crate) fn save(&mut self, progress: &Progress) -> BoxFuture<'static, Result<(), ProducerError>> {
        tracing::trace!(target: "stage", "checkpoint");
        self.writes += 1;
        let (checkpoints, epoch, writes) = (self.checkpoints.clone(), self.epoch, self.writes);
        let own = doc! {"_id": self.source.name(), "epoch": epoch, "writes": {"$lt": writes}};
        let fields = bson::serialize_to_document(progress);
        async move {
            let mut fields: Document = fields?;
            fields.insert("writes", writes);
            let write = doc! {"$set": fields, "$currentDate": {"saved_at": true}};
            let written = answer(checkpoints.update_one(own, write).into_future()).await?;
            if written.matched_count == 0 { Err(ProducerError::Fenced) } else { Ok(()) }
        }
        .boxed()
    }

    /// Tells of each snapshot how many rows to expect.
    pub(crate) async fn estimate(&self, snapshots: &mut [Snapshot]) -> Result<(), ProducerError> {
        for snapshot in snapshots {
            snapshot.estimated = match &snapshot.scope {
                Scope::Whole => {
                    let rows = self.source.database().collection::<Document>(snapshot.document_type.as_str());
                    Some(answer(rows.estimated_document_count().into_future()).await?)
                }
                Scope::Keys(keys) => Some(keys.len() as u64),
                Scope::Filter(_) => None,
            };
        }
        Ok(())
    }

    /// A T0: the operationTime of a majority write made for it.
    pub(crate) async fn take_t0(&self) -> Result<Timestamp, ProducerError> {
        let mut session = answer(self.source.client().start_session().into_future()).await?;
        let starts: Collection<Document> = self.source.records("snapshots");
        let own = doc! {"_id": self.source.name()};
        let start = doc! {"$set": {"epoch": self.epoch, "token": Uuid::new_v4().to_string()}, "$currentDate": {"started_at": true}};
        answer(starts.update_one(own, start).upsert(true).session(&mut session).into_future()).await?;
        session
            .operation_time()
            .ok_or_else(|| mongodb::error::Error::custom("the server reported no operationTime").into())
    }
}

/// Reads the checkpoint of a database without claiming it.
pub(crate) async fn read(source: &Source) -> Result<Option<StoredCheckpoint>, ProducerError> {
    let checkpoints: Collection<StoredCheckpoint> = source.records("checkpoints");
    answer(checkpoints.find_one(doc! {"_id": source.name()}).into_future()).await
}

/// Removes the checkpoint: the next run relays everything anew. Returns whether there was one.
pub(crate) async fn reset(source: &Source) -> Result<bool, ProducerError> {
    let checkpoints: Collection<StoredCheckpoint> = source.records("checkpoints");
    let deleted = answer(checkpoints.delete_one(doc! {"_id": source.name()}).into_future()).await?;
    Ok(deleted.deleted_count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::Boundary;
    use crate::snapshot::Copied;
    use bson::rawdoc;

    fn snapshot(document_type: DocumentType) -> Snapshot {
        Snapshot::new(Uuid::from_u128(7), document_type, Timestamp { time: 5, increment: 6 }, Scope::Whole)
    }

    fn half_copied() -> Snapshot {
        let copied = Copied { after: Boundary::of(&rawdoc! {"_id": "a"}), rows: 4 };
        Snapshot { estimated: Some(9), copied, ..snapshot(DocumentType::Users) }
    }

    fn of_keys() -> Snapshot {
        let scope = Scope::Keys(vec!["int:7".parse().unwrap(), "any text".parse().unwrap()]);
        Snapshot { scope, ..snapshot(DocumentType::Posts) }
    }

    /// As it was stored before a snapshot could be resumed.
    #[test]
    fn a_snapshot_without_progress_is_read_from_the_start() {
        let id = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![7; 16] };
        let stored = doc! {"id": id, "type": "posts", "t0": Timestamp { time: 5, increment: 6 }};
        let read: Snapshot = bson::deserialize_from_document(stored).unwrap();
        assert_eq!((read.scope, read.copied), (Scope::Whole, Copied::default()));
    }

    #[test]
    fn progress_survives_its_document() {
        for position in
            [Position::Token(rawdoc! {"_data": "82"}), Position::OperationTime(Timestamp { time: 1, increment: 2 })]
        {
            let progress = Progress {
                position: Some(position),
                types: [DocumentType::Posts].into(),
                selections: [("posts".to_owned(), "fingerprint".to_owned())].into(),
                requested: [DocumentType::Users].into(),
                snapshots: vec![snapshot(DocumentType::Posts), half_copied(), of_keys()],
                snapshot_finished_at: Some(DateTime::from_millis(5)),
            };
            let mut stored = bson::serialize_to_document(&progress).unwrap();
            stored.extend(doc! {"_id": "twin", "epoch": 3_i64, "writes": 4_i64});
            let read: StoredCheckpoint = bson::deserialize_from_document(stored).unwrap();
            assert_eq!((read.epoch, read.progress), (3, progress));
        }
    }

    #[test]
    fn a_claimed_document_without_a_position_is_no_progress() {
        let read: StoredCheckpoint =
            bson::deserialize_from_document(doc! {"_id": "twin", "epoch": 1_i64, "writes": 0_i64}).unwrap();
        assert_eq!(read.progress, Progress::default());
    }

    #[test]
    fn a_drop_voids_the_snapshot_of_its_type_only() {
        let snapshots = vec![snapshot(DocumentType::Posts), snapshot(DocumentType::Users)];
        let mut progress = Progress { snapshots, ..Progress::default() };
        progress.requested.insert(DocumentType::Posts);
        progress.advance(Mark::Voided(DocumentType::Posts, Timestamp { time: 5, increment: 5 }));
        assert_eq!(progress.snapshots.len(), 2, "a drop from before T0 voids nothing");
        progress.requested.insert(DocumentType::Posts);
        progress.advance(Mark::Voided(DocumentType::Posts, Timestamp { time: 5, increment: 7 }));
        assert_eq!(progress.snapshots, [snapshot(DocumentType::Users)]);
        assert!(progress.requested.is_empty());
        progress.advance(Mark::Finished((Uuid::from_u128(7), DocumentType::Users)));
        assert!(progress.snapshots.is_empty() && progress.snapshot_finished_at.is_some());
    }
}
