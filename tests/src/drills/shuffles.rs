//! Shuffles: the events of one document in any order, some of them more than once, taken in batches by two consumers
//! that die now and then in mid-protocol. Whatever the order: the last event stands, nothing is resurrected on the way,
//! and the index holds exactly the chunks that the manifest lists.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::pin::pin;

use anyhow::{Context, Result, ensure};
use consumer::{Synchronizer, VectorStore, coalesce};
use futures_util::{StreamExt, stream};
use qdrant_client::Payload;
use qdrant_client::qdrant::GetPointsBuilder;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use shared::{DocumentType, IdKind, Identity, Operation, Revision};
use uuid::Uuid;

use super::desk::{Desk, NoLetters, change, revision};
use super::drill::Order;
use super::mortal::{Doom, Mortal, Mortality};
use super::verdict::Verdict;

const DOCUMENTS: usize = 1000;
/// Documents of which events are shuffled at the same time.
const AT_ONCE: usize = 4;
/// Sections that a version of a document is made of.
const SECTIONS: usize = 6;
/// Deaths in one shuffle: each gives deliveries back, so that without an end to them there would be none.
const DEATHS: u32 = 5;

pub(super) async fn run(order: &Order, verdict: &mut Verdict) -> Result<()> {
    let desk = Desk::new(order).await?;
    let first = order.seed * 1_000_000;
    let seeds = first..first + order.amount(DOCUMENTS, 20) as u64;
    let shuffle = async |seed| (seed, Box::pin(Shuffle::new(&desk, seed).run()).await);
    let (mut sum, mut faults) = (Tally::default(), Vec::new());
    let mut running = pin!(stream::iter(seeds.clone()).map(shuffle).buffer_unordered(AT_ONCE));
    while let Some((seed, outcome)) = running.next().await {
        match outcome {
            Ok(tally) => sum.add(tally),
            Err(fault) => faults.push(format!("document {seed}: {fault:#}")),
        }
        if sum.documents % 100 == 99 {
            order.say(format!("{} documents", sum.documents + 1));
        }
    }
    let Tally { documents, events, deliveries, deaths, overlaps } = sum;
    let seen = format!(
        "{documents} documents, {events} events in {deliveries} deliveries, {deaths} deaths, {overlaps} batches of both consumers at once"
    );
    verdict.judge(
        "whatever the order, the last event stands, nothing comes back, nothing is left behind",
        seen,
        faults,
    );
    Ok(())
}

/// What was shuffled.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    documents: u64,
    events: u64,
    /// Repeats and redeliveries included.
    deliveries: u64,
    deaths: u64,
    overlaps: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.documents += other.documents;
        self.events += other.events;
        self.deliveries += other.deliveries;
        self.deaths += other.deaths;
        self.overlaps += other.overlaps;
    }
}

/// Which variant of each section stands; none after a delete.
type Version = Option<BTreeMap<usize, u8>>;

#[derive(Debug, Clone, Copy)]
struct Delivery {
    event: usize,
    redelivered: bool,
}

/// A batch that was applied, and is acknowledged once its stale chunks are gone.
struct Unsettled {
    deliveries: Vec<Delivery>,
    stale: BTreeSet<Uuid>,
}

struct Shuffle<'a> {
    desk: &'a Desk,
    random: StdRng,
    identity: Identity,
    versions: Vec<Version>,
    queue: VecDeque<Delivery>,
    consumers: [Synchronizer<Mortal>; 2],
    unsettled: [VecDeque<Unsettled>; 2],
    standing: Revision,
    tally: Tally,
}

