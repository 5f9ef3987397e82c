//! Nothing watched changes while others fill the oplog several times over: the position must not age with it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bson::{Document, doc};
use tokio::time::sleep;

use super::drill::Order;
use super::oplog::{forget, forgetful, noise, window};
use super::site::{PATIENCE, Site};
use super::verdict::Verdict;

/// How long others write, and how much in all: an oplog's content lasts longer than the 30 s after which an idle stream's
/// position is stored at the latest.
const ROLLING: Duration = Duration::from_secs(150);
const ROLLED_BYTES: usize = 56 << 20;

pub(super) async fn run(order: &Order, verdict: &mut Verdict) -> Result<()> {
    let mongodb = forgetful(order).await?;
    let site = Site::on_mongodb(order, mongodb.uri()).await?.without_consumer();
    let posts = site.database.collection::<Document>("posts");
    posts.insert_many((0..100).map(|number| doc! { "_id": number, "version": 1_i64, "content": "as it was" })).await?;
    let mut producer = site.producer(&[])?;
    producer.launch()?;
    site.swept(&producer).await?;
    let (_, last) = window(&site.client).await?;
    let lasting = order.lasting(ROLLING, Duration::from_secs(90));
    let bytes = (ROLLED_BYTES as f64 * lasting.as_secs_f64() / ROLLING.as_secs_f64()) as usize;
    order.say(format!("others write {} MiB in {lasting:?}", bytes >> 20));
    noise(&site.client, bytes, lasting).await?;
    let (reached, since) = (site.reached().await.context("a checkpoint")?, Instant::now());
    let position = u32::try_from(reached >> 31)?;
    let age = window(&site.client).await?.1.time.saturating_sub(position);
    producer.kill9();
    forget(&site.client, last).await?;
    let oldest = window(&site.client).await?.0.time;
    ensure!(oldest <= position, "the position itself was forgotten, {} s too much", oldest - position);
    let rows = site.ledger.rows();
    site.restart(&mut producer).await?;
    posts.insert_one(doc! { "_id": 1000, "version": 1_i64, "content": "as it is" }).await?;
    let came = site.ledger.change_of("posts/int/1000", PATIENCE).await.map(|came| came - since);
    // A snapshot would have begun before.
    sleep(Duration::from_secs(2)).await;
    let again = site.ledger.rows().0 - rows.0;
    verdict.logs = producer.log_tail();
    let rolled = format!("{} MiB of others' changes in {lasting:?}; all from before is forgotten", bytes >> 20);
    verdict.hold("a restart publishes no row of a snapshot", again == 0, format!("{again} rows; {rolled}"));
    let seen = match &came {
        Ok(after) => format!("a change made after the restart came {after:.2?} after the kill"),
        Err(error) => error.to_string(),
    };
    verdict.hold("the stream goes on", came.is_ok(), seen);
    verdict.hold(
        "the position of an idle stream is stored every 30 s",
        age <= 30,
        format!("{age} s behind the newest change of all"),
    );
    Ok(())
}
