//! Barriers over many documents: page by page, and from where an earlier delivery got to.

use std::collections::BTreeSet;

use consumer::{Barrier, Passed, VectorStore};
use qdrant_client::qdrant::PointId;
use shared::{DocumentType, Identity};

use super::bench::{Bench, T, TICK, barrier, identity, put};
use super::stepped::{Step, Steps};

/// In the order in which they are passed: by the ids of their records.
async fn documents(bench: &Bench) -> Vec<Identity> {
    let mut documents = Vec::new();
    for entry_id in ["one", "two", "three", "four"] {
        let mut change = put(T, entry_id);
        change.identity.entry_id = entry_id.into();
        documents.push(change.identity.clone());
        bench.apply(change).await;
    }
    documents.sort_by_key(Identity::manifest_id);
    documents
}

/// Those that the index holds a chunk of.
async fn with_chunks(bench: &Bench, documents: &[Identity]) -> BTreeSet<String> {
    let mut held = BTreeSet::new();
    for document in documents {
        if !bench.store().chunks_of(document).await.unwrap().is_empty() {
            held.insert(document.entry_id.clone());
        }
    }
    held
}

fn names(documents: &[Identity]) -> BTreeSet<String> {
    documents.iter().map(|document| document.entry_id.clone()).collect()
}

async fn passed(bench: &Bench, barrier: Barrier) -> Option<Passed> {
    bench.store().passed(DocumentType::Posts, 0, barrier.id).await.unwrap()
}

/// Killed when the first page is noted and the second about to be deleted, and delivered again.
#[tokio::test(flavor = "multi_thread")]
async fn a_redelivered_barrier_goes_on_where_its_chunks_were_deleted() {
    let bench = Bench::new().await;
    let documents = documents(&bench).await;
    let sweep = barrier(T + TICK);
    let mut killed = Steps::passing(&bench, sweep);
    killed.until(Step::Noted).await;
    killed.past_this_until(Step::Delete).await;
    drop(killed);
    let second = PointId::from(documents[1].manifest_id());
    assert_eq!(passed(&bench, sweep).await, Some(Passed::UpTo(second.clone())));
    assert_eq!(with_chunks(&bench, &documents).await, names(&documents[1..]), "the first page is done");
    let again = bench.observed(None);
    again.pass(Barrier { redelivered: true, ..sweep }).await.unwrap();
    assert_eq!(*again.store().watch.places.lock().unwrap(), [Some(second)], "begun at the second page");
    assert!(with_chunks(&bench, &documents).await.is_empty(), "as if undisturbed");
    let standings = bench.store().standings(&documents).await.unwrap();
    for (identity, standing) in &standings {
        assert!(standing.deleted && standing.revision().get() == T + TICK - 1, "{identity}: {standing:?}");
    }
}

/// An acknowledgement that comes too late brings a barrier back that is passed; one of another id knows nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_barrier_that_is_passed_is_not_passed_again_and_another_one_is() {
    let bench = Bench::new().await;
    documents(&bench).await;
    let sweep = barrier(T + TICK);
    bench.consumer().pass(sweep).await.unwrap();
    assert_eq!(passed(&bench, sweep).await, Some(Passed::All));
    let again = bench.observed(None);
    again.pass(Barrier { redelivered: true, ..sweep }).await.unwrap();
    assert!(again.store().watch.places.lock().unwrap().is_empty());
    let other = bench.observed(None);
    other.pass(Barrier { redelivered: true, ..barrier(T + 2 * TICK) }).await.unwrap();
    assert_eq!(*other.store().watch.places.lock().unwrap(), [None]);
    assert_eq!(bench.standing().await.revision().get(), T + 2 * TICK - 1, "{}", identity());
}
