//! MongoDB forgets what was deleted while the producer was down: the resync finds out.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bson::{Document, doc};
use local::Qdrant;

use super::drill::Order;
use super::index::{equal, seen};
use super::oplog::{forget, forgetful, window};
use super::site::{PARTITIONS, Site};
use super::verdict::Verdict;

const DELETED: usize = 5000;
/// A document that stays for so many that go.
const STAYING: usize = 25;
const PATIENCE: Duration = Duration::from_secs(900);

pub(super) async fn run(order: &Order, verdict: &mut Verdict) -> Result<()> {
    let (mongodb, qdrant) =
        tokio::try_join!(forgetful(order), async { Ok(Qdrant::start(&order.installation).await?) })?;
    let site = Site::on_mongodb(order, mongodb.uri()).await?;
    let posts = site.database.collection::<Document>("posts");
    let going = order.amount(DELETED, 200);
    let staying = going / STAYING;
    let all: Vec<Document> = (0..going + staying).map(|number| post(number as i64, "first")).collect();
    for some in all.chunks(500) {
        posts.insert_many(some).await?;
    }
    let (mut producer, mut consumer) = (site.producer(&[])?, site.consumer(&qdrant, &[])?);
    producer.launch()?;
    consumer.launch()?;
    order.say(format!("{} documents are indexed", all.len()));
    let logs = |producer: &crate::service::Service| format!("{}\n{}", producer.log_tail(), consumer.log_tail());
    let audit = equal(&site, &qdrant, PATIENCE).await.with_context(|| logs(&producer))?;
    verdict.hold("the first snapshot is indexed", audit.live.len() == all.len(), seen(&audit));
    site.swept(&producer).await?;
    producer.kill9();

    let deleted = posts.delete_many(doc! { "_id": { "$lt": going as i64 } }).await?.deleted_count;
    // What stays changes too, and something comes: half of it is known to no stored event.
    let (first, new) = (going as i64, (going + staying) as i64);
    posts.replace_one(doc! { "_id": first }, post(first, "second")).await?;
    posts.insert_one(post(new, "first")).await?;
    let (_, gap) = window(&site.client).await?;
    forget(&site.client, gap).await?;
    order.say(format!("{deleted} deleted and forgotten"));
    let swept = site.ledger.barriers("sweep", "posts");
    let since = Instant::now();
    site.restart(&mut producer).await?;
    let healed = equal(&site, &qdrant, PATIENCE).await;
    let (lasted, again) = (since.elapsed(), site.ledger.barriers("sweep", "posts") - swept);
    verdict.logs = logs(&producer);
    let seen = match &healed {
        Ok(audit) => format!("{deleted} deletes forgotten; {}, {lasted:.1?} after the start", seen(audit)),
        Err(difference) => format!("{difference:#}"),
    };
    let kept = healed.is_ok_and(|audit| audit.live.len() == staying + 1 && audit.tombstones.len() >= going);
    verdict.hold("after the resync MongoDB = manifests = chunks", kept, seen);
    let seen = format!("{again} sweeps of posts in {PARTITIONS} partitions");
    verdict.hold("one resync, ended by a sweep", again == usize::from(PARTITIONS), seen);
    Ok(())
}

fn post(number: i64, edition: &str) -> Document {
    let mark = format!("note {number} {edition}");
    doc! { "_id": number, "mark": &mark, "platform": "network", "author_id": "ada", "content": mark }
}
