//! The store is away for longer than the consumer holds deliveries, while posts go on being changed.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use consumer::PREFETCH;
use local::Qdrant;
use tokio::time::sleep;

use super::drill::Order;
use super::indexed::{until_equal, waiting};
use super::posts::Posts;
use super::site::{PARTITIONS, Site};
use super::verdict::Verdict;
use crate::chaos::entry::Entry;

const AWAY: Duration = Duration::from_secs(15 * 60);
/// After this the consumer holds nothing any more.
const HELD: Duration = Duration::from_secs(10 * 60);
/// It says so a little later.
const SLACK: Duration = Duration::from_secs(45);
const FIRST: usize = 60;
/// Between two writes.
const PACE: Duration = Duration::from_millis(200);
/// Writes between two looks at everything.
const LOOK: u32 = 10;

pub(super) async fn run(order: &Order, verdict: &mut Verdict) -> Result<()> {
    let site = Site::new(order).await?;
    let mut qdrant = Qdrant::start(&order.installation).await?;
    let (mut producer, mut consumer) = (site.producer(&[])?, site.consumer(&qdrant, &[])?);
    producer.launch()?;
    consumer.launch()?;
    let mut posts = Posts::new(&site.database, order.seed);
    for _ in 0..order.amount(FIRST, 10) {
        posts.insert().await?;
    }
    until_equal(&site, &qdrant, &posts).await.with_context(|| consumer.log_tail())?;

    let away = order.lasting(AWAY, Duration::from_secs(12));
    let (before, process) = (relayed(&site), consumer.pid()?);
    qdrant.kill9().await?;
    let (since, mut looks, mut writes) = (Instant::now(), Looks::default(), 0_u32);
    while since.elapsed() < away {
        posts.write().await?;
        writes += 1;
        if writes.is_multiple_of(LOOK) {
            looks.held(since.elapsed(), (relayed(&site) - before).saturating_sub(waiting(&site).await?));
            looks.unready += u32::from(consumer.ready().await.is_err());
            order.say(format!("away for {:.0?}, {writes} writes, {looks:?}", since.elapsed()));
        }
        sleep(PACE).await;
    }
    let letters = site.ledger.dead_letters().await?;
    qdrant.restart().await?;
    let back = Instant::now();
    let equal = until_equal(&site, &qdrant, &posts).await;
    let caught_up = back.elapsed();

    verdict.logs = consumer.log_tail();
    let seen =
        format!("{writes} writes in {:.0?} without a store, {letters} dead letters", since.elapsed() - caught_up);
    verdict.hold("nothing is a dead letter", letters == 0 && site.ledger.dead_letters().await? == 0, seen);
    let most = usize::from(PREFETCH * PARTITIONS);
    verdict.hold("intake pauses", looks.most <= most, format!("at most {} deliveries held of {most}", looks.most));
    if away > HELD + SLACK {
        let seen = format!("{} deliveries held at the end", looks.last);
        verdict.hold("after ten minutes nothing is held", looks.last == 0, seen);
    }
    let seen = format!("not ready in {} looks", looks.unready);
    verdict.hold("it says that it is not ready", looks.unready > 0, seen);
    let faults = equal.err().map(|difference| format!("{difference:#}")).into_iter().collect();
    let seen = format!("equal {caught_up:.1?} after the store was back");
    verdict.judge("it resumes by itself, and the index is what was written", seen, faults);
    verdict.hold("it is the same process", consumer.pid()? == process, format!("process {process}"));
    consumer.stop().await?;
    producer.stop().await
}

/// What was seen while the store was away.
#[derive(Debug, Default)]
struct Looks {
    /// The most deliveries that the consumer held.
    most: usize,
    /// Those at the last look.
    last: usize,
    /// Looks at which it said that it was not ready.
    unready: u32,
}

impl Looks {
    fn held(&mut self, away: Duration, held: usize) {
        // What was settled just before the store went may still have been acknowledged.
        if away > Duration::from_secs(3) {
            self.most = self.most.max(held);
        }
        self.last = held;
    }
}

/// Changes that the producer has relayed.
fn relayed(site: &Site) -> usize {
    site.ledger.entries().iter().filter(|entry| matches!(entry, Entry::Change(_))).count()
}
