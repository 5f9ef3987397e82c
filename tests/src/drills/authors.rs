//! Authors: a thousand of them, with the same texts, and documents that change hands without pause. Whoever is asked for,
//! by id or by name, nothing is shown that is another's: no hit, no neighbour of one, no line of a context.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, ensure};
use consumer::{QdrantStore, Synchronizer};
use futures_util::future::try_join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use retrieval::{Hit, Query, Searcher, context};
use shared::index::GRACE;
use shared::{ChunkPayload, Operation};
use tokio::task::JoinSet;

use super::desk::{Desk, NoLetters, revision};
use super::drill::Order;
use super::ownership::{Author, FILES, Owned};
use super::verdict::Verdict;

const AUTHORS: usize = 1_000;
const READS: usize = 10_000;
/// Who reads at the same time …
const READERS: usize = 4;
/// … and who writes.
const WRITERS: usize = 2;
/// Changes of the first filling that are applied at once.
const BATCH: usize = 100;
/// Authors who have just lost or gained a document: every second search is for one of these.
const CONCERNED: usize = 16;
/// Hits of a search: more than an author has documents.
const LIMIT: usize = 50;
/// Faults that are shown of many.
const MOST_FAULTS: usize = 10;
/// Tokens of a context.
const BUDGET: usize = 2_000;

pub(super) async fn run(order: &Order, verdict: &mut Verdict) -> Result<()> {
    let desk = Desk::new(order).await?;
    let library = Library::fill(&desk, order.amount(AUTHORS, 60)).await?;
    let (reads, searcher) = (order.amount(READS, 400), &desk.searcher());
    let read = async |reader: usize| {
        let mut random = StdRng::seed_from_u64(order.seed + reader as u64);
        for number in (reader..reads).step_by(READERS) {
            library.read(searcher, &mut random).await?;
            if number % 1_000 == 999 {
                order.say(format!("{} searches", number + 1));
            }
        }
        Ok::<_, anyhow::Error>(())
    };
    let reading = async {
        let outcome = try_join_all((0..READERS).map(read)).await;
        library.over.store(true, Ordering::SeqCst);
        outcome
    };
    let writing = try_join_all((0..WRITERS).map(|writer| library.move_without_pause(&desk, order.seed, writer)));
    let (moves, _) = tokio::try_join!(writing, reading)?;
    let moves: u64 = moves.iter().sum();
    let seen = std::mem::take(&mut *library.seen());
    let hits = seen.hits;
    let mut judge = |what: &str, mut faults: Vec<String>| {
        let counted = format!("{} among {hits} hits of {reads} searches", faults.len());
        faults.truncate(MOST_FAULTS);
        verdict.judge(what, counted, faults);
    };
    judge("no author is shown what is another's", seen.anothers);
    judge("nor what had ceased to be theirs before the search began", seen.past);
    judge("neighbours and context are of the same author", seen.beside);
    judge("whoever is asked for is shown all that was theirs throughout", seen.missing);
    verdict.hold(
        "the drill saw documents change hands",
        seen.contested > reads / 20 && hits > reads / 2,
        format!("{moves} times, {} searches were for who lost or gained one meanwhile", seen.contested),
    );
    let documents = format!("{} documents of {FILES} chunks", library.documents.len());
    verdict.judge("in the end nothing is left behind", documents, library.left_behind(&desk).await?);
    Ok(())
}

/// Documents of the same text, and whose they are.
struct Library {
    documents: Vec<Owned>,
    /// Authors that documents have just gone from and to.
    concerned: Vec<AtomicUsize>,
    moved: AtomicUsize,
    over: AtomicBool,
    seen: Mutex<Seen>,
}

/// What the readers saw.
#[derive(Default)]
struct Seen {
    hits: usize,
    /// Searches for an author whose documents changed hands meanwhile.
    contested: usize,
    anothers: Vec<String>,
    past: Vec<String>,
    beside: Vec<String>,
    missing: Vec<String>,
}

