//! A consumer that is led call by call: each request to the store waits until the test lets it go.

use std::collections::BTreeSet;

use consumer::{Barrier, Change, StoreError, Synchronizer};
use qdrant_client::qdrant::PointId;
use shared::shutdown::CancellationToken;
use tests::{Call, Page, Watch, WatchedStore};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::bench::{Bench, Letters};

/// A request to the store that a consumer can be stopped before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Read,
    PutChunks,
    Swap,
    Scroll,
    Delete,
    /// Answered already: a barrier's place is noted.
    Noted,
    Other,
}

impl From<Call<'_>> for Step {
    fn from(call: Call<'_>) -> Self {
        match call {
            Call::Standings => Self::Read,
            Call::PutChunks(_) => Self::PutChunks,
            Call::Swap(_) => Self::Swap,
            Call::ChunksOf => Self::Scroll,
            Call::DeleteChunks => Self::Delete,
            Call::NotePassed => Self::Noted,
            Call::Recorded(_) | Call::Other => Self::Other,
        }
    }
}

type Asked = (Step, oneshot::Sender<()>);

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
        let store = WatchedStore { store: bench.store(), watch: Stepped { calls } };
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
        let store = WatchedStore { store: bench.store(), watch: Stepped { calls } };
        let vectors = bench.vectors.clone();
        let applying = tokio::spawn(async move {
            let consumer = Synchronizer::new(store, vectors, "fingerprint".into(), CancellationToken::new());
            consumer.pass(barrier).await.unwrap();
            BTreeSet::new()
        });
        Self { asked, waiting: None, applying }
    }

    /// Lets calls go until one of this kind is next.
    pub(super) async fn until(&mut self, step: Step) {
        loop {
            if self.waiting.is_none() {
                self.waiting = self.asked.recv().await;
            }
            match self.waiting.as_ref() {
                Some((next, _)) if *next == step => return,
                Some(_) => self.go(),
                None => panic!("ended before {step:?}"),
            }
        }
    }

    /// Lets the next call go, and others until one of this kind is next.
    pub(super) async fn past_this_until(&mut self, step: Step) {
        self.go();
        self.until(step).await;
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

struct Stepped {
    calls: mpsc::Sender<Asked>,
}

impl Stepped {
    async fn wait(&self, step: Step) {
        let (go, gone) = oneshot::channel();
        self.calls.send((step, go)).await.unwrap();
        gone.await.unwrap();
    }
}

impl Watch for Stepped {
    async fn around<T: Send>(
        &self,
        call: Call<'_>,
        request: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if let Call::NotePassed = call {
            let noted = request.await?;
            self.wait(Step::Noted).await;
            return Ok(noted);
        }
        self.wait(Step::from(call)).await;
        request.await
    }

    /// The first record of a page, and the place of the second: barriers of many pages need few documents here.
    fn cut(&self, (mut identities, next): Page) -> Page {
        let second = identities.get(1).map(|second| PointId::from(second.manifest_id()));
        identities.truncate(1);
        (identities, second.or(next))
    }
}
