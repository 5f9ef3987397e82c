//! A consumer that is led call by call: each request to the store waits until the test lets it go.

use std::collections::{BTreeSet, HashMap};

use consumer::{Barrier, Change, Passed, QdrantStore, Standing, StoreError, Swap, Synchronizer, VectorStore};
use qdrant_client::qdrant::{PointId, PointStruct};
use shared::shutdown::CancellationToken;
use shared::{DocumentType, Identity, Revision};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::bench::{Bench, Letters};

/// A request to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Read,
    PutChunks,
    Swap,
    Scroll,
    Delete,
    /// Answered already: a barrier's place is noted.
    Noted,
    Other,
}

type Asked = (Call, oneshot::Sender<()>);

/// A change on its way, stopped before its next call.
pub(super) struct Steps {
    asked: mpsc::Receiver<Asked>,
    waiting: Option<Asked>,
    applying: JoinHandle<BTreeSet<Uuid>>,
}

impl Steps {
    /// Applies the change, and deletes what is stale, as far as it is let.
    pub(super) fn of(bench: &Bench, change: Change) -> Self {
        let (calls, asked) = mpsc::channel(1);
        let store = Stepped { store: bench.store(), calls };
        let vectors = bench.vectors.clone();
        let applying = tokio::spawn(async move {
            let consumer = Synchronizer::new(store, vectors, "fingerprint".into(), CancellationToken::new());
            let stale = consumer.apply(vec![change], &Letters::default()).await.unwrap();
            consumer.delete(&stale).await.unwrap();
            stale
        });
        Self { asked, waiting: None, applying }
    }

    /// Passes the barrier, in pages of one document, as far as it is let.
    pub(super) fn passing(bench: &Bench, barrier: Barrier) -> Self {
        let (calls, asked) = mpsc::channel(1);
        let store = Stepped { store: bench.store(), calls };
        let vectors = bench.vectors.clone();
        let applying = tokio::spawn(async move {
            let consumer = Synchronizer::new(store, vectors, "fingerprint".into(), CancellationToken::new());
            consumer.pass(barrier).await.unwrap();
            BTreeSet::new()
        });
        Self { asked, waiting: None, applying }
    }

    /// Lets calls go until one of this kind is next.
    pub(super) async fn until(&mut self, call: Call) {
        loop {
            if self.waiting.is_none() {
                self.waiting = self.asked.recv().await;
            }
            match self.waiting.as_ref() {
                Some((next, _)) if *next == call => return,
                Some(_) => self.go(),
                None => panic!("ended before {call:?}"),
            }
        }
    }

    /// Lets the next call go, and others until one of this kind is next.
    pub(super) async fn past_this_until(&mut self, call: Call) {
        self.go();
        self.until(call).await;
    }

    /// Lets all go. Returns what was stale.
    pub(super) async fn finish(mut self) -> BTreeSet<Uuid> {
        self.go();
        while let Some((_, go)) = self.asked.recv().await {
            go.send(()).unwrap();
        }
        self.applying.await.unwrap()
    }

    fn go(&mut self) {
        if let Some((_, go)) = self.waiting.take() {
            go.send(()).unwrap();
        }
    }
}

/// The first record of a page, and the place of the second: barriers of many pages need few documents here.
fn one_by_one(page: Page) -> Result<Page, StoreError> {
    let (mut identities, next) = page;
    let second = identities.get(1).map(|second| PointId::from(second.manifest_id()));
    identities.truncate(1);
    Ok((identities, second.or(next)))
}

type Page = (Vec<Identity>, Option<PointId>);

struct Stepped {
    store: QdrantStore,
    calls: mpsc::Sender<Asked>,
}

impl Stepped {
    async fn wait(&self, call: Call) {
        let (go, gone) = oneshot::channel();
        self.calls.send((call, go)).await.unwrap();
        gone.await.unwrap();
    }
}

impl VectorStore for Stepped {
    async fn standings(&self, identities: &[Identity]) -> Result<HashMap<Identity, Standing>, StoreError> {
        self.wait(Call::Read).await;
        self.store.standings(identities).await
    }
    async fn put_chunks(&self, points: Vec<PointStruct>) -> Result<(), StoreError> {
        self.wait(Call::PutChunks).await;
        self.store.put_chunks(points).await
    }
    async fn swap(&self, swaps: &[Swap]) -> Result<(), StoreError> {
        self.wait(Call::Swap).await;
        self.store.swap(swaps).await
    }
    async fn chunks_of(&self, identity: &Identity) -> Result<Vec<(Uuid, Revision)>, StoreError> {
        self.wait(Call::Scroll).await;
        self.store.chunks_of(identity).await
    }
    async fn dense_vectors(&self, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<f32>>, StoreError> {
        self.wait(Call::Other).await;
        self.store.dense_vectors(ids).await
    }
    async fn delete_chunks(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        self.wait(Call::Delete).await;
        self.store.delete_chunks(ids).await
    }
    async fn recorded(
        &self,
        document_type: DocumentType,
        partition: u16,
        from: Option<PointId>,
    ) -> Result<(Vec<Identity>, Option<PointId>), StoreError> {
        self.wait(Call::Other).await;
        one_by_one(self.store.recorded(document_type, partition, from).await?)
    }
    async fn purge(&self, tombstones: &[(Identity, Revision)]) -> Result<(), StoreError> {
        self.wait(Call::Other).await;
        self.store.purge(tombstones).await
    }
    async fn bind(&self, source: &str) -> Result<String, StoreError> {
        self.wait(Call::Other).await;
        self.store.bind(source).await
    }
    async fn trials(&self, partition: u16, message: &str) -> Result<u32, StoreError> {
        self.wait(Call::Other).await;
        self.store.trials(partition, message).await
    }
    async fn set_trials(&self, partition: u16, message: &str, trials: u32) -> Result<(), StoreError> {
        self.wait(Call::Other).await;
        self.store.set_trials(partition, message, trials).await
    }
    async fn passed(&self, of: DocumentType, partition: u16, barrier: Uuid) -> Result<Option<Passed>, StoreError> {
        self.wait(Call::Other).await;
        self.store.passed(of, partition, barrier).await
    }
    async fn note_passed(
        &self,
        document_type: DocumentType,
        partition: u16,
        barrier: Uuid,
        passed: &Passed,
    ) -> Result<(), StoreError> {
        self.store.note_passed(document_type, partition, barrier, passed).await?;
        self.wait(Call::Noted).await;
        Ok(())
    }
    async fn raise_floor(&self, document_type: DocumentType, partition: u16, to: Revision) -> Result<(), StoreError> {
        self.wait(Call::Other).await;
        self.store.raise_floor(document_type, partition, to).await
    }
}
