//! A store whose consumer dies at a call that is chosen beforehand: before the call is made, or once it has been answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use consumer::{Passed, QdrantStore, Standing, StoreError, Swap, VectorStore};
use qdrant_client::qdrant::{PointId, PointStruct};
use shared::{DocumentType, Identity, Revision};
use tokio::sync::Notify;
use uuid::Uuid;

/// When a consumer dies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doom {
    /// Calls that are still answered.
    pub(super) calls: u32,
    /// Whether the next one still takes effect.
    pub(super) takes_effect: bool,
}

/// The store of a consumer that can be doomed.
pub(super) struct Mortal {
    store: QdrantStore,
    doom: Mutex<Option<Doom>>,
    died: Arc<Notify>,
}

impl Mortal {
    pub(super) fn new(store: QdrantStore) -> Self {
        Self { store, doom: Mutex::default(), died: Arc::default() }
    }

    /// The consumer dies then; nothing dooms it no more. What is returned is notified when it does.
    pub(super) fn doom(&self, doom: Option<Doom>) -> Arc<Notify> {
        *self.doom.lock().unwrap_or_else(PoisonError::into_inner) = doom;
        Arc::clone(&self.died)
    }

    /// None while it lives; at its end, whether the call still takes effect.
    fn end(&self) -> Option<bool> {
        let mut doom = self.doom.lock().unwrap_or_else(PoisonError::into_inner);
        let Doom { calls, takes_effect } = doom.as_mut()?;
        if *calls == 0 {
            return Some(*takes_effect);
        }
        *calls -= 1;
        None
    }

    async fn live<T>(&self, call: impl Future<Output = T>) -> T {
        match self.end() {
            None => return call.await,
            Some(true) => drop(call.await),
            Some(false) => {}
        }
        self.died.notify_one();
        std::future::pending().await
    }
}

impl VectorStore for Mortal {
    async fn standings(&self, identities: &[Identity]) -> Result<HashMap<Identity, Standing>, StoreError> {
        self.live(self.store.standings(identities)).await
    }
    async fn put_chunks(&self, points: Vec<PointStruct>) -> Result<(), StoreError> {
        self.live(self.store.put_chunks(points)).await
    }
    async fn swap(&self, swaps: &[Swap]) -> Result<(), StoreError> {
        self.live(self.store.swap(swaps)).await
    }
    async fn chunks_of(&self, identity: &Identity) -> Result<Vec<(Uuid, Revision)>, StoreError> {
        self.live(self.store.chunks_of(identity)).await
    }
    async fn dense_vectors(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<f32>>, StoreError> {
        self.live(self.store.dense_vectors(ids)).await
    }
    async fn delete_chunks(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        self.live(self.store.delete_chunks(ids)).await
    }
    async fn recorded(
        &self,
        document_type: DocumentType,
        partition: u16,
        from: Option<PointId>,
    ) -> Result<(Vec<Identity>, Option<PointId>), StoreError> {
        self.live(self.store.recorded(document_type, partition, from)).await
    }
    async fn purge(&self, tombstones: &[(Identity, Revision)]) -> Result<(), StoreError> {
        self.live(self.store.purge(tombstones)).await
    }
    async fn bind(&self, source: &str) -> Result<String, StoreError> {
        self.live(self.store.bind(source)).await
    }
    async fn trials(&self, partition: u16, message: &str) -> Result<u32, StoreError> {
        self.live(self.store.trials(partition, message)).await
    }
    async fn set_trials(&self, partition: u16, message: &str, trials: u32) -> Result<(), StoreError> {
        self.live(self.store.set_trials(partition, message, trials)).await
    }
    async fn passed(&self, of: DocumentType, partition: u16, barrier: Uuid) -> Result<Option<Passed>, StoreError> {
        self.live(self.store.passed(of, partition, barrier)).await
    }
    async fn note_passed(
        &self,
        document_type: DocumentType,
        partition: u16,
        barrier: Uuid,
        passed: &Passed,
    ) -> Result<(), StoreError> {
        self.live(self.store.note_passed(document_type, partition, barrier, passed)).await
    }
    async fn raise_floor(&self, document_type: DocumentType, partition: u16, to: Revision) -> Result<(), StoreError> {
        self.live(self.store.raise_floor(document_type, partition, to)).await
    }
}
