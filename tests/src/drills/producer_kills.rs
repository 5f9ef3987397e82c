//! kill -9 of the producer: first again and again at short distances, then with time to recover in between.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::sleep;

use super::drill::Order;
use super::judge::{percentiles, relayed};
use super::load::Load;
use super::site::{PATIENCE, Site};
use super::verdict::Verdict;

/// Writes a second.
const RATE: f64 = 1000.0;
const KILLS: usize = 100;
const DISTANCE: std::ops::Range<f64> = 0.2..3.0;
/// Kills that are timed.
const TIMED: usize = 20;
const RECOVERED_WITHIN: Duration = Duration::from_secs(5);
const BETWEEN_TIMED: Duration = Duration::from_secs(5);

pub(super) async fn run(order: &Order, verdict: &mut Verdict) -> Result<()> {
    let site = Site::new(order).await?.without_consumer();
    let mut producer = site.producer(&[])?;
    producer.launch()?;
    site.swept(&producer).await?;
    let load = Load::start(&site, order, RATE * order.scale.max(0.1)).await?;
    let mut random = StdRng::seed_from_u64(order.seed);
    let (kills, mut productive) = (order.amount(KILLS, 4), 0);
    for kill in 1..=kills {
        let since = Instant::now();
        sleep(Duration::from_secs_f64(random.random_range(DISTANCE))).await;
        producer.kill9();
        productive += usize::from(site.ledger.news_since(since).is_some());
        site.restart(&mut producer).await?;
        order.say(format!("kill {kill} of {kills}, {} writes, {} events", load.count(), site.ledger.count()));
    }
    let timed = order.amount(TIMED, 2);
    let mut recoveries = Vec::new();
    for kill in 1..=timed {
        let rest = Instant::now() + BETWEEN_TIMED;
        site.ledger.news(Instant::now(), PATIENCE).await.with_context(|| producer.log_tail())?;
        sleep(rest.saturating_duration_since(Instant::now())).await;
        producer.kill9();
        let started = site.restart(&mut producer).await?;
        recoveries.push(site.ledger.news(started, PATIENCE).await.with_context(|| producer.log_tail())?);
        order.say(format!("timed kill {kill} of {timed}: new events after {:.2?}", recoveries[kill - 1]));
    }
    let wrote = load.end().await?;
    relayed(&site, &wrote, verdict).await?;
    verdict.logs = producer.log_tail();
    let seen = format!("{productive} of {kills} turns between kills relayed something new");
    verdict.hold("it makes way between kills", productive * 4 > kills, seen);
    let (p99, seen) = percentiles(&recoveries);
    verdict.hold(
        "after kills 5 s apart new events are published within 5 s (p99)",
        p99 <= order.allowance(RECOVERED_WITHIN),
        seen,
    );
    Ok(())
}
