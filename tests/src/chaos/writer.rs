//! The writer: a seeded stream of inserts, updates, replaces, deletes and transactions. What it does depends on the seed
//! alone, not on time or on what fails: every write is repeated until MongoDB has acknowledged it by a majority.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bson::{Document, doc};
use mongodb::options::ReadConcern;
use mongodb::{Client, ClientSession, Database};
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, IteratorRandom};
use rand::{RngExt, SeedableRng};
use tokio::time::{sleep, timeout};

use super::document::{Collection, Content, Key, length, section};
use super::history::{Act, History, Version, Written};
use super::words::{marker, topic};

/// A write that takes longer has met a fault; what became of it is looked up.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between these the number of documents swings.
const LIVE: std::ops::Range<usize> = 25..90;
/// Documents of each collection that are changed all the time and never deleted: those that the reader watches.
const LONG_LIVED: usize = 2;
/// Numbers of documents and markers for each of several writers.
const NUMBERS: u64 = 4_000_000;

/// Writes to one database.
pub(crate) struct Writer {
    database: Database,
    session: ClientSession,
    random: StdRng,
    history: History,
    /// Deleted documents with their last version: some come back.
    dead: BTreeMap<Key, i64>,
    long_lived: Vec<Key>,
    collections: &'static [Collection],
    documents: u64,
    markers: u64,
}

/// One event of a write; several on one document make a transaction.
struct Step {
    act: Act,
    /// The version that is replaced; none for an insert.
    former: Option<i64>,
    /// What stands after it; none after a delete.
    content: Option<Content>,
}

impl Writer {
    /// A writer whose acts follow from the seed.
    ///
    /// # Errors
    /// MongoDB does not answer.
    pub(crate) async fn new(client: &Client, database: &str, seed: u64, history: History) -> Result<Self> {
        Ok(Self {
            database: client.database(database),
            session: client.start_session().await?,
            random: StdRng::seed_from_u64(seed),
            history,
            dead: BTreeMap::new(),
            long_lived: Vec::new(),
            collections: &Collection::ALL,
            documents: 0,
            markers: 0,
        })
    }

    /// The same among others that write to the same database: its documents and markers have numbers of their own.
    pub(crate) fn among_others(self, place: u64) -> Self {
        Self { documents: place * NUMBERS, markers: place * NUMBERS, ..self }
    }

    /// The same with documents of these collections only.
    pub(crate) fn only(self, collections: &'static [Collection]) -> Self {
        Self { collections, ..self }
    }

    /// What is there before the first start of a producer: some documents of each collection, among them the long-lived
    /// ones. They are not part of the history's writes, for no event tells of them.
    ///
    /// # Errors
    /// As MongoDB.
    pub(crate) async fn preload(&mut self) -> Result<()> {
        for &collection in self.collections {
            for number in 0..LIVE.start / 3 {
                let key = self.new_key(collection);
                if number < LONG_LIVED {
                    self.long_lived.push(key.clone());
                }
                let insert = self.insert(&key, 0);
                self.apply(&key, vec![insert]).await?;
            }
        }
        let records = &mut *self.history.records();
        records.written.clear();
        records.count = 0;
        Ok(())
    }

    /// The next write. Returns once it is acknowledged, however long that takes.
    ///
    /// # Errors
    /// The session cannot be used any more.
    pub(crate) async fn write(&mut self) -> Result<()> {
        let (key, steps) = self.choose();
        self.apply(&key, steps).await
    }

