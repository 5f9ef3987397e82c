//! The broker is killed again and again, and is away for minutes, while documents change.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use local::RabbitMq;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::drill::Order;
use super::judge::{percentiles, relayed};
use super::load::Load;
use super::shelf::fill;
use super::site::{PATIENCE, Site, within};
use super::verdict::Verdict;
use crate::cpu::memory;
use crate::mongodb;
use crate::service::Service;

const RATE: f64 = 1000.0;
const KILLS: usize = 10;
const OUTAGE: Duration = Duration::from_secs(300);
/// Documents that are inserted in the outage at once, so that a backlog of many megabytes waits at any scale.
const FLOOD: usize = 20_000;
const PUBLISHING_WITHIN: Duration = Duration::from_secs(10);
const MOST_GROWTH_MIB: f64 = 64.0;
/// A quorum queue declared less than 3 s before a kill of RabbitMQ 3.10 stays without a leader.
const AGE_OF_QUEUES: Duration = Duration::from_secs(5);
const CONFIRMED: &str = "twin_producer_events_confirmed_total";

pub(super) async fn run(order: &Order, verdict: &mut Verdict) -> Result<()> {
    let mut rabbitmq = RabbitMq::start(&order.installation).await?;
    let site = Site::over(order, mongodb().await.uri(), rabbitmq.uri()).await?.without_consumer();
    let mut producer = site.producer(&[])?;
    producer.launch()?;
    site.swept(&producer).await?;
    let load = Load::start(&site, order, RATE * order.scale.max(0.1)).await?;
    let pid = producer.pid()?;
    sleep(AGE_OF_QUEUES).await;
    let before = memory(pid)?.resident_mib();
    let mut random = StdRng::seed_from_u64(order.seed);
    let (kills, mut recoveries) = (order.amount(KILLS, 2), Vec::new());
    for kill in 1..=kills {
        sleep(Duration::from_secs_f64(random.random_range(1.0..5.0))).await;
        rabbitmq.kill9().await?;
        sleep(Duration::from_secs_f64(random.random_range(0.0..2.0))).await;
        recoveries.push(recover(&mut rabbitmq, &producer).await?);
        order.say(format!("kill {kill} of {kills}: publishing {:.2?} after its port opened", recoveries[kill - 1]));
    }
    let outage = order.lasting(OUTAGE, Duration::from_secs(12));
    rabbitmq.kill9().await?;
    order.say(format!("outage of {outage:?}"));
    let (since, mut highest) = (Instant::now(), 0.0_f64);
    let flood = fill(&site, order, FLOOD, 1).await?;
    while since.elapsed() < outage {
        highest = highest.max(memory(pid)?.resident_mib());
        sleep(Duration::from_millis(500)).await;
    }
    let after_outage = recover(&mut rabbitmq, &producer).await?;
    order.say(format!(
        "publishing {after_outage:.2?} after the outage, {} writes, memory {highest:.0} MiB",
        load.count()
    ));
    let mut wrote = load.end().await?;
    flood.into_iter().flat_map(|shelf| shelf.live.into_keys()).for_each(|key| wrote.insert(key));
    relayed(&site, &wrote, verdict).await?;
    let caught_up = memory(pid)?.peak as f64 / f64::from(1 << 20);
    verdict.logs = producer.log_tail();
    let (_, seen) = percentiles(&recoveries);
    let longest = recoveries.iter().copied().max().unwrap_or_default().max(after_outage);
    let seen = format!("{seen} kills; {after_outage:.2?} after an outage of {outage:?}");
    verdict.hold("publishing within 10 s of the broker's port", longest <= order.allowance(PUBLISHING_WITHIN), seen);
    let seen = format!("{before:.0} MiB before, at most {highest:.0} in the outage, {caught_up:.0} ever");
    verdict.hold("memory grows by 64 MiB at most", caught_up - before <= MOST_GROWTH_MIB, seen);
    Ok(())
}

/// Restarts the broker: how long after its port had opened a message was confirmed.
async fn recover(rabbitmq: &mut RabbitMq, producer: &Service) -> Result<Duration> {
    let before = producer.counter(CONFIRMED).await?;
    let port = rabbitmq.port();
    let opened = tokio::spawn(async move {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
        Instant::now()
    });
    rabbitmq.restart().await?;
    let confirmed = || async { producer.counter(CONFIRMED).await.is_ok_and(|now| now > before) };
    within(PATIENCE, "a message is confirmed", confirmed).await.with_context(|| producer.log_tail())?;
    let confirmed = Instant::now();
    Ok(confirmed.saturating_duration_since(opened.await?))
}
