//! Collections come and go while documents change: each event that the design names arrives, and the index follows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use bson::{Document, doc};
use local::Qdrant;
use mongodb::Database;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep};

use super::drill::Order;
use super::index::{equal, seen};
use super::site::{PARTITIONS, Site, within};
use super::verdict::Verdict;
use crate::service::Service;

const RATE: f64 = 30.0;
const BETWEEN: Duration = Duration::from_secs(10);
const STAGED: i64 = 40;
const ARRIVES_WITHIN: Duration = Duration::from_secs(120);
const PATIENCE: Duration = Duration::from_secs(300);
const WATCHED: [&str; 3] = ["articles", "posts", "repositories"];

pub(super) async fn run(order: &Order, verdict: &mut Verdict) -> Result<()> {
    let qdrant = Qdrant::start(&order.installation).await?;
    let site = Site::new(order).await?;
    let (mut producer, mut consumer) = (site.producer(&[])?, site.consumer(&qdrant, &[])?);
    producer.launch()?;
    consumer.launch()?;
    site.swept(&producer).await?;
    let churn = Churn::start(&site, order.seed);
    let scene = Scene { site: &site, order, churn: &churn, producer: &producer };
    let played = scene.play(verdict).await;
    let writes = churn.end().await;
    let audit = equal(&site, &qdrant, PATIENCE).await;
    verdict.logs = format!("{}\n{}", producer.log_tail(), consumer.log_tail());
    played?;
    let seen = audit.as_ref().map_or_else(|difference| format!("{difference:#}"), seen);
    verdict.hold(
        "in the end MongoDB = manifests = chunks, and every text is the one that stands",
        audit.is_ok(),
        format!("{writes} writes; {seen}"),
    );
    Ok(())
}

/// One after the other, with changes in between.
struct Scene<'a> {
    site: &'a Site,
    order: &'a Order,
    churn: &'a Churn,
    producer: &'a Service,
}

impl Scene<'_> {
    async fn play(&self, verdict: &mut Verdict) -> Result<()> {
        let database = &self.site.database;
        self.expect(verdict, "drop", &[("drop", "posts")], || async {
            Ok(database.collection::<Document>("posts").drop().await?)
        })
        .await?;
        let away = || self.rename("articles", "archive");
        self.expect(verdict, "rename away", &[("drop", "articles")], away).await?;
        let into = || async {
            self.stage("staged").await?;
            self.rename("staged", "articles").await
        };
        self.expect(verdict, "rename into", &[("drop", "articles"), ("sweep", "articles")], into).await?;
        let out = || async {
            self.stage("source").await?;
            let out = vec![doc! { "$out": "repositories" }];
            database.collection::<Document>("source").aggregate(out).await.map(drop)?;
            Ok(())
        };
        self.expect(verdict, "$out", &[("drop", "repositories"), ("sweep", "repositories")], out).await?;
        let all = WATCHED.map(|collection| ("drop", collection));
        self.expect(verdict, "dropDatabase", &all, || async { Ok(database.drop().await?) }).await?;
        sleep(self.order.lasting(BETWEEN, Duration::from_secs(2))).await;
        Ok(())
    }

    /// Does it under changes, and waits for what must arrive because of it.
    async fn expect<F: Future<Output = Result<()>>>(
        &self,
        verdict: &mut Verdict,
        what: &str,
        barriers: &[(&str, &str)],
        act: impl FnOnce() -> F,
    ) -> Result<()> {
        sleep(self.order.lasting(BETWEEN, Duration::from_secs(2))).await;
        // Each collection is there: without one there is nothing to drop.
        let there = || async { self.churn.is_everywhere().await };
        within(ARRIVES_WITHIN, "every collection has documents", there).await?;
        let ledger = &self.site.ledger;
        let before: Vec<usize> =
            barriers.iter().map(|(operation, collection)| ledger.barriers(operation, collection)).collect();
        act().await.with_context(|| what.to_owned())?;
        let arrived = || async {
            barriers.iter().zip(&before).all(|((operation, collection), before)| {
                ledger.barriers(operation, collection) >= before + usize::from(PARTITIONS)
            })
        };
        let arrived = within(ARRIVES_WITHIN, "each arrives", arrived).await.with_context(|| self.producer.log_tail());
        let counts: Vec<String> = barriers
            .iter()
            .zip(&before)
            .map(|((operation, collection), before)| {
                format!("{operation} of {collection} ×{}", ledger.barriers(operation, collection) - before)
            })
            .collect();
        self.order.say(format!("{what}: {}", counts.join(", ")));
        verdict.hold(format!("{what}: its events arrive, in every partition"), arrived.is_ok(), counts.join(", "));
        Ok(())
    }

    async fn rename(&self, from: &str, to: &str) -> Result<()> {
        let name = self.site.database.name();
        let rename =
            doc! { "renameCollection": format!("{name}.{from}"), "to": format!("{name}.{to}"), "dropTarget": true };
        self.site.client.database("admin").run_command(rename).await?;
        Ok(())
    }

    /// A collection that nobody watches.
    async fn stage(&self, name: &str) -> Result<()> {
        let staged = (0..STAGED).map(|number| document(number, &format!("{name} {number}")));
        self.site.database.collection::<Document>(name).insert_many(staged).await?;
        Ok(())
    }
}

/// Upserts and deletes in every watched collection, whatever happens to it.
struct Churn {
    database: Database,
    ended: Arc<AtomicBool>,
    writes: Arc<AtomicU64>,
    writing: JoinHandle<()>,
}

impl Churn {
    fn start(site: &Site, seed: u64) -> Self {
        let (ended, writes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let database = site.database.clone();
        let writing = tokio::spawn(churn(database.clone(), seed, Arc::clone(&ended), Arc::clone(&writes)));
        Self { database, ended, writes, writing }
    }

    async fn is_everywhere(&self) -> bool {
        for collection in WATCHED {
            if !matches!(self.database.collection::<Document>(collection).find_one(doc! {}).await, Ok(Some(_))) {
                return false;
            }
        }
        true
    }

    async fn end(self) -> u64 {
        self.ended.store(true, Ordering::Relaxed);
        // It ends by itself, and cannot fail.
        self.writing.await.ok();
        self.writes.load(Ordering::Relaxed)
    }
}

async fn churn(database: Database, seed: u64, ended: Arc<AtomicBool>, writes: Arc<AtomicU64>) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut ticks = interval(Duration::from_secs_f64(1.0 / RATE));
    while !ended.load(Ordering::Relaxed) {
        ticks.tick().await;
        let collection = WATCHED.choose(&mut random).unwrap_or(&"posts");
        let (documents, number) = (database.collection::<Document>(collection), random.random_range(0..STAGED));
        let filter = doc! { "_id": number };
        let count = writes.load(Ordering::Relaxed);
        let written = if random.random_ratio(1, 6) {
            documents.delete_one(filter).await.map(drop)
        } else {
            let document = document(number, &format!("{collection} {number} write {count}"));
            documents.replace_one(filter, document).upsert(true).await.map(drop)
        };
        // A write to what is being dropped is refused: then it did not happen.
        writes.fetch_add(u64::from(written.is_ok()), Ordering::Relaxed);
    }
}

/// A document that is of every type.
fn document(number: i64, mark: &str) -> Document {
    doc! { "_id": number, "mark": mark, "name": "notes", "platform": "network", "author_id": "ada", "owner_id": "ada", "content": mark }
}
