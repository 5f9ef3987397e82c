//! An edit history, replayed as updates: what is embedded against what is truly new. Each event is applied by a consumer
//! that remembers no vector.

use std::collections::BTreeMap;

use anyhow::Result;
use qdrant_client::Payload;
use qdrant_client::qdrant::{PointId, ScrollPointsBuilder};
use serde_json::{Value, json};
use shared::index::{of_document, uuid_of};
use shared::{DocumentType, IdKind, Identity, Operation};
use uuid::Uuid;

use super::desk::{Desk, NoLetters, change, revision};
use super::drill::Order;
use super::releases::{Files, History, fetched, made_up};
use super::verdict::Verdict;

/// Texts embedded for each truly new chunk.
const MOST: f64 = 1.1;
/// Where cargo's scratch projects lie, in the cache of servers and model.
const SCRATCH: &str = "drills";
const MADE_UP_RELEASES: usize = 4;

pub(super) async fn run(order: &Order, verdict: &mut Verdict) -> Result<()> {
    let histories = match order.scale {
        scale if scale < 1.0 => made_up(order.seed, MADE_UP_RELEASES),
        _ => tokio::task::spawn_blocking(|| fetched(&local::default_cache().join(SCRATCH))).await??,
    };
    let mut replay = Replay { desk: Desk::new(order).await?, events: 0 };
    let mut sum = Tally::default();
    for history in &histories {
        let tally = replay.history(history).await?;
        order.say(format!("{}: {tally:?}", history.name));
        sum.add(&tally);
    }
    let Tally { edits, new, embedded, unchanged, for_unchanged, metadata, for_metadata, rewritten, faults } = sum;
    let ratio = embedded as f64 / new.max(1) as f64;
    let crates = histories.len();
    let seen =
        format!("{embedded} texts for {new} truly new chunks ({ratio:.3}) in {edits} updates of {crates} crates");
    verdict.hold("embedded is at most 1.1 times what is truly new", new > 0 && ratio <= MOST, seen);
    let seen = format!("{for_unchanged} texts in {unchanged} updates");
    verdict.hold("an update that changes nothing embeds nothing", unchanged > 0 && for_unchanged == 0, seen);
    let seen = format!("{for_metadata} texts in {metadata} updates, which made {rewritten} new points");
    verdict.hold("an update of metadata embeds nothing", rewritten > 0 && for_metadata == 0, seen);
    verdict.judge("what is there is what should be", format!("{} events", replay.events), faults);
    Ok(())
}

#[derive(Debug, Default)]
struct Tally {
    edits: u64,
    /// Chunks that a former version did not have with this text and these metadata.
    new: u64,
    embedded: u64,
    unchanged: u64,
    for_unchanged: u64,
    metadata: u64,
    for_metadata: u64,
    /// Points that updates of metadata made.
    rewritten: u64,
    faults: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.edits += other.edits;
        self.new += other.new;
        self.embedded += other.embedded;
        self.unchanged += other.unchanged;
        self.for_unchanged += other.for_unchanged;
        self.metadata += other.metadata;
        self.for_metadata += other.for_metadata;
        self.rewritten += other.rewritten;
        self.faults.extend(other.faults.iter().cloned());
    }
}

/// The chunks of a document as the index holds them: their payloads without the revision, by id.
type Chunks = BTreeMap<Uuid, String>;

struct Replay {
    desk: Desk,
    events: usize,
}

impl Replay {
    async fn history(&mut self, history: &History) -> Result<Tally> {
        let mut tally = Tally::default();
        for (number, files) in history.releases.iter().enumerate() {
            for (identity, mut document) in documents(&history.name, files) {
                self.edit(&identity, &document, &mut tally).await?;
                document["downloads"] = number.into();
                self.change_nothing(&identity, &document, &mut tally).await?;
                document["platform"] = format!("mirror {number}").into();
                self.change_metadata(&identity, &document, &mut tally).await?;
                // As it was, so that the next release differs in its texts alone.
                document["platform"] = PLATFORM.into();
                self.change_metadata(&identity, &document, &mut tally).await?;
            }
        }
        Ok(tally)
    }