impl<'a> Shuffle<'a> {
    fn new(desk: &'a Desk, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let entry_id = format!("shuffle {seed}");
        let identity = Identity { document_type: DocumentType::Repositories, id_kind: IdKind::Str, entry_id };
        let versions = history(&mut random);
        let repeats = |event| vec![Delivery { event, redelivered: false }; random.random_range(1..=3)];
        let mut deliveries: Vec<Delivery> = (0..versions.len()).flat_map(repeats).collect();
        deliveries.shuffle(&mut random);
        let consumer = || desk.consumer(Mortal { store: desk.store(), watch: Mortality::default() });
        let tally = Tally {
            documents: 1,
            events: versions.len() as u64,
            deliveries: deliveries.len() as u64,
            ..Tally::default()
        };
        let (consumers, unsettled) = ([consumer(), consumer()], [VecDeque::new(), VecDeque::new()]);
        let (queue, standing) = (deliveries.into(), Revision::ZERO);
        Self { desk, random, identity, versions, queue, consumers, unsettled, standing, tally }
    }

    async fn run(mut self) -> Result<Tally> {
        while !self.queue.is_empty() || self.unsettled.iter().any(|waiting| !waiting.is_empty()) {
            let which = self.random.random_range(0..2);
            match self.random.random_range(0..8) {
                _ if self.queue.is_empty() => self.settle(which).await?,
                0 | 1 => self.overlap().await?,
                2..=4 => self.settle(which).await?,
                _ => self.take(which).await?,
            }
            self.never_goes_back().await?;
        }
        self.judge().await?;
        Ok(self.tally)
    }

    /// One consumer applies a batch, and may die of it.
    async fn take(&mut self, which: usize) -> Result<()> {
        let (batch, doom) = (self.batch(), self.doom());
        let outcome = apply(&self.consumers[which], &self.identity, &self.versions, &batch, doom).await?;
        self.applied(which, batch, outcome);
        Ok(())
    }

    /// Both apply a batch at the same time, as in a hand-over that one of them has not noticed.
    async fn overlap(&mut self) -> Result<()> {
        let batches = [self.batch(), self.batch()];
        let dooms = [self.doom(), self.doom()];
        let one =
            |which: usize| apply(&self.consumers[which], &self.identity, &self.versions, &batches[which], dooms[which]);
        let (first, second) = tokio::try_join!(one(0), one(1))?;
        self.tally.overlaps += u64::from(batches.iter().all(|batch| !batch.is_empty()));
        for ((which, batch), outcome) in batches.into_iter().enumerate().zip([first, second]) {
            self.applied(which, batch, outcome);
        }
        Ok(())
    }

    /// The oldest batch of a consumer is settled.
    async fn settle(&mut self, which: usize) -> Result<()> {
        if let Some(Unsettled { stale, .. }) = self.unsettled[which].pop_front()
            && !stale.is_empty()
        {
            self.consumers[which].delete(&stale).await?;
        }
        Ok(())
    }

    fn batch(&mut self) -> Vec<Delivery> {
        let most = self.random.random_range(1..=4).min(self.queue.len());
        self.queue.drain(..most).collect()
    }

    fn doom(&mut self) -> Option<Doom> {
        let dies = self.random.random_bool(0.25) && self.tally.deaths < u64::from(DEATHS);
        dies.then(|| Doom { calls: self.random.random_range(0..8), takes_effect: self.random.random() })
    }

    /// Of a consumer that died comes back all that it held, as redelivered.
    fn applied(&mut self, which: usize, batch: Vec<Delivery>, outcome: Option<BTreeSet<Uuid>>) {
        if let Some(stale) = outcome {
            self.unsettled[which].push_back(Unsettled { deliveries: batch, stale });
            return;
        }
        let held = std::mem::take(&mut self.unsettled[which]).into_iter().flat_map(|waiting| waiting.deliveries);
        let back: Vec<Delivery> = held.chain(batch).map(|held| Delivery { redelivered: true, ..held }).collect();
        self.tally.deaths += 1;
        self.tally.deliveries += back.len() as u64;
        for delivery in back {
            let place = self.random.random_range(0..=self.queue.len());
            self.queue.insert(place, delivery);
        }
    }

    async fn never_goes_back(&mut self) -> Result<()> {
        let standings = self.desk.store().standings(std::slice::from_ref(&self.identity)).await?;
        let now = standings[&self.identity].revision();
        ensure!(now >= self.standing, "it went back from {} to {now}", self.standing);
        self.standing = now;
        Ok(())
    }

