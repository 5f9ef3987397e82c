//! A store to whose consumer something happens between the writing of chunks and that of their manifest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use consumer::{Change, Passed, QdrantStore, Standing, StoreError, Swap, VectorStore};
use qdrant_client::qdrant::{PointId, PointStruct};
use serde_json::Value;
use shared::{DocumentType, Identity, Manifest, Record, Revision};
use tokio::sync::Notify;
use uuid::Uuid;

use super::bench::Bench;

pub(super) enum Disturbance {
    /// It is killed, which is notified.
    Killed(Arc<Notify>),
    /// Another consumer applies this change meanwhile.
    Overtaken(Box<Change>),
    /// As soon as its manifest is written it is damaged: this is in its place.
    Damaged(Value),
    /// Requests that would write a record of this document with chunks in it are refused, each time.
    Refused(&'static str),
}

fn lists_chunks_of(entry_id: &str, swap: &Swap) -> bool {
    let manifest = Manifest::from_payload(swap.payload.clone()).unwrap();
    swap.identity.entry_id == entry_id && !manifest.chunk_ids.is_empty()
}

pub(super) struct Disturbed<'a> {
    pub(super) bench: &'a Bench,
    pub(super) store: QdrantStore,
    pub(super) disturbance: Mutex<Option<Disturbance>>,
    pub(super) writes: Mutex<Vec<Write>>,
    /// Where the pages began that were asked for.
    pub(super) places: Mutex<Vec<Option<PointId>>>,
}

/// A request to write, with the number of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Chunks(usize),
    Records(usize),
}

impl VectorStore for Disturbed<'_> {
    async fn standings(&self, identities: &[Identity]) -> Result<HashMap<Identity, Standing>, StoreError> {
        self.store.standings(identities).await
    }
    async fn put_chunks(&self, points: Vec<PointStruct>) -> Result<(), StoreError> {
        self.writes.lock().unwrap().push(Write::Chunks(points.len()));
        self.store.put_chunks(points).await
    }
    async fn swap(&self, swaps: &[Swap]) -> Result<(), StoreError> {
        self.writes.lock().unwrap().push(Write::Records(swaps.len()));
        let disturbance = self.disturbance.lock().unwrap().take();
        match disturbance {
            Some(Disturbance::Killed(killed)) => {
                killed.notify_one();
                std::future::pending::<()>().await;
            }
            Some(Disturbance::Overtaken(change)) => Box::pin(self.bench.apply(*change)).await,
            Some(Disturbance::Damaged(payload)) => {
                self.store.swap(swaps).await?;
                self.bench.damage(payload).await;
                return Ok(());
            }
            Some(Disturbance::Refused(entry_id)) => {
                *self.disturbance.lock().unwrap() = Some(Disturbance::Refused(entry_id));
                if swaps.iter().any(|swap| lists_chunks_of(entry_id, swap)) {
                    return Err(StoreError::Damaged("request"));
                }
            }
            None => {}
        }
        self.store.swap(swaps).await
    }
    async fn chunks_of(&self, identity: &Identity) -> Result<Vec<(Uuid, Revision)>, StoreError> {
        self.store.chunks_of(identity).await
    }
    async fn dense_vectors(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<f32>>, StoreError> {
        self.store.dense_vectors(ids).await
    }
    async fn delete_chunks(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        self.store.delete_chunks(ids).await
    }
    async fn recorded(
        &self,
        document_type: DocumentType,
        partition: u16,
        from: Option<PointId>,
    ) -> Result<(Vec<Identity>, Option<PointId>), StoreError> {
        self.places.lock().unwrap().push(from.clone());
        self.store.recorded(document_type, partition, from).await
    }
    async fn purge(&self, tombstones: &[(Identity, Revision)]) -> Result<(), StoreError> {
        self.store.purge(tombstones).await
    }
    async fn bind(&self, source: &str) -> Result<String, StoreError> {
        self.store.bind(source).await
    }
    async fn trials(&self, partition: u16, message: &str) -> Result<u32, StoreError> {
        self.store.trials(partition, message).await
    }
    async fn set_trials(&self, partition: u16, message: &str, trials: u32) -> Result<(), StoreError> {
        self.store.set_trials(partition, message, trials).await
    }
    async fn passed(&self, of: DocumentType, partition: u16, barrier: Uuid) -> Result<Option<Passed>, StoreError> {
        self.store.passed(of, partition, barrier).await
    }
    async fn note_passed(
        &self,
        document_type: DocumentType,
        partition: u16,
        barrier: Uuid,
        passed: &Passed,
    ) -> Result<(), StoreError> {
        self.store.note_passed(document_type, partition, barrier, passed).await
    }
    async fn raise_floor(&self, document_type: DocumentType, partition: u16, to: Revision) -> Result<(), StoreError> {
        self.store.raise_floor(document_type, partition, to).await
    }
}