impl Library {
    /// A document for each author.
    async fn fill(desk: &Desk, authors: usize) -> Result<Self> {
        let documents: Vec<Owned> = (0..authors).map(Owned::new).collect();
        let consumer = desk.consumer(desk.store());
        let users = (0..authors).filter_map(|number| Author(number).user());
        let changes =
            users.chain(documents.iter().map(|owned| owned.change(Operation::Insert, Author(owned.number), 0)));
        let changes: Vec<_> = changes.collect();
        for batch in changes.chunks(BATCH) {
            let stale = consumer.apply(batch.to_vec(), &NoLetters).await?;
            ensure!(stale.is_empty(), "nothing was there");
        }
        let concerned = (0..CONCERNED).map(|number| AtomicUsize::new(number % authors)).collect();
        let (moved, over, seen) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::default());
        Ok(Self { documents, concerned, moved, over, seen })
    }

    /// Gives away one document after the other, as a consumer does, until the readers have enough.
    async fn move_without_pause(&self, desk: &Desk, seed: u64, writer: usize) -> Result<u64> {
        let mut random = StdRng::seed_from_u64(seed.wrapping_mul(31) + writer as u64);
        let consumer: Arc<Synchronizer<QdrantStore>> = Arc::new(desk.consumer(desk.store()));
        let (mut moves, mut deleting) = (0, JoinSet::new());
        while !self.over.load(Ordering::SeqCst) {
            let place = random.random_range(0..self.documents.len() / WRITERS) * WRITERS + writer;
            let (owned, to) = (&self.documents[place], Author(random.random_range(0..self.documents.len())));
            let from = owned.owner();
            let number = owned.begin(to);
            self.concern([from, to]);
            let change = owned.change(Operation::Update, to, number);
            let stale = consumer.apply(vec![change], &NoLetters).await?;
            owned.stand(number);
            moves += 1;
            let consumer = Arc::clone(&consumer);
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
        Ok(moves)
    }

    fn concern(&self, authors: [Author; 2]) {
        for Author(number) in authors {
            let at = self.moved.fetch_add(1, Ordering::SeqCst) % CONCERNED;
            self.concerned[at].store(number, Ordering::SeqCst);
        }
    }

    fn somebody(&self, random: &mut StdRng) -> Author {
        Author(if random.random_bool(0.5) {
            self.concerned[random.random_range(0..CONCERNED)].load(Ordering::SeqCst)
        } else {
            random.random_range(0..self.documents.len())
        })
    }

    /// One search for what is somebody's, as an application asks: with neighbours, and as a context.
    async fn read(&self, searcher: &Searcher, random: &mut StdRng) -> Result<()> {
        let asked = self.somebody(random);
        let query = Query {
            author: Some(asked.called(random)),
            limit: LIMIT,
            per_document: random.random_range(1..=FILES),
            ..Query::new(["afternoon tea", "mountains", "a word that is nowhere"][random.random_range(0..3)])
        };
        let before: Vec<usize> = self.documents.iter().map(Owned::standing).collect();
        let mut hits = searcher.search(&query).await?;
        let throughout: Vec<bool> =
            self.documents.iter().zip(&before).map(|(owned, before)| owned.was(asked, *before)).collect();
        searcher.expand(&mut hits, 1).await?;
        let names = searcher.author_names(&hits).await?;
        let block = context(&hits, &names, BUDGET, |text| searcher.count_tokens(text));
        self.judge(asked, &hits, &before, &throughout);
        self.judge_beside(asked, &hits, &block);
        Ok(())
    }

    fn judge(&self, asked: Author, hits: &[Hit], before: &[usize], throughout: &[bool]) {
        let mut seen = self.seen();
        let mut found = vec![false; self.documents.len()];
        for hit in hits {
            let Some(place) = Owned::number_of(&hit.chunk.identity) else {
                seen.anothers.push(format!("{asked}: {:?} is no document", hit.chunk.identity));
                continue;
            };
            found[place] = true;
            let version = self.documents[place].version_of(hit.revision);
            let fault = format!("{asked}: document {place} in version {version:?}, {:?}", hit.chunk.metadata.author_id);
            let is_theirs = version.is_some_and(|(_, author)| author == asked) && asked.wrote(&hit.chunk);
            if !is_theirs {
                seen.anothers.push(fault);
            } else if version.is_some_and(|(number, _)| number < before[place]) {
                seen.past.push(format!("{fault}, of {} before", before[place]));
            }
        }
        for (place, _) in throughout.iter().zip(&found).enumerate().filter(|(_, (theirs, found))| **theirs && !**found)
        {
            seen.missing.push(format!("{asked}: document {place}"));
        }
        let concerned = self.documents.iter().zip(before).any(|(owned, before)| owned.changed_hands(asked, *before));
        seen.contested += usize::from(concerned);
        seen.hits += hits.len();
    }

    fn judge_beside(&self, asked: Author, hits: &[Hit], block: &str) {
        let mut seen = self.seen();
        for hit in hits {
            let stranger = |chunk: &&ChunkPayload| !asked.wrote(chunk) || chunk.identity != hit.chunk.identity;
            let strangers = hit.before.iter().chain(&hit.after).filter(stranger);
            seen.beside.extend(strangers.map(|chunk| format!("{asked}: {:?} beside a hit", chunk.metadata.author_id)));
        }
        let cited = block.matches(Author::SITE).count();
        let own = block.matches(&asked.site()).count();
        if cited != own || (own == 0) != hits.is_empty() {
            seen.beside.push(format!("{asked}: {} of {cited} citations are another's", cited - own));
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Documents that do not stand as they were last written, or of which the index holds more than their manifest lists.
    async fn left_behind(&self, desk: &Desk) -> Result<Vec<String>> {
        let store = desk.store();
        let mut faults = Vec::new();
        for owned in &self.documents {
            let fault = owned.left_behind(&store, revision(owned.standing())).await?;
            faults.extend(fault.map(|fault| format!("document {}: {fault}", owned.number)));
        }
        Ok(faults)
    }
}