    /// The last event stands, and the index holds what it says.
    async fn judge(&self) -> Result<()> {
        let store = self.desk.store();
        let standing = store.standings(std::slice::from_ref(&self.identity)).await?.remove(&self.identity);
        let standing = standing.context("a standing for each document")?;
        let last = revision(self.versions.len() - 1);
        ensure!(standing.revision() == last, "{} stands, not {last}", standing.revision());
        let version = self.versions.last().context("an event at least")?;
        ensure!(standing.deleted == version.is_none(), "a tombstone: {}", standing.deleted);
        let held: BTreeSet<Uuid> = store.chunks_of(&self.identity).await?.into_iter().map(|(id, _)| id).collect();
        ensure!(held == standing.listed(), "held: {held:?}, listed: {:?}", standing.listed());
        let listed = standing.manifest.map(|manifest| manifest.chunk_ids).unwrap_or_default();
        let texts = texts(self.desk, &listed).await?;
        let expected: Vec<String> =
            version.iter().flatten().map(|(section, variant)| text(*section, *variant)).collect();
        ensure!(texts == expected, "it says {texts:?}, not {expected:?}");
        Ok(())
    }
}

/// The stale chunks of a batch; none where the consumer died of it.
async fn apply(
    consumer: &Synchronizer<Mortal>,
    identity: &Identity,
    versions: &[Version],
    batch: &[Delivery],
    doom: Option<Doom>,
) -> Result<Option<BTreeSet<Uuid>>> {
    let changes = batch.iter().map(|delivery| {
        let operation = operation(versions, delivery.event);
        let document = document(&versions[delivery.event]);
        consumer::Change {
            redelivered: delivery.redelivered,
            ..change(identity, operation, revision(delivery.event), document)
        }
    });
    let died = consumer.store().watch.doom(doom);
    let applied = tokio::select! {
        applied = Box::pin(consumer.apply(coalesce(changes), &NoLetters)) => Some(applied?),
        () = died.notified() => None,
    };
    consumer.store().watch.doom(None);
    Ok(applied)
}

/// Three to nine events: inserts, updates, deletes, and inserts after these. Sections come back as they were.
fn history(random: &mut StdRng) -> Vec<Version> {
    let mut versions: Vec<Version> = Vec::new();
    for _ in 0..random.random_range(3..=9) {
        let former = versions.last().cloned().flatten();
        versions.push(match former {
            Some(_) if random.random_bool(0.25) => None,
            former => {
                let mut sections = former.unwrap_or_default();
                for _ in 0..random.random_range(1..=3) {
                    sections.insert(random.random_range(0..SECTIONS), random.random_range(0..3));
                }
                Some(sections)
            }
        });
    }
    versions
}

fn operation(versions: &[Version], event: usize) -> Operation {
    match (&versions[event], event.checked_sub(1).map(|before| &versions[before])) {
        (None, _) => Operation::Delete,
        (Some(_), None | Some(None)) => Operation::Insert,
        (Some(_), Some(Some(_))) => Operation::Update,
    }
}

fn document(version: &Version) -> Value {
    let Some(sections) = version else { return Value::Null };
    let files: HashMap<String, String> =
        sections.iter().map(|(section, variant)| (format!("notes/{section}.md"), text(*section, *variant))).collect();
    json!({ "name": "shuffled", "owner_id": "A", "content": files })
}

fn text(section: usize, variant: u8) -> String {
    format!("Section {section} in variant {variant}.")
}

/// The texts of these chunks, in their order.
async fn texts(desk: &Desk, ids: &[Uuid]) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for id in ids {
        let wanted = GetPointsBuilder::new(&desk.index().chunks, [(*id).into()]).with_payload(true);
        let found = desk.client().get_points(wanted).await?.result.into_iter().next().context("a listed chunk")?;
        let payload = Value::from(Payload::from(found.payload));
        texts.push(payload["text"].as_str().context("a text")?.to_owned());
    }
    Ok(texts)
}
