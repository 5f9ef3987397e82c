//! Notes among the records: points that say something of the index and not of a document. Like all meta points they
//! have a field `meta` and no `deleted`.

use std::collections::{BTreeMap, BTreeSet};

use qdrant_client::Payload;
use qdrant_client::qdrant::{CountPointsBuilder, UpdateMode, UpsertPointsBuilder};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared::index::uuid_of;
use shared::{DocumentType, NAMESPACE};
use uuid::Uuid;

use super::record::record_point;
use super::{QdrantStore, strong};
use crate::error::StoreError;
use crate::store::Passed;

/// The source that an index is of.
#[derive(Serialize, Deserialize)]
struct SourceNote {
    meta: String,
    source: String,
}

/// Trials of a partition's messages that were begun and not ended in order, by the messages' names.
#[derive(Serialize, Deserialize)]
struct TrialNote {
    meta: String,
    trials: BTreeMap<String, u32>,
}

/// The pipeline by which an index is made.
#[derive(Serialize, Deserialize)]
struct PipelineNote {
    meta: String,
    pipeline: String,
}

/// How far a barrier has got: to this record, or past all of them.
#[derive(Serialize, Deserialize)]
struct PlaceNote {
    meta: String,
    barrier: Uuid,
    place: Option<Uuid>,
}

/// Messages whose trials are kept: as many as are ever held of a partition. More are of messages that are gone.
const KEPT: usize = 128;

impl QdrantStore {
    /// The source that the index is of, if one was recorded.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn source(&self) -> Result<Option<String>, StoreError> {
        Ok(self.note(note_id("source")).await?.map(|note: SourceNote| note.source))
    }

    /// Gives the index to this source, whatever was recorded.
    pub(crate) async fn bind_anew(&self, source: &str) -> Result<(), StoreError> {
        self.put_note(note_id("source"), &source_note(source), UpdateMode::Upsert).await
    }

    /// The pipeline, other than `ours`, by which what the index holds was made, as far as it was noted. `None`: it holds
    /// nothing, or what `ours` made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn former_pipeline(&self, ours: &str) -> Result<Option<String>, StoreError> {
        if let Some(PipelineNote { pipeline, .. }) = self.note(note_id("pipeline")).await? {
            return Ok((pipeline != ours).then_some(pipeline));
        }
        let chunks = self.qdrant.count(CountPointsBuilder::new(&self.index.chunks).exact(true)).await?.result;
        Ok(chunks.is_some_and(|chunks| chunks.count > 0).then(|| "unknown".into()))
    }

    /// Notes that from now on the index is made by this pipeline.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_pipeline(&self, ours: &str) -> Result<(), StoreError> {
        let note = PipelineNote { meta: "pipeline".into(), pipeline: ours.into() };
        self.put_note(note_id("pipeline"), &note, UpdateMode::Upsert).await
    }

    pub(super) async fn bound_to(&self, source: &str) -> Result<String, StoreError> {
        if let Some(bound) = self.source().await? {
            return Ok(bound);
        }
        // Two consumers at once: the first one's stands.
        self.put_note(note_id("source"), &source_note(source), UpdateMode::InsertOnly).await?;
        self.source().await?.ok_or(StoreError::Damaged("source"))
    }

    pub(super) async fn noted_trials(&self, partition: u16, message: &str) -> Result<u32, StoreError> {
        let note: Option<TrialNote> = self.note(trial_id(partition)).await?;
        Ok(note.and_then(|note| note.trials.get(message).copied()).unwrap_or(0))
    }

    pub(super) async fn note_trials(&self, partition: u16, message: &str, trials: u32) -> Result<(), StoreError> {
        let note: Option<TrialNote> = self.note(trial_id(partition)).await?;
        let mut note = note.unwrap_or_else(|| TrialNote { meta: "trial".into(), trials: BTreeMap::new() });
        note.trials.remove(message);
        if trials > 0 {
            let least = note.trials.iter().min_by_key(|(_, trials)| **trials).map(|(name, _)| name.clone());
            if let Some(least) = least.filter(|_| note.trials.len() >= KEPT) {
                note.trials.remove(&least);
            }
            note.trials.insert(message.into(), trials);
        }
        self.put_note(trial_id(partition), &note, UpdateMode::Upsert).await
    }

    pub(super) async fn noted_place(
        &self,
        document_type: DocumentType,
        partition: u16,
        barrier: Uuid,
    ) -> Result<Option<Passed>, StoreError> {
        let note: Option<PlaceNote> = self.note(place_id(document_type, partition)).await?;
        let note = note.filter(|note| note.barrier == barrier);
        Ok(note.map(|note| note.place.map_or(Passed::All, |place| Passed::UpTo(place.into()))))
    }

    /// The note of a barrier that is passed stays until the next one's: an acknowledgement that comes too late, or never,
    /// brings it back.
    pub(super) async fn note_place(
        &self,
        document_type: DocumentType,
        partition: u16,
        barrier: Uuid,
        passed: &Passed,
    ) -> Result<(), StoreError> {
        let place = match passed {
            Passed::All => None,
            Passed::UpTo(place) => Some(uuid_of(place).ok_or(StoreError::Damaged("place"))?),
        };
        let note = PlaceNote { meta: "barrier".into(), barrier, place };
        self.put_note(place_id(document_type, partition), &note, UpdateMode::Upsert).await
    }

    /// `None` where there is none, or none that can be read: it is written anew.
    async fn note<N: DeserializeOwned>(&self, id: Uuid) -> Result<Option<N>, StoreError> {
        let fields = ["meta", "source", "trials", "barrier", "place", "pipeline"];
        let point = self.get(&self.index.documents, BTreeSet::from([id]), &fields).await?.remove(&id);
        Ok(point.and_then(|point| Payload::from(point.payload).deserialize().ok()))
    }

    async fn put_note(&self, id: Uuid, note: &impl Serialize, mode: UpdateMode) -> Result<(), StoreError> {
        let payload = serde_json::to_value(note).ok().and_then(|fields| Payload::try_from(fields).ok());
        let point = record_point(id, payload.ok_or(StoreError::Damaged("note"))?);
        let upsert = UpsertPointsBuilder::new(&self.index.documents, vec![point]).wait(true).ordering(strong());
        self.qdrant.upsert_points(upsert.update_mode(mode)).await?;
        Ok(())
    }
}

fn source_note(source: &str) -> SourceNote {
    SourceNote { meta: "source".into(), source: source.into() }
}

fn note_id(kind: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, kind.as_bytes())
}

fn trial_id(partition: u16) -> Uuid {
    note_id(&format!("trial\0{partition}"))
}

fn place_id(document_type: DocumentType, partition: u16) -> Uuid {
    note_id(&format!("barrier\0{document_type}\0{partition}"))
}
