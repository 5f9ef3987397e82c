//! Memory of the consumer under a long backlog of posts that are all different.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use local::Qdrant;
use serde_json::{Map, Value, json};
use shared::body::{self, CONTENT_TYPE};
use shared::topology::{self, EXCHANGE};
use shared::{ChangeEvent, DocumentType, IdKind, Identity, Operation, Revision, Subject};
use tokio::time::sleep;
use uuid::Uuid;

use super::drill::Order;
use super::site::{PARTITIONS, Site};
use super::verdict::Verdict;
use crate::cpu::memory;
use crate::text::Text;

const POSTS: usize = 50_000;
const BACKLOG: usize = 20_000;
/// Posts after which memory has to stand.
const WARM: usize = 5_000;
/// How far it may go up or down from there.
const FLAT: f64 = 0.1;
const APPLIED: &str = "twin_consumer_changes_total";
const LOOK: Duration = Duration::from_millis(500);
/// Messages published between two looks at the confirms.
const PAGE: usize = 1_000;

pub(super) async fn run(order: &Order, verdict: &mut Verdict) -> Result<()> {
    let site = Site::new(order).await?;
    let qdrant = Qdrant::start(&order.installation).await?;
    let [posts, backlog, warm] =
        [(POSTS, 3_000), (BACKLOG, 1_000), (WARM, 1_500)].map(|(full, least)| order.amount(full, least));
    let mut source = Source::new(&site, order.seed).await?;
    source.publish(backlog).await?;
    let mut consumer = site.consumer(&qdrant, &[("RUST_LOG", "warn")])?;
    consumer.launch()?;
    let (mut samples, mut applied) = (Vec::new(), 0);
    while applied < posts {
        sleep(LOOK).await;
        applied = consumer.counter(APPLIED).await.unwrap_or(0.0) as usize;
        samples.push((applied, memory(consumer.pid()?)?.resident_mib()));
        let wanted = (applied + backlog).min(posts);
        source.publish(wanted.saturating_sub(source.published)).await?;
        if samples.len().is_multiple_of(20) {
            order.say(format!("{applied} posts, {:.0} MiB", samples[samples.len() - 1].1));
        }
    }
    judge(&samples, warm, verdict)?;
    verdict.logs = consumer.log_tail();
    consumer.stop().await
}

fn judge(samples: &[(usize, f64)], warm: usize, verdict: &mut Verdict) -> Result<()> {
    let after: Vec<f64> = samples.iter().filter(|(applied, _)| *applied >= warm).map(|(_, mib)| *mib).collect();
    ensure!(after.len() > 2, "too few samples");
    let (begin, end) = (after[0], after[after.len() - 1]);
    let (least, most) = after.iter().fold((begin, begin), |(least, most), mib| (mib.min(least), mib.max(most)));
    let applied = samples.last().map_or(0, |(applied, _)| *applied);
    let seen =
        format!("{begin:.0} MiB after {warm} posts, {least:.0} to {most:.0} until {applied}, {end:.0} in the end");
    let flat = least >= begin * (1.0 - FLAT) && most <= begin * (1.0 + FLAT);
    verdict.hold("resident memory stays within 10% of what it is after the first posts", flat, seen);
    Ok(())
}

/// Publishes posts, each with a text of its own.
struct Source {
    // Held, for the channel ends with it.
    _connection: Connection,
    channel: Channel,
    text: Text,
    published: usize,
}

impl Source {
    async fn new(site: &Site, seed: u64) -> Result<Self> {
        let connection = Connection::connect(&site.rabbitmq_uri, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        topology::declare(&channel, PARTITIONS).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { _connection: connection, channel, text: Text::new(seed), published: 0 })
    }

    async fn publish(&mut self, count: usize) -> Result<()> {
        let mut left = count;
        while left > 0 {
            let mut confirms = FuturesUnordered::new();
            for _ in 0..left.min(PAGE) {
                confirms.push(self.publish_one().await?);
                left -= 1;
            }
            while let Some(confirm) = confirms.next().await {
                ensure!(matches!(confirm?, Confirmation::Ack(None)), "a message was refused");
            }
        }
        Ok(())
    }

    async fn publish_one(&mut self) -> Result<lapin::PublisherConfirm> {
        self.published += 1;
        let event = self.event()?;
        let partition = event.identity().context("a document")?.partition(PARTITIONS);
        let body = body::encode(&event)?;
        let properties = BasicProperties::default().with_content_type(CONTENT_TYPE.into()).with_delivery_mode(2);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (exchange, key) = (EXCHANGE.into(), partition.to_string().into());
        Ok(self.channel.basic_publish(exchange, key, options, &body.bytes, properties).await?)
    }

    fn event(&mut self) -> Result<ChangeEvent> {
        let number = self.published;
        let (document_type, id_kind) = (DocumentType::Posts, IdKind::Int);
        let text = format!("{} {number}", self.text.words(4));
        let document: Map<String, Value> =
            json!({ "platform": "network", "author_id": "1", "content": { "text": text } })
                .as_object()
                .cloned()
                .unwrap_or_default();
        Ok(ChangeEvent {
            id: Uuid::new_v4(),
            operation: Operation::Insert,
            subject: Subject::Document(Identity { document_type, id_kind, entry_id: number.to_string() }),
            revision: Revision::new(1_790_000_000, number as u32, 1)?,
            occurred_at: "2026-01-01T00:00:00.000Z".into(),
            document: Some(document),
            omitted: None,
            repair: false,
        })
    }
}
