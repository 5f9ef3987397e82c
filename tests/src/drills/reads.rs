//! Reads: while one document of a hundred chunks is rewritten without pause, every search finds it, and finds it in
//! exactly one of its revisions, none older than what stood when the search began.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use consumer::{QdrantStore, Synchronizer, VectorStore};
use futures_util::future::try_join_all;
use retrieval::{Hit, Query, Searcher};
use serde_json::{Map, Value, json};
use shared::index::GRACE;
use shared::{DocumentType, IdKind, Identity, Operation};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::desk::{Desk, NoLetters, change, revision};
use super::drill::Order;
use super::verdict::Verdict;

const READS: usize = 20_000;
/// Chunks of the document.
const CHUNKS: usize = 100;
/// Other documents, which are found as well and stay as they are.
const NEIGHBOURS: usize = 50;
/// Who reads at the same time.
const READERS: usize = 4;
/// Stands in every chunk of the document and in no other.
const TOPIC: &str = "quokka";

pub(super) async fn run(order: &Order, verdict: &mut Verdict) -> Result<()> {
    let desk = Desk::new(order).await?;
    let rewriter = Rewriter::new(&desk);
    rewriter.surround(&desk).await?;
    rewriter.rewrite(0).await?;
    let (reads, shared, searcher) = (order.amount(READS, 200), &rewriter.shared, &desk.searcher());
    let read = async |reader| {
        for number in (reader..reads).step_by(READERS) {
            shared.read(searcher, number).await?;
            if number % 1000 == 999 {
                order.say(format!("{} reads", number + 1));
            }
        }
        Ok::<_, anyhow::Error>(())
    };
    let reading = async {
        let outcome = try_join_all((0..READERS).map(read)).await;
        shared.over.store(true, Ordering::SeqCst);
        outcome
    };
    let (rewrites, _) = tokio::try_join!(rewriter.rewrite_without_pause(), reading)?;
    let seen = std::mem::take(&mut *shared.seen());
    let among = format!(
        "of {reads} reads ({} of all chunks), {rewrites} rewrites of {CHUNKS} chunks, {} revisions seen",
        seen.whole,
        seen.revisions.len()
    );
    verdict.hold(
        "a document is never seen in two revisions, nor in half of one",
        seen.mixed == 0,
        format!("{} mixed {among}", seen.mixed),
    );
    verdict.hold("it is never absent", seen.absent == 0, format!("{} absent", seen.absent));
    verdict.hold(
        "nor in a revision that was past before the search began",
        seen.stale == 0,
        format!("{} stale", seen.stale),
    );
    verdict.hold("the drill saw it change", seen.revisions.len() > 3, format!("{} revisions", seen.revisions.len()));
    let left = rewriter.judge(&desk).await;
    verdict.judge(
        "in the end nothing is left behind",
        format!("{CHUNKS} chunks"),
        left.err().map(|fault| format!("{fault:#}")).into_iter().collect(),
    );
    Ok(())
}

/// Which variant each chunk has.
type Variants = Arc<[u64]>;

/// Between writer and readers.
#[derive(Default)]
struct Shared {
    /// By revision, from before its write.
    versions: Mutex<HashMap<i64, Variants>>,
    /// The revision whose write was the last to return.
    standing: AtomicI64,
    over: AtomicBool,
    seen: Mutex<Seen>,
}

/// What the readers saw.
#[derive(Default)]
struct Seen {
    /// Answers with all that the document has.
    whole: usize,
    /// Answers that held hits of several revisions, or a text that the revision does not have.
    mixed: usize,
    /// Answers without the document.
    absent: usize,
    /// Answers with a revision that was past when the search began.
    stale: usize,
    revisions: BTreeSet<i64>,
}

impl Shared {
    /// One search: every second one as an application asks, the others for all that there is.
    async fn read(&self, searcher: &Searcher, number: usize) -> Result<()> {
        let query = match number % 2 {
            0 => Query::new(TOPIC),
            _ => Query { limit: CHUNKS + NEIGHBOURS, per_document: CHUNKS, ..Query::new(TOPIC) },
        };
        let standing = self.standing.load(Ordering::SeqCst);
        let hits = searcher.search(&query).await?;
        let hits: Vec<&Hit> = hits.iter().filter(|hit| hit.chunk.identity == rewritten()).collect();
        self.judge(&hits, standing);
        Ok(())
    }

