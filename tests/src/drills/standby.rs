//! Two producers: the active one is killed, or paused for longer than its lease and then woken.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bson::{Document, doc};
use tokio::time::{sleep, timeout};

use super::drill::Order;
use super::judge::{percentiles, relayed};
use super::load::Load;
use super::site::{PATIENCE, Site, within};
use super::verdict::Verdict;
use crate::chaos::proxy::{Link, Weather};
use crate::service::Service;

const RATE: f64 = 200.0;
const TIMES: usize = 10;
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(5);
/// Of a lease.
const TTL: Duration = Duration::from_secs(3);
/// Longer than a lease, and than it takes to succeed.
const PAUSE: Duration = Duration::from_secs(6);
/// How long a zombie is watched once it has woken.
const WATCHED: Duration = Duration::from_secs(3);
const CONFIRMED: &str = "twin_producer_events_confirmed_total";

/// A producer and its own way to the broker.
struct Instance {
    producer: Service,
    link: Link,
}

pub(super) async fn run(order: &Order, verdict: &mut Verdict) -> Result<()> {
    let site = Site::new(order).await?.without_consumer();
    let mut instances = [Instance::new(&site).await?, Instance::new(&site).await?];
    instances[0].producer.launch()?;
    site.swept(&instances[0].producer).await?;
    instances[1].producer.start().await?;
    let load = Load::start(&site, order, RATE).await?;
    let times = order.amount(TIMES, 2);
    let (mut take_overs, mut successions, mut zombies) = (Vec::new(), Vec::new(), Vec::new());
    for time in 1..=times {
        sleep(Duration::from_secs(2)).await;
        let active = active(&site, &instances).await?;
        instances[active].producer.kill9();
        take_overs.push(published_anew(&site).await.with_context(|| instances[1 - active].producer.log_tail())?);
        instances[active].producer.start().await?;
        order.say(format!("kill {time} of {times}: the standby publishes after {:.2?}", take_overs[time - 1]));
    }
    for time in 1..=times {
        sleep(Duration::from_secs(2)).await;
        let active = active(&site, &instances).await?;
        let zombie = &instances[active];
        let confirmed = zombie.producer.counter(CONFIRMED).await?;
        zombie.producer.pause()?;
        let since = Instant::now();
        successions.push(published_anew(&site).await.with_context(|| instances[1 - active].producer.log_tail())?);
        // Its connections end while it sleeps: whatever it publishes then goes over a new one.
        zombie.link.turn(Weather::Reset);
        sleep(PAUSE.saturating_sub(since.elapsed())).await;
        zombie.link.turn(Weather::Fair);
        zombies.extend(wake(&site, zombie, confirmed).await?.map(|fault| format!("pause {time}: {fault}")));
        order.say(format!("pause {time} of {times}: its successor published after {:.2?}", successions[time - 1]));
    }
    let wrote = load.end().await?;
    relayed(&site, &wrote, verdict).await?;
    verdict.logs = instances.iter().map(|instance| instance.producer.log_tail()).collect();
    for (what, durations, limit) in [
        ("killed, the standby publishes within 5 s", &take_overs, TAKEN_OVER_WITHIN),
        ("paused, its lease runs out and the standby publishes within 8 s", &successions, TTL + TAKEN_OVER_WITHIN),
    ] {
        let longest = durations.iter().max().copied().unwrap_or_default();
        verdict.hold(format!("the active one {what}"), longest <= order.allowance(limit), percentiles(durations).1);
    }
    let seen = format!("{times} woken after {PAUSE:?}, watched for {WATCHED:?} each");
    verdict.judge("a woken zombie neither publishes over a new connection nor moves the checkpoint", seen, zombies);
    Ok(())
}

impl Instance {
    async fn new(site: &Site) -> Result<Self> {
        let (before, after) = site.rabbitmq_uri.rsplit_once(':').context("a port")?;
        let (port, vhost) = after.split_once('/').context("a virtual host")?;
        let link = Link::to(port.parse()?).await?;
        let uri = format!("{before}:{}/{vhost}", link.port());
        Ok(Self { producer: site.producer(&[("RABBITMQ_URI", &uri)])?, link })
    }
}

/// Which of the two holds the lease. Right after a restart it may be nobody's.
async fn active(site: &Site, instances: &[Instance; 2]) -> Result<usize> {
    let since = Instant::now();
    loop {
        let leases = site.client.database("twin_cdc").collection::<Document>("leases");
        let lease = leases.find_one(doc! { "_id": site.database.name() }).await?.context("a lease")?;
        let holder = lease.get("holder").map(ToString::to_string).unwrap_or_default();
        let pids = [instances[0].producer.pid()?, instances[1].producer.pid()?].map(|pid| pid.to_string());
        let holds = |pid: &String| holder.split(|c: char| !c.is_ascii_digit()).any(|part| part == pid);
        if let Some(active) = pids.iter().position(holds) {
            return Ok(active);
        }
        anyhow::ensure!(since.elapsed() < PATIENCE, "the lease is held by {holder}, not by {pids:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// The active one has just been stopped: how long until something new is published that is not its own, which is all
/// that comes behind a note.
async fn published_anew(site: &Site) -> Result<Duration> {
    let stopped = Instant::now();
    site.note().await;
    let from = Instant::now();
    Ok(site.ledger.news(from, PATIENCE).await? + (from - stopped))
}

/// Wakes a zombie and watches it: what it did that it should not have.
async fn wake(site: &Site, zombie: &Instance, confirmed: f64) -> Result<Option<String>> {
    let (epoch, mut reached) = (epoch(site).await?, site.reached().await);
    // From here on, whatever it repeats is checkpointed already.
    site.note().await;
    zombie.producer.resume()?;
    let watched = timeout(WATCHED, async {
        loop {
            let now = site.reached().await;
            if now < reached {
                return format!("the checkpoint went back from {reached:?} to {now:?}");
            }
            reached = now;
            sleep(Duration::from_millis(100)).await;
        }
    });
    if let Ok(fault) = watched.await {
        return Ok(Some(fault));
    }
    let now = self::epoch(site).await?;
    if now != epoch {
        return Ok(Some(format!("the checkpoint's epoch went from {epoch} to {now}")));
    }
    let standing_by = || async { zombie.producer.ready().await.is_ok() };
    within(PATIENCE, "the zombie stands by", standing_by).await.with_context(|| zombie.producer.log_tail())?;
    let own = zombie.producer.counter(CONFIRMED).await? - confirmed;
    // Some may have been confirmed between the last look and the pause; what its successor had relayed is much more.
    Ok((own > RATE).then(|| format!("it had {own} messages confirmed")))
}

async fn epoch(site: &Site) -> Result<i64> {
    Ok(site.checkpoint().await.context("a checkpoint")?.get_i64("epoch")?)
}