    fn choose(&mut self) -> (Key, Vec<Step>) {
        let live: Vec<Key> = self.history.records().live.keys().cloned().collect();
        let roll = match live.len() {
            few if few < LIVE.start => 0,
            many if many >= LIVE.end => 85,
            _ => self.random.random_range(0..100),
        };
        if roll < 22 {
            let (key, former) = self.absent();
            let insert = self.insert(&key, former);
            return (key, vec![insert]);
        }
        // About two in five changes go to the long-lived documents, which the reader watches: three in ten by this, and
        // their share of the others.
        let key = match self.random.random_bool(0.3) {
            true => self.long_lived.choose(&mut self.random).cloned(),
            false => live.choose(&mut self.random).cloned(),
        };
        let key = key.unwrap_or_else(|| live[0].clone());
        let content = self.history.records().live[&key].clone();
        let lasting = self.long_lived.contains(&key);
        let steps = match roll {
            22..65 => vec![self.edit(&key, content)],
            65..72 => vec![self.hand_over(content)],
            72..82 => vec![self.replace(&key, content)],
            82..92 if !lasting => vec![delete(&content)],
            _ => self.transaction(&key, content, lasting),
        };
        (key, steps)
    }

    /// A document that is not there: a new one, or one that was deleted.
    fn absent(&mut self) -> (Key, i64) {
        if self.random.random_bool(0.25)
            && let Some((key, version)) = self.dead.iter().choose(&mut self.random)
        {
            return (key.clone(), *version);
        }
        let collection = *self.collections.choose(&mut self.random).unwrap_or(&Collection::Posts);
        (self.new_key(collection), 0)
    }

    fn new_key(&mut self, collection: Collection) -> Key {
        self.documents += 1;
        Key::new(&mut self.random, collection, self.documents)
    }

    fn new_marker(&mut self) -> String {
        self.markers += 1;
        marker(self.markers)
    }

    fn fresh(&mut self, key: &Key, version: i64) -> Content {
        let sections = length(&mut self.random, key.collection);
        let sections = (0..sections)
            .map(|_| {
                let marker = self.new_marker();
                section(&mut self.random, key.collection, marker)
            })
            .collect();
        // The marker of the first write of a document is as good a number for its topic as any.
        Content { topic: topic(self.markers), version, author: self.random.random_range(0..4), sections }
    }

    fn insert(&mut self, key: &Key, former: i64) -> Step {
        Step { act: Act::Insert, former: None, content: Some(self.fresh(key, former + 1)) }
    }

    fn edit(&mut self, key: &Key, mut content: Content) -> Step {
        let former = Some(content.version);
        let marker = self.new_marker();
        let new = section(&mut self.random, key.collection, marker);
        let place = self.random.random_range(0..content.sections.len());
        content.sections[place] = new;
        content.version += 1;
        Step { act: Act::Update, former, content: Some(content) }
    }

    /// Text as it was, another author.
    fn hand_over(&mut self, mut content: Content) -> Step {
        let former = Some(content.version);
        content.author = (content.author + 1) % 4;
        content.version += 1;
        Step { act: Act::Update, former, content: Some(content) }
    }

    fn replace(&mut self, key: &Key, content: Content) -> Step {
        let new = Content { topic: content.topic, ..self.fresh(key, content.version + 1) };
        Step { act: Act::Replace, former: Some(content.version), content: Some(new) }
    }

    /// Two to five events of one document under one clusterTime, inserts after deletes among them. Not of those that the
    /// reader watches: each event of a transaction is a revision of its own, and one of them would be a tombstone.
    fn transaction(&mut self, key: &Key, content: Content, lasting: bool) -> Vec<Step> {
        let (mut steps, mut standing, mut last) = (Vec::new(), Some(content.clone()), content.version);
        for _ in 0..self.random.random_range(2..=5) {
            let step = match standing.take() {
                None => self.insert(key, last),
                Some(content) => match self.random.random_range(0..4) {
                    0 => self.replace(key, content),
                    1 if !lasting => delete(&content),
                    _ => self.edit(key, content),
                },
            };
            standing.clone_from(&step.content);
            last = standing.as_ref().map_or(last, |content| content.version);
            steps.push(step);
        }
        // A document that came back within the transaction goes on under its old topic.
        for step in &mut steps {
            if let Some(new) = &mut step.content {
                new.topic.clone_from(&content.topic);
            }
        }
        steps
    }

