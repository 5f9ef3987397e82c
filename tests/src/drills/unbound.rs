//! A partition's queue is unbound for a while: its messages come back, the checkpoint stands still, and someone is told.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lapin::options::QueueBindOptions;
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use shared::topology::{EXCHANGE, partition_queue};
use tokio::time::sleep;

use super::drill::Order;
use super::judge::relayed;
use super::load::Load;
use super::site::{PARTITIONS, PATIENCE, Site, within};
use super::verdict::Verdict;

const RATE: f64 = 200.0;
const UNBOUND: Duration = Duration::from_secs(60);
const ALARM_WITHIN: Duration = Duration::from_secs(5);
const RETURNED: &str = "twin_producer_events_returned_total";

pub(super) async fn run(order: &Order, verdict: &mut Verdict) -> Result<()> {
    let site = Site::new(order).await?.without_consumer();
    let mut producer = site.producer(&[])?;
    producer.launch()?;
    site.swept(&producer).await?;
    let load = Load::start(&site, order, RATE).await?;
    site.ledger.news(Instant::now(), PATIENCE).await?;
    let queue = Queue::open(&site.rabbitmq_uri, (order.seed % u64::from(PARTITIONS)) as u16).await?;
    // The ledger last: what came in between would be in the partition's queue alone, and count as missing.
    queue.unbind().await?;
    site.ledger.unbind(queue.partition).await?;
    let since = Instant::now();
    let alarmed = within(UNBOUND / 2, "it says that it is not ready", || async { producer.ready().await.is_err() });
    let alarm = alarmed.await.map(|()| since.elapsed());
    order.say(match &alarm {
        Ok(alarm) => format!("partition {} unbound; told after {alarm:.2?}", queue.partition),
        Err(error) => error.to_string(),
    });
    // What was confirmed before may still be written down; then it stands.
    sleep(Duration::from_secs(2)).await;
    let frozen = site.reached().await;
    sleep(order.lasting(UNBOUND, Duration::from_secs(8)).saturating_sub(since.elapsed())).await;
    let (still, unready) = (site.reached().await, producer.ready().await.err());
    let returned = producer.counter(RETURNED).await?;
    let unbound = since.elapsed();
    site.ledger.bind(queue.partition).await?;
    queue.bind().await?;
    let since = Instant::now();
    let ready = || async { producer.ready().await.is_ok() };
    within(PATIENCE, "it is ready again", ready).await.with_context(|| producer.log_tail())?;
    let healed = since.elapsed();
    order.say(format!("bound again after {unbound:.1?}; ready {healed:.2?} later"));
    let wrote = load.end().await?;
    relayed(&site, &wrote, verdict).await?;
    let moves_on = || async { site.reached().await > frozen };
    let moved = within(PATIENCE, "the checkpoint moves on", moves_on).await;
    verdict.logs = producer.log_tail();
    verdict.hold(
        "the checkpoint stands still while messages come back",
        frozen.is_some() && frozen == still,
        format!("{unbound:.0?}, {returned} returns"),
    );
    let in_time = alarm.as_ref().is_ok_and(|alarm| *alarm <= order.allowance(ALARM_WITHIN));
    let seen = match &alarm {
        Ok(alarm) => format!(
            "/readyz 503 after {alarm:.2?}: {}",
            unready.as_ref().map_or("and 200 again at the end".into(), ToString::to_string)
        ),
        Err(error) => error.to_string(),
    };
    verdict.hold(
        "someone is told within 5 s, and for as long as it lasts",
        in_time && unready.is_some(),
        seen.replace('\n', " "),
    );
    verdict.hold("it goes on once the queue is bound", moved.is_ok(), format!("ready {healed:.2?} after"));
    Ok(())
}

/// A partition's queue in the hands of a careless administrator.
struct Queue {
    partition: u16,
    channel: Channel,
    // Held, for the channel ends with it.
    _connection: Connection,
}

impl Queue {
    async fn open(uri: &str, partition: u16) -> Result<Self> {
        let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
        Ok(Self { partition, channel: connection.create_channel().await?, _connection: connection })
    }

    async fn unbind(&self) -> Result<()> {
        let (queue, key) = (partition_queue(self.partition).into(), self.partition.to_string().into());
        Ok(self.channel.queue_unbind(queue, EXCHANGE.into(), key, FieldTable::default()).await?)
    }

    async fn bind(&self) -> Result<()> {
        let (queue, key) = (partition_queue(self.partition).into(), self.partition.to_string().into());
        let options = QueueBindOptions::default();
        Ok(self.channel.queue_bind(queue, EXCHANGE.into(), key, options, FieldTable::default()).await?)
    }
}
