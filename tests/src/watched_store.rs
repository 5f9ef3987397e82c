//! The real store, with something around each request to it: faults, deaths, a test that leads.

use std::collections::HashMap;
use std::sync::Arc;

use consumer::{Passed, QdrantStore, Standing, StoreError, Swap, VectorStore};
use qdrant_client::qdrant::{PointId, PointStruct};
use shared::{DocumentType, Identity, Revision};
use uuid::Uuid;

/// A request to the store, with what a test may want to know of it.
#[derive(Debug, Clone, Copy)]
pub enum Call<'a> {
    /// What stands for some documents.
    Standings,
    /// Writes chunks.
    PutChunks(&'a [PointStruct]),
    /// Writes records.
    Swap(&'a [Swap]),
    /// Scrolls a document's chunks.
    ChunksOf,
    /// Deletes chunks.
    DeleteChunks,
    /// A page of documents that have a record, from this place on.
    Recorded(&'a Option<PointId>),
    /// A barrier's place is noted.
    NotePassed,
    /// Any other.
    Other,
}

/// Identities, and where the next page begins.
pub type Page = (Vec<Identity>, Option<PointId>);

/// What happens around a request.
pub trait Watch: Send + Sync {
    /// Makes the request, or does not.
    fn around<T: Send>(
        &self,
        call: Call<'_>,
        request: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;

    /// May shorten a page of [`Call::Recorded`].
    fn cut(&self, page: Page) -> Page {
        page
    }
}

impl<W: Watch> Watch for Arc<W> {
    fn around<T: Send>(
        &self,
        call: Call<'_>,
        request: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> impl Future<Output = Result<T, StoreError>> + Send {
        W::around(self, call, request)
    }

    fn cut(&self, page: Page) -> Page {
        W::cut(self, page)
    }
}

/// The store, watched. Each request is boxed: tests nest a lot around it, and stacks are small.
pub struct WatchedStore<W> {
    /// The store itself.
    pub store: QdrantStore,
    /// What happens around each request.
    pub watch: W,
}

impl<W: Watch> VectorStore for WatchedStore<W> {
    async fn standings(&self, identities: &[Identity]) -> Result<HashMap<Identity, Standing>, StoreError> {
        Box::pin(self.watch.around(Call::Standings, self.store.standings(identities))).await
    }
    async fn put_chunks(&self, points: Vec<PointStruct>) -> Result<(), StoreError> {
        Box::pin(self.watch.around(Call::PutChunks(&points), self.store.put_chunks(points.clone()))).await
    }
    async fn swap(&self, swaps: &[Swap]) -> Result<(), StoreError> {
        Box::pin(self.watch.around(Call::Swap(swaps), self.store.swap(swaps))).await
    }
    async fn chunks_of(&self, identity: &Identity) -> Result<Vec<(Uuid, Revision)>, StoreError> {
        Box::pin(self.watch.around(Call::ChunksOf, self.store.chunks_of(identity))).await
    }
    async fn dense_vectors(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<f32>>, StoreError> {
        Box::pin(self.watch.around(Call::Other, self.store.dense_vectors(ids))).await
    }
    async fn delete_chunks(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        Box::pin(self.watch.around(Call::DeleteChunks, self.store.delete_chunks(ids))).await
    }
    async fn recorded(
        &self,
        document_type: DocumentType,
        partition: u16,
        from: Option<PointId>,
    ) -> Result<Page, StoreError> {
        let request = self.store.recorded(document_type, partition, from.clone());
        Box::pin(self.watch.around(Call::Recorded(&from), request)).await.map(|page| self.watch.cut(page))
    }
    async fn purge(&self, tombstones: &[(Identity, Revision)]) -> Result<(), StoreError> {
        Box::pin(self.watch.around(Call::Other, self.store.purge(tombstones))).await
    }
    async fn bind(&self, source: &str) -> Result<String, StoreError> {
        Box::pin(self.watch.around(Call::Other, self.store.bind(source))).await
    }
    async fn trials(&self, partition: u16, message: &str) -> Result<u32, StoreError> {
        Box::pin(self.watch.around(Call::Other, self.store.trials(partition, message))).await
    }
    async fn set_trials(&self, partition: u16, message: &str, trials: u32) -> Result<(), StoreError> {
        Box::pin(self.watch.around(Call::Other, self.store.set_trials(partition, message, trials))).await
    }
    async fn passed(&self, of: DocumentType, partition: u16, barrier: Uuid) -> Result<Option<Passed>, StoreError> {
        Box::pin(self.watch.around(Call::Other, self.store.passed(of, partition, barrier))).await
    }
    async fn note_passed(
        &self,
        document_type: DocumentType,
        partition: u16,
        barrier: Uuid,
        passed: &Passed,
    ) -> Result<(), StoreError> {
        let request = self.store.note_passed(document_type, partition, barrier, passed);
        Box::pin(self.watch.around(Call::NotePassed, request)).await
    }
    async fn raise_floor(&self, document_type: DocumentType, partition: u16, to: Revision) -> Result<(), StoreError> {
        Box::pin(self.watch.around(Call::Other, self.store.raise_floor(document_type, partition, to))).await
    }
}
