//! Posts that are inserted, changed and deleted at random by a seed, and what has to stand of them in the end: the
//! oracle of the consumer's drills, kept by no code of the pipeline.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use bson::{Document, doc};
use mongodb::{Collection, Database};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::audit::Audit;
use crate::text::Text;

/// What every marker begins with; no word of any text does.
const MARKER: &str = "zq";

/// A post as it stands.
#[derive(Debug, Clone)]
struct Post {
    /// A word that occurs in no other version of any post.
    marker: String,
    author: String,
}

/// Writes posts and remembers what it wrote.
pub(super) struct Posts {
    collection: Collection<Document>,
    random: StdRng,
    text: Text,
    live: BTreeMap<i64, Post>,
    next: i64,
    markers: u64,
}

impl Posts {
    /// None yet.
    pub(super) fn new(database: &Database, seed: u64) -> Self {
        Self {
            collection: database.collection("posts"),
            random: StdRng::seed_from_u64(seed),
            text: Text::new(seed),
            live: BTreeMap::new(),
            next: 1,
            markers: 0,
        }
    }

    /// A write: of ten, six change a post, two insert one, two delete one.
    ///
    /// # Errors
    /// As MongoDB.
    pub(super) async fn write(&mut self) -> Result<()> {
        match self.random.random_range(0..10) {
            0 | 1 => self.insert().await,
            2 | 3 => self.delete().await,
            _ => self.update().await,
        }
    }

    /// A new post.
    ///
    /// # Errors
    /// As MongoDB.
    pub(super) async fn insert(&mut self) -> Result<()> {
        let (id, post) = (self.next, self.fresh());
        self.next += 1;
        let mut document = doc! { "_id": id, "platform": "network", "author_id": &post.author };
        document.insert("content", self.content(&post));
        self.collection.insert_one(document).await?;
        self.live.insert(id, post);
        Ok(())
    }

    async fn update(&mut self) -> Result<()> {
        let Some(id) = self.any() else { return self.insert().await };
        let mut post = self.fresh();
        let set = match self.random.random_range(0..6) {
            // Text as it was, another author.
            0 => {
                post.marker.clone_from(&self.live[&id].marker);
                doc! { "author_id": &post.author }
            }
            _ => doc! { "author_id": &post.author, "content": self.content(&post) },
        };
        self.collection.update_one(doc! { "_id": id }, doc! { "$set": set }).await?;
        self.live.insert(id, post);
        Ok(())
    }

    async fn delete(&mut self) -> Result<()> {
        let Some(id) = self.any() else { return self.insert().await };
        self.collection.delete_one(doc! { "_id": id }).await?;
        self.live.remove(&id);
        Ok(())
    }

    fn any(&mut self) -> Option<i64> {
        let place = self.random.random_range(0..self.live.len().max(1));
        self.live.keys().nth(place).copied()
    }

    fn fresh(&mut self) -> Post {
        self.markers += 1;
        let author = format!("author-{}", self.random.random_range(0..5));
        Post { marker: format!("{MARKER}{}", self.markers), author }
    }

    /// As long as a post is.
    fn content(&mut self, post: &Post) -> Document {
        let sentences: Vec<String> = (0..self.random.random_range(2..8)).map(|_| self.text.sentence()).collect();
        doc! { "text": format!("{} It is about {}.", sentences.join(" "), post.marker) }
    }

    /// How many posts there are.
    pub(super) fn count(&self) -> usize {
        self.live.len()
    }

    /// Whether source and index hold just this: every post, its latest text and author, in manifest and chunks.
    ///
    /// # Errors
    /// The first difference.
    pub(super) fn equal(&self, audit: &Audit) -> Result<()> {
        let expected: BTreeSet<String> = self.live.keys().map(|id| format!("posts/int/{id}")).collect();
        ensure!(audit.documents == expected, "MongoDB is not what was written");
        audit.equal()?;
        let mut chunks: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for chunk in audit.chunks.values() {
            chunks.entry(chunk["entry_id"].as_str().unwrap_or_default()).or_default().push(chunk);
        }
        for (id, post) in &self.live {
            let manifest = &audit.live[&format!("posts/int/{id}")];
            ensure!(manifest["error"].is_null(), "{id}: {}", manifest["error"]);
            post.stands_in(&format!("the manifest of {id}"), "cleaned_text", &[manifest])?;
            let chunks = chunks.get(id.to_string().as_str()).map_or(&[][..], Vec::as_slice);
            post.stands_in(&format!("the chunks of {id}"), "text", chunks)?;
        }
        Ok(())
    }
}

impl Post {
    fn stands_in(&self, place: &str, field: &str, payloads: &[&Value]) -> Result<()> {
        let texts = payloads.iter().filter_map(|payload| payload[field].as_str());
        let found: BTreeSet<&str> = texts.flat_map(markers).collect();
        ensure!(found == BTreeSet::from([self.marker.as_str()]), "{place} bears {found:?}, not {}", self.marker);
        let others: Vec<&Value> =
            payloads.iter().map(|payload| &payload["author_id"]).filter(|author| **author != self.author).collect();
        ensure!(others.is_empty(), "{place} is of {others:?}, not of {}", self.author);
        Ok(())
    }
}

fn markers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.strip_prefix(MARKER).is_some_and(|rest| rest.parse::<u64>().is_ok()))
}