    async fn edit(&mut self, identity: &Identity, document: &Value, tally: &mut Tally) -> Result<()> {
        let before = self.chunks(identity).await?;
        let embedded = self.apply(identity, document).await?;
        let after = self.chunks(identity).await?;
        tally.edits += 1;
        tally.embedded += embedded;
        tally.new += truly_new(&before, &after);
        Ok(())
    }

    async fn change_nothing(&mut self, identity: &Identity, document: &Value, tally: &mut Tally) -> Result<()> {
        let before = self.chunks(identity).await?;
        tally.for_unchanged += self.apply(identity, document).await?;
        tally.unchanged += 1;
        if self.chunks(identity).await? != before {
            tally.faults.push(format!("{identity}: other chunks though nothing has changed"));
        }
        Ok(())
    }

    /// New points with the texts that there were.
    async fn change_metadata(&mut self, identity: &Identity, document: &Value, tally: &mut Tally) -> Result<()> {
        let before = self.chunks(identity).await?;
        tally.for_metadata += self.apply(identity, document).await?;
        let after = self.chunks(identity).await?;
        tally.metadata += 1;
        tally.rewritten += after.keys().filter(|id| !before.contains_key(id)).count() as u64;
        if after.len() != before.len() || after.keys().any(|id| before.contains_key(id)) {
            tally.faults.push(format!("{identity}: {} chunks became {}", before.len(), after.len()));
        }
        Ok(())
    }

    /// How many texts were embedded.
    async fn apply(&mut self, identity: &Identity, document: &Value) -> Result<u64> {
        let before = self.desk.embedded();
        self.events += 1;
        let consumer = self.desk.consumer(self.desk.store());
        let change = change(identity, Operation::Update, revision(self.events), document.clone());
        let stale = Box::pin(consumer.apply(vec![change], &NoLetters)).await?;
        consumer.delete(&stale).await?;
        Ok(self.desk.embedded() - before)
    }

    async fn chunks(&self, identity: &Identity) -> Result<Chunks> {
        let (mut chunks, mut from) = (Chunks::new(), None);
        loop {
            let mut scroll = ScrollPointsBuilder::new(&self.desk.index().chunks).filter(of_document(identity));
            if let Some(offset) = from {
                scroll = scroll.offset::<PointId>(offset);
            }
            let page = self.desk.client().scroll(scroll.limit(512).with_payload(true)).await?;
            for point in page.result {
                let mut payload = Value::from(Payload::from(point.payload));
                payload["revision"] = Value::Null;
                chunks.extend(point.id.as_ref().and_then(uuid_of).map(|id| (id, payload.to_string())));
            }
            from = page.next_page_offset;
            if from.is_none() {
                return Ok(chunks);
            }
        }
    }
}

/// Of equal ones, as many as there are more now.
fn truly_new(before: &Chunks, after: &Chunks) -> u64 {
    let mut counts: BTreeMap<&String, i64> = BTreeMap::new();
    after.values().for_each(|chunk| *counts.entry(chunk).or_default() += 1);
    before.values().for_each(|chunk| *counts.entry(chunk).or_default() -= 1);
    counts.values().filter(|count| **count > 0).map(|count| count.unsigned_abs()).sum()
}

const PLATFORM: &str = "crates";

/// The repository, and an article for each page of prose in it.
fn documents(name: &str, files: &Files) -> Vec<(Identity, Value)> {
    let identity = |document_type, entry_id: String| Identity { document_type, id_kind: IdKind::Str, entry_id };
    let link = format!("https://crates.io/crates/{name}");
    let repository = json!({ "name": name, "link": &link, "owner_id": "1", "platform": PLATFORM, "content": files });
    let mut documents = vec![(identity(DocumentType::Repositories, name.to_owned()), repository)];
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".md")) {
        let article = json!({ "platform": PLATFORM, "link": &link, "author_id": "1",
            "content": { "Title": path, "Content": text, "language": "en" } });
        documents.push((identity(DocumentType::Articles, format!("{name}/{path}")), article));
    }
    documents
}