    async fn apply(&mut self, key: &Key, steps: Vec<Step>) -> Result<()> {
        self.announce(key, &steps);
        let last = steps.last().and_then(|step| step.content.as_ref()).map(|content| content.version);
        loop {
            if let Ok(Ok(())) = timeout(PATIENCE, self.attempt(key, &steps)).await {
                break;
            }
            // Whether it was applied is not known: MongoDB is asked, and every step names the version that it expects,
            // so that an attempt which arrives late changes nothing.
            if self.standing(key).await == last {
                break;
            }
        }
        self.record(key, steps);
        Ok(())
    }

    async fn attempt(&mut self, key: &Key, steps: &[Step]) -> Result<()> {
        if let [step] = steps {
            return step.apply(&self.database, key, &mut self.session).await;
        }
        // Left over from an attempt that was given up; none is as good as aborted.
        self.session.abort_transaction().await.ok();
        self.session.start_transaction().await?;
        for step in steps {
            step.apply(&self.database, key, &mut self.session).await?;
        }
        Ok(self.session.commit_transaction().await?)
    }

    /// The version that a majority holds now, surely.
    async fn standing(&self, key: &Key) -> Option<i64> {
        let documents = self.database.collection::<Document>(key.collection.name());
        loop {
            sleep(Duration::from_millis(200)).await;
            let find = documents.find_one(doc! { "_id": key.id.bson() }).read_concern(ReadConcern::linearizable());
            if let Ok(Ok(found)) = timeout(PATIENCE, find.into_future()).await {
                return found.and_then(|document| document.get_i64("version").ok());
            }
        }
    }

    /// From now on a reader may see these versions: each event of a transaction is a revision of its own.
    fn announce(&self, key: &Key, steps: &[Step]) {
        if !self.long_lived.contains(key) {
            return;
        }
        let contents = steps.iter().filter_map(|step| step.content.as_ref());
        let versions = contents.map(|content| Version { markers: content.markers(), acknowledged: None });
        self.history.records().versions.entry(key.clone()).or_default().extend(versions);
    }

    fn record(&mut self, key: &Key, steps: Vec<Step>) {
        let records = &mut *self.history.records();
        for step in steps {
            let version = step.content.as_ref().map(|content| content.version).or(step.former).unwrap_or_default();
            records.written.entry(key.clone()).or_default().push(Written { act: step.act, version });
            records.count += 1;
            let former = match step.content {
                Some(content) => {
                    self.dead.remove(key);
                    let kept = content.markers();
                    let former = records.live.insert(key.clone(), content);
                    former.map(|former| former.markers().difference(&kept).cloned().collect::<Vec<_>>())
                }
                None => {
                    self.dead.insert(key.clone(), version);
                    records.live.remove(key).map(|former| former.markers().into_iter().collect())
                }
            };
            records.removed.extend(former.into_iter().flatten());
        }
        let now = Instant::now();
        for version in records.versions.get_mut(key).into_iter().flatten() {
            version.acknowledged.get_or_insert(now);
        }
    }
}

fn delete(content: &Content) -> Step {
    Step { act: Act::Delete, former: Some(content.version), content: None }
}

impl Step {
    async fn apply(&self, database: &Database, key: &Key, session: &mut ClientSession) -> Result<()> {
        let documents = database.collection::<Document>(key.collection.name());
        let content = self.content.as_ref().map(|content| content.bson(key.collection));
        let standing = doc! { "_id": key.id.bson(), "version": self.former };
        let changed = match self.act {
            Act::Insert => {
                let mut document = doc! { "_id": key.id.bson() };
                document.extend(content.context("an insert has content")?);
                documents.insert_one(document).session(session).await?;
                1
            }
            Act::Update => {
                let set = doc! { "$set": content.context("an update has content")? };
                documents.update_one(standing, set).session(session).await?.matched_count
            }
            Act::Replace => {
                let content = content.context("a replace has content")?;
                documents.replace_one(standing, content).session(session).await?.matched_count
            }
            Act::Delete => documents.delete_one(standing).session(session).await?.deleted_count,
        };
        ensure!(changed == 1, "the version that was expected does not stand");
        Ok(())
    }
}
