//! Many documents that are there before the producer is, and those who change them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use bson::{Bson, Document, doc};
use mongodb::Database;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::interval;

use super::drill::Order;
use super::site::Site;
use crate::chaos::document::{Collection, Id, Key};
use crate::chaos::history::{Act, Written};
use crate::chaos::words::paragraph;

/// Above the numbers of any writer, and an Int32 still.
const FIRST: u64 = 1_000_000_000;
/// Sentences of a text: about a kilobyte.
const SENTENCES: usize = 20;
const BATCH: usize = 1000;

/// Some documents in the hands of one who changes them.
pub(super) struct Shelf {
    database: Database,
    random: StdRng,
    keys: Vec<Key>,
    /// Version by document.
    pub(super) live: BTreeMap<Key, i64>,
    /// Changes by document.
    pub(super) written: BTreeMap<Key, Vec<Written>>,
}

/// Fills the database with documents of all types and kinds of `_id`, on so many shelves.
///
/// # Errors
/// As MongoDB.
pub(super) async fn fill(site: &Site, order: &Order, documents: usize, shelves: usize) -> Result<Vec<Shelf>> {
    let mut random = StdRng::seed_from_u64(order.seed);
    let texts: Vec<String> = (0..50).map(|_| paragraph(&mut random, "shelved", SENTENCES)).collect();
    let mut filled: Vec<Shelf> = (0..shelves).map(|place| Shelf::new(site, order.seed + place as u64)).collect();
    // Posts are most of them.
    let collections = [Collection::Posts, Collection::Articles, Collection::Posts, Collection::Repositories];
    let mut waiting: BTreeMap<Collection, Vec<Document>> = BTreeMap::new();
    for number in 0..documents {
        let key = Key::new(&mut random, collections[number % collections.len()], FIRST + number as u64);
        let text = &texts[number % texts.len()];
        let batch = waiting.entry(key.collection).or_default();
        batch.push(doc! { "_id": id(&key, number), "version": 1_i64, "platform": "network", "author_id": "ada", "content": text });
        if batch.len() == BATCH {
            insert(site, key.collection, std::mem::take(batch)).await?;
        }
        filled[number % shelves].add(key);
    }
    for (collection, batch) in waiting {
        if !batch.is_empty() {
            insert(site, collection, batch).await?;
        }
    }
    Ok(filled)
}

async fn insert(site: &Site, collection: Collection, batch: Vec<Document>) -> Result<()> {
    site.database.collection::<Document>(collection.name()).insert_many(batch).await?;
    Ok(())
}

/// An integer may be stored as any of MongoDB's numbers.
fn id(key: &Key, number: usize) -> Bson {
    match (&key.id, number % 3) {
        (Id::Int(id), 0) => Bson::Int32(*id as i32),
        (Id::Int(id), 1) => Bson::Double(*id as f64),
        (id, _) => id.bson(),
    }
}

impl Shelf {
    fn new(site: &Site, seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self {
            database: site.database.clone(),
            random,
            keys: Vec::new(),
            live: BTreeMap::new(),
            written: BTreeMap::new(),
        }
    }

    fn add(&mut self, key: Key) {
        self.live.insert(key.clone(), 1);
        self.keys.push(key);
    }

    /// Changes one document after the other until told to end.
    ///
    /// # Errors
    /// As MongoDB.
    pub(super) async fn scribble(mut self, pace: Duration, ended: Arc<AtomicBool>) -> Result<Self> {
        let mut ticks = interval(pace);
        while !ended.load(Ordering::Relaxed) {
            ticks.tick().await;
            let key = self.keys[self.random.random_range(0..self.keys.len())].clone();
            let Some(version) = self.live.get(&key).copied() else { continue };
            self.change(key, version).await?;
        }
        Ok(self)
    }

    async fn change(&mut self, key: Key, version: i64) -> Result<()> {
        let documents = self.database.collection::<Document>(key.collection.name());
        let standing = doc! { "_id": key.id.bson(), "version": version };
        let (changed, written) = if self.random.random_ratio(1, 5) {
            self.live.remove(&key);
            let deleted = documents.delete_one(standing).await?.deleted_count;
            (deleted, Written { act: Act::Delete, version })
        } else {
            let version = version + 1;
            self.live.insert(key.clone(), version);
            let text = paragraph(&mut self.random, "scribbled", SENTENCES);
            let set = doc! { "$set": { "version": version, "content": text } };
            (documents.update_one(standing, set).await?.matched_count, Written { act: Act::Update, version })
        };
        ensure!(changed == 1, "{key}: the version that was expected does not stand");
        self.written.entry(key).or_default().push(written);
        Ok(())
    }
}