    fn judge(&self, hits: &[&Hit], standing: i64) {
        let revisions: BTreeSet<i64> = hits.iter().map(|hit| hit.revision.get()).collect();
        let mut seen = self.seen();
        let Some(&revision) = revisions.first() else {
            seen.absent += 1;
            return;
        };
        let version = self.versions.lock().unwrap_or_else(PoisonError::into_inner).get(&revision).cloned();
        let fits = |hit: &&Hit| {
            let variant = version.as_ref().and_then(|variants| variants.get(hit.position));
            variant.is_some_and(|variant| hit.chunk.text == text(hit.position, *variant))
        };
        seen.mixed += usize::from(revisions.len() > 1 || !hits.iter().all(fits));
        seen.stale += usize::from(revision < standing);
        seen.whole += usize::from(hits.len() == CHUNKS);
        seen.revisions.insert(revision);
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the document again and again, as a consumer does.
struct Rewriter {
    consumer: Arc<Synchronizer<QdrantStore>>,
    shared: Shared,
}

impl Rewriter {
    fn new(desk: &Desk) -> Self {
        Self { consumer: Arc::new(desk.consumer(desk.store())), shared: Shared::default() }
    }

    /// Documents that are there as well.
    async fn surround(&self, desk: &Desk) -> Result<()> {
        let neighbour = |number: usize| {
            let identity = Identity { entry_id: format!("neighbour {number}"), ..rewritten() };
            let document =
                json!({ "name": "neighbour", "content": { "notes/0.md": format!("A neighbour, the {number}th.") } });
            change(&identity, Operation::Insert, revision(0), document)
        };
        let stale = desk.consumer(desk.store()).apply((0..NEIGHBOURS).map(neighbour).collect(), &NoLetters).await?;
        ensure!(stale.is_empty(), "nothing was there");
        Ok(())
    }

    async fn rewrite_without_pause(&self) -> Result<u64> {
        let (mut rewrites, mut deleting) = (0, JoinSet::new());
        while !self.shared.over.load(Ordering::SeqCst) {
            rewrites += 1;
            let stale = self.rewrite(rewrites).await?;
            let consumer = Arc::clone(&self.consumer);
            deleting.spawn(async move {
                tokio::time::sleep(GRACE).await;
                consumer.delete(&stale).await
            });
            while let Some(deleted) = deleting.try_join_next() {
                deleted??;
            }
        }
        while let Some(deleted) = deleting.join_next().await {
            deleted??;
        }
        Ok(rewrites)
    }

    /// Returns the chunks that are stale from now on.
    async fn rewrite(&self, number: u64) -> Result<BTreeSet<Uuid>> {
        let (revision, variants) = (revision(number as usize), variants(number));
        let file = |(place, variant): (usize, &u64)| (path(place), Value::from(text(place, *variant)));
        let files: Map<String, Value> = variants.iter().enumerate().map(file).collect();
        let document = json!({ "name": "rewritten", "content": files });
        self.shared
            .versions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(revision.get(), Arc::clone(&variants));
        let change = change(&rewritten(), Operation::Update, revision, document);
        let stale = self.consumer.apply(vec![change], &NoLetters).await?;
        self.shared.standing.store(revision.get(), Ordering::SeqCst);
        Ok(stale)
    }

    /// The last version stands, and the index holds just what its manifest lists.
    async fn judge(&self, desk: &Desk) -> Result<()> {
        let store = desk.store();
        let mut standings = store.standings(&[rewritten()]).await?;
        let standing = standings.remove(&rewritten()).context("a standing for each document")?;
        let held: BTreeSet<Uuid> = store.chunks_of(&rewritten()).await?.into_iter().map(|(id, _)| id).collect();
        ensure!(standing.revision().get() == self.shared.standing.load(Ordering::SeqCst), "another revision stands");
        ensure!(held.len() == CHUNKS && held == standing.listed(), "{} chunks are held", held.len());
        Ok(())
    }
}

fn rewritten() -> Identity {
    Identity { document_type: DocumentType::Repositories, id_kind: IdKind::Str, entry_id: "rewritten".into() }
}

/// All chunks change, then every second, then ten; and what went comes back after a while.
fn variants(number: u64) -> Variants {
    let changes = |place: usize| match number % 3 {
        0 => 3 * number,
        1 if place.is_multiple_of(2) => 3 * number,
        2 if place < 10 => 3 * number,
        _ => 3 * (number - number % 3),
    };
    (0..CHUNKS).map(|place| changes(place) % 12).collect()
}

/// In the order of the places.
fn path(place: usize) -> String {
    format!("notes/{place:03}.md")
}

fn text(place: usize, variant: u64) -> String {
    format!("Of the {TOPIC}, part {place}, in variant {variant}.")
}
